//! Feature bits: leading zeros are dropped, all else is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::{Features, amp};

fuzz_target!(|data: &[u8]| {
    if let Some(features) = Features::decode(data) {
        let kept = features.encode();
        assert!(data.ends_with(&kept) && kept.first() != Some(&0));
        assert_eq!(features.iter().collect::<Features>(), features);
        let _ = amp::is_amp_invoice(&features);
    }
});
