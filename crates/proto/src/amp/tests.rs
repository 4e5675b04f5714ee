//! The figures of `vectors/amp.json`.

use super::*;
use crate::mpp::PaymentData;
use crate::vectors::{array, bytes, each, payload, vector_file};
use crate::{Features, Msat, PaymentHash, PaymentSecret, Preimage, RecordType, TlvStream};
use alloc::vec::Vec;
use lightning::bolt11_invoice::{Bolt11Invoice, SignedRawBolt11Invoice};
use serde_json::Value;

fn share(value: &Value) -> Share {
    Share::from_bytes(array(value))
}

fn root(value: &Value) -> Root {
    Root::from_bytes(array(value))
}

fn index(value: &Value) -> u32 {
    value.as_u64().and_then(|index| index.try_into().ok()).expect("a child index")
}

fn msat(value: &Value) -> Msat {
    value.as_u64().and_then(Msat::new).expect("an amount")
}

fn hash(value: &Value) -> PaymentHash {
    PaymentHash::from_bytes(array(value))
}

fn preimage(value: &Value) -> Preimage {
    Preimage::from_bytes(array(value))
}

fn set<'a>(file: &'a Value, name: &str) -> &'a Value {
    let sets = file["vectors"].as_array().expect("an array");
    sets.iter().find(|set| set["name"] == name).expect("a set of that name")
}

fn shard(child: &Value) -> Shard {
    Shard {
        share: share(&child["share"]),
        child_index: index(&child["child_index"]),
        payment_hash: hash(&child["payment_hash"]),
        amount: msat(&child["amt_to_forward"]),
    }
}

#[test]
fn anchors() {
    let file = vector_file!("amp");
    let first = &file["anchors"][0];
    let child = Child::derive(&root(&first["root"]), share(&first["share"]), index(&first["index"]));
    assert_eq!(*child.preimage(), preimage(&first["preimage"]));
    assert_eq!(child.payment_hash(), hash(&first["hash"]));

    let second = &file["anchors"][1];
    let whole = root(&second["root"]);
    let children = second["children"].as_array().expect("an array");
    for child in children {
        let derived = Child::derive(&whole, share(&child["share"]), index(&child["index"]));
        assert_eq!(*derived.preimage(), preimage(&child["preimage"]));
        assert_eq!(derived.payment_hash(), hash(&child["hash"]));
    }
    let (left, right) = Sharer::new(whole).split(array(&children[0]["share"])).expect("random");
    assert_eq!(*left.current(), share(&children[0]["share"]));
    assert_eq!(*right.current(), share(&children[1]["share"]));
}

/// The payer's way: the trace of splits, each child, and what stands in its payload.
#[test]
fn sets_as_their_payer_makes_them() {
    let file = vector_file!("amp");
    for set in file["vectors"].as_array().expect("an array") {
        let children = set["children"].as_array().expect("an array");
        assert_eq!(children.len() as u64, set["shards"].as_u64().expect("a number"));
        let trace = set["split_trace"].as_array().expect("an array");
        let mut rest = Sharer::new(root(&set["root"]));
        for (step, child) in trace.iter().zip(children) {
            let own = match step.get("random_left") {
                Some(random) => {
                    assert_eq!(*rest.current(), share(&step["parent"]));
                    let (left, right) = rest.split(array(random)).expect("random");
                    assert_eq!(*right.current(), share(&step["right"]));
                    rest = right;
                    left
                }
                None => {
                    let last = rest.clone();
                    rest = rest.zero();
                    last
                }
            };
            let derived = own.child(index(&child["child_index"]));
            assert_eq!(*derived.share(), share(&child["share"]));
            assert_eq!(*derived.preimage(), preimage(&child["preimage"]));
            assert_eq!(derived.payment_hash(), hash(&child["payment_hash"]));
            check_records(set, child, &derived);
        }
        assert!(rest.is_zero());
    }
}

fn check_records(set: &Value, child: &Value, derived: &Child) {
    let set_id = SetId::from_bytes(array(&set["set_id"]));
    let amp = derived.record(set_id).encode();
    assert_eq!(amp, bytes(&child["tlv14_value"]));
    let data =
        PaymentData::new(PaymentSecret::from_bytes(array(&set["payment_addr"])), msat(&set["total_msat"]));
    assert_eq!(data.encode(), bytes(&child["tlv8_value"]));
    assert_eq!(bytes(&child["tlv14_record"]), [&[14, amp.len() as u8], &amp[..]].concat());

    let payload = payload(&child["final_payload_with_length"]);
    let stream = TlvStream::read(&payload).expect("a stream");
    let value = |kind| stream.value(kind).expect("the record is there");
    assert_eq!(AmpRecord::decode(value(RecordType::AMP)), Ok(derived.record(set_id)));
    assert_eq!(PaymentData::decode(value(RecordType::PAYMENT_DATA)), Ok(data));
}

/// The receiver's way: all preimages from shares and hashes.
#[test]
fn sets_as_their_receiver_reconstructs_them() {
    let file = vector_file!("amp");
    for set in file["vectors"].as_array().expect("an array") {
        let mut shards = each(&set["children"], shard);
        let expected = each(&set["children"], |child| preimage(&child["preimage"]));
        let total = msat(&set["total_msat"]);
        assert_eq!(reconstruct(&shards, total), Ok(expected.clone()));

        shards.reverse();
        let reversed: Vec<_> = expected.into_iter().rev().collect();
        assert_eq!(reconstruct(&shards, total), Ok(reversed));

        shards.pop();
        assert!(matches!(reconstruct(&shards, total), Err(ReconstructError::Missing { .. })));
    }
}

#[test]
fn a_shard_that_failed_is_sent_again() {
    let file = vector_file!("amp");
    let (three, retry) = (set(&file, "three"), &file["retry"]);
    let child = |n: usize| {
        let child = &three["children"][n];
        Child::derive(&root(&three["root"]), share(&child["share"]), index(&child["child_index"]))
    };
    let back = Sharer::new(root(&three["root"])).zero().merge(&child(1));
    assert_eq!(*back.current(), share(&retry["curr_after_cancel"]));

    let check = |derived: &Child, figures: &Value| {
        assert_eq!(*derived.share(), share(&figures["share"]));
        assert_eq!(*derived.preimage(), preimage(&figures["preimage"]));
        assert_eq!(derived.payment_hash(), hash(&figures["payment_hash"]));
    };
    let whole = back.child(index(&retry["a"]["child_index"]));
    check(&whole, &retry["a"]);
    let (left, right) = back.split(array(&retry["b"][0]["share"])).expect("random");
    let halves =
        [left.child(index(&retry["b"][0]["child_index"])), right.child(index(&retry["b"][1]["child_index"]))];
    check(&halves[0], &retry["b"][0]);
    check(&halves[1], &retry["b"][1]);

    for replacement in [&[whole][..], &halves[..]] {
        let children = [&[child(0), child(2)], replacement].concat();
        let shards: Vec<_> = children.iter().map(shard_of).collect();
        let expected: Vec<_> = children.iter().map(|child| child.preimage().clone()).collect();
        assert_eq!(reconstruct(&shards, Msat::ZERO), Ok(expected));
    }
}

fn shard_of(child: &Child) -> Shard {
    Shard {
        share: child.share().clone(),
        child_index: child.child_index(),
        payment_hash: child.payment_hash(),
        amount: Msat::ZERO,
    }
}

#[test]
fn sets_that_are_wrong() {
    let file = vector_file!("amp");
    let mismatch = &file["negative"][0];
    let three = set(&file, mismatch["starts_from"].as_str().expect("a name"));
    let mut shards = each(&three["children"], shard);
    for (n, shard) in shards.iter_mut().enumerate() {
        shard.share = share(&mismatch["shares"][n]);
        assert_eq!(shard.payment_hash, hash(&mismatch["actual_hashes"][n]));
        let wrong =
            Child::derive(&root(&mismatch["reconstructed_root"]), shard.share.clone(), shard.child_index);
        assert_eq!(wrong.payment_hash(), hash(&mismatch["derived_hashes"][n]));
    }
    assert_eq!(reconstruct(&shards, msat(&three["total_msat"])), Err(ReconstructError::WrongShare));

    let twice = &file["negative"][1];
    let shard = shard(&set(&file, "one")["children"][0]);
    assert_eq!(shard.share, share(&twice["share"]));
    assert_eq!(shard.payment_hash, hash(&twice["actual_hash"]));
    let derived = Child::derive(&root(&twice["reconstructed_root"]), shard.share.clone(), shard.child_index);
    assert_eq!(derived.payment_hash(), hash(&twice["derived_hash"]));
    let doubled = shard.amount.checked_add(shard.amount).expect("small");
    assert_eq!(reconstruct(&[shard.clone(), shard], doubled), Err(ReconstructError::Duplicate(0, 1)));
}

#[test]
fn child_indices_are_truncated() {
    let file = vector_file!("amp");
    for case in file["child_index_truncation"].as_array().expect("an array") {
        let record = AmpRecord {
            root_share: Share::from_bytes([1; 32]),
            set_id: SetId::from_bytes([2; 32]),
            child_index: index(&case["child_index"]),
        };
        let value = record.encode();
        assert_eq!(value.len() as u64, case["record_len"].as_u64().expect("a number"));
        assert_eq!(value[64..], bytes(&case["value_suffix"]));
        assert_eq!(AmpRecord::decode(&value), Ok(record));
    }
}

#[test]
fn records_of_lnd() {
    let file = vector_file!("amp");
    let figures = &file["lnd_figures"];
    let amp = &figures["records"][0];
    let record = AmpRecord {
        root_share: share(&amp["share"]),
        set_id: SetId::from_bytes(array(&amp["set_id"])),
        child_index: index(&amp["child_index"]),
    };
    assert_eq!(record.encode(), bytes(&amp["value"]));
    assert_eq!(AmpRecord::decode(&bytes(&amp["value"])), Ok(record));
    let mpp = &figures["records"][1];
    let data =
        PaymentData::new(PaymentSecret::from_bytes(array(&mpp["payment_addr"])), msat(&mpp["total_msat"]));
    assert_eq!(data.encode(), bytes(&mpp["value"]));
    assert_eq!(PaymentData::decode(&bytes(&mpp["value"])), Ok(data));
}

/// What LDK's parser reads in the invoices is what an AMP invoice of ours would say. LDK doesn't know
/// AMP: it must not pay them.
#[test]
fn amp_invoices() {
    let file = vector_file!("amp");
    let (first, any) = (&file["amp_invoices"][0], &file["amp_invoices"][1]);
    for figures in [first, any] {
        let signed: SignedRawBolt11Invoice =
            figures["invoice"].as_str().expect("a string").parse().expect("an invoice");
        let invoice = signed.raw_invoice();
        let bytes: Vec<u8> = invoice.features().expect("it has").le_flags().iter().rev().copied().collect();
        let features = Features::decode(&bytes).expect("few");
        assert_eq!(features, invoice_features());
        assert!(is_amp_invoice(&features));
        let pico = figures["amount_msat"].as_u64().map(|msat| msat * 10);
        assert_eq!(invoice.amount_pico_btc(), pico);
        assert_eq!(invoice.payment_secret().expect("it has").0, array(&first["payment_addr"]));
        assert_eq!(invoice.payment_hash().expect("it has").0, array(&first["payment_hash"]));
        assert_eq!(
            signed.recover_payee_pub_key().expect("signed").0.serialize(),
            array(&first["node_pubkey"])
        );
        let expiry = invoice.expiry_time().map(|expiry| expiry.as_duration().as_secs());
        assert_eq!(expiry, first["expiry"].as_u64());
        assert_eq!(
            invoice.min_final_cltv_expiry_delta().map(|delta| delta.0),
            first["min_final_cltv"].as_u64()
        );
        assert!(Bolt11Invoice::from_signed(signed).is_err());
    }
    let bits: Vec<u16> =
        each(&first["features"], |bit| bit.as_u64().and_then(|bit| bit.try_into().ok()).expect("a bit"));
    assert_eq!(invoice_features().iter().collect::<Vec<_>>(), bits);
    let ordinary = [8, 14, 17].into_iter().collect();
    assert!(!is_amp_invoice(&ordinary));
}
