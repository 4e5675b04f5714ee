//! The smallest amounts, and nearly all that a channel has.

use crate::fields::{
    assert_same_between_lnds, assert_same_fees_through_lnd, assert_same_keysend, assert_same_keysend_in,
    assert_same_ours,
};
use crate::table::{Way, begin};
use crate::world::{Told, World, msat, pay};
use sponte_engine::commit::Kind;
use sponte_node::PaymentRequest;
use sponte_peers::{Lnd, LndConfig, LndPay, LndPayment};
use sponte_proto::{NodeId, Preimage, Records};
use sponte_testkit::TestNode;

/// In msat. Both ends have a million satoshi, less the reserve and what the opener keeps for fees.
const AMOUNTS: [(&str, u64); 4] =
    [("1 msat", 1), ("1 sat", 1_000), ("below dust", 300_000), ("near the channel's capacity", 950_000_000)];

/// LND sends nothing below a satoshi, unless told otherwise.
async fn start() -> World {
    World::with(LndConfig { more: vec!["--bitcoin.minhtlcout=1".into()], ..LndConfig::default() }).await
}

async fn keysend(from: &TestNode, to: NodeId, amount: u64) -> Told {
    let asked = TestNode::request_to(to, &format!("{amount}msat"));
    pay(from, PaymentRequest { kind: Some(Kind::Keysend), ..asked }).await
}

async fn keysend_of_lnd(from: &Lnd, to: NodeId, amount: u64) -> LndPayment {
    // Each amount once, so that no hash comes twice.
    let mut preimage = [7; 32];
    preimage[..8].copy_from_slice(&amount.to_be_bytes());
    let ask = LndPay::keysend(to, msat(amount), Preimage::from_bytes(preimage), &Records::new());
    from.pay(ask).await.expect("it begins")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn from_one_msat_to_nearly_all() {
    let world = start().await;
    let World { alice, lana, carol, .. } = &world;
    for (row, amount) in AMOUNTS {
        let cell = begin(row, Way::ToLnd);
        assert_same_keysend(&keysend(alice, lana.id(), amount).await, lana).await;
        cell.passes();

        let cell = begin(row, Way::FromLnd);
        let paid = keysend_of_lnd(lana, carol.id(), amount).await;
        assert_same_keysend_in(&paid, carol, &Records::new()).await;
        cell.passes();
    }
    world.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn from_one_msat_to_nearly_all_through_the_other() {
    let world = start().await;
    let World { alice, lana, carol, lutz, .. } = &world;
    let mut through = vec![];
    for (row, amount) in AMOUNTS {
        let cell = begin(row, Way::ThroughLnd);
        let told = keysend(alice, carol.id(), amount).await;
        assert_eq!(assert_same_ours(&told, carol).await.amount, msat(amount));
        through.push((cell, told));

        // What lana has for carol serves both ways.
        keysend(carol, lana.id(), amount).await.settled();
        let cell = begin(row, Way::ThroughSponte);
        let earned = world.earned();
        let paid = keysend_of_lnd(lana, lutz.id(), amount).await;
        assert_eq!(assert_same_between_lnds(&paid, lutz, &Records::new()).await.paid, msat(amount));
        world.earned_since(earned, paid.fee).await;
        cell.passes();
    }
    assert_same_fees_through_lnd(lana, &through.iter().map(|(_, told)| told).collect::<Vec<_>>()).await;
    through.into_iter().for_each(|(cell, _)| cell.passes());
    world.audited().await;
}
