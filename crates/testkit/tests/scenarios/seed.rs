//! A seed alone brings back the coins.

use sponte_engine::commit::State;
use sponte_testkit::{Net, until};

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

    let home = until("the money of the lost channel", async || {
        net.mine_and_sync(1, &[&alice, &bob]).await;
        Some(bob.balance().await.confirmed.to_sat()).filter(|sat| *sat > 0)
    })
    .await;
    assert!((298_000..300_000).contains(&home), "{home} sat, less the sweep's fee");
    alice.audited().await;
    bob.audited().await;
}
