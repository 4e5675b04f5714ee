//! The published payloads, what is refused and with which failure.

use super::*;
use crate::amp::{AmpRecord, SetId, Share};
use crate::failure::Failure;
use crate::mpp::PaymentData;
use crate::onion::OnionPacket;
use crate::vectors::{self, array, each, payload, public_key, vector_file};
use crate::{CltvExpiry, Msat, PaymentSecret, Preimage, Records, ShortChannelId, TlvError, TlvStream};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use serde_json::Value;

fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

fn read(bytes: &[u8], position: Position) -> Result<HopPayload, PayloadError> {
    HopPayload::read(bytes, position, None)
}

fn final_payload(bytes: &[u8]) -> Result<FinalPayload, PayloadError> {
    read(bytes, Position::Final).map(|payload| match payload {
        HopPayload::Final(payload) => payload,
        other => panic!("{other:?} is not final"),
    })
}

fn a_point() -> PublicKey {
    PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[5; 32]).expect("a key"))
}

#[test]
fn keysend_payloads() {
    let file = vector_file!("keysend");
    let amount = msat(file["amount_msat"].as_u64().expect("a number"));
    let expiry = CltvExpiry::new(file["outgoing_cltv_value"].as_u64().expect("a number") as u32);
    let secret = PaymentSecret::from_bytes(array(&file["payment_secret"]));
    let mut plain = FinalPayload::new(amount, expiry);
    plain.keysend = Some(Preimage::from_bytes(array(&file["preimage"])));
    let part = |total| FinalPayload {
        payment_data: Some(PaymentData::new(secret.clone(), msat(total))),
        ..plain.clone()
    };
    for vector in each(&file["final_payloads"], Value::clone) {
        let bytes = payload(&vector["payload"]);
        let id = vector["id"].as_str().expect("an id");
        let read = final_payload(&bytes);
        match id {
            "minimal" => assert_eq!(read, Ok(plain.clone())),
            "with_payment_data_single" => assert_eq!(read, Ok(part(50_000))),
            "mpp_part" => assert_eq!(read, Ok(part(150_000))),
            "bad_preimage_length_31" => {
                let fault = RecordFault::Value;
                let refused = PayloadError::Record { kind: RecordType::KEYSEND, offset: 9, fault };
                assert_eq!(read, Err(refused));
                continue;
            }
            "unknown_even_low_70" => {
                let kind = RecordType::new(70);
                let refused = PayloadError::Record { kind, offset: 9, fault: RecordFault::Unknown };
                assert_eq!(read, Err(refused));
                continue;
            }
            "bad_preimage_mismatch" => {
                assert_ne!(read.as_ref().expect("readable").keysend, plain.keysend);
            }
            // Custom records, even ones too, are the application's to judge.
            _ => {
                let read = read.clone().expect(id);
                assert_eq!(read.keysend, plain.keysend, "{id}");
                assert_eq!(read.custom_records.iter().count(), 1, "{id}");
            }
        }
        assert_eq!(read.expect(id).encode(), bytes, "{id}");
    }
}

#[test]
fn amp_payloads() {
    let file = vector_file!("amp");
    for set in each(&file["vectors"], Value::clone) {
        for child in each(&set["children"], Value::clone) {
            let bytes = payload(&child["final_payload_with_length"]);
            let read = final_payload(&bytes).expect("good");
            assert_eq!(read.encode(), bytes);
            assert_eq!(read.total().to_msat(), set["total_msat"].as_u64().expect("a number"));
            let amp = read.amp.expect("a shard");
            assert_eq!(amp.encode(), vectors::bytes(&child["tlv14_value"]));
        }
    }
    // LND's own figures, refused and not.
    for vector in each(&file["lnd_figures"]["payloads"], Value::clone) {
        let last = vector["final"].as_bool().expect("a boolean");
        let position = if last { Position::Final } else { Position::Forward };
        let read = read(&vectors::bytes(&vector["payload"]), position);
        match vector["result"].as_str().expect("a text") {
            result if result.starts_with("decodes") => assert!(read.is_ok(), "{vector}"),
            result => {
                let Err(PayloadError::Record { kind, .. }) = read else { panic!("{vector}") };
                assert_eq!(result, alloc::format!("PERM|22 type {kind}"));
            }
        }
    }
}

#[test]
fn payloads_of_the_published_onions() {
    for hop in each(&vector_file!("sphinx_bolt4")["hops"], Value::clone) {
        let bytes = payload(&hop["payload_with_length"]);
        // The onions of BOLT 4 end with a hop that has a channel, too: only forwards are read.
        if let Ok(HopPayload::Forward(forward)) = read(&bytes, Position::Forward) {
            let known = forward.encode();
            assert!(bytes.starts_with(&known));
        }
    }
    let onion = vector_file!("keysend")["onion"].clone();
    let bytes = payload(&onion["payloads"][0]);
    let forward = ForwardPayload {
        amt_to_forward: msat(50_000),
        outgoing_cltv_value: CltvExpiry::new(800_144),
        short_channel_id: "1x2x3".parse().expect("a scid"),
    };
    assert_eq!(read(&bytes, Position::Forward), Ok(HopPayload::Forward(forward)));
    assert_eq!(forward.encode(), bytes);

    let file = vector_file!("blinded_payment_onion");
    let hops = each(&file["hops"], Value::clone);
    let path_key = a_point();
    let mut seen = vec![];
    for (i, hop) in hops.iter().enumerate() {
        let bytes = payload(&hop["payload"]);
        let within = i >= 2;
        let position = if i + 1 < hops.len() { Position::Forward } else { Position::Final };
        let read = HopPayload::read(&bytes, position, within.then_some(&path_key)).expect("good");
        let encoded = match &read {
            HopPayload::Forward(payload) => payload.encode(),
            HopPayload::Final(payload) => payload.encode(),
            HopPayload::BlindedForward(payload) => payload.encode(),
            HopPayload::BlindedFinal(payload) => payload.encode(),
        };
        assert_eq!(encoded, bytes);
        seen.push(read);
    }
    let HopPayload::BlindedForward(introduction) = &seen[1] else { panic!("{:?}", seen[1]) };
    let first = public_key(&file["blinded_route"]["first_path_key"]);
    assert_eq!(introduction.current_path_key, Some(first));
    let HopPayload::BlindedFinal(last) = &seen[4] else { panic!("{:?}", seen[4]) };
    let data = vectors::bytes(&file["blinded_route"]["hops"][3]["encrypted_data"]);
    assert_eq!(last.encrypted_recipient_data, data);
    assert_eq!(last.amt_to_forward.to_msat(), file["final_amount_msat"].as_u64().expect("a number"));
}

/// A stream of these records.
fn stream(records: &[(u64, &[u8])]) -> Vec<u8> {
    Records::from_received(records.iter().map(|(kind, value)| (*kind, value.to_vec()))).encode()
}

const AMOUNT: (u64, &[u8]) = (2, &[7]);
const EXPIRY: (u64, &[u8]) = (4, &[9]);
const SCID: (u64, &[u8]) = (6, &[1; 8]);

fn refusal(records: &[(u64, &[u8])], position: Position) -> (u64, u16, RecordFault) {
    match read(&stream(records), position) {
        Err(PayloadError::Record { kind, offset, fault }) => (kind.to_u64(), offset, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn forwards_that_are_refused() {
    let refused = |records: &[_]| refusal(records, Position::Forward);
    assert_eq!(refused(&[EXPIRY, SCID]), (2, 13, RecordFault::Missing));
    assert_eq!(refused(&[AMOUNT, SCID]), (4, 13, RecordFault::Missing));
    assert_eq!(refused(&[AMOUNT, EXPIRY]), (6, 6, RecordFault::Missing));
    assert_eq!(refused(&[AMOUNT, EXPIRY, (6, &[1; 7])]), (6, 6, RecordFault::Value));
    for kind in [8, 12, 14, 16, 18, RecordType::KEYSEND.to_u64()] {
        let found = refused(&[AMOUNT, EXPIRY, SCID, (kind, &[1; 64])]);
        assert_eq!(found, (kind, 16, RecordFault::NotAllowed));
    }
    for kind in [20, 70, 65_536, 34_349_334] {
        let found = refused(&[AMOUNT, EXPIRY, SCID, (kind, &[])]);
        assert_eq!(found, (kind, 16, RecordFault::Unknown));
    }
    let odd = stream(&[AMOUNT, EXPIRY, SCID, (19, &[]), (65_537, &[1])]);
    assert!(matches!(read(&odd, Position::Forward), Ok(HopPayload::Forward(_))));
}

#[test]
fn finals_that_are_refused() {
    let refused = |records: &[_]| refusal(records, Position::Final);
    assert_eq!(refused(&[EXPIRY]), (2, 3, RecordFault::Missing));
    assert_eq!(refused(&[AMOUNT]), (4, 3, RecordFault::Missing));
    for kind in [6, 12, 18] {
        let found = refused(&[AMOUNT, EXPIRY, (kind, &[1; 8])]);
        assert_eq!(found, (kind, 6, RecordFault::NotAllowed));
    }
    for (kind, value) in [(8, &[1; 31][..]), (8, &[1; 41]), (14, &[1; 63]), (14, &[1; 69])] {
        let found = refused(&[AMOUNT, EXPIRY, (kind, value)]);
        assert_eq!(found, (kind, 6, RecordFault::Value));
    }
    assert_eq!(refused(&[AMOUNT, EXPIRY, (20, &[])]), (20, 6, RecordFault::Unknown));
    assert_eq!(refused(&[(2, &[0]), EXPIRY]), (2, 0, TlvError::NotMinimal.into()));
    assert_eq!(refused(&[(2, &[0xff; 8]), EXPIRY]), (2, 0, RecordFault::Value));
    assert_eq!(refused(&[AMOUNT, (4, &[1; 5])]), (4, 3, TlvError::WrongLength.into()));

    let twice = [&stream(&[AMOUNT, EXPIRY])[..], &[4, 0]].concat();
    let fault = TlvError::NotIncreasing.into();
    let expected = PayloadError::Record { kind: RecordType::new(0), offset: 6, fault };
    assert_eq!(final_payload(&twice), Err(expected));
    let packet = OnionPacket::decode(&[0; 200]).expect("long enough");
    let kind = RecordType::new(0);
    assert_eq!(expected.failure(&packet), Failure::InvalidOnionPayload { kind, offset: 6 });
}

#[test]
fn blinded_payloads_that_are_refused() {
    let key = a_point();
    let point = key.serialize();
    let data: (u64, &[u8]) = (10, &[1, 2]);
    let path_key: (u64, &[u8]) = (12, &point);
    let total: (u64, &[u8]) = (18, &[7]);
    let within = |records: &[_], position| HopPayload::read(&stream(records), position, Some(&key));

    assert!(within(&[data], Position::Forward).is_ok());
    assert!(within(&[AMOUNT, EXPIRY, data, total], Position::Final).is_ok());
    assert!(read(&stream(&[data, path_key]), Position::Forward).is_ok());
    assert!(read(&stream(&[AMOUNT, EXPIRY, data, path_key, total]), Position::Final).is_ok());

    let forwards: [&[_]; 5] =
        [&[data, path_key], &[AMOUNT, data], &[data, (13, &[])], &[AMOUNT, EXPIRY, SCID], &[]];
    for records in forwards {
        assert_eq!(within(records, Position::Forward), Err(PayloadError::Blinded), "{records:?}");
    }
    let finals: [&[_]; 6] = [
        &[AMOUNT, EXPIRY, data, path_key, total],
        &[AMOUNT, EXPIRY, data],
        &[EXPIRY, data, total],
        &[AMOUNT, EXPIRY, data, total, (RecordType::KEYSEND.to_u64(), &[1; 32])],
        &[AMOUNT, EXPIRY, data, total, (65_537, &[])],
        &[AMOUNT, EXPIRY],
    ];
    for records in finals {
        assert_eq!(within(records, Position::Final), Err(PayloadError::Blinded), "{records:?}");
    }
    // The first hop of a path is within it.
    let first = read(&stream(&[data, path_key, (13, &[])]), Position::Forward);
    assert_eq!(first, Err(PayloadError::Blinded));
    // Without any path key there is no path.
    assert_eq!(refusal(&[data], Position::Forward), (12, 4, RecordFault::Missing));
    let packet = OnionPacket::decode(&[0; 200]).expect("long enough");
    let sha256_of_onion = packet.sha256();
    assert_eq!(PayloadError::Blinded.failure(&packet), Failure::InvalidOnionBlinding { sha256_of_onion });
}

#[test]
fn what_the_htlc_must_be() {
    let payload = FinalPayload::new(msat(100), CltvExpiry::new(500));
    assert_eq!(payload.check_htlc(msat(100), CltvExpiry::new(500)), Ok(()));
    assert_eq!(payload.check_htlc(msat(101), CltvExpiry::new(501)), Ok(()));
    let htlc_amount = msat(99);
    let too_little = Failure::FinalIncorrectHtlcAmount { htlc_amount };
    assert_eq!(payload.check_htlc(htlc_amount, CltvExpiry::new(499)), Err(too_little));
    let cltv_expiry = CltvExpiry::new(499);
    let too_early = Failure::FinalIncorrectCltvExpiry { cltv_expiry };
    assert_eq!(payload.check_htlc(msat(100), cltv_expiry), Err(too_early));
}

#[test]
fn the_total_of_a_set() {
    let mut payload = FinalPayload::new(msat(100), CltvExpiry::new(500));
    assert_eq!(payload.total(), msat(100));
    let secret = PaymentSecret::from_bytes([1; 32]);
    payload.payment_data = Some(PaymentData::new(secret.clone(), msat(300)));
    assert_eq!(payload.total(), msat(300));
    payload.payment_data = Some(PaymentData::new(secret, Msat::ZERO));
    assert_eq!(payload.total(), msat(100));
}

fn any_final() -> impl Strategy<Value = FinalPayload> {
    let custom = prop::collection::btree_map(65_536u64.., prop::collection::vec(any::<u8>(), 0..40), 0..4);
    let amp = any::<([u8; 32], [u8; 32], u32)>().prop_map(|(share, set_id, child_index)| AmpRecord {
        root_share: Share::from_bytes(share),
        set_id: SetId::from_bytes(set_id),
        child_index,
    });
    let data = (any::<[u8; 32]>(), 0..=Msat::MAX.to_msat())
        .prop_map(|(secret, total)| PaymentData::new(PaymentSecret::from_bytes(secret), msat(total)));
    let keysend = any::<[u8; 32]>().prop_map(Preimage::from_bytes);
    let options = (
        prop::option::of(data),
        prop::option::of(amp),
        any::<Option<Vec<u8>>>(),
        prop::option::of(keysend),
        custom,
    );
    (0..=Msat::MAX.to_msat(), any::<u32>(), options).prop_map(
        |(amount, expiry, (payment_data, amp, payment_metadata, keysend, mut custom))| {
            custom.remove(&RecordType::KEYSEND.to_u64());
            FinalPayload {
                amt_to_forward: msat(amount),
                outgoing_cltv_value: CltvExpiry::new(expiry),
                payment_data,
                amp,
                payment_metadata,
                keysend,
                custom_records: Records::from_received(custom),
            }
        },
    )
}

proptest! {
    #[test]
    fn final_payloads_round_trip(payload in any_final()) {
        let bytes = payload.encode();
        prop_assert!(TlvStream::read(&bytes).is_ok());
        prop_assert_eq!(final_payload(&bytes), Ok(payload));
    }

    #[test]
    fn forward_payloads_round_trip(amount in 0..=Msat::MAX.to_msat(), expiry: u32, scid: u64) {
        let payload = ForwardPayload {
            amt_to_forward: msat(amount),
            outgoing_cltv_value: CltvExpiry::new(expiry),
            short_channel_id: ShortChannelId::new(scid),
        };
        prop_assert_eq!(read(&payload.encode(), Position::Forward), Ok(HopPayload::Forward(payload)));
    }

    #[test]
    fn blinded_payloads_round_trip(
        amount in 0..=Msat::MAX.to_msat(), expiry: u32, data: Vec<u8>, first: bool,
    ) {
        let key = a_point();
        let current_path_key = first.then_some(key);
        let with_htlc = if first { None } else { Some(&key) };
        let forward = BlindedForwardPayload { encrypted_recipient_data: data.clone(), current_path_key };
        let read = HopPayload::read(&forward.encode(), Position::Forward, with_htlc);
        prop_assert_eq!(read, Ok(HopPayload::BlindedForward(forward)));
        let last = BlindedFinalPayload {
            amt_to_forward: msat(amount),
            outgoing_cltv_value: CltvExpiry::new(expiry),
            encrypted_recipient_data: data,
            current_path_key,
            total_amount: msat(amount),
        };
        let read = HopPayload::read(&last.encode(), Position::Final, with_htlc);
        prop_assert_eq!(read, Ok(HopPayload::BlindedFinal(last)));
    }

    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>, last: bool, blinded: bool) {
        let key = a_point();
        let position = if last { Position::Final } else { Position::Forward };
        let _ = HopPayload::read(&bytes, position, blinded.then_some(&key));
    }

    #[test]
    fn any_records_never_panic(
        records in prop::collection::btree_map(0u64..24, prop::collection::vec(any::<u8>(), 0..70), 0..8),
        last: bool, blinded: bool,
    ) {
        let key = a_point();
        let position = if last { Position::Final } else { Position::Forward };
        let bytes = Records::from_received(records).encode();
        let _ = HopPayload::read(&bytes, position, blinded.then_some(&key));
    }
}
