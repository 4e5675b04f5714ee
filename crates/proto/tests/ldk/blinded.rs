//! Payments into blinded paths.

use crate::node::{HEIGHT, Node, hop, htlc, to_ldk};
use crate::random::Random;
use crate::{ROUTES, from_ldk};
use lightning::bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning::blinded_path::BlindedHop as LdkHop;
use lightning::ln::channelmanager::PendingHTLCRouting;
use lightning::ln::onion_utils::create_payment_onion;
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::routing::router::{BlindedTail, Path};
use lightning::types::payment::PaymentHash;
use sponte_proto::blinding::{
    BlindedPath, PathFees, PaymentConstraints, PaymentRelay, RecipientData, blinded_node_key, next_path_key,
    open_data,
};
use sponte_proto::onion::{SharedSecret, peel};
use sponte_proto::payload::{HopPayload, Position};
use sponte_proto::{CltvExpiry, CltvExpiryDelta, Msat, ShortChannelId};

/// Blocks that a sender adds at the end.
const SPARE: u32 = 100;

/// A path over these nodes with random fees, and what each node is told.
fn blind(
    secp: &Secp256k1<All>,
    random: &mut Random,
    nodes: &[&Node],
) -> (BlindedPath, Vec<RecipientData>, PathFees) {
    let mut relays = vec![];
    let last = nodes.len() - 1;
    let data: Vec<RecipientData> = (0..nodes.len())
        .map(|i| {
            let mut data = RecipientData {
                padding: random.flip().then(|| random.between(0, 20) as usize),
                payment_constraints: Some(PaymentConstraints {
                    max_cltv_expiry: CltvExpiry::new(HEIGHT + 10_000),
                    htlc_minimum: Msat::new(1).expect("small"),
                }),
                ..RecipientData::default()
            };
            if i == last {
                data.path_id = Some(random.bytes(32));
            } else {
                let relay = PaymentRelay {
                    cltv_expiry_delta: CltvExpiryDelta::new(random.between(48, 100) as u16),
                    fee_proportional_millionths: random.between(0, 5_000) as u32,
                    fee_base_msat: random.between(0, 5_000) as u32,
                };
                data.short_channel_id = Some(ShortChannelId::new(random.number()));
                data.payment_relay = Some(relay);
                relays.push(relay);
            }
            data
        })
        .collect();
    let fees = PathFees::aggregate(&relays, CltvExpiryDelta::new(0)).expect("small");
    let session_key = SecretKey::from_slice(&random.array()).expect("a key");
    let encoded: Vec<_> = nodes.iter().zip(&data).map(|(node, data)| (node.node_id, data.encode())).collect();
    (BlindedPath::new(secp, &session_key, &encoded).expect("hops"), data, fees)
}

/// The path as LDK's sender has it: its first hop is the last that is not blinded.
fn tail(path: &BlindedPath, amount: u64) -> BlindedTail {
    BlindedTail {
        trampoline_hops: vec![],
        hops: path
            .hops
            .iter()
            .map(|hop| LdkHop {
                blinded_node_id: hop.blinded_node_id,
                encrypted_payload: hop.encrypted_data.clone(),
            })
            .collect(),
        blinding_point: path.first_path_key,
        excess_final_cltv_expiry_delta: SPARE,
        final_value_msat: amount,
    }
}

#[test]
fn ldk_pays_into_our_path_and_both_forward_it() {
    let (secp, mut random) = (Secp256k1::new(), Random::seeded());
    let verify = Secp256k1::verification_only();
    let nodes: Vec<Node> = (0..8).map(Node::new).collect();
    for _ in 0..ROUTES / 5 {
        // The sender knows one node in front of the path.
        let length = random.between(2, 6) as usize;
        let blinded: Vec<&Node> = nodes[1..=length].iter().collect();
        let (path, data, fees) = blind(&secp, &mut random, &blinded);
        let amount = random.between(1_000, 1_000_000_000);
        let into_path = fees.amount_in(Msat::new(amount).expect("in supply")).expect("in supply");
        let delta = u32::from(fees.cltv_expiry_delta.to_u16());
        let hops = vec![
            hop(&nodes[0], 1, 1_000, 60),
            // LDK counts the recipient's spare blocks among those of the whole path.
            hop(blinded[0], 2, into_path.to_msat() - amount, delta + SPARE),
        ];
        let route = Path { hops, blinded_tail: Some(tail(&path, amount)) };
        let session_key = SecretKey::from_slice(&random.array()).expect("a key");
        let hash = random.array();
        let fields = RecipientOnionFields::spontaneous_empty(amount);
        let (packet, mut incoming, mut expiry) = create_payment_onion(
            &secp,
            &route,
            &session_key,
            &fields,
            HEIGHT,
            &PaymentHash(hash),
            &None,
            None,
            [9; 32],
        )
        .expect("a good route");

        let first = peel(&secp, &nodes[0].secret_key, &from_ldk(&packet), &hash).expect("ours");
        let read = HopPayload::read(&first.payload, Position::Forward, None);
        let Ok(HopPayload::Forward(forward)) = read else { panic!("{read:?}") };
        assert_eq!(incoming - 1_000, forward.amt_to_forward.to_msat());
        assert_eq!(expiry - 60, forward.outgoing_cltv_value.to_u32());
        (incoming, expiry) = (incoming - 1_000, expiry - 60);
        let mut packet = first.next.expect("forwards");

        let mut path_key: Option<PublicKey> = None;
        for (node, told) in blinded.iter().zip(&data) {
            let mut message = htlc(to_ldk(&packet), hash, incoming, expiry);
            message.blinding_point = path_key;
            let key = match &path_key {
                Some(path_key) => {
                    let secret = SharedSecret::new(path_key, &node.secret_key);
                    blinded_node_key(&node.secret_key, &secret).expect("a key")
                }
                None => node.secret_key,
            };
            let peeled = peel(&secp, &key, &packet, &hash).expect("ours");
            let position = if peeled.next.is_some() { Position::Forward } else { Position::Final };
            let payload = HopPayload::read(&peeled.payload, position, path_key.as_ref()).expect("good");
            let (encrypted, within) = match &payload {
                HopPayload::BlindedForward(payload) => {
                    (&payload.encrypted_recipient_data, payload.current_path_key)
                }
                HopPayload::BlindedFinal(payload) => {
                    assert_eq!(payload.amt_to_forward.to_msat(), amount);
                    assert_eq!(payload.total_amount.to_msat(), amount);
                    assert!(incoming >= amount);
                    assert_eq!(payload.outgoing_cltv_value.to_u32(), expiry);
                    (&payload.encrypted_recipient_data, payload.current_path_key)
                }
                other => panic!("{other:?}"),
            };
            let here = path_key.or(within).expect("from the message or the payload");
            let secret = SharedSecret::new(&here, &node.secret_key);
            let read = RecipientData::decode(&open_data(&secret, encrypted).expect("ours"));
            assert_eq!(read.as_ref(), Ok(told));
            let limits = told.check_htlc(Msat::new(incoming).expect("in supply"), CltvExpiry::new(expiry));
            assert_eq!(limits, Ok(()));

            let Ok(relay) = told.relay() else { continue };
            let theirs = node.ldk_peel(&verify, &message).unwrap_or_else(|error| panic!("{}", error.msg));
            let PendingHTLCRouting::Forward { onion_packet, short_channel_id, blinded, .. } = theirs.routing
            else {
                panic!("forwards")
            };
            assert_eq!(Some(ShortChannelId::new(short_channel_id)), told.short_channel_id);
            assert_eq!(blinded.expect("within a path").inbound_blinding_point, here);
            packet = peeled.next.expect("forwards");
            assert_eq!(from_ldk(&onion_packet), packet);
            incoming =
                relay.amount_to_forward(Msat::new(incoming).expect("in supply")).expect("covers").to_msat();
            expiry = relay.outgoing_cltv(CltvExpiry::new(expiry)).expect("high").to_u32();
            // BOLT 4 rounds up what is forwarded, LDK keeps that msat.
            assert!(incoming - theirs.outgoing_amt_msat <= 1);
            assert_eq!(theirs.outgoing_cltv_value, expiry);
            path_key = Some(next_path_key(&secp, &here, &secret).expect("a point"));
        }
    }
}
