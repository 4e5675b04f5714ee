//! ecdh: the preimage is derived from the secret that the payer shares with the final hop anyway.
//!
//! The payer sends no preimage. The onion's last shared secret gives it to both ends, and to no
//! node between them. Proposed in 2019 (S. Snigirev on lightning-dev, 9 June 2019) and never
//! deployed:
//!
//! | kind | preimage | marker in the final payload |
//! |---|---|---|
//! | `ecdh0` | `SHA256(shared secret)`, as in the only code that ran (C. Decker, branch `stepan-pay`) | none |
//! | `ecdh1` | `HMAC-SHA256("spont", shared secret)`, ours | record 1936928817 with value `01` |
//!
//! The hash of an attempt follows from its session key, so every attempt needs a new one, attempts
//! must follow one another, and a payment has one part. Whoever learns the shared secret can claim
//! the HTLC: while a node takes such payments, it must not hand shared secrets out.
//!
//! It is the secret with which the final hop peels its innermost layer: that of the blinded key
//! behind a blinded path, that of the inner onion behind a trampoline. A receiver tries it last: only
//! if the final payload has neither `payment_data` nor keysend nor AMP, and no invoice has the hash.
//!
//! ```
//! use secp256k1::{PublicKey, Secp256k1, SecretKey};
//! use sponte_proto::ecdh::Version;
//! use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets, peel};
//!
//! let secp = Secp256k1::new();
//! let bob = SecretKey::from_slice(&[2; 32])?;
//!
//! // The payer: the hash follows from the session key, and binds the onion.
//! let session_key = SecretKey::from_slice(&[9; 32])?;
//! let secrets = RouteSecrets::new(&secp, &session_key, &[PublicKey::from_secret_key(&secp, &bob)])?;
//! let last = secrets.shared_secrets().last().expect("one hop");
//! let payment_hash = Version::Ecdh0.preimage(last).payment_hash();
//! let packet = secrets.build(&["payload"], &payment_hash.to_bytes(), PAYMENT_PAYLOADS)?;
//!
//! // The receiver.
//! let peeled = peel(&secp, &bob, &packet, &payment_hash.to_bytes())?;
//! let preimage = Version::Ecdh0.open(&peeled.shared_secret, &payment_hash).expect("it is ours");
//! assert_eq!(preimage.payment_hash(), payment_hash);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::onion::{SharedSecret, hmac};
use crate::{PaymentHash, Preimage, RecordType};
use bitcoin_hashes::{Hash as _, sha256};

/// The record that marks `ecdh1`, "ss01": odd, so a node that doesn't know it fails the payment as
/// any with an unknown hash. Its value is one byte, the version.
pub const ECDH_RECORD: RecordType = RecordType::new(0x7373_3031);

/// How the preimage follows from the shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// `ecdh0`, as published: nothing in the payload tells it.
    Ecdh0,
    /// `ecdh1`, ours: marked, and derived under a label of its own.
    Ecdh1,
}

/// A marker of a version that is not known here. The sender's fault:
/// `incorrect_or_unknown_payment_details`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ecdh record is not of a known version")]
pub struct UnknownVersion;

impl Version {
    /// What a final payload says, given the value of its [`ECDH_RECORD`].
    ///
    /// # Errors
    /// The value is anything but the byte 1.
    pub fn of_record(value: Option<&[u8]>) -> Result<Version, UnknownVersion> {
        match value {
            None => Ok(Version::Ecdh0),
            Some([1]) => Ok(Version::Ecdh1),
            Some(_) => Err(UnknownVersion),
        }
    }

    /// The value of the [`ECDH_RECORD`] that the payer must add; `ecdh0` has none.
    pub const fn record(self) -> Option<&'static [u8]> {
        match self {
            Version::Ecdh0 => None,
            Version::Ecdh1 => Some(&[1]),
        }
    }

    /// What claims the HTLC whose final hop shares this secret with the payer.
    pub fn preimage(self, shared_secret: &SharedSecret) -> Preimage {
        Preimage::from_bytes(match self {
            Version::Ecdh0 => sha256::Hash::hash(shared_secret.as_bytes()).to_byte_array(),
            Version::Ecdh1 => hmac(b"spont", &[shared_secret.as_bytes()]),
        })
    }

    /// The preimage, if it claims an HTLC that is locked to `payment_hash`. The comparison takes
    /// the same time for every hash.
    pub fn open(self, shared_secret: &SharedSecret, payment_hash: &PaymentHash) -> Option<Preimage> {
        let preimage = self.preimage(shared_secret);
        preimage.opens(payment_hash).then_some(preimage)
    }
}

#[cfg(test)]
mod tests;
