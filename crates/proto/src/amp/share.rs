//! Root, shares and set id of a payment.

use crate::secret::secret32;
use core::fmt;
use core::ops::BitXorAssign;

secret32! {
    /// The seed of all preimages of a set: 32 random bytes that the payer never sends. The XOR of
    /// all shares.
    Root
}

secret32! {
    /// One shard's part of the [`Root`] (`root_share`), 32 bytes.
    Share
}

/// Names one set of shards towards one payment address, and so one payment: 32 random bytes
/// (LND's `set_id`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId([u8; 32]);

impl SetId {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> SetId {
        SetId(bytes)
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Whether it is all zero: receivers refuse such a set with
    /// `incorrect_or_unknown_payment_details` (lnd at 90ea05d5a, `invoices/update.go`).
    pub fn is_zero(self) -> bool {
        self.0 == [0; 32]
    }
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex(&self.0))
    }
}

impl fmt::Debug for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetId({self})")
    }
}

impl Share {
    /// A share that changes nothing.
    pub(super) const ZERO: Share = Share::from_bytes([0; 32]);

    /// In constant time, as all bytes are looked at.
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().fold(0, |any, byte| any | byte) == 0
    }
}

impl BitXorAssign<&Share> for Share {
    fn bitxor_assign(&mut self, other: &Share) {
        xor(&mut self.0, &other.0);
    }
}

impl BitXorAssign<&Share> for Root {
    fn bitxor_assign(&mut self, other: &Share) {
        xor(&mut self.0, &other.0);
    }
}

fn xor(bytes: &mut [u8; 32], other: &[u8; 32]) {
    for (byte, other) in bytes.iter_mut().zip(other) {
        *byte ^= other;
    }
}
