//! The published failures, and what holds for any.

use super::code::ALL;
use super::*;
use crate::onion::{RouteSecrets, SharedSecret};
use crate::vectors::{bytes, each, public_key, secret_key, shared_secret, vector_file};
use crate::{BlockHeight, CltvExpiry, Msat, RecordType, TlvStream};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use secp256k1::Secp256k1;
use serde_json::Value;

/// The secrets of the route that all figures are of.
fn route() -> Vec<SharedSecret> {
    each(&vector_file!("sphinx_bolt4")["hops"], |hop| shared_secret(&hop["shared_secret"]))
}

#[test]
fn failure_of_bolt_4() {
    let secrets = route();
    let file = vector_file!("onion_errors")["simple"].clone();
    let message = bytes(&file["failuremsg"]);
    assert_eq!(Failure::TemporaryNodeFailure.encode(), message);
    let mut packet = FailurePacket::create(&secrets[4], &message).expect("short");
    let mut plain = packet.clone();
    plain.wrap(&secrets[4]);
    assert_eq!(plain.as_bytes(), bytes(&file["raw_packet_before_ammag"]));
    for step in each(&file["steps"], Value::clone) {
        let node = step["after_wrap_by_node"].as_u64().expect("a number") as usize;
        if node < 4 {
            packet.wrap(&secrets[node]);
        }
        assert_eq!(packet.as_bytes(), bytes(&step["packet"]), "node {node}");
        let at_node = decode_failure(&secrets[node..], &packet, None).failure.expect("authentic");
        assert_eq!((at_node.hop, at_node.failure), (4 - node, Failure::TemporaryNodeFailure));
    }
    assert_eq!(packet.as_bytes(), bytes(&file["final_packet_seen_by_origin"]));

    // The sender computes the same secrets from its session key.
    let secp = Secp256k1::new();
    let file = vector_file!("sphinx_bolt4");
    let nodes = each(&file["hops"], |hop| public_key(&hop["pubkey"]));
    let route = RouteSecrets::new(&secp, &secret_key(&file["session_key"]), &nodes).expect("hops");
    let decoded = decode_failure(route.shared_secrets(), &packet, None).failure.expect("authentic");
    assert_eq!(decoded.hop, 4);
}

fn hold_times(file: &Value) -> Vec<HoldTime> {
    each(file, |time| HoldTime::new(time.as_u64().expect("a number") as u32))
}

#[test]
fn attributed_failure_of_bolt_4() {
    let secrets = route();
    let file = vector_file!("onion_errors")["attribution"].clone();
    let times = hold_times(&file["hold_times_by_node_100ms"]);
    let failure = Failure::IncorrectOrUnknownPaymentDetails {
        htlc_amount: Msat::new(100).expect("small"),
        height: BlockHeight::new(800_000),
    };
    let extra = [&[0xfd, 0x84, 0xd1, 0xfd, 0x01, 0x2c][..], &[0x80; 300]].concat();
    let message = [failure.encode(), extra.clone()].concat();
    let mut packet = FailurePacket::create_padded(&secrets[4], &message, 1024).expect("short");
    let mut covered = packet.clone();
    covered.wrap(&secrets[4]);
    assert_eq!(covered.as_bytes(), bytes(&file["raw_error_packet"]));

    let mut data: Option<AttributionData> = None;
    for step in each(&file["failed"], Value::clone) {
        let node = step["node"].as_u64().expect("a number") as usize;
        let secret = &secrets[node];
        data = Some(AttributionData::report(data.as_ref(), times[node], secret, covered.as_bytes()));
        if node < 4 {
            packet.wrap(secret);
        }
        assert_eq!(packet.as_bytes(), bytes(&step["error_packet"]), "node {node}");
        let bytes = bytes(&step["attribution_data"]);
        assert_eq!(data.as_ref().expect("reported").as_bytes()[..], bytes, "node {node}");
        covered = packet.clone();
    }

    let report = decode_failure(&secrets, &packet, data.as_ref());
    assert_eq!(report.failure, Ok(DecodedFailure { hop: 4, failure, extra: extra.clone() }));
    let stream = TlvStream::read(&extra).expect("a TLV stream");
    assert_eq!(stream.value(RecordType::new(34_001)), Some(&[0x80; 300][..]));
    assert_eq!((report.hold_times, report.unattributed), (times, None));
}

#[test]
fn attributed_success_of_bolt_4() {
    let secrets = route();
    let file = vector_file!("onion_errors")["attribution"].clone();
    let times = hold_times(&file["hold_times_by_node_100ms"]);
    let mut data: Option<AttributionData> = None;
    for step in each(&file["fulfilled"], Value::clone) {
        let node = step["node"].as_u64().expect("a number") as usize;
        data = Some(AttributionData::report(data.as_ref(), times[node], &secrets[node], &[]));
        let bytes = bytes(&step["attribution_data"]);
        assert_eq!(data.as_ref().expect("reported").as_bytes()[..], bytes, "node {node}");
    }
    let report = decode_fulfillment(&secrets, None, data.as_ref());
    assert_eq!((report.hold_times, report.unattributed), (times, None));
}

#[test]
fn fulfillment_payload_of_eclair() {
    let secrets = route();
    let file = vector_file!("fulfillment_payload");
    let plain = bytes(&file["plaintext"]);
    let mut payload = FulfillmentPayload::create(&secrets[4], &plain).expect("short");
    let mut covered = vec![];
    let mut data: Option<AttributionData> = None;
    let mut times = vec![];
    for step in each(&file["steps"], Value::clone) {
        let node = step["node"].as_u64().expect("a number") as usize;
        let time = HoldTime::new(step["hold_time_100ms"].as_u64().expect("a number") as u32);
        data = Some(AttributionData::report(data.as_ref(), time, &secrets[node], &covered));
        if node < 4 {
            payload.wrap(&secrets[node]);
        }
        assert_eq!(payload.as_bytes(), bytes(&step["fulfillment_payload"]), "node {node}");
        let bytes = bytes(&step["attribution_data"]);
        assert_eq!(data.as_ref().expect("reported").as_bytes()[..], bytes, "node {node}");
        covered = payload.as_bytes().to_vec();
        times.insert(0, time);
    }
    let report = decode_fulfillment(&secrets, Some(&payload), data.as_ref());
    assert_eq!((report.hold_times, report.unattributed), (times, None));
    let opened = payload.open(&secrets).expect("authentic");
    assert_eq!(*opened, plain);
    let stream = TlvStream::read(&opened).expect("a TLV stream");
    for record in each(&file["plaintext_records"], Value::clone) {
        let kind = RecordType::new(record[0].as_u64().expect("a type"));
        assert_eq!(stream.value(kind), Some(&bytes(&record[1])[..]));
    }
}

#[test]
fn every_code_has_its_data() {
    for code in ALL {
        // Data enough for each of them: what is left over is no part of it.
        let message = [&code.to_u16().to_be_bytes()[..], &[0; 64]].concat();
        let (failure, extra) = Failure::decode(&message).expect("a code");
        assert_eq!(failure.code(), *code);
        assert!(!matches!(failure, Failure::Other { .. }), "{code}");
        assert_eq!([failure.encode(), extra.to_vec()].concat(), message, "{code}");
    }
    // Figures of the table.
    let update = vec![9, 9];
    for (failure, hex) in [
        (Failure::TemporaryChannelFailure { channel_update: update.clone() }, "100700020909"),
        (
            Failure::FeeInsufficient { htlc_amount: Msat::new(258).expect("small"), channel_update: update },
            "100c000000000000010200020909",
        ),
        (Failure::FinalIncorrectCltvExpiry { cltv_expiry: CltvExpiry::new(0x0c3500) }, "0012000c3500"),
        (Failure::ChannelDisabled { flags: 0, channel_update: vec![] }, "101400000000"),
        (
            Failure::InvalidOnionPayload { kind: RecordType::KEYSEND, offset: 10 },
            "4016ff0000000146c6616c000a",
        ),
        (Failure::MppTimeout, "0017"),
    ] {
        assert_eq!(crate::hex(&failure.encode()), hex);
        assert_eq!(Failure::decode(&failure.encode()), Ok((failure, &[][..])));
    }
}

#[test]
fn data_that_is_not_the_codes_keeps_the_code() {
    let message = [0x40, 0x0f, 1, 2, 3];
    let (failure, _) = Failure::decode(&message).expect("a code");
    let code = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;
    assert_eq!(failure, Failure::Other { code, data: vec![1, 2, 3] });
    assert_eq!(failure.encode(), message);
    assert_eq!(Failure::decode(&[0x40]), Err(FailureError::NoCode));
}

#[test]
fn what_cannot_be_read() {
    let secrets = route();
    // Authentic, yet no message: the length exceeds the packet; no code.
    for plain in [&[0xff, 0xff, 0, 0][..], &[0, 1, 0x40, 0, 0], &[0]] {
        let tag = crate::onion::hmac(secrets[2].derive(crate::onion::KeyType::Um).as_bytes(), &[plain]);
        let mut packet = FailurePacket::from_bytes([&tag, plain].concat());
        for secret in secrets[..3].iter().rev() {
            packet.wrap(secret);
        }
        let failure = decode_failure(&secrets, &packet, None).failure;
        assert_eq!(failure, Err(UndecodableFailure::Malformed { hop: 2 }));
    }
    let long = vec![0; 65_536];
    let refused = FailurePacket::create(&secrets[0], &long);
    assert_eq!(refused, Err(FailurePacketError::TooLong(65_536)));
    assert_eq!(FulfillmentPayload::create(&secrets[0], &long).err(), Some(FulfillmentError::TooLong(65_552)));
    let most = FulfillmentPayload::create(&secrets[0], &vec![0; 32_752]).expect("just fits");
    let one_more = FulfillmentPayload::create(&secrets[0], &vec![0; 32_753]);
    assert_eq!(one_more, Err(FulfillmentError::TooLong(32_769)));
    assert_eq!(most.as_bytes().len(), FULFILLMENT_MAX);
    assert_eq!(FulfillmentPayload::decode(&vec![0; 32_769]), Err(FulfillmentError::TooLong(32_769)));
}

fn any_route() -> impl Strategy<Value = Vec<SharedSecret>> {
    let secret = any::<[u8; 32]>().prop_map(SharedSecret::from_bytes);
    prop::collection::vec(secret, 1..=20)
}

/// A failure of one hop and what comes back of it, attribution and all.
fn fail_at(secrets: &[SharedSecret], hop: usize, message: &[u8]) -> (FailurePacket, AttributionData) {
    let mut packet = FailurePacket::create(&secrets[hop], message).expect("short");
    let mut plain = packet.clone();
    plain.wrap(&secrets[hop]);
    let time = |hop: usize| HoldTime::new(hop as u32 + 7);
    let mut data = AttributionData::report(None, time(hop), &secrets[hop], plain.as_bytes());
    for at in (0..hop).rev() {
        data = AttributionData::report(Some(&data), time(at), &secrets[at], packet.as_bytes());
        packet.wrap(&secrets[at]);
    }
    (packet, data)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_sender_learns_who_failed(
        secrets in any_route(),
        hop: prop::sample::Index,
        message in prop::collection::vec(any::<u8>(), 2..600),
    ) {
        let hop = hop.index(secrets.len());
        let (packet, data) = fail_at(&secrets, hop, &message);
        let report = decode_failure(&secrets, &packet, Some(&data));
        let decoded = report.failure.expect("authentic");
        prop_assert_eq!(decoded.hop, hop);
        let (failure, extra) = Failure::decode(&message).expect("a code");
        prop_assert_eq!((decoded.failure, &decoded.extra[..]), (failure, extra));
        let times: Vec<_> = (0..=hop).map(|hop| HoldTime::new(hop as u32 + 7)).collect();
        prop_assert_eq!((report.hold_times, report.unattributed), (times, None));
    }

    #[test]
    fn a_flipped_bit_in_a_failure_is_refused_and_attributed(
        secrets in any_route(),
        hop: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let hop = hop.index(secrets.len());
        let (packet, data) = fail_at(&secrets, hop, &Failure::MppTimeout.encode());
        let mut bytes = packet.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let report = decode_failure(&secrets, &FailurePacket::from_bytes(bytes), Some(&data));
        prop_assert_eq!(report.failure, Err(UndecodableFailure::Unauthenticated));
        prop_assert_eq!(report.unattributed, Some(0));
    }

    #[test]
    fn a_flipped_bit_in_any_hold_time_is_blamed_on_the_nearest(
        secrets in any_route(),
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let (packet, data) = fail_at(&secrets, secrets.len() - 1, &Failure::MppTimeout.encode());
        let mut bytes = *data.as_bytes();
        bytes[at.index(4 * secrets.len())] ^= 1 << bit;
        let data = AttributionData::decode(&bytes).expect("as long");
        let report = decode_failure(&secrets, &packet, Some(&data));
        prop_assert!(report.failure.is_ok());
        prop_assert_eq!((report.hold_times, report.unattributed), (vec![], Some(0)));
    }

    #[test]
    fn a_flipped_bit_in_a_fulfillment_payload_is_refused(
        secrets in any_route(),
        plain: Vec<u8>,
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let (last, others) = secrets.split_last().expect("hops");
        let mut payload = FulfillmentPayload::create(last, &plain).expect("short");
        for secret in others.iter().rev() {
            payload.wrap(secret);
        }
        prop_assert_eq!(&*payload.open(&secrets).expect("authentic"), &plain);
        let mut bytes = payload.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let payload = FulfillmentPayload::decode(&bytes).expect("short");
        prop_assert_eq!(payload.open(&secrets), Err(FulfillmentError::Undecryptable));
    }

    #[test]
    fn any_bytes_never_panic(secrets in any_route(), packet: Vec<u8>, data: Vec<u8>) {
        if let Ok((failure, extra)) = Failure::decode(&data) {
            prop_assert_eq!([&failure.encode()[..], extra].concat(), data.clone());
        }
        let mut long = data.clone();
        long.resize(ATTRIBUTION_LEN, 1);
        let data = AttributionData::decode(&long).ok();
        let packet = FailurePacket::from_bytes(packet);
        prop_assert!(decode_failure(&secrets, &packet, data.as_ref()).failure.is_err());
    }
}

#[test]
fn who_alters_a_failure_midway_is_found() {
    let secrets = route();
    let message = Failure::MppTimeout.encode();
    let (packet, data) = fail_at(&secrets[2..], 2, &message);
    // Node 1 alters the packet it received from node 2, then reports as if it had not.
    let mut bytes = packet.as_bytes().to_vec();
    bytes[100] ^= 1;
    let mut packet = FailurePacket::from_bytes(bytes);
    let mut data = data;
    for node in [1, 0] {
        let time = HoldTime::new(1);
        data = AttributionData::report(Some(&data), time, &secrets[node], packet.as_bytes());
        packet.wrap(&secrets[node]);
    }
    let report = decode_failure(&secrets, &packet, Some(&data));
    assert_eq!(report.failure, Err(UndecodableFailure::Unauthenticated));
    assert_eq!(report.hold_times.len(), 2);
    assert_eq!(report.unattributed, Some(2));
}

#[test]
fn a_route_that_attribution_has_no_room_for_blames_nobody() {
    let secrets: Vec<_> = (0..21).map(|byte| SharedSecret::from_bytes([byte; 32])).collect();
    let (packet, data) = fail_at(&secrets, 20, &Failure::MppTimeout.encode());
    let report = decode_failure(&secrets, &packet, Some(&data));
    assert_eq!(report.failure.map(|failure| failure.hop), Ok(20));
    assert_eq!((report.hold_times, report.unattributed), (vec![], None));
}

#[test]
fn who_is_not_of_the_route_cannot_fail() {
    // The work is that of 27 hops; those that are not there authenticate nothing.
    let secrets = route();
    let nobody = SharedSecret::from_bytes([0; 32]);
    let mut packet = FailurePacket::create(&nobody, &Failure::MppTimeout.encode()).expect("short");
    for secret in secrets.iter().rev() {
        packet.wrap(secret);
    }
    let failure = decode_failure(&secrets, &packet, None).failure;
    assert_eq!(failure, Err(UndecodableFailure::Unauthenticated));
}
