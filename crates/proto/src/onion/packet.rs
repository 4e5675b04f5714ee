//! The packet on the wire (BOLT 4, "Packet Structure").

use crate::bigsize_len;
use alloc::vec::Vec;
use bitcoin_hashes::{Hash as _, sha256};
use core::fmt;
use core::ops::Range;
use secp256k1::PublicKey;

/// The hop payloads of a payment's onion: 1,300 bytes, so `update_add_htlc` carries 1,366.
pub const PAYMENT_PAYLOADS: usize = 1300;

const KEY: Range<usize> = 1..34;
pub(crate) const PAYLOADS_START: usize = 34;
const HMAC_LEN: usize = 32;
/// Everything but the hop payloads.
const FRAME: usize = PAYLOADS_START + HMAC_LEN;
/// Length byte, two bytes of payload, HMAC: less holds no payload at all.
const LEAST_PAYLOADS: usize = 1 + 2 + HMAC_LEN;

/// How many bytes of the hop payloads a payload of `length` bytes takes: its length in front,
/// the next HMAC behind. `None` only if the sum does not fit a number.
pub const fn hop_size(length: usize) -> Option<usize> {
    length.checked_add(bigsize_len(length as u64) + HMAC_LEN)
}

/// Bytes that are too few for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// No room for a single payload.
    #[error("{0} bytes hold no onion packet")]
    TooShort(usize),
}

/// An onion packet: `version(1) = 0 ‖ public_key(33) ‖ hop_payloads(S) ‖ hmac(32)`.
///
/// `S` is 1,300 in a payment; trampoline and message onions have others, at least 35. A sender
/// builds it, every hop peels a layer off. Whether version, key and HMAC are good only
/// [`peel`](super::peel()) says, as each has its own failure code.
#[derive(Clone)]
pub struct OnionPacket {
    bytes: Vec<u8>,
    /// The public key, if the bytes of it are a point: looking for it takes a square root.
    point: Option<PublicKey>,
}

impl OnionPacket {
    /// Takes the bytes of a packet as they stand on the wire.
    ///
    /// # Errors
    /// Too few bytes for a packet.
    pub fn decode(bytes: &[u8]) -> Result<OnionPacket, PacketError> {
        if bytes.len() < FRAME + LEAST_PAYLOADS {
            return Err(PacketError::TooShort(bytes.len()));
        }
        Ok(OnionPacket::parse(bytes.to_vec()))
    }

    /// A packet from the fields that an implementation has taken apart.
    ///
    /// # Errors
    /// Too few hop payloads for a packet.
    pub fn from_parts(
        version: u8,
        public_key: &[u8; 33],
        hop_payloads: &[u8],
        hmac: &[u8; 32],
    ) -> Result<OnionPacket, PacketError> {
        if hop_payloads.len() < LEAST_PAYLOADS {
            return Err(PacketError::TooShort(FRAME + hop_payloads.len()));
        }
        let mut bytes = Vec::with_capacity(FRAME + hop_payloads.len());
        bytes.push(version);
        bytes.extend_from_slice(public_key);
        bytes.extend_from_slice(hop_payloads);
        bytes.extend_from_slice(hmac);
        Ok(OnionPacket::parse(bytes))
    }

    fn parse(bytes: Vec<u8>) -> OnionPacket {
        let point = PublicKey::from_slice(&bytes[KEY]).ok();
        OnionPacket { bytes, point }
    }

    /// A packet without content, `size` bytes of it for payloads. `size` holds a payload.
    pub(crate) fn empty(public_key: PublicKey, size: usize) -> OnionPacket {
        let mut bytes = Vec::with_capacity(FRAME + size);
        bytes.push(0);
        bytes.extend_from_slice(&public_key.serialize());
        bytes.resize(FRAME + size, 0);
        OnionPacket { bytes, point: Some(public_key) }
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// 0 is the only version there is.
    pub fn version(&self) -> u8 {
        self.bytes[0]
    }

    /// The ephemeral public key, which may be no [point](OnionPacket::point) of the curve.
    pub fn public_key(&self) -> &[u8; 33] {
        self.bytes[KEY].try_into().expect("33 bytes of the range")
    }

    /// The ephemeral public key, if it is a point of the curve.
    pub fn point(&self) -> Option<&PublicKey> {
        self.point.as_ref()
    }

    /// The encrypted payloads of all hops.
    pub fn hop_payloads(&self) -> &[u8] {
        &self.bytes[PAYLOADS_START..self.bytes.len() - HMAC_LEN]
    }

    /// Authenticates hop payloads and associated data. A node that has seen it before is shown a
    /// replay.
    pub fn hmac(&self) -> &[u8; 32] {
        self.bytes.last_chunk().expect("a packet is longer than its HMAC")
    }

    /// What failures of a packet that could not be read quote (BOLT 4, `sha256_of_onion`).
    pub fn sha256(&self) -> [u8; 32] {
        sha256::Hash::hash(&self.bytes).to_byte_array()
    }

    pub(crate) fn hop_payloads_mut(&mut self) -> &mut [u8] {
        let end = self.bytes.len() - HMAC_LEN;
        &mut self.bytes[PAYLOADS_START..end]
    }

    pub(crate) fn set_hmac(&mut self, hmac: &[u8; 32]) {
        let start = self.bytes.len() - HMAC_LEN;
        self.bytes[start..].copy_from_slice(hmac);
    }
}

impl PartialEq for OnionPacket {
    fn eq(&self, other: &OnionPacket) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for OnionPacket {}

impl fmt::Debug for OnionPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnionPacket({} bytes)", self.bytes.len())
    }
}
