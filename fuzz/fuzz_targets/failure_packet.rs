//! Failures on their way back: any bytes, and any content under a right HMAC.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::{failed, shared_secret};
use sponte_proto::failure::{AttributionData, FailurePacket, UndecodableFailure, decode_failure};
use sponte_proto::onion::SharedSecret;

fuzz_target!(|data: &[u8]| {
    let secrets = [shared_secret(), SharedSecret::from_bytes([7; 32])];
    let attribution = AttributionData::decode(data).ok();
    let report = decode_failure(&secrets, &FailurePacket::from_bytes(data.to_vec()), attribution.as_ref());
    assert!(report.hold_times.len() <= secrets.len());

    // The first hop wrote it: if it cannot be read, the first hop is to blame.
    let report = decode_failure(&secrets, &FailurePacket::from_bytes(failed(data)), attribution.as_ref());
    match report.failure {
        Ok(failure) => assert_eq!(failure.hop, 0),
        Err(error) => assert_eq!(error, UndecodableFailure::Malformed { hop: 0 }),
    }
});
