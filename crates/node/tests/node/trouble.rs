//! Commits that fail and code that panics: nothing leaves, nobody waits for ever.

use crate::fake::{PATIENCE, World, config, open, request, start};
use sponte_engine::backend::{Admin, Backend};
use sponte_node::{AdminError, Fatal, Node, PayError, StartError, spawn};
use sponte_store::{Failpoints, StoreError};

async fn ended(node: &Node) -> Fatal {
    let wait = tokio::time::timeout(PATIENCE, node.wait()).await;
    wait.expect("it ends").expect_err("it failed")
}

#[tokio::test]
async fn a_failed_commit_ends_the_node_and_nothing_leaves() {
    // The first commit is the start's, the second the payment's.
    for fail in [2, 3] {
        let dir = tempfile::tempdir().expect("a folder");
        let store = open(dir.path(), Failpoints { fail: Some(fail), ..Failpoints::default() });
        let world = World::default();
        let node = start(&store, &world).expect("starts");
        let handle = node.handle();
        let answer = handle.pay(request("k")).await;
        assert!(matches!(ended(&node).await, Fatal::Commit(StoreError::DiskFull)));
        let durable = handle.ledger().payment_by_key("k").expect("reads");
        if fail == 2 {
            assert!(matches!(answer, Err(PayError::Stopped)));
            assert_eq!(durable, None);
            assert!(world.state().left.is_empty(), "it was never durable");
            assert!(!world.state().log.contains(&"committed 2".to_owned()));
        } else {
            assert_eq!(answer.expect("durable").to_bytes(), durable.expect("there").id.to_bytes());
        }
        assert!(matches!(handle.pay(request("l")).await, Err(PayError::Stopped)));
        drop(node);
        store.close().expect_err("it says why it stopped");

        // What was durable goes on.
        let store = open(dir.path(), Failpoints::default());
        let node = start(&store, &World::default()).expect("starts");
        let id = node.handle().pay(request("k")).await.expect("begun or found");
        let sent = node.handle().payment_ended(id, std::time::Duration::ZERO).await.expect("reads");
        assert_eq!(sent.key.as_deref(), Some("k"));
        node.stop().await.expect("stops");
    }
}

#[tokio::test]
async fn a_start_that_cannot_write_does_not_touch_the_network() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints { fail: Some(1), ..Failpoints::default() });
    let world = World::default();
    let error = start(&store, &world).expect_err("it cannot start");
    assert!(matches!(error, StartError::Fatal(Fatal::Commit(StoreError::DiskFull))), "{error}");
    assert!(!world.state().log.contains(&"start".to_owned()));
}

#[tokio::test]
async fn a_backend_that_cannot_be_made_is_an_error_of_the_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let made = spawn(&store, config(), |_| Err::<Box<dyn NeverBackend>, _>("no chain"));
    assert!(matches!(made, Err(StartError::Backend("no chain"))));
    let made = spawn(&store, config(), |_| -> Result<Box<dyn NeverBackend>, ()> { panic!("told to") });
    assert!(matches!(made, Err(StartError::Fatal(Fatal::Panicked(_)))));
}

/// Something that could be a backend, and is never made.
trait NeverBackend {}

impl Backend for Box<dyn NeverBackend> {
    fn poll(&mut self) -> Vec<sponte_engine::backend::BackendEvent> {
        vec![]
    }
    fn execute(&mut self, _: sponte_engine::backend::Command) {}
    fn admin(&mut self, _: Admin) {}
    fn recovered(&mut self) -> Result<sponte_engine::backend::Recovered, sponte_engine::backend::Refusal> {
        Ok(Default::default())
    }
    fn seal(&mut self) -> Option<sponte_engine::backend::Sealed> {
        None
    }
    fn committed(&mut self, _: u64) {}
    fn start(&mut self) {}
    fn stop(&mut self) {}
}

#[tokio::test]
async fn a_panic_is_an_end_and_not_a_hang() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    world.pause(true);
    let handle = node.handle();
    let paying = tokio::spawn(async move { handle.pay(request("k")).await });
    let handle = node.handle();
    let asking = tokio::spawn(async move { handle.admin(Admin::Channels).await });
    world.state().panic = true;
    world.pause(false);
    world.wake();
    assert!(matches!(ended(&node).await, Fatal::Panicked(message) if message == "told to"));
    let stopped = |answer: Result<_, AdminError>| matches!(answer, Err(AdminError::Stopped) | Ok(_));
    let _ = paying.await.expect("answered");
    assert!(stopped(asking.await.expect("answered")));
    assert!(matches!(node.handle().pay(request("l")).await, Err(PayError::Stopped)));
    assert!(node.stop().await.is_err());
}
