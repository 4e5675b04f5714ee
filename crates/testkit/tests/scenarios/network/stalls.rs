//! A router that keeps what it takes: the rest waits, nothing is sent twice, and the end is one.

use super::{EVERY, SPONTANEOUS, Told, msat, pending, request, request_of};
use sponte_engine::commit::{Kind, State};
use sponte_testkit::{Forwards, Network, until};
use std::time::Duration;

/// Begins a payment too large for one path, one part of which sid keeps. All parts are pending.
async fn stalled(network: &Network, kind: Kind) -> sponte_proto::PaymentId {
    network.sid.choose(Forwards::Stall);
    let mut request = request(network.carol.id(), "1800000sat", Some(kind));
    request.max_parts = 16;
    let id = network.alice.begin(request).await.expect("a sound request");
    network.sid.keeps(1).await;
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
    network.sid.keeps(1).await;
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
