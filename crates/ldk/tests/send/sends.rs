//! HTLCs as the engine makes them.

use sponte_engine::backend::{Payload, Route, Send, SessionKey};
use sponte_proto::amp::{Child, Root, SetId, Sharer};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::RouteSecrets;
use sponte_proto::{Msat, PaymentHash, PaymentId, PaymentSecret, Preimage, Records};

/// A part's id, its session key and its preimage all follow from its number.
pub fn part(number: u8) -> PaymentId {
    PaymentId::from_bytes([number; 32])
}

fn session_key(number: u8) -> SessionKey {
    SessionKey::from_bytes([number.wrapping_add(100); 32])
}

pub fn preimage(number: u8) -> Preimage {
    Preimage::from_bytes([number.wrapping_add(50); 32])
}

fn send(number: u8, route: &Route, hash: PaymentHash, payload: Payload) -> Send {
    Send { part: part(number), route: route.clone(), hash, session_key: session_key(number), payload }
}

pub fn keysend(number: u8, route: &Route, records: Records) -> Send {
    let preimage = preimage(number);
    let hash = preimage.payment_hash();
    send(number, route, hash, Payload { keysend: Some(preimage), records, ..Payload::default() })
}

/// Part of a keysend whose preimage is that of the first.
pub fn keysend_part(number: u8, route: &Route, total: Msat) -> Send {
    let preimage = preimage(0);
    let hash = preimage.payment_hash();
    let payment_data = Some(data(total));
    send(number, route, hash, Payload { keysend: Some(preimage), payment_data, ..Payload::default() })
}

fn data(total: Msat) -> PaymentData {
    PaymentData::new(PaymentSecret::from_bytes([33; 32]), total)
}

/// One shard for each route, numbered from 1.
pub fn shards(routes: &[Route], total: Msat) -> Vec<Send> {
    let mut rest = Sharer::new(Root::from_bytes([44; 32]));
    let mut children: Vec<Child> = vec![];
    for index in 1..routes.len() as u32 {
        let (left, right) = rest.split([index as u8; 32]).expect("random enough");
        children.push(left.child(index));
        rest = right;
    }
    children.push(rest.child(0));
    let shard = |((number, route), child): ((u8, &Route), &Child)| {
        let amp = Some(child.record(SetId::from_bytes([55; 32])));
        let payload = Payload { amp, payment_data: Some(data(total)), ..Payload::default() };
        send(number, route, child.payment_hash(), payload)
    };
    (1..).zip(routes).zip(&children).map(shard).collect()
}

/// The hash follows from the session key.
pub fn ecdh(number: u8, route: &Route) -> Send {
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let key = bitcoin::secp256k1::SecretKey::from_slice(session_key(number).as_bytes()).expect("a key");
    let nodes = route
        .hops
        .iter()
        .map(|hop| bitcoin::secp256k1::PublicKey::from_slice(&hop.node.to_bytes()).expect("a node's point"));
    let secrets = RouteSecrets::new(&secp, &key, &nodes.collect::<Vec<_>>()).expect("a route");
    let secret = secrets.shared_secrets().last().expect("hops");
    let marker = Version::Ecdh1.record().expect("it has one").to_vec();
    let records = Records::from_received([(ECDH_RECORD.to_u64(), marker)]);
    let hash = Version::Ecdh1.preimage(secret).payment_hash();
    send(number, route, hash, Payload { records, ..Payload::default() })
}
