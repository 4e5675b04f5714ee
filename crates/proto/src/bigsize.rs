//! BigSize, the variable-length number of the Lightning wire (BOLT 1, "Fundamental Types").

use crate::TlvError;
use alloc::vec::Vec;

/// Appends a BigSize: 1, 3, 5 or 9 bytes, big-endian.
pub fn write_bigsize(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0xfc => out.push(value as u8),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            out.extend((value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend(value.to_be_bytes());
        }
    }
}

/// How many bytes [`write_bigsize`] appends: 1, 3, 5 or 9.
pub const fn bigsize_len(value: u64) -> usize {
    match value {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Takes a BigSize off the front of `bytes`.
///
/// # Errors
/// The bytes end too soon, or the number is not minimal.
pub fn read_bigsize(bytes: &mut &[u8]) -> Result<u64, TlvError> {
    let first = take(bytes, 1)?[0];
    let (width, least) = match first {
        0xfd => (2, 0xfd),
        0xfe => (4, 0x1_0000),
        0xff => (8, 0x1_0000_0000),
        small => return Ok(u64::from(small)),
    };
    let value = take(bytes, width)?.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    if value < least { Err(TlvError::NotMinimal) } else { Ok(value) }
}

/// Takes `length` bytes off the front.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], TlvError> {
    let (head, tail) = bytes.split_at_checked(length).ok_or(TlvError::Truncated)?;
    *bytes = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// BOLT 1, appendix A, "BigSize Decoding Tests".
    #[test]
    fn bigsize_of_bolt_1() {
        for (value, bytes) in [
            (0u64, &[0x00][..]),
            (252, &[0xfc]),
            (253, &[0xfd, 0x00, 0xfd]),
            (65_535, &[0xfd, 0xff, 0xff]),
            (65_536, &[0xfe, 0x00, 0x01, 0x00, 0x00]),
            (4_294_967_295, &[0xfe, 0xff, 0xff, 0xff, 0xff]),
            (4_294_967_296, &[0xff, 0, 0, 0, 1, 0, 0, 0, 0]),
            (u64::MAX, &[0xff; 9]),
        ] {
            let mut out = vec![];
            write_bigsize(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(bigsize_len(value), bytes.len());
            assert_eq!(read_bigsize(&mut &bytes[..]), Ok(value));
        }
        for not_minimal in
            [&[0xfd, 0x00, 0xfc][..], &[0xfe, 0, 0, 0xff, 0xff], &[0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]]
        {
            assert_eq!(read_bigsize(&mut &not_minimal[..]), Err(TlvError::NotMinimal));
        }
        for short in [&[][..], &[0xfd], &[0xfd, 0], &[0xfe, 0xff, 0xff], &[0xff, 0xff]] {
            assert_eq!(read_bigsize(&mut &short[..]), Err(TlvError::Truncated));
        }
    }

    proptest! {
        #[test]
        fn bigsize_round_trips(value: u64) {
            let mut out = vec![];
            write_bigsize(&mut out, value);
            prop_assert_eq!(bigsize_len(value), out.len());
            prop_assert_eq!(read_bigsize(&mut &out[..]), Ok(value));
        }

        #[test]
        fn any_bytes_that_are_read_are_written_the_same(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            if let Ok(value) = read_bigsize(&mut rest) {
                let mut out = vec![];
                write_bigsize(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}
