//! Room for text: what is said to fit fits, and one byte more does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::message::text_room;
use sponte_proto::onion::hop_size;
use sponte_proto::{TEXT_RECORD, bigsize_len};

fn taken(last: u32, text: usize) -> usize {
    let record = bigsize_len(TEXT_RECORD) + bigsize_len(text as u64) + text;
    hop_size(last as usize + record).expect("far below 2^64")
}

// The size of the onion, the last payload, then the others: 4 bytes each.
fuzz_target!(|data: &[u8]| {
    let mut numbers = data.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes));
    let (Some(size), Some(last)) = (numbers.next(), numbers.next()) else { return };
    let forwards: Vec<u32> = numbers.collect();
    let before: usize = forwards.iter().filter_map(|length| hop_size(*length as usize)).sum();
    match text_room(size as usize, forwards.iter().map(|length| *length as usize), last as usize) {
        Some(text) => {
            assert!(before + taken(last, text) <= size as usize);
            assert!(before + taken(last, text + 1) > size as usize);
        }
        None => assert!(before + taken(last, 0) > size as usize),
    }
});
