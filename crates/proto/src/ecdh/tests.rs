//! The figures of `vectors/ecdh_spontaneous.json`.

use super::*;
use crate::onion::{KeyType, PAYMENT_PAYLOADS, RouteSecrets, peel};
use crate::vectors::{
    array, bytes, each, packet, payload, public_key, secret_key, shared_secret, vector_file,
};
use crate::{TlvStream, read_tu64};
use proptest::prelude::*;
use secp256k1::{Scalar, Secp256k1, SecretKey};
use serde_json::Value;

/// Both versions: derivation, opening, and that neither opens the other's hash.
fn check(secret: &SharedSecret, figures: &Value) {
    let versions = [(Version::Ecdh0, "v0", Version::Ecdh1), (Version::Ecdh1, "v1", Version::Ecdh0)];
    for (version, name, other) in versions {
        let key = |what: &str| &figures[alloc::format!("{name}_{what}").as_str()];
        if key("preimage").is_null() {
            continue;
        }
        let preimage = Preimage::from_bytes(array(key("preimage")));
        let hash = PaymentHash::from_bytes(array(key("payment_hash")));
        assert_eq!(version.preimage(secret), preimage);
        assert_eq!(version.open(secret, &hash), Some(preimage));
        assert_eq!(other.open(secret, &hash), None);
    }
}

fn hop_key(hop: usize) -> SecretKey {
    SecretKey::from_slice(&[0x41 + hop as u8; 32]).expect("a secret key")
}

#[test]
fn every_hop_as_the_last() {
    let file = vector_file!("ecdh_spontaneous");
    let secp = Secp256k1::new();
    let hops = file["per_hop_as_final"].as_array().expect("an array");
    let route = each(&file["per_hop_as_final"], |hop| public_key(&hop["node_id"]));
    let secrets = RouteSecrets::new(&secp, &hop_key(0), &route).expect("a route");
    for (hop, secret) in hops.iter().zip(secrets.shared_secrets()) {
        assert_eq!(*secret, shared_secret(&hop["shared_secret"]));
        check(secret, hop);
        check_x_only(secret, &hop["mail_x_only"]);
    }
}

/// The mail hashes the x coordinate alone, where BOLT 4 hashes the compressed point: another secret,
/// which neither version takes.
fn check_x_only(secret: &SharedSecret, figures: &Value) {
    let x = bytes(&figures["ecdh_point_x"]);
    let points = [2, 3].map(|sign| sha256::Hash::hash(&[&[sign], &x[..]].concat()).to_byte_array());
    assert!(points.contains(secret.as_bytes()));
    let preimage = Preimage::from_bytes(sha256::Hash::hash(&x).to_byte_array());
    let hash = PaymentHash::from_bytes(array(&figures["payment_hash"]));
    assert_eq!(preimage, Preimage::from_bytes(array(&figures["preimage"])));
    assert!(preimage.opens(&hash));
    assert_eq!(Version::Ecdh0.open(secret, &hash), None);
    assert_eq!(Version::Ecdh1.open(secret, &hash), None);
}

#[test]
fn complete_onions_are_built_and_claimed() {
    let file = vector_file!("ecdh_spontaneous");
    let secp = Secp256k1::new();
    let nodes = each(&file["per_hop_as_final"], |hop| public_key(&hop["node_id"]));
    for onion in file["complete_onions"].as_array().expect("an array") {
        let hops = onion["hops"].as_u64().expect("a number") as usize;
        let hash = PaymentHash::from_bytes(array(&onion["payment_hash"]));
        let payloads = each(&onion["payloads"], payload);

        let secrets =
            RouteSecrets::new(&secp, &secret_key(&onion["session_key"]), &nodes[..hops]).expect("a route");
        let last = secrets.shared_secrets().last().expect("a hop");
        assert_eq!(*last, shared_secret(&onion["last_hop_shared_secret"]));
        let built = secrets.build(&payloads, &hash.to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
        assert_eq!(built, packet(&onion["packet"]));

        let mut next = Some(built);
        for (hop, payload) in payloads.iter().enumerate() {
            let peeled =
                peel(&secp, &hop_key(hop), &next.expect("a hop follows"), &hash.to_bytes()).expect("ours");
            assert_eq!(peeled.payload[..], payload[..]);
            next = peeled.next;
            if next.is_none() {
                claim(&peeled.payload, &peeled.shared_secret, &hash, onion);
            }
        }
        assert!(next.is_none());
    }
}

fn claim(payload: &[u8], secret: &SharedSecret, hash: &PaymentHash, onion: &Value) {
    let stream = TlvStream::read(payload).expect("a stream");
    let version = Version::of_record(stream.value(ECDH_RECORD)).expect("a known version");
    let expected = if onion["version"] == 0 { Version::Ecdh0 } else { Version::Ecdh1 };
    assert_eq!(version, expected);
    assert_eq!(version.record(), stream.value(ECDH_RECORD));
    assert_eq!(stream.value(RecordType::AMT_TO_FORWARD).map(read_tu64), Some(Ok(10_000)));
    let preimage = Preimage::from_bytes(array(&onion["payment_preimage"]));
    assert_eq!(version.open(secret, hash), Some(preimage));
}

/// Behind a blinded path the secret is that of the blinded key: the last hop of the BOLT's route.
#[test]
fn a_blinded_recipient() {
    let file = vector_file!("ecdh_spontaneous");
    let figures = &file["blinded_recipient"];
    let secp = Secp256k1::new();
    let path_key = public_key(&figures["path_key"]);
    assert_eq!(secret_key(&figures["path_privkey"]).public_key(&secp), path_key);

    let tweak = SharedSecret::new(&path_key, &hop_key(4)).derive(KeyType::BlindedNodeId);
    let tweak = Scalar::from_be_bytes(*tweak.as_bytes()).expect("below the order");
    let blinded_key = hop_key(4).mul_tweak(&tweak).expect("not zero");
    assert_eq!(blinded_key, secret_key(&figures["blinded_privkey"]));
    let blinded_id = public_key(&figures["blinded_node_id"]);
    assert_eq!(blinded_key.public_key(&secp), blinded_id);

    let mut route = each(&file["per_hop_as_final"], |hop| public_key(&hop["node_id"]));
    route[4] = blinded_id;
    let secrets = RouteSecrets::new(&secp, &hop_key(0), &route).expect("a route");
    assert_eq!(secrets.shared_secrets()[4], shared_secret(&figures["shared_secret"]));
    check(&secrets.shared_secrets()[4], figures);

    let hash = Version::Ecdh0.preimage(&secrets.shared_secrets()[4]).payment_hash();
    let mut next = secrets.build(&["to a hop"; 5], &hash.to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
    for hop in 0..4 {
        let peeled = peel(&secp, &hop_key(hop), &next, &hash.to_bytes()).expect("the hop's");
        next = peeled.next.expect("a hop follows");
    }
    let last = peel(&secp, &blinded_key, &next, &hash.to_bytes()).expect("the recipient's");
    assert!(last.next.is_none() && Version::Ecdh0.open(&last.shared_secret, &hash).is_some());
}

/// Behind a trampoline it is that of the inner onion.
#[test]
fn a_trampoline_recipient() {
    let file = vector_file!("ecdh_spontaneous");
    let figures = &file["trampoline_recipient"];
    check(&shared_secret(&figures["shared_secret"]), figures);
}

#[test]
fn markers() {
    assert_eq!(ECDH_RECORD.to_u64(), 1_936_928_817);
    assert!(!ECDH_RECORD.is_even() && ECDH_RECORD.is_custom());
    for version in [Version::Ecdh0, Version::Ecdh1] {
        assert_eq!(Version::of_record(version.record()), Ok(version));
    }
    for wrong in [&[][..], &[0], &[2], &[1, 0]] {
        assert_eq!(Version::of_record(Some(wrong)), Err(UnknownVersion));
    }
}

proptest! {
    #[test]
    fn another_secret_opens_nothing(secret: [u8; 32], bit in 0usize..256) {
        let mut other = secret;
        other[bit / 8] ^= 1 << (bit % 8);
        for version in [Version::Ecdh0, Version::Ecdh1] {
            let hash = version.preimage(&SharedSecret::from_bytes(secret)).payment_hash();
            prop_assert!(version.open(&SharedSecret::from_bytes(secret), &hash).is_some());
            prop_assert!(version.open(&SharedSecret::from_bytes(other), &hash).is_none());
        }
    }
}
