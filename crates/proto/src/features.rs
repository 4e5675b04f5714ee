//! Feature bits (BOLT 9), as they stand in `init`, `node_announcement` and invoices.

use alloc::{vec, vec::Vec};

/// A set of feature bits. Bits come in pairs: the even one says *required*, the odd one above it
/// *optional*.
///
/// Wire: bits are counted from the least significant bit of the last byte; no leading zero bytes.
/// At most 8192 bytes, as bits are numbered with 16 bits here.
///
/// ```
/// use sponte_proto::Features;
///
/// let features: Features = [8, 15].into_iter().collect();
/// assert_eq!(features.encode(), [0x81, 0x00]);
/// assert!(features.supports(14) && !features.requires(14));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Least significant byte first, the last one not zero.
    little_endian: Vec<u8>,
}

impl Features {
    /// None.
    pub const fn new() -> Features {
        Features { little_endian: Vec::new() }
    }

    /// Sets one bit.
    pub fn set(&mut self, bit: u16) {
        let byte = usize::from(bit / 8);
        if self.little_endian.len() <= byte {
            self.little_endian.resize(byte + 1, 0);
        }
        self.little_endian[byte] |= 1 << (bit % 8);
    }

    /// Whether this very bit is set.
    pub fn is_set(&self, bit: u16) -> bool {
        self.little_endian.get(usize::from(bit / 8)).is_some_and(|byte| byte & 1 << (bit % 8) != 0)
    }

    /// Whether the feature of this bit is required: its even bit is set.
    pub fn requires(&self, bit: u16) -> bool {
        self.is_set(bit & !1)
    }

    /// Whether the feature of this bit is required or optional.
    pub fn supports(&self, bit: u16) -> bool {
        self.is_set(bit & !1) || self.is_set(bit | 1)
    }

    /// The bits that are set, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..=u16::MAX).take(self.little_endian.len() * 8).filter(|bit| self.is_set(*bit))
    }

    /// The bytes on the wire, most significant first.
    pub fn encode(&self) -> Vec<u8> {
        self.little_endian.iter().rev().copied().collect()
    }

    /// Reads bytes of the wire, most significant first; leading zeros are dropped. `None` if a bit
    /// above 65,535 is set.
    pub fn decode(bytes: &[u8]) -> Option<Features> {
        let used = bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &bytes[first..]);
        let mut little_endian = vec![];
        little_endian.extend(used.iter().rev());
        (little_endian.len() <= 8192).then_some(Features { little_endian })
    }
}

impl FromIterator<u16> for Features {
    fn from_iter<I: IntoIterator<Item = u16>>(bits: I) -> Features {
        let mut features = Features::new();
        bits.into_iter().for_each(|bit| features.set(bit));
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    #[test]
    fn highest_and_lowest() {
        let ends: Features = [0, u16::MAX].into_iter().collect();
        assert_eq!(ends.encode().len(), 8192);
        assert_eq!(Features::decode(&ends.encode()), Some(ends.clone()));
        assert_eq!(ends.iter().collect::<Vec<_>>(), [0, u16::MAX]);
        assert_eq!(Features::decode(&[1; 8193]), None);
        assert_eq!(Features::decode(&[0; 9000]), Some(Features::new()));
    }

    proptest! {
        #[test]
        fn round_trip(bits: BTreeSet<u16>) {
            let features: Features = bits.iter().copied().collect();
            prop_assert_eq!(features.iter().collect::<BTreeSet<_>>(), bits);
            prop_assert_eq!(Features::decode(&features.encode()), Some(features));
        }

        #[test]
        fn bits_come_in_pairs(bit: u16) {
            let features: Features = [bit].into_iter().collect();
            prop_assert!(features.supports(bit) && features.supports(bit ^ 1));
            prop_assert_eq!(features.requires(bit), bit % 2 == 0);
            prop_assert!(!features.supports(bit ^ 2));
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let features = Features::decode(&bytes).expect("short");
            let kept = features.encode();
            prop_assert!(bytes.ends_with(&kept) && kept.first() != Some(&0));
        }
    }
}
