//! Units of money, height and time: private fields, checked arithmetic.

use std::fmt;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($int);
    };
}

unit! {
    /// Millisatoshi, the unit of every Lightning amount (BOLT 2, `amount_msat`). At most the
    /// money supply: 21,000,000 bitcoin.
    Msat(u64)
}

unit! {
    /// Satoshi, the unit of the chain. At most the money supply.
    Sat(u64)
}

unit! {
    /// The height of a block; the genesis block has height 0.
    BlockHeight(u32)
}

unit! {
    /// An absolute lock time of an HTLC, a block height (BOLT 2, `cltv_expiry`).
    CltvExpiry(u32)
}

unit! {
    /// A number of blocks between two expiries (BOLT 7, `cltv_expiry_delta`).
    CltvExpiryDelta(u16)
}

unit! {
    /// Milliseconds since the Unix epoch.
    Timestamp(u64)
}

impl Sat {
    /// All bitcoin there will ever be.
    pub const MAX: Sat = Sat(21_000_000 * 100_000_000);
    /// No money.
    pub const ZERO: Sat = Sat(0);

    /// `None` above the money supply.
    pub const fn new(sat: u64) -> Option<Sat> {
        if sat <= Self::MAX.0 { Some(Sat(sat)) } else { None }
    }

    /// The bare number, for a border (wire, JSON, SQL).
    pub const fn to_sat(self) -> u64 {
        self.0
    }

    /// The same amount in millisatoshi; never overflows, as the supply fits.
    pub const fn to_msat(self) -> Msat {
        Msat(self.0 * 1000)
    }
}

impl Msat {
    /// All bitcoin there will ever be.
    pub const MAX: Msat = Sat::MAX.to_msat();
    /// No money.
    pub const ZERO: Msat = Msat(0);

    /// `None` above the money supply.
    pub const fn new(msat: u64) -> Option<Msat> {
        if msat <= Self::MAX.0 { Some(Msat(msat)) } else { None }
    }

    /// `None` above the money supply.
    pub const fn from_sat(sat: u64) -> Option<Msat> {
        match Sat::new(sat) {
            Some(sat) => Some(sat.to_msat()),
            None => None,
        }
    }

    /// The bare number, for a border (wire, JSON, SQL).
    pub const fn to_msat(self) -> u64 {
        self.0
    }

    /// Whole satoshi; what is left of a satoshi is dropped.
    pub const fn truncate_to_sat(self) -> Sat {
        Sat(self.0 / 1000)
    }

    /// `None` if the sum exceeds the money supply.
    pub fn checked_add(self, other: Msat) -> Option<Msat> {
        self.0.checked_add(other.0).and_then(Msat::new)
    }

    /// `None` if `other` is larger.
    pub fn checked_sub(self, other: Msat) -> Option<Msat> {
        self.0.checked_sub(other.0).map(Msat)
    }

    /// Zero if `other` is larger.
    pub fn saturating_sub(self, other: Msat) -> Msat {
        Msat(self.0.saturating_sub(other.0))
    }

    /// The larger part of the amount that is `parts_per_million` of it, rounded up.
    pub fn ceil_ppm(self, parts_per_million: u32) -> Msat {
        let product = u128::from(self.0) * u128::from(parts_per_million);
        let ceil = product.div_ceil(1_000_000);
        Msat(u64::try_from(ceil).unwrap_or(u64::MAX).min(Self::MAX.0))
    }
}

impl BlockHeight {
    /// A height.
    pub const fn new(height: u32) -> BlockHeight {
        BlockHeight(height)
    }

    /// The bare number, for a border.
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// `None` if `other` is higher.
    pub fn checked_sub(self, other: BlockHeight) -> Option<u32> {
        self.0.checked_sub(other.0)
    }
}

impl CltvExpiry {
    /// An expiry at a height.
    pub const fn new(height: u32) -> CltvExpiry {
        CltvExpiry(height)
    }

    /// The bare number, for a border.
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// Blocks from `height` to the expiry; `None` if it has passed.
    pub fn blocks_after(self, height: BlockHeight) -> Option<u32> {
        self.0.checked_sub(height.0)
    }
}

impl CltvExpiryDelta {
    /// A number of blocks.
    pub const fn new(blocks: u16) -> CltvExpiryDelta {
        CltvExpiryDelta(blocks)
    }

    /// The bare number, for a border.
    pub const fn to_u16(self) -> u16 {
        self.0
    }
}

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since the Unix epoch, for a border.
    pub const fn to_millis(self) -> u64 {
        self.0
    }

    /// Later by so many milliseconds; stays at the end of time instead of wrapping.
    pub const fn plus_millis(self, millis: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`; zero if that lies ahead.
    pub const fn millis_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Msat {
    /// `50sat` when whole, else `50123msat`: what the parser reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            f.pad(&format!("{}sat", self.0 / 1000))
        } else {
            f.pad(&format!("{}msat", self.0))
        }
    }
}

impl fmt::Display for Sat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}sat", self.0))
    }
}

impl fmt::Display for BlockHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CltvExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_amount_exceeds_the_supply() {
        assert_eq!(Msat::new(Msat::MAX.to_msat() + 1), None);
        assert_eq!(Msat::MAX.checked_add(Msat(1)), None);
        assert_eq!(Msat::from_sat(u64::MAX), None);
        assert_eq!(Sat::new(Sat::MAX.to_sat()), Some(Sat::MAX));
    }

    #[test]
    fn subtraction_never_wraps() {
        assert_eq!(Msat(1).checked_sub(Msat(2)), None);
        assert_eq!(Msat(1).saturating_sub(Msat(2)), Msat::ZERO);
        assert_eq!(CltvExpiry(5).blocks_after(BlockHeight(6)), None);
    }

    #[test]
    fn parts_per_million_round_up() {
        assert_eq!(Msat(1).ceil_ppm(5_000), Msat(1));
        assert_eq!(Msat(1_000_000).ceil_ppm(5_000), Msat(5_000));
        assert_eq!(Msat::ZERO.ceil_ppm(5_000), Msat::ZERO);
    }
}
