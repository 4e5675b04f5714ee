//! Failure messages: what is read is written the same, behind it what was behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::failure::Failure;

fuzz_target!(|data: &[u8]| {
    match Failure::decode(data) {
        Ok((failure, rest)) => {
            let encoded = failure.encode();
            assert_eq!([&encoded[..], rest].concat(), data);
            let code = failure.code();
            assert_eq!(code.to_u16().to_be_bytes(), data[..2]);
            let _ = (code.name(), code.is_permanent(), format!("{failure:?}"));
        }
        Err(_) => assert!(data.len() < 2),
    }
});
