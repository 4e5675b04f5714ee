//! A set that waits while the node restarts.

use super::{DELTA, Payer, Set};
use sponte_proto::failure::FailureCode;
use sponte_testkit::{Net, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_waits_over_a_restart_and_times_out_as_such() {
    let net = Net::start().await;
    let mut carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    let set = Set::new(50);
    let first = payer.shard(&set.shards[0], set.data, set.id);
    until("the shard's row", async || (!carol.stored_keys("ldk.htlc").is_empty()).then_some(())).await;
    carol.stop().await;
    carol.run().await;
    assert_eq!(first.outcome(), None);
    payer.raw.connect(carol.id(), &carol.info().await.listening.expect("it listens")).await;
    // Three blocks before the deadline of LDK, which counts from the block that is next.
    net.mine_and_sync(u32::from(DELTA) - 39 - 2, &[&carol]).await;
    payer.assert_refused(&first, FailureCode::MPP_TIMEOUT).await;
    carol.audited().await;
}
