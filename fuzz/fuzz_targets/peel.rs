//! Packets: any bytes, and any content under a right HMAC.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::{PAYMENT_HASH, key, sealed, secp, shared_secret};
use sponte_proto::onion::{OnionPacket, peel, peel_final};

fuzz_target!(|data: &[u8]| {
    if let Ok(packet) = OnionPacket::decode(data) {
        assert_eq!(packet.as_bytes(), data);
        if let Err(error) = peel(secp(), &key(0x42), &packet, &PAYMENT_HASH) {
            let _ = error.failure(&packet);
        }
    }
    let Some(packet) = sealed(data) else { return };
    match peel(secp(), &key(0x42), &packet, &PAYMENT_HASH) {
        Ok(peeled) => {
            assert_eq!(peeled.shared_secret, shared_secret());
            assert!(peeled.payload.len() >= 2);
            let ours = peel_final(&peeled.shared_secret, &packet, &PAYMENT_HASH).expect("it was peeled");
            assert_eq!(ours, peeled.next.is_none().then(|| peeled.payload.clone()));
            assert!(peeled.next.is_none_or(|next| next.as_bytes().len() == packet.as_bytes().len()));
        }
        Err(error) => {
            let _ = error.failure(&packet);
        }
    }
});
