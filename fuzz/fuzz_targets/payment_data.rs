//! payment_data: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::mpp::PaymentData;

fuzz_target!(|data: &[u8]| {
    if let Ok(read) = PaymentData::decode(data) {
        assert_eq!(read.encode(), data);
        assert_eq!(read.encoded_len(), data.len());
    }
});
