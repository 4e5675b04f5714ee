//! The ecdh record, and secrets that open hashes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::PaymentHash;
use sponte_proto::ecdh::Version;
use sponte_proto::onion::SharedSecret;

fuzz_target!(|data: &[u8]| {
    let Some((secret, rest)) = data.split_first_chunk() else { return };
    let secret = SharedSecret::from_bytes(*secret);
    let Some((hash, value)) = rest.split_first_chunk() else { return };
    let hash = PaymentHash::from_bytes(*hash);
    if let Ok(version) = Version::of_record(Some(value)) {
        assert_eq!(version.record(), Some(value));
        assert!(version.open(&secret, &hash).is_none_or(|preimage| preimage.payment_hash() == hash));
        let own = version.preimage(&secret);
        assert_eq!(version.open(&secret, &own.payment_hash()), Some(own));
    }
});
