//! A mempool that is full asks for more than what is usual: a commitment needs its child to come with it,
//! and every other transaction must pay for its last virtual byte.

use bitcoin::FeeRate;
use serde_json::{Value, json};
use sponte_engine::backend::{Admin, SendCoins};
use sponte_engine::commit::State;
use sponte_peers::Bitcoind;
use sponte_proto::Sat;
use sponte_testkit::{Chain, Net, TestNode, until};

/// Above the 10 sat/vB that commitments pay at most.
const CROWDED: FeeRate = FeeRate::from_sat_per_vb_u32(12);

async fn net() -> Net {
    Net::on(Chain::of(Bitcoind::start_with(&["-maxmempool=5"]).await).await)
}

/// Fills the mempool. With a block, nodes ask for fees anew; what it takes of the crowd makes none of it
/// cheaper.
async fn crowd(net: &Net, nodes: &[&TestNode]) {
    net.chain().crowd(CROWDED).await;
    net.mine_and_sync(1, nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind: ci/peers/install"]
async fn a_forced_close_comes_through_a_full_mempool() {
    let net = net().await;
    let (alice, bob) = (net.node("alice").await, net.node("bob").await);
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    assert_eq!(alice.pay(&bob, "300000sat").await.state, State::Settled);
    alice.audited().await;
    crowd(&net, &[&alice, &bob]).await;

    let (channel, id) = (alice.channels().await[0].id, bob.id());
    alice.handle().admin(move |reply| Admin::Disconnect(id, reply)).await.expect("it disconnects");
    alice.close(channel, true).await.expect("it closes");
    let (commitment, child) = package(&net).await;
    assert!(rate(&commitment) < 10.1, "{commitment}");
    assert!(rate(&child) > 12.0, "{child}");
    assert!(rate_with_parent(&child) > 12.0, "{child}");
    money_is_home(&net, &alice, &bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind: ci/peers/install"]
async fn a_withdrawal_at_the_least_feerate_is_taken() {
    let net = net().await;
    let alice = net.node("alice").await;
    net.fund(&alice, 2_000_000).await;
    crowd(&net, &[&alice]).await;
    let bitcoind = net.chain().bitcoind().expect("it is on one");
    for amount in [Some(500_000), Some(300_000), None] {
        let info = bitcoind.call("getmempoolinfo", json!([])).await.expect("it answers");
        let least = (info["mempoolminfee"].as_f64().expect("BTC") * 1e8).round() as u64;
        let coins = SendCoins {
            address: alice.address().await,
            amount: amount.map(|sat| Sat::new(sat).expect("in supply")),
            fee_per_kvb: Some(Sat::new(least).expect("in supply")),
        };
        let sent = alice.handle().admin(move |reply| Admin::SendCoins(coins, reply)).await.expect("enough");
        until("the withdrawal to wait", async || {
            bitcoind.call("getmempoolentry", json!([sent.txid.to_string()])).await.ok()
        })
        .await;
    }
}

/// The only two of the mempool that are kin.
async fn package(net: &Net) -> (Value, Value) {
    let bitcoind = net.chain().bitcoind().expect("it is on one");
    until("the commitment and its child", async || {
        let all = bitcoind.call("getrawmempool", json!([true])).await.expect("a list");
        let all = all.as_object().expect("by id");
        let child = all.values().find(|entry| entry["ancestorcount"] == 2)?;
        let commitment = all.get(child["depends"][0].as_str()?)?;
        Some((commitment.clone(), child.clone()))
    })
    .await
}

fn rate(entry: &Value) -> f64 {
    entry["fees"]["base"].as_f64().expect("BTC") * 1e8 / entry["vsize"].as_f64().expect("vB")
}

fn rate_with_parent(entry: &Value) -> f64 {
    entry["fees"]["ancestor"].as_f64().expect("BTC") * 1e8 / entry["ancestorsize"].as_f64().expect("vB")
}

async fn money_is_home(net: &Net, alice: &TestNode, bob: &TestNode) {
    until("everything to come home", async || {
        net.mine_and_sync(1, &[alice, bob]).await;
        let all = [alice.channels().await, bob.channels().await];
        all.iter().all(Vec::is_empty).then_some(())
    })
    .await;
    let (a, b) = (alice.balance().await.confirmed.to_sat(), bob.balance().await.confirmed.to_sat());
    assert!((1_680_000..1_700_000).contains(&a), "{a}");
    assert!((290_000..300_000).contains(&b), "{b}");
    alice.audited().await;
    bob.audited().await;
}
