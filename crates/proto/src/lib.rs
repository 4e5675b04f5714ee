//! Units, identifiers and records of spontaneous Lightning payments.
//!
//! The bottom of the crate graph: bytes and types, and nothing else. No I/O, no clock, no
//! randomness, no Lightning implementation.
//!
//! ```
//! use sponte_proto::{Msat, Record, Records};
//!
//! let amount: Msat = "50sat".parse()?;
//! assert_eq!(amount, Msat::from_sat(50).expect("small"));
//!
//! let mut records = Records::new();
//! records.insert(Record::new(34_349_334, b"hello".to_vec())?)?;
//! assert_eq!(Records::decode(&records.encode())?, records);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]

extern crate alloc;

pub mod amp;
mod amount;
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
pub use records::{CUSTOM_RECORD_MIN, KEYSEND_RECORD, Record, RecordError, Records, TEXT_RECORD};
pub use record_type::RecordType;
pub use scid::{ParseScidError, ShortChannelId};
pub use secret::PaymentSecret;
pub use tlv::{TlvError, TlvRecord, TlvStream};
pub use truncated::{read_tu16, read_tu32, read_tu64, truncated_len, write_truncated};
pub use units::{BlockHeight, CltvExpiry, CltvExpiryDelta, Msat, ParseUnitError, Sat, Timestamp};
