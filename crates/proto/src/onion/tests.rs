//! The published onions, and what holds for any.

use super::*;
use crate::failure::Failure;
use crate::vectors::{
    array, bytes, each, packet, payload, public_key, secret_key, shared_secret, vector_file,
};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use serde_json::Value;

/// Every hop peels its layer and finds its payload and the packet of the next.
fn peel_all(
    secp: &Secp256k1<All>,
    keys: &[SecretKey],
    mut packet: OnionPacket,
    payloads: &[Vec<u8>],
    associated_data: &[u8],
) -> Vec<OnionPacket> {
    let mut packets = vec![];
    for (i, (key, payload)) in keys.iter().zip(payloads).enumerate() {
        let peeled = peel(secp, key, &packet, associated_data).expect("ours");
        assert_eq!(*peeled.payload, *payload, "hop {i}");
        assert_eq!(peeled.next.is_none(), i + 1 == keys.len(), "hop {i}");
        packets.push(packet.clone());
        if let Some(next) = peeled.next {
            packet = next;
        }
    }
    packets
}

#[test]
fn onion_of_bolt_4() {
    let secp = Secp256k1::new();
    let file = vector_file!("sphinx_bolt4");
    let nodes = each(&file["hops"], |hop| public_key(&hop["pubkey"]));
    let payloads = each(&file["hops"], |hop| payload(&hop["payload_with_length"]));
    let associated_data = bytes(&file["associated_data"]);

    let route = RouteSecrets::new(&secp, &secret_key(&file["session_key"]), &nodes).expect("hops");
    assert_eq!(*route.pad.as_bytes(), array(&file["pad_key"]));
    for (secret, hop) in route.shared_secrets().iter().zip(each(&file["hops"], Value::clone)) {
        assert_eq!(*secret.as_bytes(), array(&hop["shared_secret"]));
        assert_eq!(
            secret.blinding_factor(&array(&hop["ephemeral_pubkey"])).expect("factor").to_be_bytes(),
            array(&hop["blinding_factor"])
        );
        for (kind, name) in [
            (KeyType::Rho, "rho"),
            (KeyType::Mu, "mu"),
            (KeyType::Um, "um"),
            (KeyType::Ammag, "ammag"),
            (KeyType::AmmagExt, "ammagext"),
        ] {
            assert_eq!(*secret.derive(kind).as_bytes(), array(&hop[name]), "{name}");
        }
    }

    let built = route.build(&payloads, &associated_data, PAYMENT_PAYLOADS).expect("fits");
    assert_eq!(built, packet(&file["packet"]));
    let keys = each(&file["hops"], |hop| secret_key(&hop["privkey"]));
    let packets = peel_all(&secp, &keys, built, &payloads, &associated_data);
    for (peeled, hop) in packets.iter().zip(each(&file["hops"], Value::clone)) {
        assert_eq!(*peeled, packet(&hop["packet_in"]));
        assert_eq!(*peeled.hmac(), array(&hop["packet_in_hmac"]));
        assert_eq!(*peeled.public_key(), array(&hop["ephemeral_pubkey"]));
    }
    // The last hop's packet ends with the filler.
    let filler = bytes(&file["filler"]);
    assert!(packets[4].hop_payloads().ends_with(&filler));
}

#[test]
fn payloads_may_take_all_of_a_packet() {
    let secp = Secp256k1::new();
    let hops = vector_file!("sphinx_bolt4")["hops"].clone();
    let keys = each(&hops, |hop| secret_key(&hop["privkey"]));
    let nodes = each(&hops, |hop| public_key(&hop["pubkey"]));
    let file = vector_file!("onion_full_payloads");
    let single = vec![payload(&file["single"]["payload"])];
    for (payloads, name) in [(each(&file["multi"]["payloads"], payload), "multi"), (single, "single")] {
        let session_key = SecretKey::from_slice(&[0x41; 32]).expect("a key");
        let route = RouteSecrets::new(&secp, &session_key, &nodes[..payloads.len()]).expect("hops");
        let built = route.build(&payloads, &[0x42; 32], PAYMENT_PAYLOADS).expect("fits");
        assert_eq!(built, packet(&file[name]["packet"]), "{name}");
        peel_all(&secp, &keys[..payloads.len()], built, &payloads, &[0x42; 32]);

        // One byte less has no room for them.
        let needed = PAYMENT_PAYLOADS;
        let refused = route.build(&payloads, &[0x42; 32], needed - 1);
        assert_eq!(refused, Err(BuildError::TooLarge { needed, size: needed - 1 }));
    }
}

#[test]
fn packets_of_other_sizes() {
    let secp = Secp256k1::new();
    let file = vector_file!("onion_400");
    let nodes = each(&file["node_ids"], public_key);
    let payloads = each(&file["payloads"], payload);
    let route = RouteSecrets::new(&secp, &secret_key(&file["session_key"]), &nodes).expect("hops");
    let secrets = each(&file["shared_secrets"], shared_secret);
    assert_eq!(route.shared_secrets(), secrets);
    let built = route.build(&payloads, &bytes(&file["associated_data"]), 400).expect("fits");
    assert_eq!(built, packet(&file["packet"]));

    let file = vector_file!("trampoline_spec_payment")["scenario"].clone();
    for onion in each(&file["onions"], Value::clone) {
        let nodes = each(&onion["hops"], |hop| public_key(&hop["node_id"]));
        let payloads = each(&onion["hops"], |hop| payload(&hop["payload_hex"]));
        let size = onion["hop_payloads_size"].as_u64().expect("a number") as usize;
        let route = RouteSecrets::new(&secp, &secret_key(&onion["session_key"]), &nodes).expect("hops");
        let secrets = each(&onion["hops"], |hop| shared_secret(&hop["shared_secret"]));
        assert_eq!(route.shared_secrets(), secrets);
        let built = route.build(&payloads, &bytes(&onion["associated_data"]), size).expect("fits");
        assert_eq!(built, packet(&onion["packet"]));
    }
    for step in each(&file["peels"], Value::clone) {
        let peeled = peel(&secp, &secret_key(&step["privkey"]), &packet(&step["onion_in"]), &[0x42; 32]);
        let next = peeled.expect("for this node").next;
        if step["next_onion"].is_string() {
            assert_eq!(next, Some(packet(&step["next_onion"])));
        }
    }
}

#[test]
fn refused_routes_and_payloads() {
    let secp = Secp256k1::new();
    let session_key = SecretKey::from_slice(&[1; 32]).expect("a key");
    assert_eq!(RouteSecrets::new(&secp, &session_key, &[]).err(), Some(RouteError::Empty));
    let node = PublicKey::from_secret_key(&secp, &session_key);
    let route = RouteSecrets::new(&secp, &session_key, &[node]).expect("a hop");
    assert_eq!(route.build(&["x"], &[], 1300), Err(BuildError::TooShort { hop: 0 }));
    let two: &[&str] = &["aa", "bb"];
    assert_eq!(route.build(two, &[], 1300), Err(BuildError::Payloads { hops: 1, payloads: 2 }));
    assert_eq!(route.build(&["aa"], &[], 34), Err(BuildError::TooLarge { needed: 35, size: 34 }));
    assert!(route.build(&["aa"], &[], 35).is_ok());
}

/// A final packet whose hop payloads start with `content` in plain text.
fn sealed(secp: &Secp256k1<All>, key: &SecretKey, content: &[u8]) -> OnionPacket {
    let node = PublicKey::from_secret_key(secp, key);
    let session_key = SecretKey::from_slice(&[7; 32]).expect("a key");
    let route = RouteSecrets::new(secp, &session_key, &[node]).expect("a hop");
    let mut packet = route.build(&["ab"], &[], 100).expect("fits");
    let secret = &route.shared_secrets()[0];
    let payloads = packet.hop_payloads_mut();
    payloads[..content.len()].copy_from_slice(content);
    apply_stream(&secret.derive(KeyType::Rho), 0, &mut payloads[..content.len()]);
    let hmac = build::packet_hmac(secret, packet.hop_payloads(), &[]);
    packet.set_hmac(&hmac);
    packet
}

#[test]
fn lengths_that_a_payload_cannot_have() {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[5; 32]).expect("a key");
    let lengths: [&[u8]; 6] = [&[0], &[1], &[0xfd, 0, 9], &[68], &[0xfd, 1, 0], &[0xff; 9]];
    for length in lengths {
        let peeled = peel(&secp, &key, &sealed(&secp, &key, length), &[]);
        assert_eq!(peeled.err(), Some(PeelError::PayloadLength), "{length:?}");
    }
    // 67 bytes of payload, their length and the HMAC take all 100.
    let longest = peel(&secp, &key, &sealed(&secp, &key, &[67]), &[]).expect("fits");
    assert_eq!(longest.payload.len(), 67);
    let shortest = peel(&secp, &key, &sealed(&secp, &key, &[2]), &[]).expect("good");
    assert_eq!(shortest.payload.len(), 2);
}

#[test]
fn versions_and_keys_are_refused_before_the_hmac() {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[5; 32]).expect("a key");
    let good = sealed(&secp, &key, &[2, 0, 0]);
    let mut bytes = good.as_bytes().to_vec();
    bytes[0] = 1;
    let other = OnionPacket::decode(&bytes).expect("long enough");
    assert_eq!(peel(&secp, &key, &other, &[]).err(), Some(PeelError::Version(1)));
    bytes[0] = 0;
    bytes[1..34].fill(0xff);
    let other = OnionPacket::decode(&bytes).expect("long enough");
    assert_eq!(peel(&secp, &key, &other, &[]).err(), Some(PeelError::Key));
    let sha256_of_onion = other.sha256();
    assert_eq!(PeelError::Key.failure(&other), Failure::InvalidOnionKey { sha256_of_onion });
    assert_eq!(PeelError::Hmac.failure(&other), Failure::InvalidOnionHmac { sha256_of_onion });
    let version = PeelError::Version(1).failure(&other);
    assert_eq!(version, Failure::InvalidOnionVersion { sha256_of_onion });
    assert_eq!(PeelError::PayloadLength.failure(&other).encode(), [0x40, 0x16, 0, 0, 0]);
}

#[test]
fn a_resealed_payload_may_take_all_of_a_packet() {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[5; 32]).expect("a key");
    let packet = sealed(&secp, &key, &[2, 0, 0]);
    let secret = SharedSecret::new(packet.point().expect("a point"), &key);
    let resealed = reseal(&secret, &packet, &[9; 67], &[]).expect("100 bytes with length and HMAC");
    let peeled = peel(&secp, &key, &resealed, &[]).expect("ours");
    assert_eq!(peeled.payload[..], [9; 67]);
    let one_more = reseal(&secret, &packet, &[9; 68], &[]);
    assert_eq!(one_more, Err(ResealError::TooLarge { needed: 101, size: 100 }));
}

fn keys(seeds: &[u8]) -> Vec<SecretKey> {
    let key = |(i, seed): (usize, &u8)| {
        let mut bytes = [*seed; 32];
        bytes[31] = i as u8 + 1;
        bytes[0] = 1;
        SecretKey::from_slice(&bytes).expect("in the group")
    };
    seeds.iter().enumerate().map(key).collect()
}

/// A route, its payloads and a packet that holds them, with room to spare.
fn any_onion() -> impl Strategy<Value = (Vec<SecretKey>, Vec<Vec<u8>>, [u8; 32], usize)> {
    let hop = (any::<u8>(), prop::collection::vec(any::<u8>(), 2..300));
    (prop::collection::vec(hop, 1..8), any::<[u8; 32]>(), 0usize..300).prop_map(
        |(hops, associated_data, spare)| {
            let (seeds, payloads): (Vec<u8>, Vec<Vec<u8>>) = hops.into_iter().unzip();
            let sizes = payloads.iter().map(|payload| hop_size(payload.len()).expect("small"));
            let size = sizes.sum::<usize>() + spare;
            (keys(&seeds), payloads, associated_data, size)
        },
    )
}

fn build_any(
    secp: &Secp256k1<All>,
    keys: &[SecretKey],
    payloads: &[Vec<u8>],
    associated_data: &[u8],
    size: usize,
) -> (RouteSecrets, OnionPacket) {
    let nodes: Vec<_> = keys.iter().map(|key| PublicKey::from_secret_key(secp, key)).collect();
    let session_key = SecretKey::from_slice(&[0x33; 32]).expect("a key");
    let route = RouteSecrets::new(secp, &session_key, &nodes).expect("hops");
    let packet = route.build(payloads, associated_data, size).expect("fits");
    (route, packet)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_hop_finds_its_payload((keys, payloads, data, size) in any_onion()) {
        let secp = Secp256k1::new();
        let (route, packet) = build_any(&secp, &keys, &payloads, &data, size);
        prop_assert_eq!(packet.hop_payloads().len(), size);
        let first = peel_with_secret(&secp, route.shared_secrets()[0].clone(), &packet, &data);
        let first = first.expect("ours");
        prop_assert_eq!(&*first.payload, &payloads[0]);
        let last = peel_final(&route.shared_secrets()[0], &packet, &data).expect("ours");
        prop_assert_eq!(last, first.next.is_none().then_some(first.payload));
        peel_all(&secp, &keys, packet, &payloads, &data);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(
        (keys, payloads, data, size) in any_onion(),
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let secp = Secp256k1::new();
        let (_, packet) = build_any(&secp, &keys, &payloads, &data, size);
        let mut bytes = packet.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let flipped = OnionPacket::decode(&bytes).expect("as long");
        let refused = peel(&secp, &keys[0], &flipped, &data).expect_err("altered");
        let secret = SharedSecret::new(packet.point().expect("a point"), &keys[0]);
        // The secret is given, not of the key that the packet has now.
        prop_assert_eq!(peel_final(&secret, &flipped, &data).is_err(), !(1..34).contains(&at));
        match at {
            0 => prop_assert_eq!(refused, PeelError::Version(1 << bit)),
            1..34 => prop_assert!(matches!(refused, PeelError::Key | PeelError::Hmac)),
            _ => prop_assert_eq!(refused, PeelError::Hmac),
        }
    }

    #[test]
    fn other_associated_data_or_another_node_is_refused(
        (keys, payloads, data, size) in any_onion(),
        bit in 0usize..256,
    ) {
        let secp = Secp256k1::new();
        let (_, packet) = build_any(&secp, &keys, &payloads, &data, size);
        let mut other = data;
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(peel(&secp, &keys[0], &packet, &other).err(), Some(PeelError::Hmac));
        prop_assert_eq!(peel(&secp, &keys[0], &packet, &[]).err(), Some(PeelError::Hmac));
        let stranger = SecretKey::from_slice(&[0x99; 32]).expect("a key");
        prop_assert_eq!(peel(&secp, &stranger, &packet, &data).err(), Some(PeelError::Hmac));
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500), data: Vec<u8>) {
        let secp = Secp256k1::new();
        let key = SecretKey::from_slice(&[5; 32]).expect("a key");
        if let Ok(packet) = OnionPacket::decode(&bytes) {
            prop_assert_eq!(packet.as_bytes(), &bytes[..]);
            prop_assert!(peel(&secp, &key, &packet, &data).is_err());
        }
    }

    #[test]
    fn any_plain_text_never_panics(content in prop::collection::vec(any::<u8>(), 1..100)) {
        let secp = Secp256k1::new();
        let key = SecretKey::from_slice(&[5; 32]).expect("a key");
        let _ = peel(&secp, &key, &sealed(&secp, &key, &content), &[]);
    }

    #[test]
    fn a_resealed_payload_is_read_by_the_same_node(
        (keys, payloads, data, size) in any_onion(),
        length in 2usize..600,
    ) {
        let secp = Secp256k1::new();
        let (route, mut packet) = build_any(&secp, &keys, &payloads, &data, size);
        for key in &keys[..keys.len() - 1] {
            let secret = SharedSecret::new(
                &PublicKey::from_slice(packet.public_key()).expect("a point"), key);
            prop_assert_eq!(
                reseal(&secret, &packet, b"ab", &data), Err(ResealError::NotFinal));
            packet = peel(&secp, key, &packet, &data).expect("ours").next.expect("forwards");
        }
        let secret = route.shared_secrets().last().expect("hops");
        let payload = vec![0x5a; length];
        match reseal(secret, &packet, &payload, &data) {
            Ok(resealed) => {
                let peeled = peel(&secp, keys.last().expect("hops"), &resealed, &data);
                let peeled = peeled.expect("under the same key");
                prop_assert_eq!(&*peeled.payload, &payload);
                prop_assert_eq!(&peeled.shared_secret, secret);
                prop_assert!(peeled.next.is_none());
                // What stands behind the payload is the sender's.
                let taken = hop_size(length).expect("small");
                prop_assert_eq!(&packet.hop_payloads()[taken..], &resealed.hop_payloads()[taken..]);
                prop_assert_eq!(packet.public_key(), resealed.public_key());
            }
            Err(refused) => {
                let needed = hop_size(length).expect("small");
                prop_assert!(needed > size);
                prop_assert_eq!(refused, ResealError::TooLarge { needed, size });
            }
        }
        prop_assert_eq!(
            reseal(secret, &packet, b"ab", b"other"), Err(ResealError::Packet(PeelError::Hmac)));
        prop_assert_eq!(reseal(secret, &packet, b"a", &data), Err(ResealError::TooShort));
    }
}
