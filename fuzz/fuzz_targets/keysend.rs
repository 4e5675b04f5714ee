//! The keysend record: the first 32 bytes are the hash, the rest is the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::{PaymentHash, keysend};

fuzz_target!(|data: &[u8]| {
    let Some((hash, value)) = data.split_first_chunk() else { return };
    let hash = PaymentHash::from_bytes(*hash);
    if let Ok(preimage) = keysend::decode(value) {
        assert_eq!(keysend::encode(&preimage), value);
        assert_eq!(keysend::open(value, &hash).is_ok(), preimage.payment_hash() == hash);
        assert_eq!(keysend::open(value, &preimage.payment_hash()), Ok(preimage));
    } else {
        assert!(keysend::open(value, &hash).is_err() && value.len() != 32);
    }
});
