//! A final hop's payload, rewritten for the node software behind.

use super::build::{packet_hmac, write_hop};
use super::peel::{check_hmac, split_hop};
use super::{KeyType, OnionPacket, PeelError, SharedSecret, apply_stream, hop_size};
use zeroize::Zeroizing;

/// Why a payload was not rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResealError {
    /// A payload of 0 or 1 bytes: those lengths are reserved.
    #[error("the payload is shorter than 2 bytes")]
    TooShort,
    /// The packet has no room for the payload: it cannot be told to the node behind, so the HTLC
    /// is failed or passed on as it is.
    #[error("the payload takes {needed} bytes, the packet has {size}")]
    TooLarge {
        /// What it would take, with its length and HMAC.
        needed: usize,
        /// What the packet has.
        size: usize,
    },
    /// The packet is to be forwarded: the payload of a forward binds the hops behind.
    #[error("the packet has another hop behind this one")]
    NotFinal,
    /// The packet is not one that this secret opens.
    #[error(transparent)]
    Packet(#[from] PeelError),
}

/// The same packet with another payload for its final hop, under the same ephemeral key and
/// secret: whoever peels it returns failures that the original sender decodes. What stands
/// behind the new payload stays as the sender had it.
///
/// For a node that hands an HTLC to software which does not know the payload's kind (BOLT 2
/// signatures do not commit to the onion).
///
/// # Errors
/// The payload is too short or does not fit, the packet's HMAC is not of this secret and
/// associated data, or the hop is not the final one.
pub fn reseal(
    shared_secret: &SharedSecret,
    packet: &OnionPacket,
    payload: &[u8],
    associated_data: &[u8],
) -> Result<OnionPacket, ResealError> {
    if payload.len() < 2 {
        return Err(ResealError::TooShort);
    }
    let size = packet.hop_payloads().len();
    let needed = hop_size(payload.len()).unwrap_or(usize::MAX);
    if needed > size {
        return Err(ResealError::TooLarge { needed, size });
    }
    check_hmac(shared_secret, packet, associated_data)?;

    let rho = shared_secret.derive(KeyType::Rho);
    let mut content = Zeroizing::new(packet.hop_payloads().to_vec());
    apply_stream(&rho, 0, &mut content);
    if *split_hop(&content)?.next_hmac != [0; 32] {
        return Err(ResealError::NotFinal);
    }
    write_hop(&mut content[..needed], payload, &[0; 32]);
    apply_stream(&rho, 0, &mut content);
    let hmac = packet_hmac(shared_secret, &content, associated_data);
    let mut resealed = packet.clone();
    resealed.hop_payloads_mut().copy_from_slice(&content);
    resealed.set_hmac(&hmac);
    Ok(resealed)
}
