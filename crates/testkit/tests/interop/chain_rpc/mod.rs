//! The private chain answers as bitcoind does: the same calls to both, after the same history.

mod blocks;
mod both;
mod coin;
mod compare;
mod development;
mod envelope;
mod mempool;
mod node;
mod refusals;
mod transactions;

use both::Both;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind: ci/peers/install"]
async fn the_private_chain_answers_as_bitcoind_does() {
    let mut both = Both::start().await;
    node::compare(&mut both).await;
    blocks::compare(&mut both).await;
    transactions::compare(&mut both).await;
    mempool::compare(&mut both).await;
    refusals::compare(&mut both).await;
    development::compare(&mut both).await;
    envelope::compare(&mut both).await;
    node::compare_estimates(&mut both).await;
    both.assert_same();
}
