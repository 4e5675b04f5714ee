//! One keysend over a direct channel, from the request to the answer that it is settled:
//! two real nodes in one process, each with its own database on disk.

use criterion::{Criterion, criterion_group, criterion_main};
use sponte_engine::commit::State;
use sponte_testkit::{Net, TestNode};
use std::time::Duration;

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
    let pay = async || {
        let handle = alice.handle();
        let id = alice.begin(TestNode::request(&bob, "1000sat")).await.expect("a sound request");
        let ended = handle.payment_ended(id, Duration::from_secs(10)).await.expect("the ledger reads");
        assert_eq!(ended.state, State::Settled);
    };
    let mut group = c.benchmark_group("direct");
    group.sample_size(100).measurement_time(Duration::from_secs(8));
    group.bench_function("keysend, sequential", |b| b.iter(|| runtime.block_on(pay())));
    group.finish();
    drop(net);
}

criterion_group!(benches, keysend);
criterion_main!(benches);
