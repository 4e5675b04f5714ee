//! Callers who pay.

use crate::fake::{Fate, PATIENCE, REFUSED, World, open, request, start};
use sponte_engine::backend::NoRoutes;
use sponte_engine::commit::State;
use sponte_node::{PayError, PaymentRequest, WaitError};
use sponte_proto::{Msat, PaymentId};
use sponte_store::Failpoints;
use std::time::Duration;

#[tokio::test]
async fn a_payment_is_begun_and_paid() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let id = handle.pay(request("k")).await.expect("begun");
    assert!(handle.ledger().payment(&id).expect("reads").is_some(), "durable when it is answered");
    let row = handle.payment_ended(id, PATIENCE).await.expect("it ends");
    assert_eq!((row.state, row.attempts), (State::Settled, 1));
    assert_eq!(handle.ledger().check().expect("reads"), Vec::<String>::new());
    node.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_callers_with_one_key_pay_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints { slow_ms: 10, ..Failpoints::default() });
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let handle = node.handle();
            tokio::spawn(async move {
                let id = handle.pay(request("k")).await.expect("begun or found");
                assert!(handle.ledger().payment(&id).expect("reads").is_some());
                id
            })
        })
        .collect();
    let mut ids = vec![];
    for caller in callers {
        ids.push(caller.await.expect("answered"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    node.handle().payment_ended(ids[0], PATIENCE).await.expect("it ends");
    assert_eq!(node.handle().pay(request("k")).await.expect("found"), ids[0]);
    assert_eq!(world.state().left.len(), 1);
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn a_key_that_is_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::Held);
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    handle.pay(request("k")).await.expect("begun");
    let other = PaymentRequest { amount: Msat::new(1).expect("small"), ..request("k") };
    let reused = |answer| matches!(answer, Err(PayError::Refused(sponte_engine::PayError::KeyReused)));
    assert!(reused(handle.pay(other.clone()).await), "while it is pending");
    world.until("the HTLC leaves", |state| !state.left.is_empty()).await;
    let send = world.state().left[0].clone();
    world.tell(crate::fake::sent(&send));
    handle.payment_ended(handle.pay(request("k")).await.expect("found"), PATIENCE).await.expect("it ends");
    assert!(reused(handle.pay(other).await), "after its end");
    let zero = PaymentRequest { amount: Msat::ZERO, ..request("z") };
    let refused = handle.pay(zero).await;
    assert!(matches!(refused, Err(PayError::Refused(sponte_engine::PayError::ZeroAmount))));
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn a_failure_is_told_with_its_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::Failed(REFUSED));
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let id = handle.pay(request("k")).await.expect("begun");
    let row = handle.payment_ended(id, PATIENCE).await.expect("it ends");
    assert_eq!(row.failure.expect("says why").code, "recipient_refused");
    assert_eq!(handle.ledger().check().expect("reads"), Vec::<String>::new());
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn patience_ends_before_a_payment_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let node = start(&store, &World::with_fate(Fate::Held)).expect("starts");
    let handle = node.handle();
    let id = handle.pay(request("k")).await.expect("begun");
    let row = handle.payment_ended(id, Duration::from_millis(20)).await.expect("reads");
    assert_eq!(row.state, State::Pending);
    let unknown = handle.payment_ended(PaymentId::from_bytes([1; 32]), PATIENCE).await;
    assert!(matches!(unknown, Err(WaitError::Unknown)));
    node.stop().await.expect("stops");
    let stopped = handle.payment_ended(id, PATIENCE).await;
    assert!(matches!(stopped, Err(WaitError::Stopped)));
}

/// The engine's time comes without anything else waking the node.
#[tokio::test]
async fn the_node_wakes_by_itself_when_a_payment_has_waited() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::NoRoutes(NoRoutes::PeersOffline));
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let short = PaymentRequest { timeout_ms: 50, ..request("k") };
    let id = handle.pay(short).await.expect("begun");
    let row = handle.payment_ended(id, PATIENCE).await.expect("it ends");
    assert_eq!(row.failure.expect("says why").code, "peers_offline");
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn a_quote_sends_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let quoted = handle.quote(request("k")).await.expect("sound").expect("there is a route");
    assert_eq!(quoted.routes.iter().map(|route| route.fee().to_msat()).sum::<u64>(), 5);
    world.state().fate = Fate::NoRoutes(NoRoutes::NoRoute);
    assert_eq!(handle.quote(request("k")).await.expect("sound").expect_err("none").code, "no_route");
    let zero = PaymentRequest { amount: Msat::ZERO, ..request("z") };
    let refused = handle.quote(zero).await;
    assert!(matches!(refused, Err(PayError::Refused(sponte_engine::PayError::ZeroAmount))));
    let page = handle.ledger().payments(sponte_store::PaymentsQuery::default()).expect("reads");
    assert!(page.rows.is_empty() && world.state().left.is_empty());
    node.stop().await.expect("stops");
}

/// A payment that waits ends at once; the caller of one that is unknown or over is told so.
#[tokio::test]
async fn a_payment_is_canceled() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::NoRoutes(NoRoutes::PeersOffline));
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let id = handle.pay(request("k")).await.expect("begun");
    handle.cancel(id).await.expect("canceled");
    let row = handle.ledger().payment(&id).expect("reads").expect("it is there");
    assert_eq!(row.failure.expect("says why").code, "canceled");
    let refused = |answer| match answer {
        Err(PayError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(handle.cancel(id).await), sponte_engine::PayError::Ended(State::Failed));
    let unknown = PaymentId::from_bytes([1; 32]);
    assert_eq!(refused(handle.cancel(unknown).await), sponte_engine::PayError::UnknownPayment);
    node.stop().await.expect("stops");
}
