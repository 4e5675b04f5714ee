//! A router that keeps what it takes: the rest waits, nothing is sent twice, and the end is one.

use super::{EVERY, SPONTANEOUS, Told, msat, pending, request, request_of};
use sponte_engine::commit::{Kind, State};
use sponte_node::PaymentRequest;
use sponte_proto::failure::FailureCode;
use sponte_proto::{CltvExpiryDelta, Msat};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Forwards, Network, until};
use std::time::Duration;

/// Begins a payment too large for one path, some parts of which sid keeps: one, or two if what was too large
/// elsewhere was halved. All parts are pending.
async fn stalled(network: &Network, kind: Kind) -> sponte_proto::PaymentId {
    network.sid.choose(Forwards::Stall);
    let mut request = request(network.carol.id(), "1800000sat", Some(kind));
    request.max_parts = 16;
    let id = network.alice.begin(request).await.expect("a sound request");
    until("sid to keep a part", async || (network.sid.kept() > 0).then_some(())).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_shard_keeps_the_rest_waiting_until_all_settle() {
    for kind in [Kind::Amp, Kind::MppKeysend] {
        let network = Network::start().await;
        let id = stalled(&network, kind).await;
        let row = network.alice.handle().payment_ended(id, Duration::from_millis(300)).await.expect("a row");
        assert_eq!(row.state, State::Pending, "{kind:?}: still in flight");
        let parts = network.alice.handle().ledger().parts(&id).expect("the ledger reads");
        assert!(!parts.iter().any(|part| part.state == State::Settled), "{kind:?}: all or nothing");
        network.sid.choose(Forwards::Pass);
        let told = Told::of(&network.alice, id).await;
        told.assert_paid();
        assert_eq!(told.attempts.len(), 1, "{kind:?}");
        network.audited().await;
    }
}

/// Every router that carries it keeps its parts, so that none waits at the destination, which would
/// give it back after some minutes only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_are_kept_and_fail_after_a_cancel_all_fail() {
    for kind in [Kind::Amp, Kind::MppKeysend] {
        let network = Network::start().await;
        let keepers = [&network.gus, &network.sid];
        keepers.iter().for_each(|keeper| keeper.choose(Forwards::Stall));
        let mut request = request(network.carol.id(), "1000000sat", Some(kind));
        // Bob, who keeps nothing, costs more.
        request.max_fee = Some(msat(199_000));
        let amount = request.amount;
        let id = network.alice.begin(request).await.expect("a sound request");
        until("all of it to be kept", async || {
            let parts = network.alice.handle().ledger().parts(&id).expect("the ledger reads");
            let pending = parts.iter().filter(|part| part.state == State::Pending);
            let (count, sum) =
                pending.fold((0, 0), |(count, sum), part| (count + 1, sum + part.amount.to_msat()));
            let kept: usize = keepers.iter().map(|keeper| keeper.kept()).sum();
            (kept == count && sum == amount.to_msat() && count > 1).then_some(())
        })
        .await;
        network.alice.handle().cancel(id).await.expect("it is pending");
        let row = network.alice.handle().payment_ended(id, Duration::from_millis(300)).await.expect("a row");
        assert_eq!(row.state, State::Pending, "{kind:?}: what is on its way may still be paid");
        keepers.iter().for_each(|keeper| keeper.choose(Forwards::FailForNow));
        let told = Told::of(&network.alice, id).await;
        assert_eq!(told.assert_failed().0, "canceled", "{kind:?}");
        assert!(told.failed().len() == told.parts.len(), "{kind:?} {:#?}", told.parts);
        network.audited().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_shard_that_fails_goes_by_another_way() {
    let network = Network::start().await;
    network.sid.choose(Forwards::Stall);
    let id = stalled_small(&network).await;
    network.sid.choose(Forwards::FailForNow);
    let told = Told::of(&network.alice, id).await;
    told.assert_paid();
    assert_eq!(told.attempts.len(), 1, "its set goes on: {:#?}", told.parts);
    assert!(told.failed().iter().any(|part| part.route[0] == network.sid.id()));
    network.audited().await;
}

/// Two paths carry it; one is sid's, until he fails it and bob's is there.
async fn stalled_small(network: &Network) -> sponte_proto::PaymentId {
    let request = request(network.carol.id(), "1400000sat", Some(Kind::Amp));
    let id = network.alice.begin(request).await.expect("a sound request");
    until("sid to keep a part", async || (network.sid.kept() > 0).then_some(())).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_kept_on_the_only_path_is_in_flight_until_it_is_let_go() {
    let network = Network::start().await;
    for kind in EVERY {
        network.gus.choose(Forwards::Stall);
        let request = request_of(kind, &network.carol, "20000sat").await;
        let id = network.alice.begin(request).await.expect("a sound request");
        network.gus.keeps(1).await;
        pending(&network.alice, id, 1).await;
        let row = network.alice.handle().payment_ended(id, Duration::from_millis(300)).await.expect("a row");
        assert_eq!(row.state, State::Pending, "{kind:?}");
        network.gus.choose(Forwards::Pass);
        let told = Told::of(&network.alice, id).await;
        told.assert_paid();
        assert_eq!(told.parts.len(), 1, "{kind:?}: nothing was sent beside it");
    }
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_ends_while_a_part_is_kept_ends_attempts_and_not_the_part() {
    for kind in SPONTANEOUS {
        let network = Network::start().await;
        network.fay.choose(Forwards::Stall);
        let mut request = request_of(kind, &network.carol, "20000sat").await;
        request.timeout_ms = 400;
        let id = network.alice.begin(request).await.expect("a sound request");
        network.fay.keeps(1).await;
        let row = network.alice.handle().payment_ended(id, Duration::from_millis(800)).await.expect("a row");
        assert_eq!(row.state, State::Pending, "{kind:?}: the time is over, the part is not");
        network.fay.choose(Forwards::FailForNow);
        let told = Told::of(&network.alice, id).await;
        assert_eq!(
            (told.assert_failed().0, told.parts.len()),
            ("timeout", 1),
            "{kind:?} {:#?}",
            told.row.failure
        );
        network.audited().await;
    }
}

/// Sid keeps his shard, then knows no next peer, and whoever else could carry it asks for more than is left of
/// the limit. The others wait at carol until she gives them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_lost_brings_all_others_back() {
    let network = Network::start().await;
    network.sid.choose(Forwards::Stall);
    let mut request = request(network.carol.id(), "1400000sat", Some(Kind::Amp));
    request.fall_back = Some(false);
    request.max_fee = Some(bob_alone(&network, &request).await);
    request.final_cltv = Some(CltvExpiryDelta::new(80));
    request.timeout_ms = 4_000;
    let id = network.alice.begin(request).await.expect("a sound request");
    network.sid.keeps(1).await;
    network.sid.choose(Forwards::FailForGood);
    let row = network.alice.handle().payment_ended(id, Duration::from_secs(5)).await.expect("a row");
    assert_eq!(row.state, State::Pending, "the others are on their way");
    given_back(&network, id).await;
    let told = Told::of(&network.alice, id).await;
    assert_eq!(told.assert_failed().0, "fee_limit_too_low", "{:#?}", told.parts);
    assert_eq!((told.attempts.len(), told.failed().len()), (1, told.parts.len()));
    let over = |node| told.parts.iter().filter(move |part| part.route.contains(&node));
    for part in over(network.sid.id()) {
        let why = part.sent.failure.expect("it failed");
        assert_eq!((why.hop, why.code), (Some(1), Some(FailureCode::UNKNOWN_NEXT_PEER)), "{part:#?}");
    }
    let by_fay: Vec<_> = over(network.fay.id()).collect();
    let waited = by_fay.iter().filter_map(|part| part.sent.failure);
    let waited = waited.filter(|why| why.code == Some(FailureCode::MPP_TIMEOUT) && why.hop == Some(3));
    assert!(waited.count() > 0, "they were at carol: {by_fay:#?}");
    let received = network.carol.handle().ledger().payments(PaymentsQuery::default());
    assert_eq!(received.expect("the ledger reads").rows, []);
    network.audited().await;
}

/// What bob asks for all that would go by sid, and 2 sat: beside what else is on its way it is too little.
async fn bob_alone(network: &Network, request: &PaymentRequest) -> Msat {
    let request = PaymentRequest { max_fee: Some(msat(199_000)), ..request.clone() };
    let quoted = network.alice.handle().quote(request).await.expect("a sound request").expect("routes");
    let sid = network.sid.id();
    let by_sid = quoted.routes.iter().filter(|route| route.hops[0].node == sid);
    let by_sid: u64 = by_sid.map(|route| route.amount().to_msat()).sum();
    assert!(by_sid > 0 && quoted.routes.len() > 2, "{quoted:#?}");
    msat(200_000 + by_sid.div_ceil(10_000) + 2_000)
}

/// Mines until carol has given back what waits with her, in steps smaller than what she leaves the hops before
/// her; no block more, or those who hand it on would close their channels.
async fn given_back(network: &Network, id: sponte_proto::PaymentId) {
    let waits = async || network.carol.channels().await.iter().any(|channel| channel.htlcs > 0);
    for step in 0.. {
        assert!(step < 120, "nothing came back");
        network.net.mine_and_sync(3, &network.ours()).await;
        if !waits().await {
            break;
        }
    }
    until("what was given back to arrive", async || {
        let parts = network.alice.handle().ledger().parts(&id).expect("the ledger reads");
        parts.iter().all(|part| part.state == State::Failed).then_some(())
    })
    .await;
}
