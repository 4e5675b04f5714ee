//! Reads records and knows where they stood.

use super::{PayloadError, RecordFault};
use crate::tlv::{TlvReader, TlvRecord};
use crate::{CltvExpiry, Msat, RecordType, read_tu32, read_tu64};
use secp256k1::PublicKey;

pub(super) struct PayloadReader<'a> {
    records: TlvReader<'a>,
}

impl<'a> PayloadReader<'a> {
    pub(super) fn new(payload: &'a [u8]) -> PayloadReader<'a> {
        PayloadReader { records: TlvReader::new(payload) }
    }

    /// The next record. Bytes that are none have no type to name.
    pub(super) fn next_record(&mut self) -> Result<Option<TlvRecord<'a>>, PayloadError> {
        self.records.read_next().map_err(|error| self.error(RecordType::new(0), RecordFault::Tlv(error)))
    }

    /// The value of a record that must have been there by the end of the stream.
    pub(super) fn require<T>(&self, value: Option<T>, kind: RecordType) -> Result<T, PayloadError> {
        value.ok_or_else(|| self.error(kind, RecordFault::Missing))
    }

    /// An error at the place that the reader has come to.
    fn error(&self, kind: RecordType, fault: RecordFault) -> PayloadError {
        error_at(self.records.offset(), kind, fault)
    }
}

fn error_at(offset: usize, kind: RecordType, fault: RecordFault) -> PayloadError {
    // A packet is far shorter; a longer payload has no offset to tell.
    PayloadError::Record { kind, offset: u16::try_from(offset).unwrap_or(u16::MAX), fault }
}

/// An error about this record.
pub(super) fn refuse(record: &TlvRecord<'_>, fault: RecordFault) -> PayloadError {
    error_at(record.offset, record.kind, fault)
}

pub(super) fn amount(record: &TlvRecord<'_>) -> Result<Msat, PayloadError> {
    let msat = read_tu64(record.value).map_err(|error| refuse(record, error.into()))?;
    Msat::new(msat).ok_or_else(|| refuse(record, RecordFault::Value))
}

pub(super) fn expiry(record: &TlvRecord<'_>) -> Result<CltvExpiry, PayloadError> {
    let height = read_tu32(record.value).map_err(|error| refuse(record, error.into()))?;
    Ok(CltvExpiry::new(height))
}

pub(super) fn point(record: &TlvRecord<'_>) -> Result<PublicKey, PayloadError> {
    // Other encodings of a point are longer.
    let point = (record.value.len() == 33).then(|| PublicKey::from_slice(record.value));
    point.and_then(Result::ok).ok_or_else(|| refuse(record, RecordFault::Value))
}
