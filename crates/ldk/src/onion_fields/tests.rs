use super::self_test::{expected, samples, written};
use super::*;
use proptest::prelude::*;
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{PaymentSecret as Secret, Preimage};
use std::collections::BTreeMap;

#[test]
fn this_ldk_passes() {
    assert_eq!(self_test(), Ok(()));
}

/// Metadata that is a field of its own would be written before record 14.
#[test]
fn metadata_stands_behind_the_record_of_a_shard() {
    let amount = Msat::from_sat(1).expect("small");
    for (name, payload) in samples(amount) {
        let fields = onion_fields(&payload, amount).expect("LDK reads it");
        let field = payload.amp.is_none() && payload.payment_metadata.is_some();
        assert_eq!(fields.payment_metadata.is_some(), field, "{name}");
    }
}

fn payload() -> impl Strategy<Value = Payload> {
    let data = any::<Option<([u8; 32], u32)>>();
    let amp = any::<Option<([u8; 32], [u8; 32], u32)>>();
    let metadata = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let keysend = any::<Option<[u8; 32]>>();
    let kind = prop_oneof![
        Just(0),
        Just(14),
        Just(65_535),
        Just(65_536),
        5_482_373_483..5_482_373_486u64,
        any::<u64>()
    ];
    let records = proptest::collection::btree_map(kind, proptest::collection::vec(any::<u8>(), 0..60), 0..5);
    (data, amp, metadata, keysend, records).prop_map(|(data, amp, payment_metadata, keysend, records)| {
        let records: BTreeMap<u64, Vec<u8>> = records;
        let data = data.map(|(secret, total)| {
            PaymentData::new(Secret::from_bytes(secret), Msat::new(total.into()).expect("in supply"))
        });
        let amp = amp.map(|(share, set, child_index)| AmpRecord {
            root_share: Share::from_bytes(share),
            set_id: SetId::from_bytes(set),
            child_index,
        });
        let keysend = keysend.map(Preimage::from_bytes);
        Payload {
            total: None,
            payment_data: data,
            amp,
            payment_metadata,
            keysend,
            records: Records::from_received(records),
        }
    })
}

proptest! {
    #[test]
    fn ldk_writes_what_the_protocol_has(payload in payload(), amount: u32, hops in 1u8..4) {
        let amount = Msat::new(u64::from(amount) + 1).expect("in supply");
        prop_assert_eq!(written(&payload, amount, hops), Some(expected(&payload, amount)));
    }
}
