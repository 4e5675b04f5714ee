//! A seed alone brings back the coins.

use sponte_engine::backend::{Admin, SendCoins};
use sponte_engine::commit::State;
use sponte_engine::{Decision, Hold, Receive};
use sponte_proto::{PaymentId, Sat};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, TestNode, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seed_alone_finds_the_coins_again() {
    let net = Net::start().await;
    let mut alice = net.node("alice").await;
    let birthday = net.chain().height().await;
    net.fund(&alice, 123_456).await;
    net.fund(&alice, 654_321).await;
    let before = alice.balance().await;
    let id = alice.id();

    alice.forget_all().await;
    alice.config_mut().birthday_height = Some(birthday);
    alice.run().await;

    assert_eq!(alice.id(), id);
    assert_eq!(alice.balance().await.confirmed, before.confirmed);
    assert_eq!(alice.balance().await.confirmed.to_sat(), 777_777);
    alice.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seed_alone_finds_what_a_peer_pays_out_of_a_lost_channel() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let mut bob = net.node("bob").await;
    let birthday = net.chain().height().await;
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    assert_eq!(alice.pay(&bob, "300000sat").await.state, State::Settled);
    alice.audited().await;
    let channel = alice.channels().await[0].id;

    bob.forget_all().await;
    bob.config_mut().birthday_height = Some(birthday);
    bob.run().await;
    alice.close(channel, true).await.expect("it closes");
    net.mempool_holds(1).await;
    net.mine_and_sync(1, &[&alice, &bob]).await;
    // What he has found and not swept is not stored.
    bob.stop().await;
    bob.run().await;

    let home = until("the money of the lost channel", async || {
        net.mine_and_sync(1, &[&alice, &bob]).await;
        Some(bob.balance().await.confirmed.to_sat()).filter(|sat| *sat > 0)
    })
    .await;
    assert!((298_000..300_000).contains(&home), "{home} sat, less the sweep's fee");
    alice.audited().await;
    bob.audited().await;
}

/// LDK pays a claim from a peer's commitment transaction to the script at which a lost channel's
/// cooperative close would pay. Taken for that, it would be swept twice, and no sweep after it confirm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_node_sweeps_the_claims_of_its_new_channels_once() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let mut bob = net.node("bob").await;
    let birthday = net.chain().height().await;
    bob.forget_all().await;
    bob.config_mut().birthday_height = Some(birthday);
    bob.run().await;
    net.fund(&alice, 2_000_000).await;
    // One may be lent to a commitment transaction of bob's.
    net.fund(&bob, 100_000).await;
    net.fund(&bob, 100_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    assert_eq!(alice.pay(&bob, "300000sat").await.state, State::Settled);

    let policy = Receive { hold: Hold::All, ..Receive::default() };
    bob.handle().set_receive(Some(policy)).await.expect("it makes sense");
    let sent = alice.begin(TestNode::request(&bob, "50000sat")).await.expect("a sound request");
    let held = until("bob to hold it", async || held(&bob)).await;
    alice.close(alice.channels().await[0].id, true).await.expect("it closes");
    net.mempool_holds(1).await;
    net.mine_and_sync(1, &[&alice, &bob]).await;
    bob.handle().decide(held, Decision::Settle).await.expect("it is held");
    // Whatever a block makes bob broadcast is in the mempool before the next one.
    for _ in 0..10 {
        withdraw(&net, &bob, &alice).await;
        net.mine_and_sync(1, &[&alice, &bob]).await;
    }
    until("everything to come home", async || {
        net.mine_and_sync(1, &[&alice, &bob]).await;
        (alice.channels().await.is_empty() && bob.channels().await.is_empty()).then_some(())
    })
    .await;
    let home = bob.balance().await.confirmed.to_sat();
    assert!((525_000..540_000).contains(&home), "{home} sat, less the fees of the claim and the sweeps");
    assert_eq!(alice.ended(sent).await.state, State::Settled);
    alice.audited().await;
    bob.audited().await;
}

/// Sends 1,000 sat on the chain, and waits until bitcoind has the transaction.
async fn withdraw(net: &Net, from: &TestNode, to: &TestNode) {
    let amount = Some(Sat::new(1_000).expect("in supply"));
    let request = SendCoins { address: to.address().await, amount, fee_per_kvb: None };
    let sent = from.handle().admin(|reply| Admin::SendCoins(request, reply)).await.expect("it has coins");
    until("the withdrawal in the mempool", async || {
        let txids = net.chain().mempool_txids().await;
        txids.iter().any(|txid| txid.to_string() == sent.txid.to_string()).then_some(())
    })
    .await;
}

/// What it holds.
fn held(node: &TestNode) -> Option<PaymentId> {
    let query = PaymentsQuery { state: Some(State::Held), limit: 1, ..PaymentsQuery::default() };
    let page = node.handle().ledger().payments(query).expect("the ledger reads");
    page.rows.first().map(|row| row.id)
}
