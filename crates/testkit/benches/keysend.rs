//! Keysend over a direct channel, from the request to the durable answer that it is settled: two
//! real nodes in one process, each with its own database on disk.
//!
//! "one payment" begins when nothing is under way. "back to back" begins at once when the one before
//! is settled: its payer and payee still exchange the commitments that remove its HTLC, and the next
//! HTLC waits for those.

use criterion::{Criterion, criterion_group, criterion_main};
use sponte_engine::commit::State;
use sponte_testkit::{Net, TestNode, until};
use std::time::{Duration, Instant};

fn keysend(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads");
    let (net, alice, bob) = runtime.block_on(async {
        let net = Net::start().await;
        let (alice, bob) = (net.node("alice").await, net.node("bob").await);
        net.fund(&alice, 20_000_000).await;
        net.open(&alice, &bob, 10_000_000, false, &[&alice, &bob]).await;
        (net, alice, bob)
    });
    let mut group = c.benchmark_group("keysend, direct");
    group.sample_size(100).measurement_time(Duration::from_secs(8));
    group.bench_function("one payment", |b| {
        b.iter_custom(|times| runtime.block_on(one_by_one(&alice, &bob, times)));
    });
    group.bench_function("back to back", |b| b.iter(|| runtime.block_on(pay(&alice, &bob))));
    group.finish();
    drop(net);
}

async fn pay(alice: &TestNode, bob: &TestNode) {
    let id = alice.begin(TestNode::request(bob, "1000sat")).await.expect("a sound request");
    let ended = alice.handle().payment_ended(id, Duration::from_secs(10)).await.expect("the ledger reads");
    assert_eq!(ended.state, State::Settled);
}

async fn one_by_one(alice: &TestNode, bob: &TestNode, times: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..times {
        quiet(alice).await;
        quiet(bob).await;
        let began = Instant::now();
        pay(alice, bob).await;
        spent += began.elapsed();
    }
    spent
}

async fn quiet(node: &TestNode) {
    let look = || async { node.channels().await.iter().all(|channel| channel.htlcs == 0).then_some(()) };
    until("no HTLC is under way", look).await;
}

criterion_group!(benches, keysend);
criterion_main!(benches);
