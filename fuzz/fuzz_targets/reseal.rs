//! Rewriting final payloads: what is resealed peels to the new payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::{PAYMENT_HASH, key, sealed, secp, shared_secret};
use sponte_proto::onion::{OnionPacket, peel, reseal};

// The length of the new payload in 2 bytes, the payload, the packet's content.
fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let length = usize::from(u16::from_be_bytes(*length));
    let Some((payload, content)) = rest.split_at_checked(length) else { return };
    if let Ok(packet) = OnionPacket::decode(content) {
        let _ = reseal(&shared_secret(), &packet, payload, &PAYMENT_HASH);
    }
    let Some(packet) = sealed(content) else { return };
    if let Ok(resealed) = reseal(&shared_secret(), &packet, payload, &PAYMENT_HASH) {
        assert_eq!(resealed.as_bytes().len(), packet.as_bytes().len());
        assert_eq!(resealed.public_key(), packet.public_key());
        let peeled = peel(secp(), &key(0x42), &resealed, &PAYMENT_HASH).expect("it is sealed");
        assert_eq!(peeled.payload[..], *payload);
        assert!(peeled.next.is_none());
    }
});
