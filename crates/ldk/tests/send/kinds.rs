//! Every kind is paid.

use crate::net::{ALICE, BOB, CAROL, DAVE, Net, sat};
use crate::node::records;
use crate::sends::{ecdh, keysend, keysend_part, part, preimage, shards};
use sponte_engine::backend::{Destination, Purpose};
use sponte_proto::Msat;

#[test]
fn a_keysend_over_two_hops() {
    let mut net = Net::line(&[100_000], 100_000);
    let request = net.request(CAROL, sat(1_000));
    // With each block nodes announce themselves, which the others believe once they know a channel.
    net.mine(1);
    let announced = Destination { known: true, keysend: true, amp: true, mpp: true };
    let routes = net.until("Carol's announcement", |net| {
        Some(net.routes(request.clone())).filter(|routes| routes.destination == announced)
    });
    let [route] = &routes.found.expect("there is one")[..] else { panic!("one path was asked for") };
    assert_eq!(route.nodes(), [net[BOB].id(), net[CAROL].id()]);
    assert_eq!((route.amount(), route.fee()), (sat(1_000), Msat::new(1_100).expect("small")));
    assert!(route.hops.iter().all(|hop| hop.announced));
    assert!(route.hops[1].cltv_delta >= 80 && route.hops[0].cltv_delta == 72);
    assert_eq!(net[ALICE].sendable().keys().copied().collect::<Vec<_>>(), [route.channel]);

    let before = net[ALICE].sendable()[&route.channel];
    net[ALICE].send(keysend(1, route, records(20)));
    net[ALICE].send(keysend(1, route, records(20)));
    net.step();
    assert_eq!(net[ALICE].stored("ldk.sent"), 1);
    assert_eq!(net.end(part(1)), Ok(preimage(1)));
    net.until("the HTLC to be gone", |net| {
        (net[ALICE].channels().iter().all(|channel| channel.htlcs == 0)).then_some(())
    });
    let after = net[ALICE].sendable()[&route.channel];
    assert_eq!(before.checked_sub(after), Msat::new(1_001_100), "a repeated command sends nothing");
    let [received] = &net[CAROL].received[..] else { panic!("one came") };
    assert_eq!((received.amount, &received.records), (sat(1_000), &records(20)));
    assert_eq!(net[ALICE].stored("ldk.sent"), 0);
}

#[test]
fn amp_in_two_parts() {
    let mut net = Net::line(&[100_000, 100_000], 300_000);
    let total = sat(150_000);
    let mut request = net.request(CAROL, total);
    request.max_parts = 2;
    let routes = net.routes(request).found.expect("two channels can");
    assert_eq!(routes.len(), 2);
    let amounts = routes.iter().map(|route| route.amount().to_msat()).sum::<u64>();
    assert_eq!(amounts, total.to_msat());
    for shard in shards(&routes, total) {
        net[ALICE].send(shard);
    }
    for number in [1, 2] {
        let preimage = net.end(part(number)).expect("it is paid");
        let hash = shards(&routes, total)[usize::from(number) - 1].hash;
        assert!(preimage.opens(&hash));
    }
    assert!(net[CAROL].received.iter().all(|shard| matches!(shard.purpose, Purpose::Amp(_))));
}

/// Two payments of LDK's with one hash.
#[test]
fn a_keysend_in_two_parts_to_somebody_behind_a_hint() {
    let mut net = Net::line(&[100_000, 100_000], 300_000);
    net.open(CAROL, DAVE, 300_000, false);
    let total = sat(150_000);
    let mut request = net.request(DAVE, total);
    request.max_parts = 2;
    request.hints = vec![net.hint()];
    let routes = net.routes(request);
    assert_eq!(routes.destination, Destination::default());
    let routes = routes.found.expect("two channels can");
    assert_eq!(routes.len(), 2);
    assert!(!routes[0].hops[2].announced);
    for (number, route) in (1..).zip(&routes) {
        net[ALICE].send(keysend_part(number, route, total));
    }
    for number in [1, 2] {
        assert_eq!(net.end(part(number)), Ok(preimage(0)));
    }
    let [received] = &net[DAVE].received[..] else { panic!("LDK shows the set as one") };
    assert_eq!(received.amount, total);
}

#[test]
fn ecdh_with_the_key_that_its_hash_follows_from() {
    let mut net = Net::line(&[100_000], 100_000);
    let request = net.request(CAROL, sat(1_000));
    let route = net.routes(request).found.expect("there is one").remove(0);
    let send = ecdh(1, &route);
    let hash = send.hash;
    net[ALICE].send(send);
    assert!(net.end(part(1)).expect("it is paid").opens(&hash));
    assert!(matches!(net[CAROL].received[0].purpose, Purpose::Ecdh { .. }));
}

/// Nobody has announced it, and no channel is.
#[test]
fn a_peer_that_the_network_does_not_know() {
    let mut net = Net::new();
    net.open(ALICE, BOB, 100_000, false);
    let request = net.request(BOB, sat(1_000));
    let routes = net.routes(request);
    // What only announcements say is not known.
    assert_eq!(routes.destination, Destination { known: true, keysend: false, amp: true, mpp: true });
    let route = routes.found.expect("there is one").remove(0);
    assert_eq!(route.fee(), Msat::ZERO);
    net[ALICE].send(keysend(1, &route, records(1)));
    assert_eq!(net.end(part(1)), Ok(preimage(1)));
}
