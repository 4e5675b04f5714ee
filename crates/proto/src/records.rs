//! Custom records of the final hop's payload (BOLT 4, `payload`; types as in bLIP-2).

use crate::tlv::{TlvReader, write_record};
use crate::{RecordType, TlvError};
use alloc::collections::BTreeMap;
use alloc::{vec, vec::Vec};

/// The least type of a custom record (bLIP-2: custom types start at 65536).
pub const CUSTOM_RECORD_MIN: u64 = 65_536;
/// The preimage of a keysend payment, 32 bytes (bLIP-3).
pub const KEYSEND_RECORD: u64 = 5_482_373_484;
/// A chat message, UTF-8 (whatsat; even, though every node that knows messages accepts it).
pub const TEXT_RECORD: u64 = 34_349_334;
/// LDK's invoice request of async payments; a sender's own record may not use its type.
const INVOICE_REQUEST_RECORD: u64 = 77_777;

/// Why a record cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A type that the protocol keeps for itself.
    #[error("record type {0} is below 65536, the range that the protocol keeps for itself")]
    Reserved(u64),
    /// A type that means something else to every node.
    #[error("record type {0} is set by the payment itself")]
    Taken(u64),
    /// The same type twice.
    #[error("record type {0} is given twice")]
    Duplicate(u64),
    /// Bytes that are no TLV stream.
    #[error(transparent)]
    Tlv(#[from] TlvError),
}

/// One custom record: a type and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    kind: u64,
    value: Vec<u8>,
}

impl Record {
    /// A record that a sender may add to a payment.
    ///
    /// # Errors
    /// The type is below [`CUSTOM_RECORD_MIN`], or one that the payment sets by itself.
    pub fn new(kind: u64, value: Vec<u8>) -> Result<Record, RecordError> {
        match kind {
            0..CUSTOM_RECORD_MIN => Err(RecordError::Reserved(kind)),
            KEYSEND_RECORD | INVOICE_REQUEST_RECORD => Err(RecordError::Taken(kind)),
            _ => Ok(Record { kind, value }),
        }
    }
}

/// Records with strictly increasing types, as they stand in a payload.
///
/// What was received may hold any type; what is to be sent is built from [`Record`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records(BTreeMap<u64, Vec<u8>>);

impl Records {
    /// None.
    pub fn new() -> Records {
        Records::default()
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The type is there already.
    pub fn insert(&mut self, record: Record) -> Result<(), RecordError> {
        if self.0.contains_key(&record.kind) {
            return Err(RecordError::Duplicate(record.kind));
        }
        self.0.insert(record.kind, record.value);
        Ok(())
    }

    /// As they were received, any type; of a repeated type the last one stays.
    pub fn from_received(records: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Records {
        Records(records.into_iter().collect())
    }

    /// The value of a type.
    pub fn value(&self, kind: u64) -> Option<&[u8]> {
        self.0.get(&kind).map(Vec::as_slice)
    }

    /// The chat message, if it is valid UTF-8.
    pub fn text(&self) -> Option<&str> {
        self.value(TEXT_RECORD).and_then(|bytes| core::str::from_utf8(bytes).ok())
    }

    /// Types and values in rising order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.0.iter().map(|(kind, value)| (*kind, value.as_slice()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The TLV stream: what stands in a payload, and in the ledger.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![];
        for (kind, value) in &self.0 {
            write_record(&mut out, RecordType::new(*kind), value);
        }
        out
    }

    /// Reads a TLV stream.
    ///
    /// # Errors
    /// The bytes end within a record, a number is not minimal, or types do not increase.
    pub fn decode(bytes: &[u8]) -> Result<Records, TlvError> {
        let mut records = BTreeMap::new();
        let mut reader = TlvReader::new(bytes);
        while let Some(record) = reader.read_next()? {
            records.insert(record.kind.to_u64(), record.value.to_vec());
        }
        Ok(Records(records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_sender_may_not_set() {
        assert_eq!(Record::new(65_535, vec![]), Err(RecordError::Reserved(65_535)));
        assert_eq!(Record::new(KEYSEND_RECORD, vec![]), Err(RecordError::Taken(KEYSEND_RECORD)));
        assert_eq!(Record::new(77_777, vec![]), Err(RecordError::Taken(77_777)));
        let mut records = Records::new();
        records.insert(Record::new(65_536, vec![1]).expect("custom")).expect("first");
        let twice = Record::new(65_536, vec![2]).expect("custom");
        assert_eq!(records.insert(twice), Err(RecordError::Duplicate(65_536)));
    }

    #[test]
    fn types_must_increase() {
        assert_eq!(Records::decode(&[2, 0, 1, 0]), Err(TlvError::NotIncreasing));
        assert_eq!(Records::decode(&[1, 0, 1, 0]), Err(TlvError::NotIncreasing));
        assert_eq!(Records::decode(&[1, 2, 0]), Err(TlvError::Truncated));
        assert_eq!(
            Records::decode(&[1, 0xff, 255, 255, 255, 255, 255, 255, 255, 255]),
            Err(TlvError::Truncated)
        );
    }

    proptest! {
        #[test]
        fn streams_round_trip(records: BTreeMap<u64, Vec<u8>>) {
            let records = Records(records);
            prop_assert_eq!(Records::decode(&records.encode()), Ok(records));
        }

        #[test]
        fn any_bytes_that_decode_encode_the_same(bytes: Vec<u8>) {
            if let Ok(records) = Records::decode(&bytes) {
                prop_assert_eq!(records.encode(), bytes);
            }
        }
    }
}
