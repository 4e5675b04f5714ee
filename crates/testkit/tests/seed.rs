//! A seed alone brings back the coins.

use sponte_testkit::Net;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seed_alone_finds_the_coins_again() {
    let net = Net::start().await;
    let mut alice = net.node("alice").await;
    let birthday = net.chain().height();
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
