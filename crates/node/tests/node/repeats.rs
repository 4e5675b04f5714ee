//! What comes twice is written once, also while the first is on its way to the disk.

use crate::fake::{PATIENCE, World, channel, open, start};
use sponte_engine::backend::{BackendEvent, Forward};
use sponte_engine::commit::Account;
use sponte_proto::Msat;
use sponte_store::Failpoints;

fn forward(key: &str) -> BackendEvent {
    let msat = |msat| Msat::new(msat).expect("small");
    BackendEvent::Forwarded(Forward {
        key: key.into(),
        incoming: vec![(channel(1), msat(1_010))],
        outgoing: vec![(channel(2), msat(1_000))],
    })
}

#[tokio::test]
async fn a_forward_is_booked_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints { slow_ms: 30, ..Failpoints::default() });
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let ledger = node.handle().ledger().clone();
    let mut commits = node.handle().commits();
    // In one step, in the steps that follow before it is durable, and after.
    world.pause(true);
    world.tell(forward("a"));
    world.tell(forward("a"));
    world.pause(false);
    world.until("it is polled", |state| state.events.is_empty()).await;
    world.tell(forward("a"));
    tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it runs");
    world.tell(forward("a"));
    world.tell(forward("b"));
    while ledger.transfers_under("forward/b/").expect("reads").is_empty() {
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it runs");
    }
    node.stop().await.expect("stops");

    let events = ledger.events(0, 10).expect("reads");
    assert_eq!(events.len(), 2, "{events:?}");
    let earned = |account| {
        let accounts = ledger.accounts().expect("reads");
        accounts.iter().find(|balance| balance.account == account).expect("it moved").posted_msat
    };
    assert_eq!(earned(Account::FeesEarned), -20);
    // The engine's balance is the ledger's, or the end of the channel would book another rounding.
    assert_eq!(earned(Account::Channel(channel(1))), 2_020);
}
