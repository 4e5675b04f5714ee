//! AMP that nobody asked for.

use crate::fields::{
    assert_same_amp, assert_same_amp_between_lnds, assert_same_amp_in, assert_same_fees_through_lnd,
    assert_same_ours, records,
};
use crate::table::{Way, begin};
use crate::world::{World, listening, lnd, msat, open_channel_of, pay, send};
use sponte_engine::commit::Kind;
use sponte_node::PaymentRequest;
use sponte_peers::{LndConfig, LndPay};
use sponte_proto::{Msat, NodeId, Records};
use sponte_testkit::{Net, TestNode, until};

fn amp(to: NodeId, amount: &str, sent: &Records) -> PaymentRequest {
    PaymentRequest {
        kind: Some(Kind::Amp),
        fall_back: Some(false),
        records: sent.clone(),
        ..TestNode::request_to(to, amount)
    }
}

fn some() -> Records {
    records(&[(70_001, "odd"), (70_002, "even")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn one_shard_each_way() {
    let world = World::start().await;
    let World { alice, lana, carol, lutz, .. } = &world;
    let (row, sent) = ("AMP, 1 shard", some());

    let cell = begin(row, Way::ToLnd);
    assert_same_amp(&pay(alice, amp(lana.id(), "50000sat", &sent)).await, lana, 1).await;
    assert_same_amp(&pay(carol, amp(lana.id(), "50000sat", &sent)).await, lana, 1).await;
    cell.passes();

    let cell = begin(row, Way::FromLnd);
    for to in [alice, carol] {
        let paid = lana.pay(LndPay::amp(to.id(), msat(50_000_000), &sent)).await.expect("it begins");
        assert_same_amp_in(&paid, to, 1, &sent).await;
    }
    cell.passes();

    let cell = begin(row, Way::ThroughLnd);
    let told = pay(alice, amp(carol.id(), "50000sat", &sent)).await;
    assert_eq!(told.parts.len(), 1, "{told:#?}");
    assert_eq!(assert_same_ours(&told, carol).await.kind, Kind::Amp);
    assert_same_fees_through_lnd(lana, &[&told]).await;
    cell.passes();

    let cell = begin(row, Way::ThroughSponte);
    let earned = world.earned();
    let paid = lana.pay(LndPay::amp(lutz.id(), msat(50_000_000), &sent)).await.expect("it begins");
    assert_same_amp_between_lnds(&paid, lutz, 1, &sent).await;
    world.earned_since(earned, paid.fee).await;
    cell.passes();
    world.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_chooses_the_largest_shard() {
    let world = World::start().await;
    let World { lana, carol, lutz, .. } = &world;
    for (row, shards) in [("AMP, 3 shards", 3), ("AMP, 16 shards", 16)] {
        // LND makes none below 10,000 satoshi.
        let (amount, most) = (msat(shards as u64 * 20_000_000), msat(20_000_000));
        let shape = |to| LndPay::amp(to, amount, &some()).parts(16).shards_of(most);

        let cell = begin(row, Way::FromLnd);
        let paid = lana.pay(shape(carol.id())).await.expect("it begins");
        assert_same_amp_in(&paid, carol, shards, &some()).await;
        cell.passes();

        let cell = begin(row, Way::ThroughSponte);
        let earned = world.earned();
        let paid = lana.pay(shape(lutz.id())).await.expect("it begins");
        assert_same_amp_between_lnds(&paid, lutz, shards, &some()).await;
        world.earned_since(earned, paid.fee).await;
        cell.passes();
    }
    // A smaller limit than the amount needs: it ends in parts of at most that.
    let cell = begin("AMP with max_shard_size", Way::FromLnd);
    let paid =
        lana.pay(LndPay::amp(carol.id(), msat(47_000_001), &some()).parts(16).shards_of(msat(12_000_000)));
    let paid = paid.await.expect("it begins");
    let shards = paid.attempts.len();
    assert!(paid.attempts.iter().all(|attempt| attempt.amount() <= msat(12_000_000)), "{paid:#?}");
    assert_same_amp_in(&paid, carol, shards, &some()).await;
    cell.passes();
    world.audited().await;
}

/// So many channels of 100,000 satoshi that no single one carries the amount.
async fn many_channels(channels: usize) -> (Net, TestNode, sponte_peers::Lnd) {
    let net = Net::on_bitcoind().await;
    let config = LndConfig { more: vec!["--maxpendingchannels=20".into()], ..LndConfig::default() };
    let (alice, lana) = tokio::join!(net.node("alice"), lnd(&net, "lana", config));
    for _ in 0..channels {
        send(&net, &alice.address().await, 150_000).await;
    }
    // A reserve for each channel's fees.
    send(&net, &alice.address().await, 5_000_000).await;
    net.mine_and_sync(1, &[&alice]).await;
    lana.reached(&net.chain().tip_hash().await.to_string()).await;
    until("alice's coins", async || (alice.balance().await.confirmed.to_sat() > 5_000_000).then_some(()))
        .await;
    alice.connect_to(lana.id(), &lana.address()).await;
    for _ in 0..channels {
        open_channel_of(&alice, lana.id(), 100_000, Msat::ZERO).await;
    }
    net.mempool_holds(channels).await;
    net.mine_and_sync(6, &[&alice]).await;
    until("alice's channels", async || {
        (alice.channels().await.iter().filter(|one| TestNode::usable(one)).count() == channels).then_some(())
    })
    .await;
    lana.has_active(channels).await;
    (net, alice, lana)
}

const MANY: [(&str, usize, &str); 2] =
    [("AMP, 3 shards", 3, "240000sat"), ("AMP, 16 shards", 16, "1500000sat")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn sponte_sends_three_shards_and_sixteen() {
    for (row, shards, amount) in MANY {
        let cell = begin(row, Way::ToLnd);
        let (_net, alice, lana) = many_channels(shards).await;
        let request = PaymentRequest { max_parts: 16, ..amp(lana.id(), amount, &some()) };
        assert_same_amp(&pay(&alice, request).await, &lana, shards).await;
        cell.passes();
        lana.quiet().await;
        alice.audited().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_forwards_three_shards_and_sixteen() {
    for (row, shards, amount) in MANY {
        let cell = begin(row, Way::ThroughLnd);
        let (net, alice, lana) = many_channels(shards).await;
        let carol = net.node("carol").await;
        send(&net, &lana.coin_address().await, 5_000_000).await;
        net.mine_and_sync(1, &[&alice, &carol]).await;
        until("lana's coins", async || (lana.confirmed_sat().await > 0).then_some(())).await;
        lana.connect(carol.id(), &listening(&carol).await).await;
        lana.open(carol.id(), 3_000_000, 0).await;
        net.mempool_holds(1).await;
        net.mine_and_sync(6, &[&alice, &carol]).await;
        lana.has_active(shards + 1).await;
        until("alice to hear of carol's channel", async || {
            (alice.info().await.graph_channels as usize == shards + 1).then_some(())
        })
        .await;
        // Each shard costs what lana asks for one.
        let request =
            PaymentRequest { max_parts: 16, max_fee: Some(msat(50_000)), ..amp(carol.id(), amount, &some()) };
        let told = pay(&alice, request).await;
        assert_eq!(told.settled().len(), shards, "{told:#?}");
        assert_eq!(assert_same_ours(&told, &carol).await.kind, Kind::Amp);
        assert_same_fees_through_lnd(&lana, &[&told]).await;
        cell.passes();
        lana.quiet().await;
        alice.audited().await;
        carol.audited().await;
    }
}
