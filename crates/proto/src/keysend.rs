//! keysend: the payer chooses the preimage and puts it into the final hop's payload (bLIP-3).
//!
//! Record type 5482373484 ([`RecordType::KEYSEND`](crate::RecordType::KEYSEND)): the preimage,
//! exactly 32 bytes, in the payload of the final hop only. Every payer sends it in each part of
//! the payment. The type is even: a receiver that doesn't know it answers `invalid_onion_payload`.
//!
//! ```
//! use sponte_proto::{Preimage, keysend};
//!
//! // The payer. The bytes are random, and never used twice.
//! let preimage = Preimage::from_bytes([7; 32]);
//! let (payment_hash, value) = (preimage.payment_hash(), keysend::encode(&preimage));
//!
//! // The receiver.
//! assert_eq!(keysend::open(&value, &payment_hash)?, preimage);
//! # Ok::<(), sponte_proto::keysend::KeysendError>(())
//! ```

use crate::{PaymentHash, Preimage};

/// Feature bit `keysend`, required (bLIP-2). Nobody sets it.
pub const KEYSEND_REQUIRED: u16 = 54;
/// Feature bit `keysend`, optional (bLIP-2), in `node_announcement`: what receivers set.
pub const KEYSEND_OPTIONAL: u16 = 55;

/// Why a record pays nothing. The sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysendError {
    /// Not 32 bytes.
    #[error("a keysend preimage is 32 bytes, not {0}")]
    Length(usize),
    /// The HTLC is locked to another hash: `incorrect_or_unknown_payment_details` (bLIP-3).
    #[error("the keysend preimage doesn't hash to the payment hash")]
    Mismatch,
}

/// The record's value, of a preimage that was drawn for this payment alone.
pub const fn encode(preimage: &Preimage) -> [u8; 32] {
    preimage.to_bytes()
}

/// Reads the record's value.
///
/// # Errors
/// [`KeysendError::Length`].
pub fn decode(value: &[u8]) -> Result<Preimage, KeysendError> {
    value.try_into().map(Preimage::from_bytes).map_err(|_| KeysendError::Length(value.len()))
}

/// The preimage, if it claims an HTLC that is locked to `payment_hash`. The comparison takes the
/// same time for every hash.
///
/// # Errors
/// The value is not 32 bytes, or hashes to something else.
pub fn open(value: &[u8], payment_hash: &PaymentHash) -> Result<Preimage, KeysendError> {
    let preimage = decode(value)?;
    if preimage.opens(payment_hash) { Ok(preimage) } else { Err(KeysendError::Mismatch) }
}

#[cfg(test)]
mod tests;
