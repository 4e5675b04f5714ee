//! What a node forgets of channels that ended.

use sponte_engine::backend::ChannelState;
use sponte_testkit::{Net, until};

const MONITOR: &str = "ldk.monitor";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_never_held_anything_leaves_nothing_behind() {
    let net = Net::start().await;
    let (alice, mut bob) = (net.node("alice").await, net.node("bob").await);
    net.fund(&alice, 2_000_000).await;
    alice.connect(&bob).await;
    let opened = alice.open(&bob, 1_000_000, false).await.expect("it opens");
    assert_eq!(bob.stored_keys(MONITOR).len(), 1);
    alice.close(opened.channel, true).await.expect("it closes");
    until("bob to have closed it", async || {
        bob.channels().await.iter().all(|channel| channel.state == ChannelState::Closing).then_some(())
    })
    .await;
    // It is due at each start. The next one reads what is left.
    for _ in 0..2 {
        bob.stop().await;
        bob.run().await;
        until("bob to forget it", async || bob.stored_keys(MONITOR).is_empty().then_some(())).await;
    }
    assert!(bob.stored_keys("ldk.update").is_empty());
    bob.audited().await;
    assert_eq!(alice.stored_keys(MONITOR).len(), 1, "alice has her money to wait for");
}
