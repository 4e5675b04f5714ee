//! AMP sets of 16 shards, LND's default, and of 1,000, the most there may be: splitting the root,
//! deriving every shard, and reconstructing the set at its receiver.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sponte_proto::Msat;
use sponte_proto::amp::{Child, Root, Shard, Sharer, reconstruct};
use std::hint::black_box;

const SHARDS: [usize; 2] = [16, 1_000];

fn root() -> Root {
    Root::from_bytes([1; 32])
}

/// Not zero, and different from all others; where they come from is the caller's affair.
fn random(number: usize) -> [u8; 32] {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// As a payer does: every share is split off what is left, the last one takes the rest.
fn split(shards: usize) -> Vec<Sharer> {
    let mut rest = Sharer::new(root());
    let mut parts = Vec::with_capacity(shards);
    for number in 1..shards {
        let (left, right) = rest.split(random(number)).expect("random enough");
        parts.push(left);
        rest = right;
    }
    parts.push(rest);
    parts
}

fn derive(parts: &[Sharer]) -> Vec<Child> {
    parts.iter().zip(0..).map(|(part, index)| part.child(index)).collect()
}

fn received(children: &[Child]) -> Vec<Shard> {
    let shard = |child: &Child| Shard {
        share: child.share().clone(),
        child_index: child.child_index(),
        payment_hash: child.payment_hash(),
        amount: Msat::from_sat(10).expect("small"),
    };
    children.iter().map(shard).collect()
}

fn amp(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("amp");
    for count in SHARDS {
        let parts = split(count);
        let shards = received(&derive(&parts));
        let total = Msat::from_sat(10 * count as u64).expect("small");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("split", count), |bencher| {
            bencher.iter(|| split(black_box(count)));
        });
        group.bench_function(BenchmarkId::new("derive", count), |bencher| {
            bencher.iter(|| derive(black_box(&parts)));
        });
        group.bench_function(BenchmarkId::new("reconstruct", count), |bencher| {
            bencher.iter(|| reconstruct(black_box(&shards), total).expect("all shards are here"));
        });
    }
    group.finish();
}

criterion_group!(benches, amp);
criterion_main!(benches);
