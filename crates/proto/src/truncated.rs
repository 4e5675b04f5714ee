//! Truncated integers (BOLT 1, "Fundamental Types"): big-endian without leading zero bytes, so
//! zero is no byte at all. They end a record, which says how long they are.

use crate::TlvError;
use alloc::vec::Vec;

/// Appends a `tu16`, `tu32` or `tu64`: 0 to 8 bytes.
pub fn write_truncated(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    out.extend_from_slice(&bytes[8 - truncated_len(value)..]);
}

/// How many bytes [`write_truncated`] appends.
pub const fn truncated_len(value: u64) -> usize {
    8 - value.leading_zeros() as usize / 8
}

/// Reads all of `bytes` as a `tu16`.
///
/// # Errors
/// More than 2 bytes, or a leading zero byte.
pub fn read_tu16(bytes: &[u8]) -> Result<u16, TlvError> {
    read_tu64(bytes).and_then(|value| value.try_into().map_err(|_| TlvError::WrongLength))
}

/// Reads all of `bytes` as a `tu32`.
///
/// # Errors
/// More than 4 bytes, or a leading zero byte.
pub fn read_tu32(bytes: &[u8]) -> Result<u32, TlvError> {
    read_tu64(bytes).and_then(|value| value.try_into().map_err(|_| TlvError::WrongLength))
}

/// Reads all of `bytes` as a `tu64`.
///
/// # Errors
/// More than 8 bytes, or a leading zero byte.
pub fn read_tu64(bytes: &[u8]) -> Result<u64, TlvError> {
    match bytes {
        [0, ..] => Err(TlvError::NotMinimal),
        _ if bytes.len() > 8 => Err(TlvError::WrongLength),
        _ => Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// BOLT 1, appendix B, lengths and leading zeros of `tu64` (n1 type 1).
    #[test]
    fn only_the_shortest_form_is_read() {
        assert_eq!(read_tu64(&[]), Ok(0));
        assert_eq!(read_tu64(&[1]), Ok(1));
        assert_eq!(read_tu64(&[1, 0]), Ok(256));
        assert_eq!(read_tu64(&[0xff; 8]), Ok(u64::MAX));
        assert_eq!(read_tu64(&[0]), Err(TlvError::NotMinimal));
        assert_eq!(read_tu64(&[0, 1]), Err(TlvError::NotMinimal));
        assert_eq!(read_tu64(&[1; 9]), Err(TlvError::WrongLength));
        assert_eq!(read_tu32(&[1; 5]), Err(TlvError::WrongLength));
        assert_eq!(read_tu16(&[1; 3]), Err(TlvError::WrongLength));
        assert_eq!(read_tu32(&[0xff; 4]), Ok(u32::MAX));
        assert_eq!(read_tu16(&[0xff; 2]), Ok(u16::MAX));
    }

    proptest! {
        #[test]
        fn truncated_integers_round_trip(value: u64, shift in 0u32..64) {
            let value = value >> shift;
            let mut out = vec![];
            write_truncated(&mut out, value);
            prop_assert_eq!(out.len(), truncated_len(value));
            prop_assert_eq!(read_tu64(&out), Ok(value));
            prop_assert_eq!(read_tu32(&out).ok(), u32::try_from(value).ok());
            prop_assert_eq!(read_tu16(&out).ok(), u16::try_from(value).ok());
        }

        #[test]
        fn any_bytes_that_are_read_are_written_the_same(bytes: Vec<u8>) {
            if let Ok(value) = read_tu64(&bytes) {
                let mut out = vec![];
                write_truncated(&mut out, value);
                prop_assert_eq!(out, bytes);
            }
        }
    }
}
