//! What a recipient tells the sender on success (BOLTs pull request 1344, Eclair).

use crate::onion::{DerivedKey, KeyType, SharedSecret, apply_stream};
use alloc::vec::Vec;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use core::fmt;
use zeroize::Zeroizing;

/// The bytes that a fulfillment payload has at most on the wire.
pub const FULFILLMENT_MAX: usize = 32_768;
/// What the cipher adds.
const TAG: usize = 16;

/// Why there is no fulfillment payload, or nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FulfillmentError {
    /// Longer than [`FULFILLMENT_MAX`].
    #[error("a fulfillment payload of {0} bytes is too long")]
    TooLong(usize),
    /// Altered on its way, or none for this route.
    #[error("the fulfillment payload does not decrypt")]
    Undecryptable,
    /// A route without hops has no recipient.
    #[error("the route has no hop")]
    EmptyRoute,
}

/// A TLV stream from the recipient to the sender, record 3 of `update_fulfill_htlc`:
/// ChaCha20-Poly1305 with the recipient's `fulfillment` key, then one stream per hop on the way.
/// At most 32,768 bytes. No application is standardised; type 1 is padding.
#[derive(Clone, PartialEq, Eq)]
pub struct FulfillmentPayload(Vec<u8>);

impl FulfillmentPayload {
    /// What the final hop sends.
    ///
    /// # Errors
    /// The plain text is longer than 32,752 bytes.
    pub fn create(secret: &SharedSecret, plain: &[u8]) -> Result<FulfillmentPayload, FulfillmentError> {
        let length = plain.len().saturating_add(TAG);
        if length > FULFILLMENT_MAX {
            return Err(FulfillmentError::TooLong(length));
        }
        let sealed = cipher(&secret.derive(KeyType::Fulfillment)).encrypt(&[0; 12].into(), plain);
        sealed.map(FulfillmentPayload).map_err(|_| FulfillmentError::TooLong(length))
    }

    /// Takes the bytes of the record.
    ///
    /// # Errors
    /// Too many: a peer that sends them violates the protocol.
    pub fn decode(bytes: &[u8]) -> Result<FulfillmentPayload, FulfillmentError> {
        if bytes.len() > FULFILLMENT_MAX {
            return Err(FulfillmentError::TooLong(bytes.len()));
        }
        Ok(FulfillmentPayload(bytes.to_vec()))
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// One more layer, by a hop that is not the final one. Doing it twice undoes it.
    pub fn wrap(&mut self, secret: &SharedSecret) {
        apply_stream(&secret.derive(KeyType::Ammag), 0, &mut self.0);
    }

    /// What the recipient wrote, from the secrets of all hops.
    ///
    /// # Errors
    /// The payload was altered, or there is no hop.
    pub fn open(&self, secrets: &[SharedSecret]) -> Result<Zeroizing<Vec<u8>>, FulfillmentError> {
        let (last, others) = secrets.split_last().ok_or(FulfillmentError::EmptyRoute)?;
        let mut payload = self.clone();
        for secret in others {
            payload.wrap(secret);
        }
        cipher(&last.derive(KeyType::Fulfillment))
            .decrypt(&[0; 12].into(), &payload.0[..])
            .map(Zeroizing::new)
            .map_err(|_| FulfillmentError::Undecryptable)
    }
}

fn cipher(key: &DerivedKey) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(key.as_bytes().into())
}

impl fmt::Debug for FulfillmentPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FulfillmentPayload({} bytes)", self.0.len())
    }
}
