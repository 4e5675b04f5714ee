//! Ids, preimages and whatever else must be random of outgoing payments, derived from the node's secret (law 8): after any
//! crash the same key is the same payment, and attempt n has the same hash.

use crate::backend::SessionKey;
use crate::config::NodeSecret;
use bitcoin_hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use sponte_proto::amp::{Root, SetId, Share};
use sponte_proto::{PaymentId, PaymentSecret, Preimage};

/// HMAC(secret, "payment" || key).
pub(crate) fn payment_id(secret: &NodeSecret, key: &str) -> PaymentId {
    PaymentId::from_bytes(hmac(secret, &[b"payment", key.as_bytes()]))
}

/// HMAC(secret, "attempt" || payment id || n), n as four bytes, big-endian.
pub(crate) fn attempt_id(secret: &NodeSecret, payment: PaymentId, number: u32) -> PaymentId {
    PaymentId::from_bytes(of_attempt(secret, b"attempt", payment, number))
}

/// HMAC(secret, "preimage" || payment id || n), n as four bytes, big-endian.
pub(crate) fn preimage(secret: &NodeSecret, payment: PaymentId, number: u32) -> Preimage {
    Preimage::from_bytes(of_attempt(secret, b"preimage", payment, number))
}

/// The payment secret that ties the parts of attempt n together, or its AMP payment address.
pub(crate) fn payment_secret(secret: &NodeSecret, payment: PaymentId, number: u32) -> PaymentSecret {
    PaymentSecret::from_bytes(of_attempt(secret, b"secret", payment, number))
}

/// The AMP root of attempt n.
pub(crate) fn root(secret: &NodeSecret, payment: PaymentId, number: u32) -> Root {
    Root::from_bytes(of_attempt(secret, b"root", payment, number))
}

/// The AMP set of attempt n.
pub(crate) fn set_id(secret: &NodeSecret, payment: PaymentId, number: u32) -> SetId {
    SetId::from_bytes(of_attempt(secret, b"set", payment, number))
}

/// The part with this number within an attempt.
pub(crate) fn part_id(secret: &NodeSecret, attempt: PaymentId, part: u32) -> PaymentId {
    PaymentId::from_bytes(of_attempt(secret, b"part", attempt, part))
}

/// Its share of the root, unless it takes what is left.
pub(crate) fn share(secret: &NodeSecret, part: PaymentId) -> Share {
    Share::from_bytes(hmac(secret, &[b"share", &part.to_bytes()]))
}

/// What a part's onion is made with.
pub(crate) fn session_key(secret: &NodeSecret, part: PaymentId) -> SessionKey {
    SessionKey::from_bytes(hmac(secret, &[b"session", &part.to_bytes()]))
}

/// Tells a question for routes from those of payments.
pub(crate) fn quote_id(secret: &NodeSecret, number: u64) -> PaymentId {
    PaymentId::from_bytes(hmac(secret, &[b"quote", &number.to_be_bytes()]))
}

fn of_attempt(secret: &NodeSecret, label: &[u8], id: PaymentId, number: u32) -> [u8; 32] {
    hmac(secret, &[label, &id.to_bytes(), &number.to_be_bytes()])
}

fn hmac(secret: &NodeSecret, message: &[&[u8]]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(secret.bytes());
    for part in message {
        engine.input(part);
    }
    Hmac::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_id_and_preimage_is_another() {
        let mut seen = BTreeSet::new();
        for secret in [NodeSecret::new([1; 32]), NodeSecret::new([2; 32])] {
            for key in ["a", "b"] {
                let id = payment_id(&secret, key);
                assert!(seen.insert(id.to_bytes()));
                for number in 0..3 {
                    let part = part_id(&secret, id, number);
                    for bytes in [
                        attempt_id(&secret, id, number).to_bytes(),
                        preimage(&secret, id, number).to_bytes(),
                        *payment_secret(&secret, id, number).as_bytes(),
                        *root(&secret, id, number).as_bytes(),
                        set_id(&secret, id, number).to_bytes(),
                        part.to_bytes(),
                        *share(&secret, part).as_bytes(),
                        *session_key(&secret, part).as_bytes(),
                    ] {
                        assert!(seen.insert(bytes));
                    }
                }
            }
        }
    }

    /// These bytes are an on-disk format: a change would pay a key twice after an update. Made
    /// with an HMAC of another origin (Python's `hmac`).
    #[test]
    fn the_derivation_never_changes() {
        let secret = NodeSecret::new([7; 32]);
        let id = payment_id(&secret, "coffee");
        assert_eq!(id.to_string(), "0419e2f22298d5003cb201bfe132b3837d4ccf6dc210b886a88b44bc3da7ae4b");
        assert_eq!(
            attempt_id(&secret, id, 1).to_string(),
            "3e544bb3e3777027b50b9906e4d040e8c00724ad3add0cf4450e8fd053cf0aa7"
        );
        assert_eq!(
            sponte_proto::hex(&preimage(&secret, id, 1).to_bytes()),
            "df3ac06793ea86873ea9286f72b14f981da5adb085df9789ab0159ea358fbaef"
        );
    }
}
