//! Juggernaut's signature: that of LND's `SignMessage`, as zbase32 text (juggernaut at 36a37ab,
//! `services/lnd/grpc.js`; lnd at 90ea05d5a, `rpcserver.go`). Read, not sent: whatsat's is.

use super::{signed_bytes, zbase32};
use crate::NodeId;
use bitcoin_hashes::{Hash as _, HashEngine as _, sha256d};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, Verification};

/// Characters of a signature: 65 bytes, 5 bits each.
pub const SIGNATURE_LEN: usize = 104;

/// Whether `sender` signed the text, of this content type, to this recipient. The time is that of
/// its record.
///
/// Signed is `SHA256(SHA256("Lightning Signed Message:" ‖ sender ‖ recipient ‖ time ‖ text ‖ content
/// type))`; the signature is compact and recoverable, `31 + recovery id ‖ r ‖ s`.
pub fn verify<C: Verification>(
    secp: &Secp256k1<C>,
    sender: &NodeId,
    recipient: &NodeId,
    timestamp: &[u8; 8],
    text: &str,
    content_type: &str,
    signature: &[u8],
) -> bool {
    let Some(signature) = read_signature(signature) else { return false };
    let (sender, recipient) = (sender.to_bytes(), recipient.to_bytes());
    let message = Message::from_digest(digest(&sender, &recipient, timestamp, text, content_type));
    secp.recover_ecdsa(&message, &signature).is_ok_and(|key| key.serialize() == sender)
}

fn read_signature(text: &[u8]) -> Option<RecoverableSignature> {
    let bytes: [u8; 65] = zbase32::decode(text)?.try_into().ok()?;
    // 27 to 30 would say that the key is not compressed: a node id is.
    let id = RecoveryId::from_i32(i32::from(bytes[0]) - 31).ok()?;
    RecoverableSignature::from_compact(&bytes[1..], id).ok()
}

fn digest(
    sender: &[u8; 33],
    recipient: &[u8; 33],
    timestamp: &[u8; 8],
    text: &str,
    content_type: &str,
) -> [u8; 32] {
    let mut engine = sha256d::Hash::engine();
    engine.input(b"Lightning Signed Message:");
    for part in signed_bytes(sender, recipient, timestamp, text) {
        engine.input(part);
    }
    engine.input(content_type.as_bytes());
    sha256d::Hash::from_engine(engine).to_byte_array()
}
