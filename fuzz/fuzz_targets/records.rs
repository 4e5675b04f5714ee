//! TLV streams: borrowed and owned agree, and are written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::{Records, TlvStream};

fuzz_target!(|data: &[u8]| {
    let (borrowed, owned) = (TlvStream::read(data), Records::decode(data));
    match (borrowed, owned) {
        (Ok(stream), Ok(records)) => {
            assert_eq!(stream.to_records(), records);
            assert_eq!(records.encode(), data);
            let _ = records.text();
        }
        (borrowed, owned) => assert_eq!(borrowed.err(), owned.err()),
    }
});
