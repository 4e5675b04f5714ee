//! Held payments, AMP invoices and what is taken, as callers decide on them.

use crate::fake::{PATIENCE, World, channel, keysend, open, start};
use sponte_engine::backend::BackendEvent;
use sponte_engine::commit::{Direction, PaymentRow, State};
use sponte_engine::{Decision, Hold, Receive};
use sponte_node::{Node, ReceiveError, Verdict, audit};
use sponte_proto::PaymentId;
use sponte_store::{Failpoints, PaymentsQuery, Store};

async fn holding(store: &Store, world: &World) -> Node {
    let node = start(store, world).expect("starts");
    let receive = Receive { hold: Hold::All, ..Receive::default() };
    node.handle().set_receive(Some(receive)).await.expect("sound");
    node
}

/// Waits until the ledger has a payment in this state.
async fn payment(node: &Node, state: State) -> PaymentRow {
    let handle = node.handle();
    let mut commits = handle.commits();
    let query = PaymentsQuery { direction: Some(Direction::In), state: Some(state), ..Default::default() };
    loop {
        commits.borrow_and_update();
        if let Some(row) = handle.ledger().payments(query.clone()).expect("reads").rows.pop() {
            return row;
        }
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it runs");
    }
}

#[tokio::test]
async fn a_decision_is_answered_when_it_is_durable_and_its_preimage_leaves_then() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints { slow_ms: 30, ..Failpoints::default() });
    let world = World::default();
    let node = holding(&store, &world).await;
    let handle = node.handle();
    world.tell(BackendEvent::Claimable(Box::new(keysend(1, 5))));
    let held = payment(&node, State::Held).await;
    assert!(world.state().released.is_empty(), "nobody has decided");

    let report = audit(&handle).await.expect("reads");
    assert!(report.ok && report.lines.iter().all(|line| line.verdict == Verdict::Agrees), "{report:?}");

    handle.decide(held.id, Decision::Settle).await.expect("it is held");
    let row = handle.ledger().payment(&held.id).expect("reads").expect("there");
    assert_ne!(row.state, State::Held, "the answer comes after the commit");
    let settled = handle.payment_ended(held.id, PATIENCE).await.expect("it ends");
    assert_eq!(settled.state, State::Settled);
    assert_eq!(world.state().released, [keysend(1, 5).hash]);
    let again = handle.decide(held.id, Decision::Cancel).await;
    assert!(matches!(
        again,
        Err(ReceiveError::Refused(sponte_engine::ReceiveError::NotHeld(State::Settled)))
    ));
    let unknown = handle.decide(PaymentId::from_bytes([9; 32]), Decision::Settle).await;
    assert!(matches!(unknown, Err(ReceiveError::Refused(sponte_engine::ReceiveError::UnknownPayment))));
    assert_eq!(handle.ledger().check().expect("reads"), Vec::<String>::new());
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn what_is_held_and_what_is_taken_outlive_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = holding(&store, &world).await;
    world.tell(BackendEvent::Claimable(Box::new(keysend(1, 5))));
    let held = payment(&node, State::Held).await;
    node.stop().await.expect("stops");

    // A backend that knows nothing of it has failed its HTLCs: it is given back.
    let again = World::default();
    let node = start(&store, &again).expect("starts");
    let (receive, replaced) = node.handle().receive().await.expect("told");
    assert!(replaced && receive.hold == Hold::All);
    let row = node.handle().ledger().payment(&held.id).expect("reads").expect("there");
    assert_eq!((row.state, row.failure.expect("told").code.as_str()), (State::Canceled, "hold_lost"));
    node.handle().set_receive(None).await.expect("sound");
    assert_eq!(node.handle().receive().await.expect("told"), (Receive::default(), false));
    assert_eq!(node.handle().ledger().check().expect("reads"), Vec::<String>::new());
    node.stop().await.expect("stops");
}

#[tokio::test]
async fn a_cancel_is_answered_when_it_is_durable() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let node = holding(&store, &world).await;
    world.tell(BackendEvent::Claimable(Box::new(keysend(1, 5))));
    let held = payment(&node, State::Held).await;
    assert_eq!(held.receipt.deadline_height, None, "its expiry is not known");
    node.handle().decide(held.id, Decision::Cancel).await.expect("it is held");
    let row = node.handle().ledger().payment(&held.id).expect("reads").expect("there");
    assert_eq!(row.state, State::Canceled);
    let parts = node.handle().ledger().parts(&held.id).expect("reads");
    assert_eq!((parts[0].state, parts[0].channel), (State::Canceled, channel(1)));
    world.until("its HTLC is failed", |state| state.refused == [keysend(1, 5).hash]).await;
    assert!(world.state().released.is_empty());
    node.stop().await.expect("stops");
}
