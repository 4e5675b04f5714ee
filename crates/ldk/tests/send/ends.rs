//! Who failed an HTLC, and with what.

use crate::net::{ALICE, BOB, CAROL, Net, sat};
use crate::node::{Taking, records};
use crate::sends::{ecdh, keysend, part, preimage, shards};
use sponte_engine::backend::{Command, Kinds, Route, SessionKey};
use sponte_engine::commit::PartFailure;
use sponte_proto::ShortChannelId;
use sponte_proto::failure::FailureCode;

fn net_and_route() -> (Net, Route) {
    let mut net = Net::line(&[100_000], 100_000);
    let request = net.request(CAROL, sat(1_000));
    let route = net.routes(request).found.expect("there is one").remove(0);
    (net, route)
}

fn at(hop: u32, code: FailureCode, channel: Option<ShortChannelId>) -> PartFailure {
    PartFailure { hop: Some(hop), code: Some(code), channel }
}

const REFUSED: FailureCode = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;

#[test]
fn the_destination_refuses_and_stays_in_the_graph() {
    let (mut net, route) = net_and_route();
    net[CAROL].taking = Taking::Nothing;
    net[ALICE].send(keysend(9, &route, records(1)));
    assert_eq!(net.end(part(9)), Err(at(2, REFUSED, None)));
    assert_eq!(net[ALICE].stored("ldk.sent"), 0);

    // A kind that it does not speak, which LDK would hold against its channel for good.
    let off = Kinds {
        keysend: false,
        mpp_keysend: false,
        amp: false,
        amp_invoice: false,
        ecdh1: false,
        ecdh0: false,
    };
    net[CAROL].execute(Command::Accept(off));
    let shard = shards(std::slice::from_ref(&route), sat(1_000)).remove(0);
    net[ALICE].send(shard);
    assert_eq!(net.end(part(1)), Err(at(2, FailureCode::INVALID_ONION_PAYLOAD, None)));
    let request = net.request(CAROL, sat(1_000));
    assert!(net.routes(request).found.is_ok(), "it is no worse a node");
}

#[test]
fn a_node_on_the_way_does_not_know_the_next() {
    let (mut net, mut route) = net_and_route();
    let nowhere = ShortChannelId::new(1 << 41);
    route.hops[1].channel = nowhere;
    net[ALICE].send(ecdh(1, &route));
    assert_eq!(net.end(part(1)), Err(at(1, FailureCode::UNKNOWN_NEXT_PEER, Some(nowhere))));
}

#[test]
fn a_node_on_the_way_wants_more() {
    let (mut net, mut route) = net_and_route();
    let channel = route.hops[1].channel;
    route.hops[0].keeps = sponte_proto::Msat::ZERO;
    net[ALICE].send(keysend(1, &route, records(1)));
    assert_eq!(net.end(part(1)), Err(at(1, FailureCode::FEE_INSUFFICIENT, Some(channel))));
}

#[test]
fn what_never_leaves() {
    let (mut net, route) = net_and_route();
    // Two at once are more than the channel holds.
    let mut large = route.clone();
    (large.hops[0].keeps, large.hops[1].keeps) = (sat(10), sat(60_000));
    net[ALICE].send(keysend(1, &large, records(1)));
    net[ALICE].send(keysend(2, &large, records(1)));
    let ours = Some(route.hops[0].channel);
    assert_eq!(net.end(part(2)), Err(PartFailure { channel: ours, ..PartFailure::NEVER_LEFT }));
    assert_eq!(net.end(part(1)), Ok(preimage(1)));

    // Records that no onion has room for, a way to nowhere, a key that is none.
    net[ALICE].send(keysend(3, &route, records(1_300)));
    assert_eq!(net.end(part(3)), Err(PartFailure::NEVER_LEFT));
    net[ALICE].send(keysend(4, &Route { hops: vec![], ..route.clone() }, records(1)));
    assert_eq!(net.end(part(4)), Err(PartFailure::NEVER_LEFT));
    let mut keyless = keysend(5, &route, records(1));
    keyless.session_key = SessionKey::from_bytes([0; 32]);
    net[ALICE].send(keyless);
    assert_eq!(net.end(part(5)), Err(PartFailure::NEVER_LEFT));

    // The peer is away.
    net[BOB].crash();
    net.until("Alice to see it", |net| (net[ALICE].usable() == 0).then_some(()));
    net[ALICE].send(keysend(6, &route, records(1)));
    assert_eq!(net.end(part(6)), Err(PartFailure { channel: ours, ..PartFailure::NEVER_LEFT }));
    assert_eq!(net[ALICE].stored("ldk.sent"), 0);
}
