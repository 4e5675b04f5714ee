//! A set as large as one may be.

use super::{Payer, msat, open, received};
use sponte_engine::commit::Kind;
use sponte_proto::amp::{Child, Root, SetId, Sharer};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{Msat, PaymentSecret};
use sponte_testkit::{Net, Outcome, Sent};

const SHARDS: u16 = 1_000;
/// So small that those of one channel are not too much dust together.
const EACH: Msat = msat(10_000);
/// BOLT 2 allows 483 HTLCs in a channel.
const CHANNELS: usize = 3;

fn shards() -> Vec<Child> {
    let mut rest = Sharer::new(Root::from_bytes([1; 32]));
    let mut shards = vec![];
    for index in 0..SHARDS - 1 {
        let mut random = [2; 32];
        random[..2].copy_from_slice(&index.to_be_bytes());
        let (next, left) = rest.split(random).expect("a share");
        shards.push(next.child(u32::from(index)));
        rest = left;
    }
    shards.push(rest.child(u32::from(SHARDS)));
    shards
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes more than a minute without optimization; run before a release"]
async fn a_thousand_shards() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let mut payer = Payer::direct(&net, &carol).await;
    payer.amount = EACH;
    let mut channels = vec![payer.route[0].channel];
    while channels.len() < CHANNELS {
        channels.push(open(&net, &payer.raw, &carol).await);
    }
    let total = msat(EACH.to_msat() * u64::from(SHARDS));
    let data = PaymentData::new(PaymentSecret::from_bytes([3; 32]), total);
    let shards = shards();
    let mut sent: Vec<Sent> = vec![];
    for (shard, channel) in shards.iter().zip(channels.iter().cycle()) {
        payer.route[0].channel = *channel;
        sent.push(payer.shard(shard, data.clone(), SetId::from_bytes([4; 32])));
    }
    for (sent, shard) in sent.iter().zip(&shards) {
        assert_eq!(sent.ended().await, Outcome::Settled(shard.preimage().clone()));
    }
    let row = received(&carol, Kind::Amp).await;
    assert_eq!(row.amount, total);
    let parts = carol.handle().ledger().parts(&row.id).expect("the ledger reads");
    assert_eq!(parts.len(), usize::from(SHARDS));
    carol.audited().await;
}
