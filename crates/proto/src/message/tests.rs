//! The figures of `vectors/messaging.json`, and what makes a message unproven.

use super::*;
use crate::keysend;
use crate::onion::{PAYMENT_PAYLOADS, RouteSecrets};
use crate::payload::{FinalPayload, ForwardPayload};
use crate::vectors::{array, bytes, each, secret_key, vector_file};
use crate::{CltvExpiry, KEYSEND_RECORD, Msat, Preimage, Record, RecordType, ShortChannelId, TEXT_RECORD};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bitcoin_hashes::{Hash as _, sha256, sha256d};
use lightning::util::message_signing;
use proptest::prelude::*;
use secp256k1::ecdsa::Signature;
use secp256k1::{PublicKey, SecretKey};
use serde_json::Value;

fn node_id(value: &Value) -> NodeId {
    NodeId::from_bytes(array(value)).expect("a node id")
}

/// The records of a message, as they came with a keysend.
fn received(value: &Value) -> Records {
    Records::from_received(each(value, |pair| (pair[0].as_u64().expect("a type"), bytes(&pair[1]))))
}

#[test]
fn whatsat_is_signed_and_read() {
    let file = vector_file!("messaging");
    let figures = &file["whatsat"];
    let secp = Secp256k1::new();
    let (key, recipient) = (secret_key(&figures["sender_privkey"]), node_id(&figures["recipient"]));
    let text = figures["message"].as_str().expect("a string");
    let now_ns = figures["timestamp_ns"].as_u64().expect("a time");

    let signed = whatsat::sign(&secp, &key, &recipient, now_ns, text);
    let records = received(&figures["records"]);
    let (preimage, rest): (Vec<_>, Vec<_>) = records.iter().partition(|(kind, _)| *kind == KEYSEND_RECORD);
    assert_eq!(signed.iter().collect::<Vec<_>>(), rest);
    assert!(keysend::decode(preimage[0].1).is_ok());
    assert_eq!(records.encode(), bytes(&figures["records_tlv_stream"]));
    assert_eq!(signed.value(SIGNATURE_RECORD.to_u64()), Some(&bytes(&figures["signature_der_rfc6979"])[..]));
    let signature = Signature::from_compact(&bytes(&figures["signature_r_s"])).expect("r and s");
    assert_eq!(signature.serialize_der().to_vec(), bytes(&figures["signature_der_rfc6979"]));

    let sender = node_id(&figures["sender"]);
    let timestamp = array(&figures["timestamp_bytes"]);
    let covered = signed_bytes(&sender.to_bytes(), &recipient.to_bytes(), &timestamp, text).concat();
    assert_eq!(covered, bytes(&figures["signed_bytes"]));
    assert_eq!(sha256::Hash::hash(&covered).to_byte_array(), array(&figures["digest_sha256"]));

    let read = read(&secp, &records, &recipient).expect("a message");
    assert_eq!(read.text, text);
    assert_eq!(read.sender, Sender::Signed(sender));
    assert_eq!(read.sent_at, Some(Timestamp::from_millis(now_ns / 1_000_000)));
    assert_eq!(read.content_type, None);
}

#[test]
fn juggernaut_is_read() {
    let file = vector_file!("messaging");
    let (figures, whatsat) = (&file["juggernaut"], &file["whatsat"]);
    let secp = Secp256k1::new();
    let (sender, recipient) = (node_id(&whatsat["sender"]), node_id(&whatsat["recipient"]));
    let text = whatsat["message"].as_str().expect("a string");
    let records = received(&figures["records"]);

    let message = read(&secp, &records, &recipient).expect("a message");
    assert_eq!(message.text, text);
    assert_eq!(message.sender, Sender::Signed(sender));
    assert_eq!(message.sent_at.map(Timestamp::to_millis), figures["timestamp_ms"].as_u64());
    assert_eq!(message.content_type, figures["content_type"].as_str());

    // This signature covers the content type.
    let mut other: Vec<_> = records.iter().map(|(kind, value)| (kind, value.to_vec())).collect();
    other
        .iter_mut()
        .find(|(kind, _)| *kind == CONTENT_TYPE_RECORD.to_u64())
        .expect("it is there")
        .1
        .push(b'x');
    let other = Records::from_received(other);
    assert_eq!(read(&secp, &other, &recipient).map(|message| message.sender), Some(Sender::Forged(sender)));
}

/// The other direction, as a wallet of Juggernaut's would go.
#[test]
fn juggernaut_signatures_are_those_of_lnd() {
    let file = vector_file!("messaging");
    let (figures, whatsat) = (&file["juggernaut"], &file["whatsat"]);
    let secp = Secp256k1::new();
    let covered = bytes(&figures["signed_bytes"]);
    let timestamp = array(&figures["timestamp_bytes"]);
    let (sender, recipient) = (array(&whatsat["sender"]), array(&whatsat["recipient"]));
    let text = whatsat["message"].as_str().expect("a string");
    let start = signed_bytes(&sender, &recipient, &timestamp, text).concat();
    assert_eq!(covered, [&start[..], b"text"].concat());

    let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", &covered[..]].concat()).to_byte_array();
    assert_eq!(digest, array(&figures["digest_hex"]));
    // LDK signs as LND does.
    let by_ldk = message_signing::sign(&covered, &secret_key(&whatsat["sender_privkey"]));
    assert_eq!(by_ldk, figures["signature_record_utf8"].as_str().expect("a string"));
    let message = secp256k1::Message::from_digest(digest);
    let signature = secp.sign_ecdsa_recoverable(&message, &secret_key(&whatsat["sender_privkey"]));
    let (id, compact) = signature.serialize_compact();
    let compact = [&[31 + id.to_i32() as u8], &compact[..]].concat();
    assert_eq!(compact, bytes(&figures["compact_signature"]));
    assert_eq!(zbase32::encode(&compact), figures["signature_record_utf8"].as_str().expect("a string"));
    assert_eq!(zbase32::encode(&compact).into_bytes(), bytes(&figures["signature_record_hex"]));
    assert_eq!(zbase32::encode(&compact).len(), juggernaut::SIGNATURE_LEN);
}

/// A boostagram is a record like any other here.
#[test]
fn a_boostagram_passes_through() {
    let file = vector_file!("messaging");
    let figures = &file["blip10"];
    let value = bytes(&figures["utf8_hex"]);
    assert_eq!(core::str::from_utf8(&value).ok(), figures["json"].as_str());
    let parsed: Value = serde_json::from_slice(&value).expect("JSON");
    assert_eq!(parsed, figures["parsed"]);
    let mut records = Records::new();
    records.insert(Record::new(7_629_169, value.clone()).expect("custom")).expect("first");
    let read = Records::decode(&records.encode()).expect("a stream");
    assert_eq!(read.value(7_629_169), Some(&value[..]));
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).expect("a secret key")
}

fn id(byte: u8) -> NodeId {
    NodeId::from_bytes(PublicKey::from_secret_key(&Secp256k1::new(), &key(byte)).serialize())
        .expect("a point")
}

/// The records of alice's message to bob, one of them with another value, or without it.
fn changed(kind: RecordType, value: Option<&[u8]>) -> Records {
    let signed = whatsat::sign(&Secp256k1::new(), &key(1), &id(2), 1_700_000_000_000_000_000, "hello");
    let others = signed.iter().filter(|(other, _)| *other != kind.to_u64());
    let kept: Vec<_> = others.map(|(other, value)| (other, value.to_vec())).collect();
    Records::from_received(kept.into_iter().chain(value.map(|value| (kind.to_u64(), value.to_vec()))))
}

fn sender(records: &Records, recipient: u8) -> Sender {
    read(&Secp256k1::new(), records, &id(recipient)).expect("a text").sender
}

#[test]
fn what_is_not_proven() {
    let text = RecordType::new(TEXT_RECORD);
    let genuine = changed(CONTENT_TYPE_RECORD, None);
    assert_eq!(sender(&genuine, 2), Sender::Signed(id(1)));
    // Sent on to carol, by bob or by a node that saw it.
    assert_eq!(sender(&genuine, 3), Sender::Forged(id(1)));
    assert_eq!(sender(&changed(SENDER_RECORD, Some(&id(3).to_bytes())), 2), Sender::Forged(id(3)));
    assert_eq!(sender(&changed(SENDER_RECORD, None), 2), Sender::Anonymous);
    assert_eq!(sender(&changed(SENDER_RECORD, Some(&[2; 32])), 2), Sender::Anonymous);
    assert_eq!(sender(&changed(SENDER_RECORD, Some(&[4; 33])), 2), Sender::Anonymous);
    assert_eq!(sender(&changed(SIGNATURE_RECORD, None), 2), Sender::Claimed(id(1)));
    assert_eq!(sender(&changed(SIGNATURE_RECORD, Some(&[])), 2), Sender::Forged(id(1)));
    assert_eq!(sender(&changed(SIGNATURE_RECORD, Some(&[b'y'; 104])), 2), Sender::Forged(id(1)));
    assert_eq!(sender(&changed(TIMESTAMP_RECORD, None), 2), Sender::Forged(id(1)));
    assert_eq!(sender(&changed(TIMESTAMP_RECORD, Some(&[0; 8])), 2), Sender::Forged(id(1)));
    assert_eq!(sender(&changed(text, Some(b"hellO")), 2), Sender::Forged(id(1)));
    // A whatsat signature says nothing about the content type.
    assert_eq!(sender(&changed(CONTENT_TYPE_RECORD, Some(b"json")), 2), Sender::Signed(id(1)));
    let secp = Secp256k1::new();
    // No time is not the time zero.
    let signed = whatsat::sign(&secp, &key(1), &id(2), 0, "hello");
    let timeless = signed.iter().filter(|(kind, _)| *kind != TIMESTAMP_RECORD.to_u64());
    let timeless = Records::from_received(timeless.map(|(kind, value)| (kind, value.to_vec())));
    assert_eq!((sender(&signed, 2), sender(&timeless, 2)), (Sender::Signed(id(1)), Sender::Forged(id(1))));
    assert_eq!(read(&secp, &changed(text, None), &id(2)), None);
    assert_eq!(read(&secp, &changed(text, Some(&[0xff])), &id(2)), None);
    let alone = Records::from_received([(TEXT_RECORD, b"hi".to_vec())]);
    assert_eq!(sender(&alone, 2), Sender::Anonymous);
}

#[test]
fn the_overhead_is_the_most_that_a_signature_takes() {
    let secp = Secp256k1::new();
    let lengths = (0..200).map(|now_ns| {
        let records = whatsat::sign(&secp, &key(1), &id(2), now_ns, "");
        // Without the empty text record: type and length.
        records.encode().len() - 6
    });
    assert_eq!(lengths.max(), Some(whatsat::SIGNED_OVERHEAD));
}

#[test]
fn the_text_that_fits_is_the_longest_that_builds() {
    let secp = Secp256k1::new();
    let forward = ForwardPayload {
        amt_to_forward: Msat::from_sat(51).expect("small"),
        outgoing_cltv_value: CltvExpiry::new(800_144),
        short_channel_id: ShortChannelId::new(1 << 40),
    };
    let mut last = FinalPayload::new(Msat::from_sat(50).expect("small"), CltvExpiry::new(800_144));
    last.keysend = Some(Preimage::from_bytes([7; 32]));
    // From a signed message down to the text alone, which is replaced.
    last.custom_records = whatsat::sign(&secp, &key(1), &id(2), 0, "too short");
    for hops in [1usize, 2, 3, 6, 20] {
        let forwards = alloc::vec![forward; hops - 1];
        let room = route_text_room(&forwards, &last).expect("there is room");
        let build = |text: usize| {
            let mut last = last.clone();
            let others = last.custom_records.iter().filter(|(kind, _)| *kind != TEXT_RECORD);
            let records: Vec<_> = others.map(|(kind, value)| (kind, value.to_vec())).collect();
            let text = [(TEXT_RECORD, alloc::vec![b'x'; text])];
            last.custom_records = Records::from_received(text.into_iter().chain(records));
            let mut payloads: Vec<_> = forwards.iter().map(ForwardPayload::encode).collect();
            payloads.push(last.encode());
            let route: Vec<_> = (1..=hops as u8).map(|hop| key(hop).public_key(&secp)).collect();
            let secrets = RouteSecrets::new(&secp, &key(99), &route).expect("a route");
            secrets.build(&payloads, &[0; 32], PAYMENT_PAYLOADS)
        };
        assert!(build(room).is_ok(), "{hops} hops");
        assert!(build(room + 1).is_err(), "{hops} hops");
    }
    assert_eq!(route_text_room(&alloc::vec![forward; 30], &last), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_is_read(now_ns in LEAST_NANOS.., text in ".{0,40}", byte in 1u8..=250) {
        let secp = Secp256k1::new();
        let records = whatsat::sign(&secp, &key(byte), &id(2), now_ns, &text);
        let records = Records::decode(&records.encode()).expect("a stream");
        let read = read(&secp, &records, &id(2)).expect("a message");
        prop_assert_eq!(read.text, text);
        prop_assert_eq!(read.sender, Sender::Signed(id(byte)));
        prop_assert_eq!(read.sent_at, Some(Timestamp::from_millis(now_ns / 1_000_000)));
    }

    #[test]
    fn any_records_never_panic(
        values in prop::collection::vec((prop::sample::select(alloc::vec![TEXT_RECORD, 34_349_337, 34_349_339, 34_349_343, 34_349_345]), any::<Vec<u8>>()), 0..8),
        text: String,
    ) {
        let mut records: Vec<_> = values;
        records.push((TEXT_RECORD, text.to_string().into_bytes()));
        let records = Records::from_received(records);
        let message = read(&Secp256k1::new(), &records, &id(2)).expect("a text");
        prop_assert!(!matches!(message.sender, Sender::Signed(_)));
    }
}
