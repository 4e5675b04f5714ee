//! Messages among any records: none is proven that nobody signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::{node_id, secp};
use sponte_proto::message::{self, Sender};
use sponte_proto::{NodeId, Records};
use std::sync::OnceLock;

/// Alice's messages to bob are the seeds; to carol nobody signed any.
fn carol() -> &'static NodeId {
    static CAROL: OnceLock<NodeId> = OnceLock::new();
    CAROL.get_or_init(|| node_id(0x43))
}

fn bob() -> &'static NodeId {
    static BOB: OnceLock<NodeId> = OnceLock::new();
    BOB.get_or_init(|| node_id(0x42))
}

fuzz_target!(|data: &[u8]| {
    let Ok(records) = Records::decode(data) else { return };
    let _ = message::read(secp(), &records, bob());
    if let Some(read) = message::read(secp(), &records, carol()) {
        assert!(!matches!(read.sender, Sender::Signed(_)));
        assert_eq!(records.text(), Some(read.text));
    }
});
