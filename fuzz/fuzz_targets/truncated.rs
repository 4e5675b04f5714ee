//! tu16, tu32, tu64: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::{read_tu16, read_tu32, read_tu64, truncated_len, write_truncated};

fuzz_target!(|data: &[u8]| {
    let wide = read_tu64(data);
    if let Ok(value) = wide {
        let mut out = Vec::new();
        write_truncated(&mut out, value);
        assert_eq!(out, data);
        assert_eq!(out.len(), truncated_len(value));
    }
    assert_eq!(read_tu32(data).ok(), wide.ok().and_then(|value| value.try_into().ok()));
    assert_eq!(read_tu16(data).ok(), wide.ok().and_then(|value| value.try_into().ok()));
});
