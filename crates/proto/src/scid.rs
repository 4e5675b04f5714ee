//! The name of a channel by where its funding stands (BOLT 7, `short_channel_id`).

use alloc::{borrow::ToOwned, string::String};
use core::fmt;
use core::str::FromStr;

/// `block height(3) ‖ transaction index(3) ‖ output index(2)`, big-endian; shown as
/// `572330x7x1105`. Aliases look the same and name nothing on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortChannelId(u64);

/// Why a text is no short channel id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a short channel id: write for example `572330x7x1105`")]
pub struct ParseScidError(String);

impl ShortChannelId {
    /// Any 8 bytes are one.
    pub const fn from_bytes(bytes: [u8; 8]) -> ShortChannelId {
        ShortChannelId(u64::from_be_bytes(bytes))
    }

    /// Its bytes on the wire.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// From the number that other implementations make of the bytes.
    pub const fn new(number: u64) -> ShortChannelId {
        ShortChannelId(number)
    }

    /// The bytes as one number.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ShortChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (block, transaction, output) = (self.0 >> 40, self.0 >> 16 & 0xff_ffff, self.0 & 0xffff);
        write!(f, "{block}x{transaction}x{output}")
    }
}

impl FromStr for ShortChannelId {
    type Err = ParseScidError;

    fn from_str(text: &str) -> Result<ShortChannelId, ParseScidError> {
        let wrong = || ParseScidError(text.to_owned());
        let mut parts = text.split('x');
        let mut part = |max: u64| {
            let digits = parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|part| part.parse().ok()).filter(|number: &u64| *number <= max)
        };
        let block = part(0xff_ffff).ok_or_else(wrong)?;
        let transaction = part(0xff_ffff).ok_or_else(wrong)?;
        let output = part(0xffff).ok_or_else(wrong)?;
        match parts.next() {
            None => Ok(ShortChannelId(block << 40 | transaction << 16 | output)),
            Some(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn figures() {
        let scid = ShortChannelId::from_bytes([8, 0xbb, 0xaa, 0, 0, 7, 4, 0x51]);
        assert_eq!(scid.to_string(), "572330x7x1105");
        for text in ["", "1x2", "1x2x3x4", "16777216x0x0", "0x0x65536", "x0x0", "+1x0x0", "1x 2x3"] {
            assert!(text.parse::<ShortChannelId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(number: u64) {
            let scid = ShortChannelId::new(number);
            prop_assert_eq!(scid.to_string().parse(), Ok(scid));
            prop_assert_eq!(ShortChannelId::from_bytes(scid.to_bytes()), scid);
        }
    }
}
