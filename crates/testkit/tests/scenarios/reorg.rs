//! A reorg takes the block of a funding transaction.

use sponte_engine::commit::State;
use sponte_testkit::{Net, TestNode, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_funding_transaction_is_mined_again_after_a_reorg() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let bob = net.node("bob").await;
    net.fund(&alice, 2_000_000).await;
    alice.connect(&bob).await;
    let opened = alice.open(&bob, 1_000_000, false).await.expect("the channel opens");
    net.mempool_holds(1).await;
    // Not enough for either to use it.
    net.mine_and_sync(1, &[]).await;
    let lost = net.chain().tip_hash().await;
    net.synced(&[&alice, &bob]).await;

    net.chain().invalidate(&lost).await;
    net.mempool_holds(1).await;
    net.mine_and_sync(7, &[&alice, &bob]).await;

    for node in [&alice, &bob] {
        until("the channel to be usable", async || {
            node.channel(opened.channel).await.filter(TestNode::usable).map(drop)
        })
        .await;
    }
    assert_eq!(alice.pay(&bob, "50sat").await.state, State::Settled);
    alice.audited().await;
    bob.audited().await;
}
