//! Records of a payment: all of a received one, and those that a sender adds.

use serde::{Deserialize, Serialize};
use sponte_proto::{HexError, hex, unhex};

/// `{"type":34349334,"value_hex":"6869","text":"hi"}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The record's type.
    #[serde(rename = "type")]
    pub kind: u64,
    /// Its bytes.
    pub value_hex: String,
    /// The bytes as text, if they are UTF-8 that can be printed; never holds a control character
    /// but line feed and tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Record {
    /// A record as it is shown.
    pub fn new(kind: u64, value: &[u8]) -> Record {
        Record { kind, value_hex: hex(value), text: printable(value) }
    }

    /// All of a payment's.
    pub fn all(records: &sponte_proto::Records) -> Vec<Record> {
        records.iter().map(|(kind, value)| Record::new(kind, value)).collect()
    }
}

/// UTF-8 that does no harm to a terminal: no escape, no reordering of what is read.
fn printable(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let harmless = |c: char| {
        !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            && (!c.is_control() || matches!(c, '\n' | '\t'))
    };
    (!text.is_empty() && text.chars().all(harmless)).then(|| text.to_owned())
}

/// A record to send: its type, and its value either as hex or as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordInput {
    /// 65536 or above, and none that the payment sets by itself.
    #[serde(rename = "type")]
    pub kind: u64,
    /// The bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_hex: Option<String>,
    /// The bytes as text, instead of [`RecordInput::value_hex`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Why a record of a request cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Neither, or both.
    #[error("record {0}: give either `value_hex` or `text`")]
    OneValue(u64),
    /// The value is not hex.
    #[error("record {0}: `value_hex` is wrong: {1}")]
    Hex(u64, HexError),
    /// The type cannot be sent, or is there twice.
    #[error(transparent)]
    Type(#[from] sponte_proto::RecordError),
}

impl RecordInput {
    /// A record of bytes.
    pub fn bytes(kind: u64, value: &[u8]) -> RecordInput {
        RecordInput { kind, value_hex: Some(hex(value)), text: None }
    }

    /// The record.
    ///
    /// # Errors
    /// Not exactly one value, no hex, or a type that a sender may not set.
    pub fn to_record(&self) -> Result<sponte_proto::Record, RecordError> {
        let value = match (&self.value_hex, &self.text) {
            (Some(digits), None) => unhex(digits).map_err(|why| RecordError::Hex(self.kind, why))?,
            (None, Some(text)) => text.clone().into_bytes(),
            _ => return Err(RecordError::OneValue(self.kind)),
        };
        Ok(sponte_proto::Record::new(self.kind, value)?)
    }

    /// All records of a request.
    ///
    /// # Errors
    /// One of them cannot be sent, or a type is there twice.
    pub fn collect(inputs: &[RecordInput]) -> Result<sponte_proto::Records, RecordError> {
        let mut records = sponte_proto::Records::new();
        for input in inputs {
            records.insert(input.to_record()?)?;
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_shown_only_when_it_is_harmless() {
        assert_eq!(Record::new(1, b"hi\n").text.as_deref(), Some("hi\n"));
        assert_eq!(Record::new(1, "grüße ⚡".as_bytes()).text.as_deref(), Some("grüße ⚡"));
        for value in [&b""[..], b"\x1b[2J", b"\0", b"\xff", "\u{202e}evil".as_bytes(), "\u{9b}".as_bytes()] {
            assert_eq!(Record::new(1, value).text, None, "{value:?}");
        }
    }

    #[test]
    fn a_record_has_one_value() {
        let none = RecordInput { kind: 70_000, value_hex: None, text: None };
        let both = RecordInput { kind: 70_000, value_hex: Some("00".into()), text: Some("x".into()) };
        assert_eq!(none.to_record(), Err(RecordError::OneValue(70_000)));
        assert_eq!(both.to_record(), Err(RecordError::OneValue(70_000)));
        let unknown = r#"{"type":70000,"value":"00"}"#;
        assert!(serde_json::from_str::<RecordInput>(unknown).is_err());
    }

    #[test]
    fn bad_records_are_told() {
        let tell = |kind, digits: &str| {
            let input = RecordInput { kind, value_hex: Some(digits.into()), text: None };
            input.to_record().expect_err("bad").to_string()
        };
        assert!(tell(70_000, "0").contains("`value_hex` is wrong"));
        assert!(tell(8, "00").contains("below 65536"));
        let twice = [RecordInput::bytes(70_000, b"a"), RecordInput::bytes(70_000, b"b")];
        assert!(RecordInput::collect(&twice).is_err());
    }

    proptest! {
        #[test]
        fn bytes_survive(kind in 100_000u64..5_000_000_000, value: Vec<u8>) {
            let input = RecordInput::bytes(kind, &value);
            let json = serde_json::to_string(&input).expect("plain data");
            let back: RecordInput = serde_json::from_str(&json).expect("read back");
            let records = RecordInput::collect(&[back]).expect("custom");
            prop_assert_eq!(records.value(kind), Some(&value[..]));
            prop_assert_eq!(&Record::all(&records)[0].value_hex, &hex(&value));
        }
    }
}
