//! Attribution data: any bytes, passed on and read by the sender.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::shared_secret;
use sponte_proto::failure::{AttributionData, HoldTime, decode_fulfillment};
use sponte_proto::onion::SharedSecret;

fuzz_target!(|data: &[u8]| {
    let downstream = AttributionData::decode(data).ok();
    assert_eq!(downstream.is_some(), data.len() >= 920);
    let secret = shared_secret();
    let own = AttributionData::report(downstream.as_ref(), HoldTime::new(3), &secret, &[]);
    let secrets = [secret, SharedSecret::from_bytes([7; 32])];
    let report = decode_fulfillment(&secrets, None, Some(&own));
    assert_eq!(report.hold_times.first(), Some(&HoldTime::new(3)));
    let _ = decode_fulfillment(&secrets, None, downstream.as_ref());
});
