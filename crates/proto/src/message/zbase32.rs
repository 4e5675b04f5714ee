//! zbase32: five bits a character, most significant first, no padding.

use alloc::vec::Vec;

const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// `None` if a character is not of the alphabet, or bits are left that are not zero or make a whole
/// character: no two texts give the same bytes.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0);
    for character in text {
        let value = ALPHABET.iter().position(|other| other == character)?;
        bits = bits << 5 | value as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (held < 5 && bits == 0).then_some(bytes)
}

#[cfg(test)]
pub(super) fn encode(bytes: &[u8]) -> alloc::string::String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let character = |at: usize| ALPHABET[(at..at + 5).fold(0, |value, at| value << 1 | usize::from(bit(at)))];
    (0..bytes.len() * 8).step_by(5).map(|at| char::from(character(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_text() {
        assert_eq!(decode(b""), Some(Vec::new()));
        assert_eq!(decode(b"yy"), Some([0].to_vec()));
        for wrong in [&b"y"[..], b"yn", b"yyy", b"l2", b"YY", "yé".as_bytes()] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn any_bytes_that_are_read_are_written_the_same(text: Vec<u8>, near in "[ybndrfg8ejkmcpqxot1uwisza345h769]{0,20}") {
            for text in [text, near.into_bytes()] {
                if let Some(bytes) = decode(&text) {
                    prop_assert_eq!(encode(&bytes), String::from_utf8(text).expect("ASCII"));
                }
            }
        }
    }
}
