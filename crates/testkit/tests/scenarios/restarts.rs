//! Nodes that stop in the middle.

use sponte_engine::commit::State;
use sponte_proto::PaymentId;
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, TestNode, until};
use std::cell::RefCell;

/// Begins payments and stops one of the three while they are in flight; all end the same at
/// both ends afterwards.
async fn stop_in_flight(who: usize) {
    let net = Net::start().await;
    let mut nodes = net.line(5_000_000).await;
    let ids = RefCell::new(Vec::<PaymentId>::new());
    let begin = async || {
        let request = TestNode::request(&nodes[2], "1000sat");
        let id = nodes[0].begin(request).await.expect("a sound request");
        ids.borrow_mut().push(id);
    };
    for _ in 0..20 {
        begin().await;
    }
    // Each look begins another one, so that there is something to see however fast they end.
    until("HTLCs at the one that stops", async || {
        begin().await;
        let pending = PaymentsQuery { state: Some(State::Pending), ..PaymentsQuery::default() };
        let sending = nodes[0].handle().ledger().payments(pending).expect("the ledger reads").rows;
        let channels = nodes[who].channels().await;
        (!sending.is_empty() && channels.iter().any(|channel| channel.htlcs > 0)).then_some(())
    })
    .await;
    let ids = ids.into_inner();

    nodes[who].stop().await;
    nodes[who].run().await;
    nodes[0].connect(&nodes[1]).await;
    nodes[1].connect(&nodes[2]).await;

    for id in ids {
        let sent = nodes[0].ended(id).await;
        assert_eq!(sent.state, State::Settled, "{sent:?}");
        assert_eq!(nodes[2].received(&sent).await.state, State::Settled);
    }
    for node in &nodes {
        node.audited().await;
        assert!(node.channels().await.iter().all(TestNode::usable), "no channel was closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_restarts() {
    stop_in_flight(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_router_restarts() {
    stop_in_flight(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_restarts() {
    stop_in_flight(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_means_one_payment_across_a_restart() {
    let net = Net::start().await;
    let mut alice = net.node("alice").await;
    let bob = net.node("bob").await;
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    let request = TestNode::request(&bob, "50sat");
    let first = alice.begin(request.clone()).await.expect("a sound request");
    let sent = alice.ended(first).await;

    alice.stop().await;
    alice.run().await;

    assert_eq!(alice.begin(request.clone()).await.expect("the same request"), first);
    let mut other = request;
    other.amount = "51sat".parse().expect("an amount");
    assert!(alice.begin(other).await.is_err(), "the key stands for another payment");
    assert_eq!(alice.ended(first).await, sent);
    alice.audited().await;
    bob.audited().await;
    let received: u64 = bob.channels().await.iter().filter_map(|c| c.balance).map(|b| b.to_msat()).sum();
    assert_eq!(received, 50_000, "paid once");
}
