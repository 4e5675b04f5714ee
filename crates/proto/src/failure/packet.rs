//! The failure packet (BOLT 4, "Returning Errors").

use crate::onion::{KeyType, SharedSecret, apply_stream, hmac};
use alloc::vec::Vec;
use core::fmt;

/// What message and padding add up to at least, so that a failure's length does not tell its kind.
const PADDED: usize = 256;

/// Why a message becomes no packet. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailurePacketError {
    /// A message or padding that its two bytes of length cannot count.
    #[error("a failure message or its padding has {0} bytes, more than 65,535")]
    TooLong(usize),
}

/// A failure on its way back, in `update_fail_htlc` as `reason`. Before any encryption:
/// `hmac(32) ‖ failure_len(u16) ‖ failuremsg ‖ pad_len(u16) ‖ pad`; usually 292 bytes.
///
/// The hop that fails creates it, every hop before it wraps it, the sender
/// [decodes](super::decode_failure) it.
#[derive(Clone, PartialEq, Eq)]
pub struct FailurePacket(Vec<u8>);

impl FailurePacket {
    /// What the failing hop sends: authenticated with its `um` key, encrypted with its `ammag`
    /// key. Message and padding are at least 256 bytes together.
    ///
    /// # Errors
    /// The message is longer than 65,535 bytes.
    pub fn create(secret: &SharedSecret, message: &[u8]) -> Result<FailurePacket, FailurePacketError> {
        FailurePacket::create_padded(secret, message, PADDED)
    }

    /// As [`create`](FailurePacket::create), with message and padding of at least `padded` bytes.
    /// Less than 256 is taken as 256, which the BOLT demands.
    ///
    /// # Errors
    /// Message or padding are longer than 65,535 bytes.
    pub fn create_padded(
        secret: &SharedSecret,
        message: &[u8],
        padded: usize,
    ) -> Result<FailurePacket, FailurePacketError> {
        let padding = padded.max(PADDED).saturating_sub(message.len());
        let length = |n: usize| u16::try_from(n).map_err(|_| FailurePacketError::TooLong(n));
        let mut bytes = Vec::with_capacity(36 + message.len() + padding);
        bytes.extend_from_slice(&[0; 32]);
        bytes.extend_from_slice(&length(message.len())?.to_be_bytes());
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(&length(padding)?.to_be_bytes());
        bytes.resize(bytes.len() + padding, 0);
        let tag = hmac(secret.derive(KeyType::Um).as_bytes(), &[&bytes[32..]]);
        bytes[..32].copy_from_slice(&tag);
        let mut packet = FailurePacket(bytes);
        packet.wrap(secret);
        Ok(packet)
    }

    /// Takes the bytes of a `reason`, of any length: whether they say anything, only the sender
    /// can see.
    pub fn from_bytes(bytes: Vec<u8>) -> FailurePacket {
        FailurePacket(bytes)
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// One more layer, by a hop that passes the failure on. Doing it twice undoes it.
    pub fn wrap(&mut self, secret: &SharedSecret) {
        apply_stream(&secret.derive(KeyType::Ammag), 0, &mut self.0);
    }
}

impl fmt::Debug for FailurePacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailurePacket({} bytes)", self.0.len())
    }
}
