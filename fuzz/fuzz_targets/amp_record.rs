//! The AMP record: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::amp::AmpRecord;

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = AmpRecord::decode(data) {
        assert_eq!(record.encode(), data);
        assert_eq!(record.encoded_len(), data.len());
    }
});
