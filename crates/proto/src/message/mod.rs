//! Chat messages in custom records: text alone, or signed by its sender.
//!
//! | type | value | who sends it |
//! |---|---|---|
//! | 34349334 | the text, UTF-8 | whatsat, Juggernaut, CLN's noise plugin |
//! | 34349337 | signature: DER ([`whatsat`]) or zbase32 text ([`juggernaut`]) | whatsat, Juggernaut |
//! | 34349339 | the sender's node id, 33 bytes | whatsat, Juggernaut |
//! | 34349343 | when, 8 bytes big-endian since the Unix epoch: ns (whatsat) or ms (Juggernaut) | whatsat, Juggernaut |
//! | 34349345 | content type, text | Juggernaut |
//!
//! Sources: whatsat at b3759020, `cmd_chat.go`; juggernaut at 36a37ab, `utils/customRecords.js` and
//! `services/lnd/grpc.js`. A message with type 34349334 alone is text of nobody. Nothing stops
//! a node on the route, or the recipient, from sending a signed message on: whoever shows
//! messages should show each once.
//!
//! ```
//! use secp256k1::{Secp256k1, SecretKey};
//! use sponte_proto::NodeId;
//! use sponte_proto::message::{self, Sender, whatsat};
//!
//! let secp = Secp256k1::new();
//! let alice = SecretKey::from_slice(&[1; 32])?;
//! let bob: NodeId = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c".parse()?;
//!
//! let now_ns = 1_700_000_000_000_000_000;
//! let records = whatsat::sign(&secp, &alice, &bob, now_ns, "Hello world!");
//!
//! let read = message::read(&secp, &records, &bob).expect("there is a text");
//! assert_eq!(read.text, "Hello world!");
//! assert!(matches!(read.sender, Sender::Signed(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod juggernaut;
mod room;
pub mod whatsat;
mod zbase32;

pub use room::{route_text_room, text_room};

use crate::{NodeId, RecordType, Records, Timestamp};
use secp256k1::{Secp256k1, Verification};

/// The signature of a message.
pub const SIGNATURE_RECORD: RecordType = RecordType::new(34_349_337);
/// The node id of a message's sender.
pub const SENDER_RECORD: RecordType = RecordType::new(34_349_339);
/// When a message was sent.
pub const TIMESTAMP_RECORD: RecordType = RecordType::new(34_349_343);
/// What a message's text is: `text`, `json` and others of Juggernaut.
pub const CONTENT_TYPE_RECORD: RecordType = RecordType::new(34_349_345);

/// Times below it are in milliseconds, others in nanoseconds: 10^15 ms lie 31,000 years ahead, 10^15
/// ns in January 1970.
const LEAST_NANOS: u64 = 1_000_000_000_000_000;

/// A message that came with a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The text, as it came: it may hold anything that UTF-8 can say, terminal controls among it.
    pub text: &'a str,
    /// Who says so, and whether it is proven.
    pub sender: Sender,
    /// When, by the sender's clock; truncated to milliseconds.
    pub sent_at: Option<Timestamp>,
    /// What the text is, if the sender says. A whatsat signature doesn't cover it: it decides
    /// nothing that matters.
    pub content_type: Option<&'a str>,
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sender {
    /// Nobody is named, or what is named is no node id.
    Anonymous,
    /// A node is named, and nothing proves it.
    Claimed(NodeId),
    /// The node signed this text to this recipient.
    Signed(NodeId),
    /// A node is named, and the signature is not its own.
    Forged(NodeId),
}

/// Reads the message among the records of a payment to `recipient`. `None` if there is no text, or
/// one that is not UTF-8.
pub fn read<'a, C: Verification>(
    secp: &Secp256k1<C>,
    records: &'a Records,
    recipient: &NodeId,
) -> Option<Message<'a>> {
    let text = records.text()?;
    let content_type = utf8(value(records, CONTENT_TYPE_RECORD));
    let timestamp = value(records, TIMESTAMP_RECORD).and_then(|bytes| bytes.try_into().ok());
    let sender = match (named_sender(records), value(records, SIGNATURE_RECORD)) {
        (None, _) => Sender::Anonymous,
        (Some(sender), None) => Sender::Claimed(sender),
        (Some(sender), Some(signature)) => {
            let signed = Signed { sender, recipient: *recipient, timestamp, text, content_type };
            if signed.is_proven_by(secp, signature) { Sender::Signed(sender) } else { Sender::Forged(sender) }
        }
    };
    Some(Message { text, sender, sent_at: timestamp.map(read_timestamp), content_type })
}

/// All that a signature may cover.
struct Signed<'a> {
    sender: NodeId,
    recipient: NodeId,
    timestamp: Option<[u8; 8]>,
    text: &'a str,
    content_type: Option<&'a str>,
}

impl Signed<'_> {
    /// The two kinds of signature tell themselves apart: DER starts with the byte 30, which no
    /// character of zbase32 is.
    fn is_proven_by<C: Verification>(&self, secp: &Secp256k1<C>, signature: &[u8]) -> bool {
        let Some(timestamp) = &self.timestamp else { return false };
        let (sender, recipient, text) = (&self.sender, &self.recipient, self.text);
        if signature.len() == juggernaut::SIGNATURE_LEN {
            let content_type = self.content_type.unwrap_or_default();
            juggernaut::verify(secp, sender, recipient, timestamp, text, content_type, signature)
        } else {
            whatsat::verify(secp, sender, recipient, timestamp, text, signature)
        }
    }
}

fn named_sender(records: &Records) -> Option<NodeId> {
    let bytes = value(records, SENDER_RECORD)?.try_into().ok()?;
    NodeId::from_bytes(bytes).ok()
}

fn read_timestamp(bytes: [u8; 8]) -> Timestamp {
    let number = u64::from_be_bytes(bytes);
    Timestamp::from_millis(if number < LEAST_NANOS { number } else { number / 1_000_000 })
}

fn value(records: &Records, kind: RecordType) -> Option<&[u8]> {
    records.value(kind.to_u64())
}

fn utf8(bytes: Option<&[u8]>) -> Option<&str> {
    core::str::from_utf8(bytes?).ok()
}

/// The sender, the recipient, the time as it stands in its record, and the text.
fn signed_bytes<'a>(
    sender: &'a [u8; 33],
    recipient: &'a [u8; 33],
    timestamp: &'a [u8; 8],
    text: &'a str,
) -> [&'a [u8]; 4] {
    [sender, recipient, timestamp, text.as_bytes()]
}

#[cfg(test)]
mod tests;
