//! TLV streams (BOLT 1, "Type-Length-Value Format"): `type(bigsize) ‖ length(bigsize) ‖ value`,
//! again and again, types strictly increasing.
//!
//! [`TlvStream`] borrows and is checked once; [`Records`](crate::Records) owns.

use crate::bigsize::{read_bigsize, take, write_bigsize};
use crate::{RecordType, Records};
use alloc::vec::Vec;

/// Why bytes are not such a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlvError {
    /// The bytes end within a number or a value.
    #[error("the stream ends within a record")]
    Truncated,
    /// A number that fewer bytes could say.
    #[error("a number is not encoded minimally")]
    NotMinimal,
    /// A type that does not exceed the one before it.
    #[error("record types do not strictly increase")]
    NotIncreasing,
    /// A value that is too short or too long for what its type means.
    #[error("a value has the wrong length for its type")]
    WrongLength,
}

/// One record of a [`TlvStream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlvRecord<'a> {
    /// What the value means.
    pub kind: RecordType,
    /// The value, without type and length.
    pub value: &'a [u8],
    /// Where the record starts, in bytes from the start of the stream.
    pub offset: usize,
}

/// A checked stream of records that borrows its bytes.
///
/// ```
/// use sponte_proto::{RecordType, TlvError, TlvStream};
///
/// let stream = TlvStream::read(&[2, 1, 7, 5, 0])?;
/// assert_eq!(stream.value(RecordType::AMT_TO_FORWARD), Some(&[7][..]));
/// // Type 5 is odd: a reader that doesn't know it skips it. Type 2 it must know.
/// assert_eq!(stream.unknown_even(&[]).map(|record| record.kind.to_u64()), Some(2));
/// assert_eq!(TlvStream::read(&[2, 0, 2, 0]), Err(TlvError::NotIncreasing));
/// # Ok::<(), TlvError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlvStream<'a>(&'a [u8]);

impl<'a> TlvStream<'a> {
    /// Checks that `bytes` are a stream, whatever its types mean.
    ///
    /// # Errors
    /// The bytes end within a record, a number is not minimal, or types do not increase.
    pub fn read(bytes: &'a [u8]) -> Result<TlvStream<'a>, TlvError> {
        let mut reader = TlvReader::new(bytes);
        while reader.read_next()?.is_some() {}
        Ok(TlvStream(bytes))
    }

    /// The records in rising order of their types.
    pub fn iter(&self) -> impl Iterator<Item = TlvRecord<'a>> + use<'a> {
        let mut reader = TlvReader::new(self.0);
        // Never an error: the bytes were checked.
        core::iter::from_fn(move || reader.read_next().ok().flatten())
    }

    /// The value of a type.
    pub fn value(&self, kind: RecordType) -> Option<&'a [u8]> {
        self.iter().find(|record| record.kind == kind).map(|record| record.value)
    }

    /// The first record of an even type that is not among the `known`: a reader must refuse the
    /// stream for it, whereas an odd one is skipped ("it's ok to be odd").
    pub fn unknown_even(&self, known: &[RecordType]) -> Option<TlvRecord<'a>> {
        self.iter().find(|record| record.kind.is_even() && !known.contains(&record.kind))
    }

    /// The bytes that were checked.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// A copy that owns its values.
    pub fn to_records(&self) -> Records {
        Records::from_received(self.iter().map(|record| (record.kind.to_u64(), record.value.to_vec())))
    }
}

/// Reads records one by one, so that a reader knows how far the bytes were good.
pub(crate) struct TlvReader<'a> {
    rest: &'a [u8],
    length: usize,
    last: Option<RecordType>,
}

impl<'a> TlvReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> TlvReader<'a> {
        TlvReader { rest: bytes, length: bytes.len(), last: None }
    }

    /// Where the next record starts, in bytes from the start of the stream.
    pub(crate) fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The next record, `None` at the end of the bytes. After an error the offset is still that
    /// of the record that is wrong.
    pub(crate) fn read_next(&mut self) -> Result<Option<TlvRecord<'a>>, TlvError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut rest = self.rest;
        let kind = RecordType::new(read_bigsize(&mut rest)?);
        if self.last.is_some_and(|last| last >= kind) {
            return Err(TlvError::NotIncreasing);
        }
        let length = usize::try_from(read_bigsize(&mut rest)?).map_err(|_| TlvError::Truncated)?;
        let value = take(&mut rest, length)?;
        let record = TlvRecord { kind, value, offset: self.offset() };
        self.last = Some(kind);
        self.rest = rest;
        Ok(Some(record))
    }
}

/// Appends one record. The caller sees to it that types increase.
pub(crate) fn write_record(out: &mut Vec<u8>, kind: RecordType, value: &[u8]) {
    write_bigsize(out, kind.to_u64());
    write_bigsize(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_offset_is_that_of_the_wrong_record() {
        let mut reader = TlvReader::new(&[1, 1, 9, 3, 0, 3, 0]);
        for offset in [0, 3] {
            let record = reader.read_next().expect("good").expect("there");
            assert_eq!(record.offset, offset);
        }
        assert_eq!(reader.read_next(), Err(TlvError::NotIncreasing));
        assert_eq!(reader.offset(), 5);
    }

    proptest! {
        #[test]
        fn borrowed_and_owned_agree(bytes: Vec<u8>) {
            let borrowed = TlvStream::read(&bytes).map(|stream| stream.to_records());
            prop_assert_eq!(borrowed, Records::decode(&bytes));
        }

        #[test]
        fn what_is_owned_is_read_borrowed(records: alloc::collections::BTreeMap<u64, Vec<u8>>) {
            let bytes = Records::from_received(records.clone()).encode();
            let stream = TlvStream::read(&bytes).expect("increasing");
            prop_assert_eq!(stream.iter().count(), records.len());
            for (kind, value) in &records {
                prop_assert_eq!(stream.value(RecordType::new(*kind)), Some(&value[..]));
            }
            let even = records.keys().find(|kind| **kind % 2 == 0).copied();
            prop_assert_eq!(stream.unknown_even(&[]).map(|record| record.kind.to_u64()), even);
        }
    }
}
