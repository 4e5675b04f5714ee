//! A mempool that is full asks for more than a commitment pays: its child must come with it.

use bitcoin::FeeRate;
use serde_json::{Value, json};
use sponte_engine::backend::Admin;
use sponte_engine::commit::State;
use sponte_peers::Bitcoind;
use sponte_testkit::{Chain, Net, TestNode, until};

/// Above the 10 sat/vB that commitments pay at most.
const CROWDED: FeeRate = FeeRate::from_sat_per_vb_u32(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind: ci/peers/install"]
async fn a_forced_close_comes_through_a_full_mempool() {
    let net = Net::on(Chain::of(Bitcoind::start_with(&["-maxmempool=5"]).await).await);
    let (alice, bob) = (net.node("alice").await, net.node("bob").await);
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    assert_eq!(alice.pay(&bob, "300000sat").await.state, State::Settled);
    alice.audited().await;
    net.chain().crowd(CROWDED).await;
    // With a block, nodes ask for fees anew; what it takes of the crowd makes none of it cheaper.
    net.mine_and_sync(1, &[&alice, &bob]).await;

    let (channel, id) = (alice.channels().await[0].id, bob.id());
    alice.handle().admin(move |reply| Admin::Disconnect(id, reply)).await.expect("it disconnects");
    alice.close(channel, true).await.expect("it closes");
    let (commitment, child) = package(&net).await;
    assert!(rate(&commitment) < 10.1, "{commitment}");
    assert!(rate(&child) > 12.0, "{child}");
    assert!(rate_with_parent(&child) > 12.0, "{child}");
    money_is_home(&net, &alice, &bob).await;
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
