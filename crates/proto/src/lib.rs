//! Spontaneous Lightning payments as bytes and types: units, onions, hop payloads, failures, and the
//! kinds themselves.
//!
//! The bottom of the crate graph. No I/O, no clock, no randomness, no Lightning implementation: time,
//! random bytes, keys and the curve's context are arguments. Everything from outside is data: it
//! is read into a type or refused with an error that knows its failure code; nothing panics, and
//! nothing takes more memory than the bytes that came. Secrets are compared in constant time, wiped
//! when dropped, and never shown by `Debug`. Works without `std`, with `alloc`.
//!
//! | module | what it reads and writes |
//! |---|---|
//! | the root | [units](Msat), [BigSize](read_bigsize), [truncated integers](read_tu64), [TLV streams](TlvStream), [identifiers](PaymentHash) |
//! | [`onion`] | Sphinx: [build](onion::RouteSecrets::build), [peel](onion::peel), [reseal](onion::reseal) |
//! | [`payload`] | what a hop is told |
//! | [`blinding`] | the same within a blinded path |
//! | [`failure`] | what comes back |
//! | [`keysend`], [`mpp`], [`amp`], [`ecdh`], [`device`] | the kinds of payment |
//! | [`message`] | text, signed or not, among a payment's records |
//!
//! # keysend
//! The payer chooses the preimage, and the receiver finds it in the payload.
//!
//! ```
//! use sponte_proto::payload::{FinalPayload, HopPayload, Position};
//! use sponte_proto::{CltvExpiry, Msat, Preimage, Record};
//!
//! let preimage = Preimage::from_bytes([7; 32]); // random
//! let payment_hash = preimage.payment_hash();
//! let mut payload = FinalPayload::new("50sat".parse()?, CltvExpiry::new(800_144));
//! payload.keysend = Some(preimage);
//! payload.custom_records.insert(Record::new(34_349_334, b"hello".to_vec())?)?;
//! let bytes = payload.encode(); // the last hop's, in an onion bound to the hash
//!
//! let HopPayload::Final(read) = HopPayload::read(&bytes, Position::Final, None)? else { panic!() };
//! let preimage = read.keysend.filter(|preimage| preimage.opens(&payment_hash)).expect("it pays");
//! assert_eq!(preimage.payment_hash(), payment_hash);
//! assert_eq!(read.custom_records.text(), Some("hello"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # keysend in parts
//! Every part says the same, but for its amount: a secret that the payer chose, and the total.
//!
//! ```
//! use sponte_proto::mpp::PaymentData;
//! use sponte_proto::payload::FinalPayload;
//! use sponte_proto::{CltvExpiry, Msat, PaymentSecret, Preimage};
//!
//! let data = PaymentData::new(PaymentSecret::from_bytes([3; 32]), "150sat".parse()?); // random
//! let parts = ["50sat", "100sat"].map(|amount| {
//!     let mut part = FinalPayload::new(amount.parse().expect("an amount"), CltvExpiry::new(800_144));
//!     part.payment_data = Some(data.clone());
//!     part.keysend = Some(Preimage::from_bytes([7; 32]));
//!     part
//! });
//!
//! let sum = parts.iter().try_fold(Msat::ZERO, |sum, part| sum.checked_add(part.amt_to_forward));
//! assert!(sum >= Some(parts[0].total())); // the set is complete
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # AMP
//! Shards with a hash each; a receiver that lacks one can claim none.
//!
//! ```
//! use sponte_proto::amp::{Root, SetId, Shard, Sharer, reconstruct};
//! use sponte_proto::mpp::PaymentData;
//! use sponte_proto::payload::FinalPayload;
//! use sponte_proto::{CltvExpiry, Msat, PaymentSecret};
//!
//! let data = PaymentData::new(PaymentSecret::from_bytes([3; 32]), "100sat".parse()?);
//! let (left, right) = Sharer::new(Root::from_bytes([1; 32])).split([2; 32])?; // random
//! let mut shards = vec![];
//! for (child, amount) in [(left.child(0), "40sat"), (right.child(1), "60sat")] {
//!     let mut payload = FinalPayload::new(amount.parse()?, CltvExpiry::new(800_144));
//!     payload.payment_data = Some(data.clone());
//!     payload.amp = Some(child.record(SetId::from_bytes([4; 32])));
//!     // ... and at the receiver, from payload and HTLC:
//!     let record = payload.amp.expect("it is AMP");
//!     shards.push(Shard {
//!         share: record.root_share,
//!         child_index: record.child_index,
//!         payment_hash: child.payment_hash(),
//!         amount: payload.amt_to_forward,
//!     });
//! }
//! let preimages = reconstruct(&shards, data.total())?;
//! assert!(preimages[1].opens(&shards[1].payment_hash));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # ecdh
//! No preimage is sent: both ends derive it from the onion's last secret.
//!
//! ```
//! use secp256k1::{PublicKey, Secp256k1, SecretKey};
//! use sponte_proto::ecdh::{ECDH_RECORD, Version};
//! use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets, peel};
//! use sponte_proto::payload::{FinalPayload, HopPayload, Position};
//! use sponte_proto::{CltvExpiry, Record};
//!
//! let secp = Secp256k1::new();
//! let bob = SecretKey::from_slice(&[2; 32])?;
//! let session_key = SecretKey::from_slice(&[9; 32])?; // random, new for every attempt
//! let secrets = RouteSecrets::new(&secp, &session_key, &[PublicKey::from_secret_key(&secp, &bob)])?;
//! let last = secrets.shared_secrets().last().expect("one hop");
//! let payment_hash = Version::Ecdh1.preimage(last).payment_hash();
//! let mut payload = FinalPayload::new("50sat".parse()?, CltvExpiry::new(800_144));
//! let marker = Version::Ecdh1.record().expect("this version has one").to_vec();
//! payload.custom_records.insert(Record::new(ECDH_RECORD.to_u64(), marker)?)?;
//! let packet = secrets.build(&[payload.encode()], &payment_hash.to_bytes(), PAYMENT_PAYLOADS)?;
//!
//! let peeled = peel(&secp, &bob, &packet, &payment_hash.to_bytes())?;
//! let HopPayload::Final(read) = HopPayload::read(&peeled.payload, Position::Final, None)? else { panic!() };
//! let version = Version::of_record(read.custom_records.value(ECDH_RECORD.to_u64()))?;
//! assert!(version.open(&peeled.shared_secret, &payment_hash).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Messages
//! [`message::whatsat::sign`] makes the records of a signed text, [`message::read`] verifies them, and
//! [`message::text_room`] says how long a text may be. [`device`] has an example of its own.

#![no_std]

extern crate alloc;

mod amount;
pub mod amp;
mod bigsize;
pub mod blinding;
pub mod device;
pub mod ecdh;
pub mod failure;
mod features;
mod ids;
pub mod keysend;
pub mod message;
pub mod mpp;
pub mod onion;
pub mod payload;
mod record_type;
mod records;
mod scid;
mod secret;
mod tlv;
mod truncated;
mod units;
#[cfg(test)]
mod vectors;

pub use amount::ParseAmountError;
pub use bigsize::{bigsize_len, read_bigsize, write_bigsize};
pub use features::Features;
pub use ids::{ChannelId, HexError, NodeId, PaymentHash, PaymentId, Preimage, Txid, hex, unhex};
pub use record_type::RecordType;
pub use records::{CUSTOM_RECORD_MIN, KEYSEND_RECORD, Record, RecordError, Records, TEXT_RECORD};
pub use scid::{ParseScidError, ShortChannelId};
pub use secret::PaymentSecret;
pub use tlv::{TlvError, TlvRecord, TlvStream};
pub use truncated::{read_tu16, read_tu32, read_tu64, truncated_len, write_truncated};
pub use units::{BlockHeight, CltvExpiry, CltvExpiryDelta, Msat, ParseUnitError, Sat, Timestamp};
