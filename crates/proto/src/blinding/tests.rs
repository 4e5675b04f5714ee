//! The published blinded paths, and what holds for any.

use super::*;
use crate::onion::{OnionPacket, PAYMENT_PAYLOADS, PeelError, RouteSecrets, SharedSecret, peel};
use crate::vectors::{
    array, bytes, each, packet, payload, public_key, secret_key, shared_secret, vector_file,
};
use crate::{CltvExpiry, CltvExpiryDelta, Msat, RecordType, TlvError, TlvStream};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use serde_json::Value;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The fields of the file's `tlvs`, as they are read.
fn expected(tlvs: &Value) -> RecipientData {
    let text = |value: &Value| value.as_str().map(|text| text.parse().expect("a scid"));
    let key = |value: &Value| value.is_string().then(|| public_key(value));
    let relay = &tlvs["payment_relay"];
    let limits = &tlvs["payment_constraints"];
    let features = &tlvs["allowed_features"]["features"];
    RecipientData {
        padding: tlvs["padding"].is_string().then(|| bytes(&tlvs["padding"]).len()),
        short_channel_id: text(&tlvs["short_channel_id"]),
        next_node_id: key(&tlvs["next_node_id"]),
        path_id: tlvs["path_id"].is_string().then(|| bytes(&tlvs["path_id"])),
        next_path_key_override: key(&tlvs["next_path_key_override"]),
        payment_relay: relay.is_object().then(|| PaymentRelay {
            cltv_expiry_delta: CltvExpiryDelta::new(number(&relay["cltv_expiry_delta"]) as u16),
            fee_proportional_millionths: number(&relay["fee_proportional_millionths"]) as u32,
            fee_base_msat: number(&relay["fee_base_msat"]) as u32,
        }),
        payment_constraints: limits.is_object().then(|| PaymentConstraints {
            max_cltv_expiry: CltvExpiry::new(number(&limits["max_cltv_expiry"]) as u32),
            htlc_minimum: Msat::new(number(&limits["htlc_minimum_msat"])).expect("small"),
        }),
        allowed_features: features.is_array().then(|| {
            let bits = each(features, number);
            let mut bytes = vec![0; bits.iter().max().map_or(0, |bit| *bit as usize / 8 + 1)];
            for bit in bits {
                let at = bytes.len() - 1 - bit as usize / 8;
                bytes[at] |= 1 << (bit % 8);
            }
            bytes
        }),
    }
}

#[test]
fn blinded_path_of_bolt_4() {
    let secp = Secp256k1::new();
    let file = vector_file!("route_blinding");
    let hops = each(&file["hops"], Value::clone);
    let nodes = each(&file["hops"], |hop| (public_key(&hop["node_id"]), bytes(&hop["encoded_tlvs"])));
    // Two paths, joined by the override in the second hop's data.
    let first = BlindedPath::new(&secp, &secret_key(&hops[0]["session_key"]), &nodes[..2]);
    let second = BlindedPath::new(&secp, &secret_key(&hops[2]["session_key"]), &nodes[2..]);
    let (first, second) = (first.expect("hops"), second.expect("hops"));
    assert_eq!(first.first_node_id, public_key(&file["first_node_id"]));
    assert_eq!(first.first_path_key, public_key(&file["first_path_key"]));
    for (blinded, hop) in first.hops.iter().chain(&second.hops).zip(&hops) {
        assert_eq!(blinded.blinded_node_id, public_key(&hop["blinded_node_id"]));
        assert_eq!(blinded.encrypted_data, bytes(&hop["encrypted_recipient_data"]));
    }

    // Each hop with the path key that the one before hands on.
    let mut path_key = first.first_path_key;
    for hop in &hops {
        assert_eq!(path_key, public_key(&hop["path_key"]));
        let node_key = secret_key(&hop["node_privkey"]);
        let secret = SharedSecret::new(&path_key, &node_key);
        assert_eq!(*secret.as_bytes(), array(&hop["shared_secret"]));
        assert_eq!(*secret.derive(crate::onion::KeyType::Rho).as_bytes(), array(&hop["rho"]));
        let blinded = blinded_node_key(&node_key, &secret).expect("a key");
        assert_eq!(blinded, secret_key(&hop["blinded_privkey"]));
        let blinded = blinded_node_id(&secp, &public_key(&hop["node_id"]), &secret).expect("a point");
        assert_eq!(blinded, public_key(&hop["blinded_node_id"]));

        let opened = open_data(&secret, &bytes(&hop["encrypted_recipient_data"])).expect("ours");
        assert_eq!(*opened, bytes(&hop["encoded_tlvs"]));
        let data = RecipientData::decode(&opened).expect("good");
        assert_eq!(data, expected(&hop["tlvs"]), "{}", hop["alias"]);
        // All but the types that nobody knows.
        assert!(opened.starts_with(&data.encode()) || hop["tlvs"].to_string().contains("unknown"));
        path_key = next_path_key(&secp, &path_key, &secret).expect("a point");
        assert_eq!(path_key, public_key(&hop["computed_next_path_key"]));
        path_key = data.next_path_key_override.unwrap_or(path_key);
    }
}

#[test]
fn payment_into_a_blinded_path_of_bolt_4() {
    let secp = Secp256k1::new();
    let file = vector_file!("blinded_payment_onion");
    let nodes = each(&file["hops"], |hop| public_key(&hop["pubkey"]));
    let payloads = each(&file["hops"], |hop| payload(&hop["payload"]));
    let associated_data = bytes(&file["associated_data"]);
    let route = RouteSecrets::new(&secp, &secret_key(&file["session_key"]), &nodes).expect("hops");
    let secrets = each(&file["hops"], |hop| shared_secret(&hop["shared_secret"]));
    assert_eq!(route.shared_secrets(), secrets);
    let built = route.build(&payloads, &associated_data, PAYMENT_PAYLOADS).expect("fits");
    assert_eq!(built, packet(&file["packet"]));

    // What comes with the HTLC; the introduction finds it in its payload.
    let mut path_key: Option<PublicKey> = None;
    let mut relays = vec![];
    for (i, step) in each(&file["peel"], Value::clone).into_iter().enumerate() {
        let node_key = secret_key(&step["node_privkey"]);
        let key = match &path_key {
            Some(path_key) => {
                let secret = SharedSecret::new(path_key, &node_key);
                blinded_node_key(&node_key, &secret).expect("a key")
            }
            None => node_key,
        };
        let onion = packet(&step["onion"]);
        let peeled = peel(&secp, &key, &onion, &associated_data).expect("ours");
        assert_eq!(*peeled.payload, payloads[i]);
        assert_eq!(peeled.shared_secret, secrets[i]);
        if path_key.is_some() {
            let plain = peel(&secp, &node_key, &onion, &associated_data);
            assert_eq!(plain.err(), Some(PeelError::Hmac), "only the blinded key opens it");
        }

        let stream = TlvStream::read(&peeled.payload).expect("a stream");
        let Some(encrypted) = stream.value(RecordType::ENCRYPTED_RECIPIENT_DATA) else { continue };
        if let Some(current) = stream.value(RecordType::CURRENT_PATH_KEY) {
            path_key = Some(PublicKey::from_slice(current).expect("a point"));
        }
        let here = path_key.expect("from the message or the payload");
        let secret = SharedSecret::new(&here, &node_key);
        let data = RecipientData::decode(&open_data(&secret, encrypted).expect("ours")).expect("good");
        assert_eq!(data, expected(&file["hops"][i]["tlvs"]["encrypted_recipient_data"]));
        if step["next_path_key"].is_string() {
            let next = next_path_key(&secp, &here, &secret).expect("a point");
            path_key = Some(data.next_path_key_override.unwrap_or(next));
            assert_eq!(path_key, Some(public_key(&step["next_path_key"])));
        }
        if peeled.next.is_some() {
            relays.push(data.relay().expect("forwards"));
        } else {
            assert!(data.path_id.is_some());
            assert_eq!(data.relay(), Err(RecipientDataError::Relay));
        }
    }

    let fees = PathFees::aggregate(&relays, CltvExpiryDelta::new(0)).expect("small");
    let told = &file["blinded_payinfo"];
    assert_eq!(u64::from(fees.fee_base_msat), number(&told["fee_base_msat"]));
    assert_eq!(u64::from(fees.fee_proportional_millionths), number(&told["fee_proportional_millionths"]));
    assert_eq!(u64::from(fees.cltv_expiry_delta.to_u16()), number(&told["cltv_expiry_delta"]));

    // The amounts and expiries of the HTLCs along the path.
    let final_amount = Msat::new(number(&file["final_amount_msat"])).expect("small");
    let mut amount = fees.amount_in(final_amount).expect("small");
    let mut cltv = CltvExpiry::new(749_150);
    assert_eq!(amount.to_msat(), 110_125);
    for relay in relays {
        amount = relay.amount_to_forward(amount).expect("covers the fees");
        cltv = relay.outgoing_cltv(cltv).expect("high enough");
    }
    assert!(amount >= final_amount);
    assert_eq!(u64::from(cltv.to_u32()), number(&file["final_cltv"]));
}

#[test]
fn message_through_a_blinded_path_of_bolt_4() {
    let secp = Secp256k1::new();
    let file = vector_file!("blinded_onion_message");
    let mut path_key = public_key(&file["route"]["first_path_key"]);
    for (i, hop) in each(&file["path"], Value::clone).into_iter().enumerate() {
        let step = &file["peel"][i];
        // Message 513: type ‖ path key ‖ length ‖ packet.
        let message = bytes(&step["onion_message"]);
        assert_eq!(message[..2], [0x02, 0x01]);
        assert_eq!(message[2..35], path_key.serialize());
        let length = usize::from(u16::from_be_bytes([message[35], message[36]]));
        assert_eq!(message.len(), 37 + length);
        let onion = OnionPacket::decode(&message[37..]).expect("long enough");

        let node_key = secret_key(&step["privkey"]);
        let secret = SharedSecret::new(&path_key, &node_key);
        assert_eq!(*secret.as_bytes(), array(&hop["ss"]));
        let blinded = blinded_node_key(&node_key, &secret).expect("a key");
        assert_eq!(PublicKey::from_secret_key(&secp, &blinded), public_key(&hop["blinded_node_id"]));
        let peeled = peel(&secp, &blinded, &onion, &[]).expect("ours");
        let stream = TlvStream::read(&peeled.payload).expect("a stream");
        // encrypted_recipient_data of a message's payload is type 4.
        let encrypted = stream.value(RecordType::new(4)).expect("blinded");
        assert_eq!(encrypted, bytes(&hop["encrypted_recipient_data"]));
        let opened = open_data(&secret, encrypted).expect("ours");
        assert_eq!(*opened, bytes(&hop["encrypted_data_tlv"]));
        assert_eq!(seal_data(&secret, &opened), encrypted);
        let data = RecipientData::decode(&opened).expect("good");
        assert_eq!(data, expected(&hop["tlvs"]));

        if step["next_node_id"].is_string() {
            assert_eq!(data.next_node_id, Some(public_key(&step["next_node_id"])));
            let next = next_path_key(&secp, &path_key, &secret).expect("a point");
            path_key = data.next_path_key_override.unwrap_or(next);
            let next_message = bytes(&file["peel"][i + 1]["onion_message"]);
            assert_eq!(peeled.next.expect("forwards").as_bytes(), &next_message[37..]);
        } else {
            assert!(peeled.next.is_none());
            let text = stream.value(RecordType::new(1)).expect("the message");
            assert_eq!(text, bytes(&file["message"]["unknown_tag_1"]));
        }
    }
}

#[test]
fn data_that_is_refused() {
    let decode = RecipientData::decode;
    assert_eq!(decode(&[16, 0]), Err(RecipientDataError::Unknown(RecordType::new(16))));
    assert_eq!(decode(&[2, 1, 0]), Err(TlvError::WrongLength.into()));
    assert_eq!(decode(&[2]), Err(TlvError::Truncated.into()));
    assert_eq!(decode(&[4, 1, 0]), Err(TlvError::WrongLength.into()));
    let no_point = [&[4, 33][..], &[0xff; 33]].concat();
    assert_eq!(decode(&no_point), Err(RecipientDataError::Value(RecordType::new(4))));
    assert_eq!(decode(&[10, 5, 0, 0, 0, 0, 0]), Err(TlvError::WrongLength.into()));
    assert_eq!(decode(&[10, 7, 0, 0, 0, 0, 0, 0, 0]), Err(TlvError::NotMinimal.into()));
    let too_much = [&[12, 12, 0, 0, 0, 0][..], &[0xff; 8]].concat();
    assert_eq!(decode(&too_much), Err(RecipientDataError::Value(RecordType::new(12))));
    assert_eq!(decode(&[17, 1, 9]), Ok(RecipientData::default()));
}

#[test]
fn limits_of_a_path() {
    let limits = PaymentConstraints {
        max_cltv_expiry: CltvExpiry::new(100),
        htlc_minimum: Msat::new(50).expect("small"),
    };
    let mut data = RecipientData { payment_constraints: Some(limits), ..RecipientData::default() };
    let check = |data: &RecipientData, amount, expiry| {
        data.check_htlc(Msat::new(amount).expect("small"), CltvExpiry::new(expiry))
    };
    assert_eq!(check(&data, 50, 100), Ok(()));
    assert_eq!(check(&data, 49, 100), Err(RecipientDataError::AmountBelowMinimum));
    assert_eq!(check(&data, 50, 101), Err(RecipientDataError::Expired));
    data.allowed_features = Some(vec![]);
    assert_eq!(check(&data, 50, 100), Ok(()));
    data.allowed_features = Some(vec![2, 0]);
    assert_eq!(check(&data, 50, 100), Err(RecipientDataError::Features));
}

#[test]
fn where_a_hop_forwards_to() {
    let relay = PaymentRelay {
        cltv_expiry_delta: CltvExpiryDelta::new(1),
        fee_proportional_millionths: 2,
        fee_base_msat: 3,
    };
    let scid = Some(crate::ShortChannelId::new(1));
    let node = Some(public_key(&vector_file!("route_blinding")["first_node_id"]));
    for (short_channel_id, next_node_id, payment_relay, expected) in [
        (scid, None, Some(relay), Ok(relay)),
        (None, node, Some(relay), Ok(relay)),
        (scid, node, Some(relay), Err(RecipientDataError::Relay)),
        (None, None, Some(relay), Err(RecipientDataError::Relay)),
        (scid, None, None, Err(RecipientDataError::Relay)),
    ] {
        let data =
            RecipientData { short_channel_id, next_node_id, payment_relay, ..RecipientData::default() };
        assert_eq!(data.relay(), expected);
    }
}

#[test]
fn fees_that_exceed_the_wire() {
    let relay = PaymentRelay {
        cltv_expiry_delta: CltvExpiryDelta::new(40_000),
        fee_proportional_millionths: u32::MAX,
        fee_base_msat: u32::MAX,
    };
    let none = CltvExpiryDelta::new(0);
    assert!(PathFees::aggregate(&[relay], none).is_some());
    assert_eq!(PathFees::aggregate(&[relay; 2], none), None);
    assert_eq!(PathFees::aggregate(&[relay; 20], none), None);
    assert_eq!(relay.amount_to_forward(Msat::new(5).expect("small")), None);
    assert!(relay.amount_to_forward(Msat::MAX).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_forwarded_amount_covers_the_fee(amount in 1u64..=1_000_000_000_000, base: u32, ppm in 0u32..1_000_000) {
        let relay = PaymentRelay {
            cltv_expiry_delta: CltvExpiryDelta::new(1),
            fee_proportional_millionths: ppm,
            fee_base_msat: base,
        };
        let amount = Msat::new(amount).expect("in supply");
        let fees = PathFees::aggregate(&[relay], CltvExpiryDelta::new(0)).expect("one hop");
        let incoming = fees.amount_in(amount).expect("in supply");
        prop_assert!(relay.amount_to_forward(incoming).expect("covers the base") >= amount);
    }

    #[test]
    fn data_round_trips(
        padding: Option<u8>, scid: Option<u64>, path_id: Option<Vec<u8>>,
        relay: Option<(u16, u32, u32)>, limits: Option<(u32, u32)>, features: Option<Vec<u8>>,
    ) {
        let key = PublicKey::from_secret_key(
            &Secp256k1::new(), &SecretKey::from_slice(&[5; 32]).expect("a key"));
        let data = RecipientData {
            padding: padding.map(usize::from),
            short_channel_id: scid.map(crate::ShortChannelId::new),
            next_node_id: scid.is_none().then_some(key),
            path_id,
            next_path_key_override: scid.map(|_| key),
            payment_relay: relay.map(|(delta, ppm, base)| PaymentRelay {
                cltv_expiry_delta: CltvExpiryDelta::new(delta),
                fee_proportional_millionths: ppm,
                fee_base_msat: base,
            }),
            payment_constraints: limits.map(|(expiry, least)| PaymentConstraints {
                max_cltv_expiry: CltvExpiry::new(expiry),
                htlc_minimum: Msat::new(least.into()).expect("in supply"),
            }),
            allowed_features: features,
        };
        prop_assert_eq!(RecipientData::decode(&data.encode()), Ok(data));
    }

    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>) {
        let _ = RecipientData::decode(&bytes);
        let _ = PaymentConstraints::decode(&bytes);
        let _ = PaymentRelay::decode(&bytes);
        prop_assert!(open_data(&SharedSecret::from_bytes([1; 32]), &bytes).is_err());
    }

    #[test]
    fn a_flipped_bit_in_the_data_is_refused(data: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
        let secret = SharedSecret::from_bytes([1; 32]);
        let mut sealed = seal_data(&secret, &data);
        prop_assert_eq!(&*open_data(&secret, &sealed).expect("ours"), &data);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(open_data(&secret, &sealed), Err(BlindingError::Undecryptable));
    }
}
