//! The smallest amounts, and nearly all that a channel has.

use crate::fields::{assert_same_keysend, assert_same_keysend_in};
use crate::table::{Cell, Way};
use crate::world::{World, msat, pay};
use sponte_engine::commit::Kind;
use sponte_node::PaymentRequest;
use sponte_peers::{LndConfig, LndPay};
use sponte_proto::{Preimage, Records};
use sponte_testkit::TestNode;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn from_one_msat_to_nearly_all() {
    // LND sends nothing below a satoshi, unless told otherwise.
    let config = LndConfig { more: vec!["--bitcoin.minhtlcout=1".into()], ..LndConfig::default() };
    let world = World::with(config).await;
    let World { alice, lana, carol, .. } = &world;
    // Both ends have a million satoshi less reserve and what the opener keeps for fees.
    let amounts = [
        ("1 msat", 1),
        ("1 sat", 1_000),
        ("below dust", 300_000),
        ("near the channel's capacity", 950_000_000),
    ];
    for (number, (row, amount)) in amounts.into_iter().enumerate() {
        let cell = Cell::new(row, Way::ToLnd);
        let request = PaymentRequest {
            kind: Some(Kind::Keysend),
            ..TestNode::request_to(lana.id(), &format!("{amount}msat"))
        };
        let told = pay(alice, request).await;
        assert_same_keysend(&told, lana).await;
        cell.passes();

        let cell = Cell::new(row, Way::FromLnd);
        let (amount, preimage) = (msat(amount), Preimage::from_bytes([number as u8 + 1; 32]));
        let paid = lana
            .pay(LndPay::keysend(carol.id(), amount, preimage, &Records::new()))
            .await
            .expect("it begins");
        assert_same_keysend_in(&paid, carol, &Records::new()).await;
        cell.passes();
    }
    world.audited().await;
}
