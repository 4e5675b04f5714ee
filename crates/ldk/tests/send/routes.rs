//! Why there are no routes.

use crate::net::{ALICE, BOB, CAROL, DAVE, Net, sat};
use sponte_engine::backend::{Command, NoRoutes, RouteRequest};
use sponte_proto::{Msat, NodeId, ShortChannelId};

fn why(net: &mut Net, request: RouteRequest) -> NoRoutes {
    net.routes(request).found.expect_err("there is none")
}

#[test]
fn each_reason_is_told() {
    let mut net = Net::line(&[100_000, 50_000], 100_000);
    let request = |net: &Net| net.request(CAROL, sat(1_000));

    let mut own = request(&net);
    own.destination = net[ALICE].id();
    assert_eq!(why(&mut net, own), NoRoutes::SelfPayment);

    let mut bad = request(&net);
    let mut bytes = [0xff; 33];
    bytes[0] = 2;
    bad.destination = NodeId::from_bytes(bytes).expect("it looks like one");
    assert_eq!(why(&mut net, bad), NoRoutes::BadDestination);

    let mut dear = request(&net);
    dear.max_fee = Msat::new(1_099).expect("small");
    let cheapest = Msat::new(1_100).expect("small");
    assert_eq!(why(&mut net, dear.clone()), NoRoutes::FeeLimitTooLow { cheapest });
    dear.max_fee = cheapest;
    assert!(net.routes(dear).found.is_ok());

    let mut large = request(&net);
    large.payload_bytes = 1_240;
    assert_eq!(why(&mut net, large.clone()), NoRoutes::RecordsTooLarge, "two hops have no room");
    large.destination = net[BOB].id();
    assert!(net.routes(large.clone()).found.is_ok(), "one has");
    large.payload_bytes = 1_266;
    assert_eq!(why(&mut net, large), NoRoutes::RecordsTooLarge);

    let unknown = net.request(DAVE, sat(1_000));
    let routes = net.routes(unknown.clone());
    assert!(!routes.destination.known);
    assert_eq!(routes.found, Err(NoRoutes::NoRoute));

    let mut avoiding = request(&net);
    let route = net.routes(request(&net)).found.expect("there is one").remove(0);
    avoiding.avoid = vec![route.hops[1].channel];
    assert_eq!(why(&mut net, avoiding), NoRoutes::NoRoute);

    let mut hinted = unknown;
    hinted.hints = vec![vec![sponte_engine::backend::RouteHint {
        node: net[CAROL].id(),
        channel: ShortChannelId::new(77),
        fee_base: Msat::ZERO,
        fee_ppm: 0,
        cltv_delta: request(&net).final_cltv,
    }]];
    let routes = net.routes(hinted).found.expect("the hint says how");
    assert_eq!(routes[0].hops[2].channel, ShortChannelId::new(77));
}

#[test]
fn a_flood_of_questions_keeps_no_step_from_ending() {
    let mut net = Net::new();
    let mut asked = vec![];
    for number in 0..200 {
        let mut request = net.request(BOB, sat(1_000));
        request.query.number = number;
        asked.push(request.query);
        net[ALICE].execute(Command::Route(Box::new(request)));
    }
    let mut answered = vec![];
    while answered.len() < asked.len() {
        let (routes, woken) = net[ALICE].answered_in_a_step();
        assert!((1..=64).contains(&routes.len()), "{} in one step", routes.len());
        answered.extend(routes.iter().map(|routes| routes.query));
        assert!(woken || answered.len() == asked.len(), "nothing else would end the wait of the others");
    }
    assert_eq!(answered, asked);
}

#[test]
fn what_can_be_spent() {
    let mut net = Net::line(&[100_000, 50_000], 500_000);
    let sendable = net[ALICE].sendable();
    let largest = *sendable.values().max().expect("two channels");
    let both = sendable.values().try_fold(Msat::ZERO, |sum, one| sum.checked_add(*one)).expect("in supply");
    let asked = |net: &Net, amount, max_parts| {
        let mut request = net.request(CAROL, amount);
        request.max_parts = max_parts;
        request
    };
    let one_more = |amount: Msat| amount.checked_add(Msat::new(1).expect("small")).expect("in supply");

    let request = asked(&net, one_more(largest), 1);
    assert_eq!(why(&mut net, request), NoRoutes::InsufficientBalance { spendable: largest });
    let request = asked(&net, one_more(largest), 2);
    assert_eq!(net.routes(request).found.expect("both can").len(), 2);
    let request = asked(&net, one_more(both), 2);
    assert_eq!(why(&mut net, request), NoRoutes::InsufficientBalance { spendable: both });

    // The amount is there, the fee is not.
    let request = asked(&net, largest, 1);
    match why(&mut net, request) {
        NoRoutes::InsufficientBalance { spendable } => {
            assert!(spendable < largest && spendable > largest.saturating_sub(sat(100)), "{spendable}");
            let request = asked(&net, spendable, 1);
            assert!(net.routes(request).found.is_ok(), "what is spendable can be spent");
        }
        other => panic!("{other:?}"),
    }

    // Bob is away: neither he nor anybody behind him can be paid now.
    net[BOB].crash();
    net.until("Alice to see it", |net| (net[ALICE].usable() == 0).then_some(()));
    for to in [BOB, CAROL] {
        let request = net.request(to, sat(1_000));
        assert_eq!(why(&mut net, request), NoRoutes::PeersOffline);
    }
    let request = net.request(CAROL, sat(1_000_000));
    assert!(matches!(why(&mut net, request), NoRoutes::InsufficientBalance { .. }));
}

/// Some channels are usable, but not the one that leads there.
#[test]
fn the_one_peer_that_leads_there_is_away() {
    let mut net = Net::line(&[100_000], 100_000);
    net.open(ALICE, DAVE, 100_000, true);
    net[BOB].crash();
    net.until("Alice to see it", |net| (net[ALICE].usable() == 1).then_some(()));
    for to in [BOB, CAROL] {
        let request = net.request(to, sat(1_000));
        assert_eq!(why(&mut net, request), NoRoutes::PeersOffline);
    }
}

/// LDK alone finds nothing here: it wants of each of two paths at least half of the amount.
#[test]
fn two_uneven_channels_carry_what_both_can() {
    let mut net = Net::line(&[100_000, 40_000], 500_000);
    let mut request = net.request(CAROL, sat(120_000));
    request.max_parts = 2;
    let routes = net.routes(request).found.expect("both can");
    assert_eq!(routes.len(), 2);
}
