//! They are paid, directly and through others, as often as somebody wants.

use super::{Line, funded_by, paid, pay, request, sat};
use sponte_engine::commit::State;
use sponte_testkit::{Net, RawNode, Receives, TestNode, until};
use std::collections::BTreeSet;

/// The offer's paths begin with the payer itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_of_a_peer_is_paid_again_and_again() {
    let net = Net::start().await;
    let (alice, carol) = (net.node("alice").await, RawNode::start(&net, "carol").await);
    funded_by(&net, &carol, &alice).await;
    let offer = carol.offer(Some(sat(500)));
    let (one, two) = (pay(&alice, &offer, None).await, pay(&alice, &offer, None).await);
    assert!(one.id != two.id && one.hash != two.hash, "each by an invoice of its own");
    assert_eq!((one.amount, two.amount), (sat(500), sat(500)));
    assert_eq!(pay(&alice, &offer, Some(sat(501))).await.amount, sat(501), "more than it asks for");
    assert_eq!(pay(&alice, &carol.offer(None), Some(sat(7))).await.amount, sat(7));
    alice.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_is_paid_through_another_node() {
    let line = Line::start().await;
    let row = pay(&line.alice, &line.carol.offer(Some(sat(500))), None).await;
    assert!(row.fee >= RawNode::FEE, "bob's, and what carol's invoice keeps of the rest: {}", row.fee);
    let parts = line.alice.handle().ledger().parts(&row.id).expect("the ledger reads");
    assert_eq!(parts[0].route, [line.bob.id()], "nobody sees what comes behind bob");
    line.alice.audited().await;
}

/// Bob is ours too: he hands on messages of others, and their payments along blinded paths.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_is_paid_through_a_node_of_ours() {
    let net = Net::start().await;
    let (alice, bob) = (net.node("alice").await, net.node("bob").await);
    let carol = RawNode::start(&net, "carol").await;
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    funded_by(&net, &carol, &bob).await;
    net.synced(&[&alice]).await;
    let row = pay(&alice, &carol.offer(Some(sat(5_000))), None).await;
    assert_eq!(row.amount, sat(5_000));
    alice.audited().await;
    bob.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_pays_once_and_asks_for_nothing_again() {
    let line = Line::start().await;
    let request = request(&line.alice, &line.carol.offer(Some(sat(500))), None).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (handle, request) = (line.alice.handle(), request.clone());
        clients.spawn(async move { handle.pay(request).await.expect("the same payment") });
    }
    let ids: BTreeSet<_> = clients.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1, "one payment");
    let row = paid(&line.alice, *ids.first().expect("one")).await;
    let asked = line.carol.asked();
    assert_eq!(line.alice.begin(request.clone()).await.expect("the same payment"), row.id);
    assert_eq!(line.carol.asked(), asked, "what is known is not asked for");
    let attempts = line.alice.handle().ledger().attempts(&row.id).expect("the ledger reads");
    assert_eq!(attempts.len(), 1);
    line.alice.audited().await;
    let channels = line.alice.channels().await;
    let left: u64 = channels.iter().filter_map(|channel| channel.balance).map(|left| left.to_msat()).sum();
    assert_eq!(left + row.amount.to_msat() + row.fee.to_msat(), sat(900_000).to_msat(), "paid once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_takes_no_payment_is_told() {
    let line = Line::start().await;
    line.carol.receive(Receives::Nothing);
    let request = request(&line.alice, &line.carol.offer(Some(sat(500))), None).await;
    let id = line.alice.begin(request).await.expect("an invoice");
    let row = line.alice.ended(id).await;
    let failure = row.failure.expect("a reason");
    assert_eq!((row.state, failure.code.as_str()), (State::Failed, "recipient_refused"), "{failure:?}");
    assert!(failure.message.contains("hidden part"), "{failure:?}");
    let parts = line.alice.handle().ledger().parts(&id).expect("the ledger reads");
    assert_eq!(parts.len(), 1, "there is no other way: {parts:?}");
    assert_eq!(parts[0].sent.failure.and_then(|why| why.channel), None, "the way to bob is none the worse");
    line.carol.receive(Receives::Keysend);
    pay(&line.alice, &line.carol.offer(Some(sat(500))), None).await;
    line.alice.audited().await;
}

/// More than one channel holds, in parts along two of them. (LDK gives no invoice by a path that is too
/// narrow for the whole: so carol is announced, and names herself.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_is_paid_in_parts() {
    let net = Net::start().await;
    let (alice, carol) = (net.node("alice").await, RawNode::start(&net, "carol").await);
    carol.connect(alice.id(), &alice.info().await.listening.expect("it listens")).await;
    for _ in 0..2 {
        carol.begin_open(alice.id(), 1_000_000, sat(900_000)).await;
    }
    net.mine_and_sync(6, &[&alice]).await;
    until("two channels that all know", async || {
        carol.announce();
        let (channels, info) = (alice.channels().await, alice.info().await);
        let usable = channels.iter().filter(|channel| TestNode::usable(channel)).count();
        (usable == 2 && info.graph_channels == 2 && carol.known_directions() == 4).then_some(())
    })
    .await;
    let row = pay(&alice, &carol.offer(Some(sat(1_200_000))), None).await;
    let parts = alice.handle().ledger().parts(&row.id).expect("the ledger reads");
    assert_eq!(parts.iter().filter(|part| part.state == State::Settled).count(), 2, "{parts:?}");
    assert!(parts.iter().all(|part| part.route == [carol.id()]), "{parts:?}");
    alice.audited().await;
}
