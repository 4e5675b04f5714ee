//! Payments to us.

use crate::fake::{PATIENCE, World, keysend, open, start};
use sponte_engine::backend::BackendEvent;
use sponte_engine::commit::State;
use sponte_store::{Failpoints, PaymentsQuery};

#[tokio::test]
async fn a_preimage_leaves_after_its_commit_and_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints { slow_ms: 30, ..Failpoints::default() });
    let world = World::default();
    let node = start(&store, &world).expect("starts");
    let mut commits = node.handle().commits();
    world.tell(BackendEvent::Claimable(Box::new(keysend(1, 5))));
    // The same preimage in other HTLCs, perhaps while nothing of the first is durable.
    for number in 2..6 {
        world.tell(BackendEvent::Claimable(Box::new(keysend(number, 5))));
    }
    loop {
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it runs");
        let rows = node.handle().ledger().payments(PaymentsQuery::default()).expect("reads").rows;
        let [row] = &rows[..] else { panic!("one payment: {rows:?}") };
        if row.state == State::Settled {
            break;
        }
    }
    world.tell(BackendEvent::Claimable(Box::new(keysend(7, 5))));
    world.until("it is refused", |state| !state.refused.is_empty()).await;
    assert_eq!(world.state().released, [keysend(1, 5).hash]);
    let events = node.handle().ledger().events(0, 100).expect("reads");
    let kinds: Vec<_> = events.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["payment_received"], "a second set says nothing of the first");
    assert_eq!(node.handle().ledger().check().expect("reads"), Vec::<String>::new());
    node.stop().await.expect("stops");
}
