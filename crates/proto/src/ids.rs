//! Hashes, keys and identifiers as bytes. Hex at the border.

use alloc::{string::String, vec::Vec};
use bitcoin_hashes::{Hash as _, sha256};
use core::fmt;
use core::str::FromStr;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Why a text is not the hex of such a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// Not so many hex digits.
    #[error("expected {expected} hex digits, found {found} characters")]
    Length {
        /// Digits that the type needs.
        expected: usize,
        /// Characters that were given.
        found: usize,
    },
    /// A character that is no hex digit.
    #[error("not a hex digit at position {0}")]
    Digit(usize),
    /// A node id that does not start with 02 or 03.
    #[error("a node id starts with 02 or 03")]
    NotAPoint,
}

/// Lower-case hex of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// Reads hex of any even length, either case.
///
/// # Errors
/// An odd number of characters, or one that is no hex digit.
pub fn unhex(text: &str) -> Result<Vec<u8>, HexError> {
    if !text.len().is_multiple_of(2) {
        return Err(HexError::Length { expected: text.len() + 1, found: text.len() });
    }
    let digit = |at: usize, byte: u8| (byte as char).to_digit(16).ok_or(HexError::Digit(at));
    text.as_bytes()
        .chunks_exact(2)
        .enumerate()
        .map(|(i, pair)| Ok((digit(2 * i, pair[0])? << 4 | digit(2 * i + 1, pair[1])?) as u8))
        .collect()
}

fn unhex_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let wrong = || HexError::Length { expected: 2 * N, found: text.chars().count() };
    if text.len() != 2 * N {
        return Err(wrong());
    }
    unhex(text)?.try_into().map_err(|_| wrong())
}

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn to_bytes(self) -> [u8; 32] {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                unhex_array(text).map(Self)
            }
        }
    };
}

macro_rules! shown {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

bytes32! {
    /// What an HTLC is locked to: SHA256 of its preimage (BOLT 2, `payment_hash`).
    PaymentHash
}
shown!(PaymentHash);

bytes32! {
    /// The identifier of a payment in the ledger.
    PaymentId
}
shown!(PaymentId);

bytes32! {
    /// A channel's identifier (BOLT 2, `channel_id`).
    ChannelId
}
shown!(ChannelId);

/// What claims an HTLC (BOLT 2, `payment_preimage`), 32 bytes. A secret until it is released: equality
/// takes the same time for all values, it never shows in `Debug`, and it is wiped when dropped.
#[derive(Clone, Eq)]
pub struct Preimage([u8; 32]);

impl PartialEq for Preimage {
    fn eq(&self, other: &Preimage) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Zeroize for Preimage {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Preimage {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Preimage {}

impl FromStr for Preimage {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Preimage, HexError> {
        unhex_array(text).map(Preimage)
    }
}

impl fmt::Debug for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preimage(..)")
    }
}

impl Preimage {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Preimage {
        Preimage(bytes)
    }

    /// Its bytes. Whoever keeps the copy wipes it.
    pub const fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// SHA256 of the preimage.
    pub fn payment_hash(&self) -> PaymentHash {
        PaymentHash(sha256::Hash::hash(&self.0).to_byte_array())
    }

    /// Whether it claims an HTLC that is locked to `payment_hash`. Takes the same time for every
    /// hash, so that nobody learns a preimage's hash bit by bit.
    pub fn opens(&self, payment_hash: &PaymentHash) -> bool {
        self.payment_hash().0.ct_eq(&payment_hash.0).into()
    }
}

/// A transaction's identifier, shown as the chain shows it: byte order reversed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txid([u8; 32]);

impl Txid {
    /// From the bytes of the double SHA256, in the order of the hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Txid {
        Txid(bytes)
    }

    /// Its bytes, in the order of the hash.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0;
        bytes.reverse();
        f.write_str(&hex(&bytes))
    }
}

impl fmt::Debug for Txid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Txid({self})")
    }
}

impl FromStr for Txid {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Txid, HexError> {
        let mut bytes = unhex_array(text)?;
        bytes.reverse();
        Ok(Txid(bytes))
    }
}

/// A node's identifier: a compressed point on secp256k1, 33 bytes (BOLT 7, `node_id`). Whether
/// the bytes really name a point is for whoever does the arithmetic to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 33]);

impl NodeId {
    /// From the bytes of a compressed point.
    ///
    /// # Errors
    /// The first byte is neither 2 nor 3.
    pub fn from_bytes(bytes: [u8; 33]) -> Result<NodeId, HexError> {
        if matches!(bytes[0], 2 | 3) { Ok(NodeId(bytes)) } else { Err(HexError::NotAPoint) }
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 33] {
        self.0
    }
}
shown!(NodeId);

impl FromStr for NodeId {
    type Err = HexError;

    fn from_str(text: &str) -> Result<NodeId, HexError> {
        unhex_array(text).and_then(NodeId::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use proptest::prelude::*;

    #[test]
    fn a_preimage_does_not_show() {
        assert_eq!(format!("{:?}", Preimage([7; 32])), "Preimage(..)");
    }

    #[test]
    fn a_txid_is_shown_reversed() {
        let mut bytes = [0; 32];
        bytes[0] = 0xab;
        assert!(Txid(bytes).to_string().ends_with("ab"));
    }

    #[test]
    fn wrong_node_ids() {
        assert!(matches!("02".parse::<NodeId>(), Err(HexError::Length { expected: 66, found: 2 })));
        assert_eq!("04".repeat(33).parse::<NodeId>(), Err(HexError::NotAPoint));
        assert_eq!(format!("02{}", "zz".repeat(32)).parse::<NodeId>(), Err(HexError::Digit(2)));
    }

    #[test]
    fn a_preimage_opens_its_hash_alone() {
        let preimage = Preimage([7; 32]);
        let hash = preimage.payment_hash();
        assert!(preimage.opens(&hash));
        for bit in 0..256 {
            let (mut other, mut value) = (hash, preimage.clone());
            other.0[bit / 8] ^= 1 << (bit % 8);
            value.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!preimage.opens(&other) && preimage != value);
        }
        let mut wiped = preimage;
        wiped.zeroize();
        assert_eq!(wiped, Preimage([0; 32]));
    }

    proptest! {
        #[test]
        fn hex_round_trips(bytes: Vec<u8>) {
            prop_assert_eq!(unhex(&hex(&bytes)), Ok(bytes));
        }

        #[test]
        fn ids_round_trip(bytes: [u8; 32]) {
            prop_assert_eq!(Txid(bytes).to_string().parse(), Ok(Txid(bytes)));
            prop_assert_eq!(PaymentHash(bytes).to_string().parse(), Ok(PaymentHash(bytes)));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<NodeId>();
            let _ = unhex(&text);
        }
    }
}
