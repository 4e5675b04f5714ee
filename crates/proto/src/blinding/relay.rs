//! Fees along a blinded path (BOLT 4, "Route Blinding").

use crate::{CltvExpiry, CltvExpiryDelta, Msat, TlvError, read_tu32, write_truncated};
use alloc::vec::Vec;

const MILLION: u128 = 1_000_000;

/// Record 10 of [`RecipientData`](super::RecipientData), what a hop takes for forwarding:
/// `cltv_expiry_delta(u16) ‖ fee_proportional_millionths(u32) ‖ fee_base_msat(tu32)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentRelay {
    /// Blocks between the incoming and the outgoing HTLC.
    pub cltv_expiry_delta: CltvExpiryDelta,
    /// Millionths of the outgoing amount.
    pub fee_proportional_millionths: u32,
    /// On top, for each HTLC.
    pub fee_base_msat: u32,
}

impl PaymentRelay {
    /// The record's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.cltv_expiry_delta.to_u16().to_be_bytes().to_vec();
        out.extend_from_slice(&self.fee_proportional_millionths.to_be_bytes());
        write_truncated(&mut out, self.fee_base_msat.into());
        out
    }

    /// Reads the record's value.
    ///
    /// # Errors
    /// Not 6 to 10 bytes, or a base fee with leading zeros.
    pub fn decode(value: &[u8]) -> Result<PaymentRelay, TlvError> {
        let (delta, rest) = value.split_first_chunk().ok_or(TlvError::WrongLength)?;
        let (proportional, base) = rest.split_first_chunk().ok_or(TlvError::WrongLength)?;
        Ok(PaymentRelay {
            cltv_expiry_delta: CltvExpiryDelta::new(u16::from_be_bytes(*delta)),
            fee_proportional_millionths: u32::from_be_bytes(*proportional),
            fee_base_msat: read_tu32(base)?,
        })
    }

    /// What a hop forwards of an incoming amount, rounded up in favour of the next hop:
    /// `((amount - base)·10^6 + 10^6 + proportional - 1) / (10^6 + proportional)`. `None` if the
    /// amount does not even cover the base fee.
    pub fn amount_to_forward(&self, incoming: Msat) -> Option<Msat> {
        let amount = u128::from(incoming.to_msat()).checked_sub(self.fee_base_msat.into())?;
        let share = MILLION + u128::from(self.fee_proportional_millionths);
        let outgoing = (amount * MILLION).div_ceil(share);
        Msat::new(u64::try_from(outgoing).ok()?)
    }

    /// The expiry of the outgoing HTLC. `None` below the genesis block.
    pub fn outgoing_cltv(&self, incoming: CltvExpiry) -> Option<CltvExpiry> {
        incoming.checked_sub(self.cltv_expiry_delta)
    }
}

/// What a whole blinded path takes, as its recipient tells the sender (BOLT 12,
/// `blinded_payinfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathFees {
    /// For each HTLC.
    pub fee_base_msat: u32,
    /// Millionths of the amount that arrives.
    pub fee_proportional_millionths: u32,
    /// Blocks between the path's incoming HTLC and the last one's expiry.
    pub cltv_expiry_delta: CltvExpiryDelta,
}

impl PathFees {
    /// Sums up the hops that forward, from the first to the last, and the recipient's least
    /// expiry. `None` if a sum exceeds what the wire holds.
    pub fn aggregate(hops: &[PaymentRelay], min_final: CltvExpiryDelta) -> Option<PathFees> {
        let (mut base, mut proportional, mut delta) = (0u128, 0u128, min_final);
        for hop in hops.iter().rev() {
            let own = u128::from(hop.fee_proportional_millionths);
            let own_base = u128::from(hop.fee_base_msat);
            base = (own_base * MILLION + base * (MILLION + own)).div_ceil(MILLION);
            proportional = ((own + proportional) * MILLION + own * proportional).div_ceil(MILLION);
            delta = delta.checked_add(hop.cltv_expiry_delta)?;
            // Within 32 bits at every step, no product comes near 128.
            if base > u32::MAX.into() || proportional > u32::MAX.into() {
                return None;
            }
        }
        Some(PathFees {
            fee_base_msat: base.try_into().ok()?,
            fee_proportional_millionths: proportional.try_into().ok()?,
            cltv_expiry_delta: delta,
        })
    }

    /// What a sender puts into the first HTLC of the path for `amount` to arrive: the fee is
    /// rounded down (BOLT 7, "HTLC Fees"). `None` above the money supply.
    pub fn amount_in(&self, amount: Msat) -> Option<Msat> {
        let proportional = u128::from(amount.to_msat()) * u128::from(self.fee_proportional_millionths);
        let fee = u128::from(self.fee_base_msat) + proportional / MILLION;
        Msat::new(u64::try_from(u128::from(amount.to_msat()) + fee).ok()?)
    }
}
