//! The figures of `vectors/keysend.json`, and what opens nothing.

use super::*;
use crate::mpp::PaymentData;
use crate::onion::{PAYMENT_PAYLOADS, RouteSecrets, peel};
use crate::vectors::{array, bytes, each, packet, payload, public_key, secret_key, vector_file};
use crate::{Msat, PaymentSecret, RecordType, Records, TlvStream, write_bigsize};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use secp256k1::{Secp256k1, SecretKey};
use serde_json::Value;

#[test]
fn record() {
    let file = vector_file!("keysend");
    let preimage = Preimage::from_bytes(array(&file["preimage"]));
    assert_eq!(preimage.payment_hash(), PaymentHash::from_bytes(array(&file["payment_hash"])));
    assert_eq!(Some(RecordType::KEYSEND.to_u64()), file["tlv_type"].as_u64());
    let mut kind = vec![];
    write_bigsize(&mut kind, RecordType::KEYSEND.to_u64());
    assert_eq!(kind, bytes(&file["bigsize_type"]));
    assert_eq!(kind, bytes(&file["bolt4_payload_error_for_type"]["type_bigsize"]));
    let records = Records::from_received([(RecordType::KEYSEND.to_u64(), encode(&preimage).to_vec())]);
    assert_eq!(records.encode(), bytes(&file["record"]));
}

/// What a keysend record among the final payloads opens, by the name of the payload.
#[test]
fn final_payloads() {
    let file = vector_file!("keysend");
    let hash = PaymentHash::from_bytes(array(&file["payment_hash"]));
    for case in file["final_payloads"].as_array().expect("an array") {
        let payload = payload(&case["payload"]);
        let stream = TlvStream::read(&payload).expect("a stream");
        let opened = open(stream.value(RecordType::KEYSEND).expect("it is there"), &hash);
        match case["id"].as_str().expect("a name") {
            "bad_preimage_length_31" => assert_eq!(opened, Err(KeysendError::Length(31))),
            "bad_preimage_mismatch" => assert_eq!(opened, Err(KeysendError::Mismatch)),
            _ => assert_eq!(opened, Ok(Preimage::from_bytes(array(&file["preimage"])))),
        }
        check_payment_data(case["id"].as_str().expect("a name"), &file, &stream);
    }
}

fn check_payment_data(id: &str, file: &Value, stream: &TlvStream<'_>) {
    let total_msat = match id {
        "with_payment_data_single" => 50_000,
        "mpp_part" => 150_000,
        _ => return assert_eq!(stream.value(RecordType::PAYMENT_DATA), None),
    };
    let secret = PaymentSecret::from_bytes(array(&file["payment_secret"]));
    let data = PaymentData::new(secret, Msat::new(total_msat).expect("small"));
    assert_eq!(stream.value(RecordType::PAYMENT_DATA), Some(&data.encode()[..]));
    assert_eq!(PaymentData::decode(&data.encode()), Ok(data));
}

#[test]
fn an_onion_of_two_hops() {
    let file = vector_file!("keysend");
    let (onion, hash) = (&file["onion"], array::<32>(&file["payment_hash"]));
    let secp = Secp256k1::new();
    let route = each(&onion["route"], public_key);
    let payloads: Vec<_> = each(&onion["payloads"], payload);
    let secrets = RouteSecrets::new(&secp, &secret_key(&onion["session_key"]), &route).expect("a route");
    let built = secrets.build(&payloads, &hash, PAYMENT_PAYLOADS).expect("it fits");
    assert_eq!(built, packet(&onion["packet"]));

    let hop_key = |byte| SecretKey::from_slice(&[byte; 32]).expect("a secret key");
    let first = peel(&secp, &hop_key(0x42), &built, &hash).expect("the first hop's");
    assert_eq!(first.payload[..], payloads[0]);
    let next = first.next.expect("a hop follows");
    assert_eq!(next, packet(&onion["packet_after_first_hop"]));
    let last = peel(&secp, &hop_key(0x43), &next, &hash).expect("the last hop's");
    let stream = TlvStream::read(&last.payload).expect("a stream");
    let value = stream.value(RecordType::KEYSEND).expect("it is there");
    assert!(last.next.is_none() && open(value, &PaymentHash::from_bytes(hash)).is_ok());
}

proptest! {
    #[test]
    fn round_trip(bytes: [u8; 32]) {
        let preimage = Preimage::from_bytes(bytes);
        prop_assert_eq!(open(&encode(&preimage), &preimage.payment_hash()), Ok(preimage));
    }

    #[test]
    fn one_flipped_bit_opens_nothing(bytes: [u8; 32], bit in 0usize..256) {
        let hash = Preimage::from_bytes(bytes).payment_hash();
        let mut other = bytes;
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(open(&other, &hash), Err(KeysendError::Mismatch));
    }

    #[test]
    fn only_32_bytes_are_read(value in prop::collection::vec(any::<u8>(), 0..66)) {
        match decode(&value) {
            Ok(preimage) => prop_assert_eq!(&encode(&preimage)[..], &value[..]),
            Err(error) => prop_assert!(value.len() != 32 && error == KeysendError::Length(value.len())),
        }
    }

    #[test]
    fn any_bytes_never_panic(value: Vec<u8>, hash: [u8; 32]) {
        prop_assert!(open(&value, &PaymentHash::from_bytes(hash)).is_err());
    }
}
