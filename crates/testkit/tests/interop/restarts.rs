//! LND and sponte restarted with a payment on its way.

use crate::fields::{assert_same_keysend, assert_same_keysend_in};
use crate::held::{begin_keysend, held, hold_all, row_of};
use crate::table::{Way, begin};
use crate::world::{World, ended, listening, msat};
use sponte_engine::Decision;
use sponte_engine::commit::State;
use sponte_peers::{LndConfig, LndPay, until};
use sponte_proto::{Preimage, Records};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn what_lnd_holds_outlives_restarts_of_both() {
    let hold = Some(Duration::from_secs(3_600));
    let mut world = World::with(LndConfig { hold, ..LndConfig::default() }).await;
    for (row, crash) in [("LND restarted mid-payment", false), ("LND killed mid-payment", true)] {
        let cell = begin(row, Way::ToLnd);
        let id = begin_keysend(&world.alice, world.lana.id()).await;
        let hash = row_of(&world.alice, id).await.hash.expect("a keysend has a hash");
        let preimage = world.lana.holds(hash).await.preimage;
        if crash {
            world.lana.kill();
        } else {
            world.lana.stop().await;
        }
        world.lana.run().await;
        assert_eq!(world.lana.holds(hash).await.preimage, preimage);
        assert_eq!(row_of(&world.alice, id).await.state, State::Pending);
        world.lana.settle(preimage).await;
        assert_same_keysend(&ended(&world.alice, id).await, &world.lana).await;
        world.usable().await;
        cell.passes();
    }

    let cell = begin("sponte restarted mid-payment", Way::ToLnd);
    let id = begin_keysend(&world.alice, world.lana.id()).await;
    let hash = row_of(&world.alice, id).await.hash.expect("a keysend has a hash");
    let preimage = world.lana.holds(hash).await.preimage;
    world.alice.stop().await;
    world.lana.disconnected(world.alice.id()).await;
    // She learns it as soon as she is back.
    world.lana.settle(preimage.clone()).await;
    world.alice.run().await;
    world.lana.connect(world.alice.id(), &listening(&world.alice).await).await;
    let told = ended(&world.alice, id).await;
    assert_eq!(told.row.preimage, Some(preimage));
    assert_same_keysend(&told, &world.lana).await;
    cell.passes();
    world.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn what_sponte_holds_outlives_restarts_of_both() {
    let mut world = World::start().await;
    hold_all(&world.carol).await;
    let ask = |world: &World, byte| {
        let preimage = Preimage::from_bytes([byte; 32]);
        let ask = LndPay::keysend(world.carol.id(), msat(60_000_000), preimage.clone(), &Records::new());
        (ask.final_delta(144), preimage.payment_hash())
    };
    let succeeded = async |world: &World, hash| {
        let paid = until("LND's payment to succeed", async || {
            world.lana.payment(hash).await.filter(|payment| payment.status == "SUCCEEDED")
        })
        .await;
        assert_same_keysend_in(&paid, &world.carol, &Records::new()).await.id
    };

    for (number, (row, crash)) in
        [("LND restarted mid-payment", false), ("LND killed mid-payment", true)].into_iter().enumerate()
    {
        let cell = begin(row, Way::FromLnd);
        let (pay, hash) = ask(&world, number as u8 + 1);
        // The answer is lost with the process.
        let row = tokio::select! {
            paid = world.lana.pay(pay) => panic!("it is held: {paid:?}"),
            row = held(&world.carol) => row,
        };
        if crash {
            world.lana.kill();
        } else {
            world.lana.stop().await;
        }
        world.lana.run().await;
        world.carol.handle().decide(row.id, Decision::Settle).await.expect("it is held");
        assert_eq!(succeeded(&world, hash).await, row.id);
        world.usable().await;
        cell.passes();
    }

    let cell = begin("sponte restarted mid-payment", Way::FromLnd);
    let (pay, hash) = ask(&world, 9);
    let row = tokio::select! {
        paid = world.lana.pay(pay) => panic!("it is held: {paid:?}"),
        row = held(&world.carol) => row,
    };
    world.carol.stop().await;
    for lnd in [&world.lana, &world.lutz] {
        lnd.disconnected(world.carol.id()).await;
    }
    world.carol.run().await;
    for lnd in [&world.lana, &world.lutz] {
        lnd.connect(world.carol.id(), &listening(&world.carol).await).await;
    }
    assert_eq!(row_of(&world.carol, row.id).await.state, State::Held);
    world.carol.handle().decide(row.id, Decision::Settle).await.expect("it is held");
    assert_eq!(succeeded(&world, hash).await, row.id);
    cell.passes();
    world.audited().await;
}
