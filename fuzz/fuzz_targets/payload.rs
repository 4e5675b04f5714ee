//! Payloads of hops: what is read is read again after it was written; refusals have a failure.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::{public_key, sealed};
use sponte_proto::payload::{HopPayload, Position};
use std::sync::OnceLock;

fn path_key() -> &'static secp256k1::PublicKey {
    static KEY: OnceLock<secp256k1::PublicKey> = OnceLock::new();
    KEY.get_or_init(|| public_key(0x43))
}

fuzz_target!(|data: &[u8]| {
    for position in [Position::Forward, Position::Final] {
        for path_key in [None, Some(path_key())] {
            match HopPayload::read(data, position, path_key) {
                Ok(payload) => {
                    let again = HopPayload::read(&encode(&payload), position, path_key);
                    assert_eq!(again, Ok(payload));
                }
                Err(error) => {
                    let _ = sealed(&[0; 100]).map(|packet| error.failure(&packet).encode());
                }
            }
        }
    }
});

fn encode(payload: &HopPayload) -> Vec<u8> {
    match payload {
        HopPayload::Forward(payload) => payload.encode(),
        HopPayload::Final(payload) => payload.encode(),
        HopPayload::BlindedForward(payload) => payload.encode(),
        HopPayload::BlindedFinal(payload) => payload.encode(),
    }
}
