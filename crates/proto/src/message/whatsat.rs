//! whatsat's signature: DER over a single SHA256 (whatsat at b3759020, `cmd_chat.go`).

use super::{SENDER_RECORD, SIGNATURE_RECORD, TIMESTAMP_RECORD, signed_bytes};
use crate::{NodeId, Record, Records, TEXT_RECORD};
use alloc::vec::Vec;
use bitcoin_hashes::{Hash as _, HashEngine as _, sha256};
use secp256k1::ecdsa::Signature;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey, Signing, Verification};

/// How many bytes of the final payload the three records beside the text take at most: type (5
/// bytes), length (1) and value of signature (71, as `s` is low), sender (33) and time (8).
pub const SIGNED_OVERHEAD: usize = (6 + 71) + (6 + 33) + (6 + 8);

/// The four records of a signed message: text, signature, sender, time. Signed with the sender's node
/// key; deterministic (RFC 6979).
///
/// `now_ns` are nanoseconds since the Unix epoch.
pub fn sign<C: Signing>(
    secp: &Secp256k1<C>,
    sender_key: &SecretKey,
    recipient: &NodeId,
    now_ns: u64,
    text: &str,
) -> Records {
    let sender = PublicKey::from_secret_key(secp, sender_key).serialize();
    let timestamp = now_ns.to_be_bytes();
    let message = Message::from_digest(digest(&sender, &recipient.to_bytes(), &timestamp, text));
    let signature = secp.sign_ecdsa(&message, sender_key).serialize_der();
    let mut records = Records::new();
    for (kind, value) in [
        (TEXT_RECORD, text.as_bytes()),
        (SIGNATURE_RECORD.to_u64(), &signature[..]),
        (SENDER_RECORD.to_u64(), &sender),
        (TIMESTAMP_RECORD.to_u64(), &timestamp),
    ] {
        let record = Record::new(kind, Vec::from(value)).expect("a sender may set these types");
        records.insert(record).expect("each type once");
    }
    records
}

/// Whether `sender` signed the text to this recipient. The time is that of its record.
pub fn verify<C: Verification>(
    secp: &Secp256k1<C>,
    sender: &NodeId,
    recipient: &NodeId,
    timestamp: &[u8; 8],
    text: &str,
    signature: &[u8],
) -> bool {
    let (sender, recipient) = (sender.to_bytes(), recipient.to_bytes());
    let message = Message::from_digest(digest(&sender, &recipient, timestamp, text));
    let (Ok(key), Ok(signature)) = (PublicKey::from_slice(&sender), Signature::from_der(signature)) else {
        return false;
    };
    secp.verify_ecdsa(&message, &signature, &key).is_ok()
}

/// `SHA256(sender ‖ recipient ‖ time ‖ text)`.
fn digest(sender: &[u8; 33], recipient: &[u8; 33], timestamp: &[u8; 8], text: &str) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    for part in signed_bytes(sender, recipient, timestamp, text) {
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}
