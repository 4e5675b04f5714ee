//! Reads the files in `vectors/` for tests.

use crate::onion::{OnionPacket, SharedSecret};
use crate::{read_bigsize, unhex};
use alloc::vec::Vec;
use secp256k1::{PublicKey, SecretKey};
use serde_json::Value;

/// A file of `vectors/` by its name.
macro_rules! vector_file {
    ($name:literal) => {
        serde_json::from_str::<serde_json::Value>(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/vectors/",
            $name,
            ".json"
        )))
        .expect("a file of ours is JSON")
    };
}
pub(crate) use vector_file;

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().expect("a string")).expect("hex")
}

pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("as long as it must be")
}

pub(crate) fn secret_key(value: &Value) -> SecretKey {
    SecretKey::from_slice(&bytes(value)).expect("a secret key")
}

pub(crate) fn public_key(value: &Value) -> PublicKey {
    PublicKey::from_slice(&bytes(value)).expect("a point")
}

pub(crate) fn packet(value: &Value) -> OnionPacket {
    OnionPacket::decode(&bytes(value)).expect("long enough")
}

pub(crate) fn shared_secret(value: &Value) -> SharedSecret {
    SharedSecret::from_bytes(array(value))
}

/// A payload that stands behind its own length.
pub(crate) fn payload(value: &Value) -> Vec<u8> {
    let bytes = bytes(value);
    let mut rest = &bytes[..];
    let length = read_bigsize(&mut rest).expect("a length");
    assert_eq!(length, rest.len() as u64);
    rest.to_vec()
}

/// Maps an array's values.
pub(crate) fn each<T>(value: &Value, map: impl FnMut(&Value) -> T) -> Vec<T> {
    value.as_array().expect("an array").iter().map(map).collect()
}
