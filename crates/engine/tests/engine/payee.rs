//! The way to a destination, and a destination that takes every kind, or refuses, or waits in vain.

use crate::rig::msat;
use crate::world::Random;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use sponte_engine::backend::{Destination, NoRoutes, Route, RouteHop, RouteRequest, Routes, Send};
use sponte_engine::commit::PartFailure;
use sponte_proto::amp::{Shard, reconstruct};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::RouteSecrets;
use sponte_proto::{Msat, NodeId, PaymentId, Preimage, ShortChannelId};
use std::collections::BTreeMap;

/// How a part ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Paid(Preimage),
    Failed(PartFailure),
}

/// HTLCs that are at the destination, and all that ended. Nothing is ever forgotten.
#[derive(Debug, Default)]
pub struct Payee {
    waiting: BTreeMap<PaymentId, Send>,
    pub ends: BTreeMap<PaymentId, End>,
}

impl Payee {
    /// The part moves on: it fails, arrives, or the destination decides. Answers its end, if it has.
    pub fn advance(&mut self, part: PaymentId, send: &Send, random: &mut Random) -> Option<End> {
        if let Some(end) = self.ends.get(&part) {
            return Some(end.clone());
        }
        let hops = u32::try_from(send.route.hops.len()).expect("few");
        match random.below(8) {
            0 | 1 if !self.waiting.contains_key(&part) => self.end(part, on_the_way(hops, send, random)),
            2 if random.one_in(3) => {
                self.end(part, failed(hops, FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS))
            }
            3 if random.one_in(3) && !is_single(send) => {
                self.end(part, failed(hops, FailureCode::MPP_TIMEOUT))
            }
            _ => self.arrive(part, send),
        }
        self.ends.get(&part).cloned()
    }

    fn end(&mut self, part: PaymentId, end: End) {
        self.waiting.remove(&part);
        self.ends.insert(part, end);
    }

    /// Claims what is complete.
    pub fn arrive(&mut self, part: PaymentId, send: &Send) {
        let Some(data) = send.payload.payment_data.clone() else {
            return self.end(part, End::Paid(proof(send)));
        };
        self.waiting.insert(part, send.clone());
        let same = |other: &Send| {
            let set = |send: &Send| send.payload.amp.as_ref().map(|amp| amp.set_id);
            other.payload.payment_data.as_ref() == Some(&data) && set(other) == set(send)
        };
        let set: Vec<(PaymentId, Send)> = self
            .waiting
            .iter()
            .filter(|(_, other)| same(other))
            .map(|(id, send)| (*id, send.clone()))
            .collect();
        if let Some(preimages) = complete(&set, &data) {
            for ((part, _), preimage) in set.iter().zip(preimages) {
                self.end(*part, End::Paid(preimage));
            }
        }
    }
}

/// All preimages of a set that is complete. Shares that do not fit together are a broken law.
fn complete(set: &[(PaymentId, Send)], data: &PaymentData) -> Option<Vec<Preimage>> {
    let sum: u64 = set.iter().map(|(_, send)| send.route.amount().to_msat()).sum();
    if sum < data.total().to_msat() {
        return None;
    }
    if set.iter().all(|(_, send)| send.payload.amp.is_none()) {
        return Some(set.iter().map(|(_, send)| proof(send)).collect());
    }
    let shards: Vec<Shard> = set.iter().map(|(_, send)| shard(send)).collect();
    Some(reconstruct(&shards, data.total()).expect("the shares make the root"))
}

fn shard(send: &Send) -> Shard {
    let amp = send.payload.amp.clone().expect("all of a set are AMP");
    Shard {
        share: amp.root_share,
        child_index: amp.child_index,
        payment_hash: send.hash,
        amount: send.route.amount(),
    }
}

fn is_single(send: &Send) -> bool {
    send.payload.payment_data.is_none()
}

/// What opens an HTLC that says all about itself.
pub fn proof(send: &Send) -> Preimage {
    let preimage = match &send.payload.keysend {
        Some(preimage) => preimage.clone(),
        None => {
            assert!(send.payload.records.value(ECDH_RECORD.to_u64()).is_some(), "it is ECDH");
            let key = SecretKey::from_slice(send.session_key.as_bytes()).expect("a key");
            let point = |hop: &RouteHop| PublicKey::from_slice(&hop.node.to_bytes()).expect("a point");
            let nodes: Vec<PublicKey> = send.route.hops.iter().map(point).collect();
            let secrets = RouteSecrets::new(&Secp256k1::signing_only(), &key, &nodes).expect("a route");
            Version::Ecdh1.preimage(secrets.shared_secrets().last().expect("a hop"))
        }
    };
    assert_eq!(preimage.payment_hash(), send.hash, "the destination can claim it");
    preimage
}

pub fn failed(hop: u32, code: FailureCode) -> End {
    End::Failed(PartFailure { hop: Some(hop), code: Some(code), channel: None })
}

fn on_the_way(hops: u32, send: &Send, random: &mut Random) -> End {
    let hop = 1 + random.below(hops.max(2) as usize - 1);
    let channel = send.route.hops.get(hop).map(|hop| hop.channel);
    let code = random.pick([
        FailureCode::TEMPORARY_CHANNEL_FAILURE,
        FailureCode::UNKNOWN_NEXT_PEER,
        FailureCode::FEE_INSUFFICIENT,
    ]);
    let known = PartFailure { hop: u32::try_from(hop).ok(), code, channel };
    let unreadable = PartFailure::default();
    End::Failed(random.pick([known, known, known, unreadable]).expect("some of them"))
}

/// Routes in up to so many parts, or none.
pub fn routes(request: &RouteRequest, nodes: &[NodeId], random: &mut Random) -> Routes {
    let found =
        if random.one_in(6) { Err(no_routes(random)) } else { Ok(some_routes(request, nodes, random)) };
    let destination =
        Destination { known: true, keysend: true, mpp: random.one_in(2), amp: random.one_in(2) };
    Routes { query: request.query, found, destination }
}

fn no_routes(random: &mut Random) -> NoRoutes {
    let all = [
        NoRoutes::PeersOffline,
        NoRoutes::NoRoute,
        NoRoutes::InsufficientBalance { spendable: msat(1) },
        NoRoutes::FeeLimitTooLow { cheapest: msat(1_000_000) },
    ];
    random.pick(all).expect("some of them")
}

fn some_routes(request: &RouteRequest, nodes: &[NodeId], random: &mut Random) -> Vec<Route> {
    let count = 1 + random.below((request.max_parts as usize).min(4));
    let mut amount = request.amount.to_msat();
    let mut fee = request.max_fee.to_msat();
    let mut routes = vec![];
    for left in (0..count as u64).rev() {
        let part = if left == 0 { amount } else { (amount / (left + 1)).max(1) };
        if amount == 0 {
            break;
        }
        let cost = random.next() % (fee + 1);
        (amount, fee) = (amount - part, fee - cost);
        routes.push(route(random, nodes, request.destination, msat(part), msat(cost)));
    }
    routes
}

fn route(random: &mut Random, nodes: &[NodeId], to: NodeId, amount: Msat, fee: Msat) -> Route {
    let hop = |node, keeps, number: u64| RouteHop {
        node,
        channel: ShortChannelId::new(number),
        keeps,
        cltv_delta: 144,
        announced: true,
    };
    let ours = 1 + random.below(3) as u8;
    let mut hops = vec![];
    if fee != Msat::ZERO || random.one_in(2) {
        let node = random.pick(nodes.iter().copied()).expect("there are some");
        hops.push(hop(node, fee, ours.into()));
    }
    hops.push(hop(to, amount, 10 + random.next() % 5));
    Route { channel: crate::rig::channel(ours), hops, tail: None }
}
