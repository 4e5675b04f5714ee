//! What the targets share: fixed keys, and packets that authenticate whatever content the fuzzer
//! invents, so that it gets past the HMACs.

pub mod htlc;

use bitcoin_hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use sponte_proto::NodeId;
use sponte_proto::onion::{DerivedKey, KeyType, OnionPacket, SharedSecret};
use std::sync::OnceLock;

/// The payment hash that binds the onions of the targets.
pub const PAYMENT_HASH: [u8; 32] = [0x42; 32];

/// One context for all runs of a target.
pub fn secp() -> &'static Secp256k1<All> {
    static SECP: OnceLock<Secp256k1<All>> = OnceLock::new();
    SECP.get_or_init(Secp256k1::new)
}

/// A key that is the same in every run; alice's of the BOLT 4 vectors is number 0x41.
pub fn key(number: u8) -> SecretKey {
    SecretKey::from_slice(&[number; 32]).expect("not zero, and below the order")
}

/// The point of such a key.
pub fn public_key(number: u8) -> PublicKey {
    key(number).public_key(secp())
}

/// The node id of such a key.
pub fn node_id(number: u8) -> NodeId {
    NodeId::from_bytes(public_key(number).serialize()).expect("a compressed point")
}

/// What a payer with key 0x41 shares with a final hop of key 0x42.
pub fn shared_secret() -> SharedSecret {
    static SECRET: OnceLock<SharedSecret> = OnceLock::new();
    SECRET.get_or_init(|| SharedSecret::new(&public_key(0x41), &key(0x42))).clone()
}

/// An onion for the hop of key 0x42 that decrypts to `content` and authenticates: what a sender could
/// make who does not keep to the rules.
pub fn sealed(content: &[u8]) -> Option<OnionPacket> {
    let (payloads, hmac) = seal(&shared_secret(), &PAYMENT_HASH, content);
    static KEY: OnceLock<[u8; 33]> = OnceLock::new();
    let public_key = KEY.get_or_init(|| public_key(0x41).serialize());
    OnionPacket::from_parts(0, public_key, &payloads, &hmac).ok()
}

/// What an onion's bytes and its HMAC are if they decrypt to `content` and authenticate.
fn seal(secret: &SharedSecret, payment_hash: &[u8; 32], content: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let mut payloads = content.to_vec();
    apply_stream(&secret.derive(KeyType::Rho), &mut payloads);
    let hmac = hmac(&secret.derive(KeyType::Mu), &[&payloads, payment_hash]);
    (payloads, hmac)
}

/// A failure that authenticates, whatever stands behind its HMAC.
pub fn failed(content: &[u8]) -> Vec<u8> {
    let secret = shared_secret();
    let mut packet = hmac(&secret.derive(KeyType::Um), &[content]).to_vec();
    packet.extend(content);
    apply_stream(&secret.derive(KeyType::Ammag), &mut packet);
    packet
}

fn apply_stream(key: &DerivedKey, bytes: &mut [u8]) {
    ChaCha20::new(key.as_bytes().into(), &[0; 12].into()).apply_keystream(bytes);
}

fn hmac(key: &DerivedKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key.as_bytes());
    parts.iter().for_each(|part| engine.input(part));
    Hmac::from_engine(engine).to_byte_array()
}
