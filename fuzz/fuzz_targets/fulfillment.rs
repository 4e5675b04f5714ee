//! Fulfillment payloads: any bytes, and what a recipient writes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::shared_secret;
use sponte_proto::failure::FulfillmentPayload;
use sponte_proto::onion::SharedSecret;

fuzz_target!(|data: &[u8]| {
    let secrets = [SharedSecret::from_bytes([7; 32]), shared_secret()];
    if let Ok(payload) = FulfillmentPayload::decode(data) {
        assert_eq!(payload.as_bytes(), data);
        let _ = payload.open(&secrets);
        let _ = payload.open(&[]);
    }
    if let Ok(mut payload) = FulfillmentPayload::create(&secrets[1], data) {
        payload.wrap(&secrets[0]);
        assert_eq!(payload.open(&secrets).expect("the recipient's")[..], *data);
    }
});
