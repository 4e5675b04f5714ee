//! What happens before what.

use crate::fake::{Fate, PATIENCE, World, channel, open, request, start};
use sponte_engine::backend::{Admin, BackendEvent, Forward};
use sponte_engine::commit::Transaction;
use sponte_proto::Msat;
use sponte_store::Failpoints;

/// A stopped node's log. Nothing may be missing at its end.
async fn life_of_one_payment(failpoints: Failpoints) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), failpoints);
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let id = node.handle().pay(request("k")).await.expect("begun");
    node.handle().payment_ended(id, PATIENCE).await.expect("it ends");
    node.stop().await.expect("stops");
    world.state().log.clone()
}

#[tokio::test]
async fn the_network_comes_after_the_first_commit() {
    let log = life_of_one_payment(Failpoints { slow_ms: 20, ..Failpoints::default() }).await;
    assert_eq!(log[..4], ["recovered", "seal 1", "committed 1", "start"]);
}

#[tokio::test]
async fn a_stop_writes_all_that_is_open() {
    let log = life_of_one_payment(Failpoints { slow_ms: 20, ..Failpoints::default() }).await;
    let seals = log.iter().filter(|line| line.starts_with("seal")).count();
    let committed = log.iter().filter(|line| line.starts_with("committed")).count();
    assert_eq!(seals, committed);
    assert!(
        log.iter().position(|line| line == "stop") < log.iter().rposition(|line| line.starts_with("seal"))
    );
    assert_eq!(log.last().map(String::as_str), Some("dropped"));
}

#[tokio::test]
async fn what_is_sealed_is_committed_in_order() {
    let log = life_of_one_payment(Failpoints::default()).await;
    let numbers = |word: &str| -> Vec<u64> {
        log.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    };
    assert_eq!(numbers("seal"), numbers("committed"));
    assert!(numbers("seal").is_sorted());
    for number in numbers("seal") {
        let at = |line: String| log.iter().position(|entry| *entry == line);
        assert!(at(format!("seal {number}")) < at(format!("committed {number}")));
    }
}

/// An answer that wrote nothing itself waits for what its step and all before it wrote.
#[tokio::test]
async fn an_answer_waits_for_the_commit_of_its_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints { slow_ms: 40, ..Failpoints::default() });
    let world = World::with_fate(Fate::Held);
    let node = start(&store, &world).expect("starts");
    for round in 0..10 {
        let peer = crate::fake::node(3);
        node.handle().admin(move |reply| Admin::Connect(peer, String::new(), reply)).await.expect("done");
        let kept = store.kv("fake.seals").expect("reads");
        let last = world.state().log.iter().rfind(|line| line.starts_with("seal")).cloned();
        let durable =
            kept.first().map(|(_, bytes)| u64::from_be_bytes(bytes[..].try_into().expect("8 bytes")));
        assert_eq!(last, durable.map(|number| format!("seal {number}")), "round {round}");
    }
    node.stop().await.expect("stops");
}

/// A disk that stands still does not let transactions pile up, and nothing is lost for it.
#[tokio::test]
async fn few_transactions_wait_for_the_writer() {
    const FORWARDS: u64 = 200;
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let (go, wait) = std::sync::mpsc::channel::<()>();
    // The writer stands still in this completion until the other half is dropped.
    store.writer().submit(
        Transaction::default(),
        Box::new(move |_| {
            let _ = wait.recv();
        }),
    );
    for number in 0..FORWARDS {
        let forward = Forward {
            key: number.to_string(),
            incoming: vec![(channel(1), Msat::new(1_010).expect("small"))],
            outgoing: vec![(channel(2), Msat::new(1_000).expect("small"))],
        };
        world.tell(BackendEvent::Forwarded(forward));
        world.until("it is polled", |state| state.events.is_empty()).await;
    }
    let count = |word: &str| world.state().log.iter().filter(|line| line.starts_with(word)).count();
    let waiting = count("seal") - count("committed");
    assert!((1..=16).contains(&waiting), "{waiting} of {FORWARDS}");

    drop(go);
    let mut commits = node.handle().commits();
    while store.ledger().last_event_seq().expect("reads") < FORWARDS {
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it runs");
    }
    node.stop().await.expect("stops");
    assert_eq!(count("seal"), count("committed"));
    assert_eq!(store.ledger().check().expect("reads"), Vec::<String>::new());
}

/// After a long outage the chain has much to tell; who asks something meanwhile is answered, and what it
/// changes is written bit by bit.
#[tokio::test]
async fn a_backend_that_catches_up_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    world.state().catching_up = true;
    world.wake();
    let handle = node.handle();
    let answered = tokio::time::timeout(PATIENCE, handle.admin(Admin::Balance)).await;
    world.state().catching_up = false;
    answered.expect("in time").expect("done");
    node.stop().await.expect("stops");
}
