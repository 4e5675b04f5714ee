//! Peeling a layer off (BOLT 4, "Onion Decryption").

use super::build::packet_hmac;
use super::{KeyType, OnionPacket, SharedSecret};
use crate::RecordType;
use crate::bigsize::{read_bigsize, take};
use crate::failure::Failure;
use alloc::vec::Vec;
use chacha20::cipher::StreamCipher as _;
use core::fmt;
use secp256k1::{Secp256k1, SecretKey, Verification};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Why a packet is not for this node, or for nobody. The sender's or a hop's fault: each has its
/// failure code, see [`failure`](PeelError::failure).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeelError {
    /// A version other than 0: `invalid_onion_version`.
    #[error("onion version {0} is unknown")]
    Version(u8),
    /// The ephemeral key is no point of the curve: `invalid_onion_key`.
    #[error("the onion's key is no point of the curve")]
    Key,
    /// Not encrypted to this node, altered, or of another payment: `invalid_onion_hmac`.
    #[error("the onion's HMAC does not match")]
    Hmac,
    /// The length of the payload is reserved, not minimal or too large: `invalid_onion_payload`.
    #[error("the onion's payload has no valid length")]
    PayloadLength,
}

impl PeelError {
    /// What goes upstream: as `update_fail_malformed_htlc` if the code says so
    /// ([`is_bad_onion`](crate::failure::FailureCode::is_bad_onion)), else as a failure packet.
    /// Within a blinded path `invalid_onion_blinding` takes the place of all of them.
    pub fn failure(&self, packet: &OnionPacket) -> Failure {
        let sha256_of_onion = packet.sha256();
        match self {
            PeelError::Version(_) => Failure::InvalidOnionVersion { sha256_of_onion },
            PeelError::Key => Failure::InvalidOnionKey { sha256_of_onion },
            PeelError::Hmac => Failure::InvalidOnionHmac { sha256_of_onion },
            PeelError::PayloadLength => Failure::InvalidOnionPayload { kind: RecordType::new(0), offset: 0 },
        }
    }
}

/// What one hop finds in an onion.
pub struct Peeled {
    /// The secret shared with the sender; failures go back under it.
    pub shared_secret: SharedSecret,
    /// The payload for this hop, a TLV stream without its length. Wiped when dropped.
    pub payload: Zeroizing<Vec<u8>>,
    /// What the next hop is to be given; `None` at the final hop.
    pub next: Option<OnionPacket>,
}

impl fmt::Debug for Peeled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.payload.len();
        write!(f, "Peeled(payload of {length} bytes, next: {:?})", self.next)
    }
}

/// Peels the layer for the node of `node_key`. Within a blinded path the key is
/// [`blinded_node_key`](crate::blinding::blinded_node_key)'s.
///
/// A replay of an onion is peeled again: whoever keeps state looks for the
/// [HMAC](OnionPacket::hmac) among those seen.
///
/// # Errors
/// In this order: unknown version, no point, wrong HMAC, no payload.
pub fn peel<C: Verification>(
    secp: &Secp256k1<C>,
    node_key: &SecretKey,
    packet: &OnionPacket,
    associated_data: &[u8],
) -> Result<Peeled, PeelError> {
    check_version(packet)?;
    let public_key = packet.point().ok_or(PeelError::Key)?;
    let shared_secret = SharedSecret::new(public_key, node_key);
    peel_layer(secp, shared_secret, packet, associated_data)
}

/// As [`peel()`], for a node whose key does the Diffie-Hellman elsewhere (in a signer): the shared
/// secret is that of the node and the packet's [`public_key`](OnionPacket::public_key).
///
/// # Errors
/// As [`peel()`]; a bad key is told only of a packet that is to be forwarded.
pub fn peel_with_secret<C: Verification>(
    secp: &Secp256k1<C>,
    shared_secret: SharedSecret,
    packet: &OnionPacket,
    associated_data: &[u8],
) -> Result<Peeled, PeelError> {
    check_version(packet)?;
    peel_layer(secp, shared_secret, packet, associated_data)
}

/// The payload of a final hop; `None` if the packet is to be forwarded, which costs no arithmetic
/// on the curve here. For a node that only looks at what is for itself.
///
/// # Errors
/// As [`peel_with_secret`].
pub fn peel_final(
    shared_secret: &SharedSecret,
    packet: &OnionPacket,
    associated_data: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, PeelError> {
    check_version(packet)?;
    check_hmac(shared_secret, packet, associated_data)?;
    let mut content = Zeroizing::new(packet.hop_payloads().to_vec());
    shared_secret.derive(KeyType::Rho).stream().apply_keystream(&mut content);
    let Hop { payload, next_hmac, .. } = split_hop(&content)?;
    Ok((*next_hmac == [0; 32]).then(|| Zeroizing::new(payload.to_vec())))
}

fn check_version(packet: &OnionPacket) -> Result<(), PeelError> {
    match packet.version() {
        0 => Ok(()),
        version => Err(PeelError::Version(version)),
    }
}

/// Checks the HMAC, then decrypts.
fn peel_layer<C: Verification>(
    secp: &Secp256k1<C>,
    shared_secret: SharedSecret,
    packet: &OnionPacket,
    associated_data: &[u8],
) -> Result<Peeled, PeelError> {
    check_hmac(&shared_secret, packet, associated_data)?;
    let size = packet.hop_payloads().len();
    let mut stream = shared_secret.derive(KeyType::Rho).stream();
    let mut content = Zeroizing::new(packet.hop_payloads().to_vec());
    stream.apply_keystream(&mut content);

    let Hop { payload, next_hmac, rest } = split_hop(&content)?;
    let payload = Zeroizing::new(payload.to_vec());
    if *next_hmac == [0; 32] {
        return Ok(Peeled { shared_secret, payload, next: None });
    }
    let public_key = packet.point().ok_or(PeelError::Key)?;
    let factor = shared_secret.blinding_factor(packet.public_key()).ok_or(PeelError::Key)?;
    let next_key = public_key.mul_tweak(secp, &factor).map_err(|_| PeelError::Key)?;
    let mut next = OnionPacket::empty(next_key, size);
    // What this hop took is refilled from the stream beyond the packet's size.
    let (kept, refilled) = next.hop_payloads_mut().split_at_mut(rest.len());
    kept.copy_from_slice(rest);
    stream.apply_keystream(refilled);
    next.set_hmac(next_hmac);
    Ok(Peeled { shared_secret, payload, next: Some(next) })
}

/// In constant time.
pub(super) fn check_hmac(
    shared_secret: &SharedSecret,
    packet: &OnionPacket,
    associated_data: &[u8],
) -> Result<(), PeelError> {
    let expected = packet_hmac(shared_secret, packet.hop_payloads(), associated_data);
    if expected.ct_eq(packet.hmac()).into() { Ok(()) } else { Err(PeelError::Hmac) }
}

/// What one hop finds in front, and what is left for the hops behind.
pub(super) struct Hop<'a> {
    payload: &'a [u8],
    pub(super) next_hmac: &'a [u8; 32],
    rest: &'a [u8],
}

/// Takes the hop's part off the front of the plain text.
pub(super) fn split_hop(mut content: &[u8]) -> Result<Hop<'_>, PeelError> {
    let length = read_bigsize(&mut content).map_err(|_| PeelError::PayloadLength)?;
    // 0 was the frame before TLV, 1 is reserved.
    let length = usize::try_from(length).ok().filter(|length| *length >= 2);
    let length = length.ok_or(PeelError::PayloadLength)?;
    let payload = take(&mut content, length).map_err(|_| PeelError::PayloadLength)?;
    let (next_hmac, rest) = content.split_first_chunk().ok_or(PeelError::PayloadLength)?;
    Ok(Hop { payload, next_hmac, rest })
}
