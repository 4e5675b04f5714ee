//! What was pending goes on after a stop.

use crate::fake::{Fate, PATIENCE, World, open, request, sent, start};
use sponte_engine::commit::State;
use sponte_store::Failpoints;

#[tokio::test]
async fn an_attempt_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::Held);
    let node = start(&store, &world).expect("starts");
    let id = node.handle().pay(request("k")).await.expect("begun");
    world.until("the HTLC leaves", |state| !state.left.is_empty()).await;
    let send = world.state().left[0].clone();
    node.stop().await.expect("stops");

    let again = World::with_fate(Fate::Held);
    let node = start(&store, &again).expect("starts");
    assert_eq!(node.handle().pay(request("k")).await.expect("found"), id);
    again.tell(sent(&send));
    let row = node.handle().payment_ended(id, PATIENCE).await.expect("it ends");
    assert_eq!((row.state, row.attempts), (State::Settled, 1));
    assert!(again.state().left.is_empty(), "no second attempt");
    again.tell(sent(&send));
    node.stop().await.expect("stops");
    assert_eq!(store.ledger().check().expect("reads"), Vec::<String>::new());
}

#[tokio::test]
async fn an_attempt_that_never_left_is_made_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::Held);
    let node = start(&store, &world).expect("starts");
    let id = node.handle().pay(request("k")).await.expect("begun");
    world.until("the HTLC leaves", |state| !state.left.is_empty()).await;
    let first = world.state().left[0].clone();
    node.stop().await.expect("stops");

    // The backend of the second start knows nothing.
    let mut forget = sponte_engine::commit::Transaction::default();
    forget.kv.delete("fake", first.part.to_string());
    let (told, end) = tokio::sync::oneshot::channel();
    store.writer().submit(forget, Box::new(move |result| told.send(result.is_ok()).expect("waited for")));
    assert!(end.await.expect("told"));

    let again = World::default();
    let node = start(&store, &again).expect("starts");
    let row = node.handle().payment_ended(id, PATIENCE).await.expect("it ends");
    assert_eq!((row.state, row.attempts, row.plan.tries), (State::Settled, 2, 1));
    assert_ne!(again.state().left[0].hash, first.hash);
    node.stop().await.expect("stops");
    assert_eq!(store.ledger().check().expect("reads"), Vec::<String>::new());
}

/// Proof of an attempt that was taken for failed long ago: the ledger is asked, the books follow.
#[tokio::test]
async fn a_late_proof_is_not_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::Failed(crate::fake::REFUSED));
    let node = start(&store, &world).expect("starts");
    let id = node.handle().pay(request("k")).await.expect("begun");
    let row = node.handle().payment_ended(id, PATIENCE).await.expect("it ends");
    assert_eq!(row.state, State::Failed);
    let send = world.state().left[0].clone();
    node.stop().await.expect("stops");

    let again = World::default();
    let node = start(&store, &again).expect("starts");
    let mut commits = node.handle().commits();
    commits.borrow_and_update();
    again.tell(sent(&send));
    tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it is written");
    let row = node.handle().ledger().payment(&id).expect("reads").expect("there");
    assert_eq!((row.state, row.preimage), (State::Settled, send.payload.keysend));
    node.stop().await.expect("stops");
    assert_eq!(store.ledger().check().expect("reads"), Vec::<String>::new());
}
