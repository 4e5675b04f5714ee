//! A keysend through a router, and the records that it carries.

use sponte_engine::commit::State;
use sponte_proto::{Msat, Record, Records, TEXT_RECORD};
use sponte_testkit::{Net, TestNode, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alice_pays_carol_through_bob() {
    let net = Net::start().await;
    let [alice, bob, carol] = net.line(1_000_000).await;
    let mut records = Records::new();
    for (kind, value) in [(TEXT_RECORD, &b"hello carol"[..]), (696_969, &[1, 2, 3]), (65_536, &[])] {
        records.insert(Record::new(kind, value.to_vec()).expect("custom")).expect("once");
    }
    let mut request = TestNode::request(&carol, "100000sat");
    request.records = records.clone();

    let id = alice.begin(request).await.expect("a sound request");
    let sent = alice.ended(id).await;

    // Bob asks 1 sat and 100 ppm.
    assert_eq!((sent.state, sent.fee), (State::Settled, Msat::new(11_000).expect("small")));
    let received = carol.received(&sent).await;
    assert_eq!((received.state, received.amount), (State::Settled, sent.amount));
    assert_eq!(received.records, records);
    assert_eq!(received.records.text(), Some("hello carol"));
    let parts = alice.handle().ledger().parts(&id).expect("the ledger reads");
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].route, [bob.id(), carol.id()]);
    for node in [&alice, &bob, &carol] {
        node.audited().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unannounced_receiver_is_paid_by_its_peer() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let bob = net.node("bob").await;
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    assert_eq!(alice.info().await.graph_channels, 0);

    let sent = alice.pay(&bob, "1234msat").await;

    assert_eq!(sent.state, State::Settled);
    assert_eq!(bob.received(&sent).await.amount, sent.amount);
    alice.audited().await;
    bob.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_fee_holds_for_channels_that_are_there() {
    let net = Net::start().await;
    let [alice, mut bob, carol] = net.line(1_000_000).await;
    bob.stop().await;
    bob.config_mut().forwarding_fee_base_msat = 7_000;
    bob.run().await;
    for node in [&alice, &carol] {
        node.connect(&bob).await;
    }
    // Alice may not have heard of it yet, and bob then refuses what she offers.
    until("bob to be paid his new fee", async || {
        let sent = alice.pay(&carol, "100000sat").await;
        (sent.state == State::Settled && sent.fee.to_msat() == 17_000).then_some(())
    })
    .await;
    for node in [&alice, &bob, &carol] {
        node.audited().await;
    }
}
