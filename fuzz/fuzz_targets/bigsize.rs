//! BigSize: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::{bigsize_len, read_bigsize, write_bigsize};

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    if let Ok(value) = read_bigsize(&mut rest) {
        let mut out = Vec::new();
        write_bigsize(&mut out, value);
        assert_eq!(out, data[..data.len() - rest.len()]);
        assert_eq!(out.len(), bigsize_len(value));
    }
});
