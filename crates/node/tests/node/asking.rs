//! Callers who ask something of the backend.

use crate::fake::{PATIENCE, World, open, request, start};
use sponte_engine::backend::Admin;
use sponte_node::{AdminError, PayError};
use sponte_store::Failpoints;

#[tokio::test]
async fn an_answer_may_come_in_a_later_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let asked = tokio::spawn(async move { handle.admin(Admin::Address).await });
    world.until("the request is there", |state| !state.addresses.is_empty()).await;
    let id = node.handle().pay(request("k")).await.expect("begun");
    node.handle().payment_ended(id, PATIENCE).await.expect("it ends");
    assert!(!asked.is_finished());
    world.answer_addresses();
    assert_eq!(asked.await.expect("answered").expect("done"), "address 0");
    node.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_recovers() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    world.pause(true);
    let mut asked = vec![];
    let busy = loop {
        let handle = node.handle();
        let request = tokio::spawn(async move { handle.admin(Admin::Channels).await });
        tokio::task::yield_now().await;
        asked.push(request);
        let answered = asked.iter().position(tokio::task::JoinHandle::is_finished);
        if let Some(at) = answered {
            break asked.swap_remove(at).await.expect("answered");
        }
        assert!(asked.len() < 100_000, "requests are bounded");
    };
    assert!(matches!(busy, Err(AdminError::Busy)));
    assert!(matches!(node.handle().pay(request("k")).await, Err(PayError::Busy)));
    world.pause(false);
    for request in asked {
        match request.await.expect("answered") {
            Ok(_) | Err(AdminError::Busy) => {}
            Err(other) => panic!("{other}"),
        }
    }
    node.handle().pay(request("k")).await.expect("there is room again");
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn a_node_that_has_stopped_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let handle = node.handle();
    let unanswered = handle.clone();
    let unanswered = tokio::spawn(async move { unanswered.admin(Admin::Address).await });
    world.until("the request is there", |state| !state.addresses.is_empty()).await;
    node.stop().await.expect("stops");
    // The test's own world holds the replies that the backend was given.
    world.state().addresses.clear();
    assert!(matches!(unanswered.await.expect("answered"), Err(AdminError::Stopped)));
    assert!(matches!(handle.admin(Admin::Channels).await, Err(AdminError::Stopped)));
    assert!(matches!(handle.pay(request("k")).await, Err(PayError::Stopped)));
}
