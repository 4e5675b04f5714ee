//! Units of money, height and time: private fields, checked arithmetic.

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt;
use core::str::FromStr;

/// Why a text is not a height, a number of blocks or a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseUnitError {
    /// Not a number of decimal digits alone, or one that the unit cannot hold.
    #[error("`{0}` is not a number from 0 to {1}")]
    NotANumber(String, u64),
    /// A time without its unit.
    #[error("`{0}` is not a time: write for example `1700000000000ms`")]
    NoUnit(String),
}

/// Decimal digits alone: no sign, no space, nothing above `max`.
fn parse_digits(text: &str, max: u64) -> Result<u64, ParseUnitError> {
    let wrong = || ParseUnitError::NotANumber(text.to_owned(), max);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    text.parse().ok().filter(|number| *number <= max).ok_or_else(wrong)
}

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

    /// `None` if the sum exceeds the money supply.
    pub fn checked_add(self, other: Sat) -> Option<Sat> {
        self.0.checked_add(other.0).and_then(Sat::new)
    }

    /// `None` if `other` is larger.
    pub fn checked_sub(self, other: Sat) -> Option<Sat> {
        self.0.checked_sub(other.0).map(Sat)
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

    /// Higher by so many blocks; `None` above the largest height.
    pub fn checked_add(self, blocks: CltvExpiryDelta) -> Option<BlockHeight> {
        self.0.checked_add(u32::from(blocks.0)).map(BlockHeight)
    }

    /// The expiry that lies so many blocks ahead; `None` above the largest height.
    pub fn expiry_after(self, blocks: CltvExpiryDelta) -> Option<CltvExpiry> {
        self.0.checked_add(u32::from(blocks.0)).map(CltvExpiry)
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

    /// Later by so many blocks; `None` above the largest height.
    pub fn checked_add(self, blocks: CltvExpiryDelta) -> Option<CltvExpiry> {
        self.0.checked_add(u32::from(blocks.0)).map(CltvExpiry)
    }

    /// Earlier by so many blocks; `None` below the genesis block.
    pub fn checked_sub(self, blocks: CltvExpiryDelta) -> Option<CltvExpiry> {
        self.0.checked_sub(u32::from(blocks.0)).map(CltvExpiry)
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

    /// `None` above 65,535 blocks.
    pub fn checked_add(self, other: CltvExpiryDelta) -> Option<CltvExpiryDelta> {
        self.0.checked_add(other.0).map(CltvExpiryDelta)
    }

    /// `None` if `other` is larger.
    pub fn checked_sub(self, other: CltvExpiryDelta) -> Option<CltvExpiryDelta> {
        self.0.checked_sub(other.0).map(CltvExpiryDelta)
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

    /// Later by so many milliseconds; `None` beyond the end of time.
    pub fn checked_add_millis(self, millis: u64) -> Option<Timestamp> {
        self.0.checked_add(millis).map(Timestamp)
    }

    /// Earlier by so many milliseconds; `None` before the epoch.
    pub fn checked_sub_millis(self, millis: u64) -> Option<Timestamp> {
        self.0.checked_sub(millis).map(Timestamp)
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

macro_rules! shown_as_digits {
    ($name:ident($int:ty)) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseUnitError;

            /// Decimal digits alone.
            fn from_str(text: &str) -> Result<$name, ParseUnitError> {
                let number = parse_digits(text, <$int>::MAX.into())?;
                let number = number
                    .try_into()
                    .map_err(|_| ParseUnitError::NotANumber(text.to_owned(), <$int>::MAX.into()))?;
                Ok($name(number))
            }
        }
    };
}

shown_as_digits!(BlockHeight(u32));
shown_as_digits!(CltvExpiry(u32));
shown_as_digits!(CltvExpiryDelta(u16));

impl fmt::Display for Timestamp {
    /// `1700000000000ms`: what the parser reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}ms", self.0))
    }
}

impl FromStr for Timestamp {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Timestamp, ParseUnitError> {
        let number = text.strip_suffix("ms").ok_or_else(|| ParseUnitError::NoUnit(text.to_owned()))?;
        parse_digits(number, u64::MAX).map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

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
        assert_eq!(CltvExpiry(5).checked_sub(CltvExpiryDelta(6)), None);
        assert_eq!(Sat(1).checked_sub(Sat(2)), None);
        assert_eq!(Timestamp(1).checked_sub_millis(2), None);
    }

    #[test]
    fn addition_never_wraps() {
        let block = CltvExpiryDelta(1);
        assert_eq!(BlockHeight(u32::MAX).expiry_after(block), None);
        assert_eq!(BlockHeight(u32::MAX).checked_add(block), None);
        assert_eq!(CltvExpiry(u32::MAX).checked_add(block), None);
        assert_eq!(CltvExpiryDelta(u16::MAX).checked_add(block), None);
        assert_eq!(Sat::MAX.checked_add(Sat(1)), None);
        assert_eq!(Timestamp(u64::MAX).checked_add_millis(1), None);
        assert_eq!(BlockHeight(5).expiry_after(CltvExpiryDelta(6)), Some(CltvExpiry(11)));
    }

    #[test]
    fn what_is_no_number_of_blocks_or_time() {
        for text in ["", "+1", "-1", " 1", "1 ", "0x10", "1.0", "4294967296", "٣"] {
            assert!(text.parse::<BlockHeight>().is_err(), "{text}");
            assert!(text.parse::<CltvExpiry>().is_err(), "{text}");
        }
        assert!("65536".parse::<CltvExpiryDelta>().is_err());
        for text in ["5", "ms", "-5ms", "5 ms", "18446744073709551616ms"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(height: u32, blocks: u16, millis: u64) {
            let height = BlockHeight(height);
            prop_assert_eq!(height.to_string().parse(), Ok(height));
            let expiry = CltvExpiry(height.0);
            prop_assert_eq!(expiry.to_string().parse(), Ok(expiry));
            let delta = CltvExpiryDelta(blocks);
            prop_assert_eq!(delta.to_string().parse(), Ok(delta));
            let time = Timestamp(millis);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<BlockHeight>();
            let _ = text.parse::<Timestamp>();
        }
    }

    #[test]
    fn parts_per_million_round_up() {
        assert_eq!(Msat(1).ceil_ppm(5_000), Msat(1));
        assert_eq!(Msat(1_000_000).ceil_ppm(5_000), Msat(5_000));
        assert_eq!(Msat::ZERO.ceil_ppm(5_000), Msat::ZERO);
    }
}
