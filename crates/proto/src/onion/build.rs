//! Building a packet (BOLT 4, "Packet Construction").

use super::{DerivedKey, KeyType, OnionPacket, RouteSecrets, SharedSecret, apply_stream, hmac, hop_size};
use crate::write_bigsize;
use alloc::vec;
use alloc::vec::Vec;

/// Why payloads become no packet. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Not one payload for each hop.
    #[error("{payloads} payloads for {hops} hops")]
    Payloads {
        /// Hops of the route.
        hops: usize,
        /// Payloads that were given.
        payloads: usize,
    },
    /// A payload of 0 or 1 bytes: those lengths are reserved.
    #[error("the payload of hop {hop} is shorter than 2 bytes")]
    TooShort {
        /// Its position; the first hop is 0.
        hop: usize,
    },
    /// The payloads, with a length and an HMAC each, are larger than the packet.
    #[error("the payloads take {needed} bytes, the packet has {size}")]
    TooLarge {
        /// What they would take.
        needed: usize,
        /// What the packet has.
        size: usize,
    },
}

impl RouteSecrets {
    /// Wraps one payload per hop, without its length in front, into a packet whose hop payloads
    /// take `size` bytes. A payment's onion is bound to its payment hash by the associated data; a
    /// message's has none.
    ///
    /// # Errors
    /// Not one payload per hop, one that is shorter than 2 bytes, or more than fits.
    pub fn build(
        &self,
        payloads: &[impl AsRef<[u8]>],
        associated_data: &[u8],
        size: usize,
    ) -> Result<OnionPacket, BuildError> {
        let sizes = check_sizes(payloads, self.shared_secrets().len(), size)?;
        let rhos: Vec<_> = self.shared_secrets().iter().map(|secret| secret.derive(KeyType::Rho)).collect();
        let filler = filler(&rhos, &sizes, size);

        let mut packet = OnionPacket::empty(self.public_key, size);
        let content = packet.hop_payloads_mut();
        apply_stream(&self.pad, 0, content);
        let mut next_hmac = [0; 32];
        let hops = self.shared_secrets().iter().zip(&rhos).zip(payloads).zip(&sizes);
        for (i, (((secret, rho), payload), taken)) in hops.enumerate().rev() {
            content.copy_within(..size - taken, *taken);
            write_hop(&mut content[..*taken], payload.as_ref(), &next_hmac);
            apply_stream(rho, 0, content);
            if i + 1 == sizes.len() {
                content[size - filler.len()..].copy_from_slice(&filler);
            }
            next_hmac = packet_hmac(secret, content, associated_data);
        }
        packet.set_hmac(&next_hmac);
        Ok(packet)
    }
}

/// What every hop takes of the packet.
fn check_sizes(payloads: &[impl AsRef<[u8]>], hops: usize, size: usize) -> Result<Vec<usize>, BuildError> {
    if payloads.len() != hops {
        return Err(BuildError::Payloads { hops, payloads: payloads.len() });
    }
    let lengths = || payloads.iter().map(|payload| payload.as_ref().len());
    if let Some(hop) = lengths().position(|length| length < 2) {
        return Err(BuildError::TooShort { hop });
    }
    let too_large = |needed| BuildError::TooLarge { needed, size };
    let sizes: Option<Vec<usize>> = lengths().map(hop_size).collect();
    let sizes = sizes.ok_or(too_large(usize::MAX))?;
    let needed = sizes.iter().try_fold(0usize, |sum, taken| sum.checked_add(*taken));
    match needed.unwrap_or(usize::MAX) {
        needed if needed <= size => Ok(sizes),
        needed => Err(too_large(needed)),
    }
}

/// What the hops before the last will have shifted into the packet's end by the time the last one
/// opens it (BOLT 4, "Filler Generation"): the streams of all hops before, each beyond `size`.
fn filler(rhos: &[DerivedKey], sizes: &[usize], size: usize) -> Vec<u8> {
    let Some((_, shifts)) = sizes.split_last() else { return vec![] };
    let mut filler = Vec::with_capacity(shifts.iter().sum());
    for (rho, shift) in rhos.iter().zip(shifts) {
        let start = size - filler.len();
        filler.resize(filler.len() + shift, 0);
        apply_stream(rho, start, &mut filler);
    }
    filler
}

/// `length(bigsize) ‖ payload ‖ hmac`; the room is exactly as long.
pub(super) fn write_hop(room: &mut [u8], payload: &[u8], next_hmac: &[u8; 32]) {
    let mut length = Vec::with_capacity(9);
    write_bigsize(&mut length, payload.len() as u64);
    let (front, hmac) = room.split_at_mut(room.len() - next_hmac.len());
    let (front, middle) = front.split_at_mut(length.len());
    front.copy_from_slice(&length);
    middle.copy_from_slice(payload);
    hmac.copy_from_slice(next_hmac);
}

/// `HMAC(mu, hop_payloads ‖ associated data)`.
pub(super) fn packet_hmac(secret: &SharedSecret, hop_payloads: &[u8], associated_data: &[u8]) -> [u8; 32] {
    hmac(secret.derive(KeyType::Mu).as_bytes(), &[hop_payloads, associated_data])
}
