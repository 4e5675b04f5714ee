//! Channels that are closed while an HTLC waits in them.

use crate::fields::{assert_same_keysend, assert_same_keysend_in, assert_same_refused_keysend};
use crate::held::{begin_keysend, held, hold_all, row_of};
use crate::table::{Way, begin};
use crate::world::{World, ended, msat};
use sponte_engine::Decision;
use sponte_engine::backend::ChannelState;
use sponte_engine::commit::State;
use sponte_peers::{Lnd, LndChannel, LndConfig, LndPay, until};
use sponte_proto::{Msat, PaymentHash, PaymentId, Preimage, Records};
use sponte_testkit::TestNode;
use std::time::Duration;

async fn holding() -> World {
    let hold = Some(Duration::from_secs(36_000));
    World::with(LndConfig { hold, ..LndConfig::default() }).await
}

/// alice pays lana, who holds it.
async fn waits_at_lana(world: &World) -> (PaymentId, PaymentHash, Preimage) {
    let id = begin_keysend(&world.alice, world.lana.id()).await;
    let hash = row_of(&world.alice, id).await.hash.expect("a keysend has a hash");
    (id, hash, world.lana.holds(hash).await.preimage)
}

/// Mines until alice's payment has ended.
async fn mined_to_its_end(world: &World, id: PaymentId) -> State {
    until("a payment to end on the chain", async || {
        world.mine(1).await;
        let row = row_of(&world.alice, id).await;
        row.state.has_ended().then_some(row.state)
    })
    .await
}

/// Mines until a node has so many channels left and nothing to come.
async fn mined_until_home(world: &World, node: &TestNode, left: usize) {
    until("everything to come home", async || {
        world.mine(1).await;
        (node.channels().await.len() == left).then_some(())
    })
    .await;
    node.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn a_cooperative_close_waits_for_the_htlc() {
    let world = holding().await;
    let cell = begin("cooperative close with an HTLC pending", Way::ToLnd);
    let (id, _, preimage) = waits_at_lana(&world).await;
    let channel = world.alice.channels().await[0].id;
    world.alice.close(channel, false).await.expect("it closes");
    world.lana.settle(preimage).await;
    assert_same_keysend(&ended(&world.alice, id).await, &world.lana).await;
    world.net.mempool_holds(1).await;
    mined_until_home(&world, &world.alice, 0).await;
    cell.passes();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn sponte_closes_by_force_and_learns_the_preimage_from_the_chain() {
    let world = holding().await;
    let cell = begin("forced close with an HTLC pending, settled", Way::ToLnd);
    let (id, _, preimage) = waits_at_lana(&world).await;
    let channel = world.alice.channels().await[0].id;
    world.alice.close(channel, true).await.expect("it closes");
    world.net.mempool_holds(1).await;
    world.mine(1).await;
    world.lana.settle(preimage.clone()).await;
    assert_eq!(mined_to_its_end(&world, id).await, State::Settled);
    let told = ended(&world.alice, id).await;
    assert_eq!(told.row.preimage, Some(preimage));
    assert_same_keysend(&told, &world.lana).await;
    mined_until_home(&world, &world.alice, 0).await;
    cell.passes();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_closes_by_force_and_cancels_so_that_it_times_out() {
    let world = holding().await;
    let cell = begin("forced close with an HTLC pending, timed out", Way::ToLnd);
    let (id, hash, _) = waits_at_lana(&world).await;
    world.lana.close(&channel_with(&world.lana, &world.alice).await, true).await;
    world.net.mempool_holds(1).await;
    world.mine(1).await;
    world.lana.cancel(hash).await;
    // Its expiry is 144 blocks away.
    world.mine(140).await;
    assert_eq!(row_of(&world.alice, id).await.state, State::Pending);
    assert_eq!(mined_to_its_end(&world, id).await, State::Failed);
    assert_same_refused_keysend(&ended(&world.alice, id).await, &world.lana).await;
    mined_until_home(&world, &world.alice, 0).await;
    cell.passes();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn a_cooperative_close_by_lnd_waits_for_the_htlc() {
    let world = World::start().await;
    let World { lana, carol, .. } = &world;
    let cell = begin("cooperative close with an HTLC pending", Way::FromLnd);
    hold_all(carol).await;
    let preimage = Preimage::from_bytes([7; 32]);
    let ask = LndPay::keysend(carol.id(), msat(60_000_000), preimage.clone(), &Records::new());
    let decided = async {
        let row = held(carol).await;
        lana.close(&channel_with(lana, carol).await, false).await;
        until("carol to be asked for the end", async || {
            let channels = carol.channels().await;
            let asked =
                channels.iter().find(|one| one.peer == lana.id())?.state == ChannelState::ShuttingDown;
            asked.then_some(())
        })
        .await;
        carol.handle().decide(row.id, Decision::Settle).await.expect("it is held");
    };
    let (paid, ()) = tokio::join!(lana.pay(ask.final_delta(144)), decided);
    let paid = paid.expect("it begins");
    assert_eq!((&paid.payment_preimage, paid.fee), (&preimage, Msat::ZERO));
    assert_same_keysend_in(&paid, carol, &Records::new()).await;
    world.net.mempool_holds(1).await;
    mined_until_home(&world, carol, 1).await;
    cell.passes();
}

/// LND's channel with a node.
async fn channel_with(lnd: &Lnd, node: &TestNode) -> LndChannel {
    let all = lnd.channels().await;
    all.into_iter().find(|one| one.remote_pubkey == node.id().to_string()).expect("a channel")
}

/// The other way: what LND pays is held here, the channel closed by force, and then taken on the chain.
async fn held_here(by_lnd: bool) {
    let world = World::start().await;
    let World { lana, carol, .. } = &world;
    hold_all(carol).await;
    let preimage = Preimage::from_bytes([7; 32]);
    let ask =
        LndPay::keysend(carol.id(), msat(60_000_000), preimage.clone(), &Records::new()).final_delta(144);
    let decided = async {
        let row = held(carol).await;
        let mine = carol.channels().await.into_iter().find(|one| one.peer == lana.id()).expect("lana's");
        if by_lnd {
            lana.close(&channel_with(lana, carol).await, true).await;
        } else {
            carol.close(mine.id, true).await.expect("it closes");
        }
        world.net.mempool_holds(1).await;
        world.mine(1).await;
        carol.handle().decide(row.id, Decision::Settle).await.expect("it is held");
        until("carol to have taken it", async || {
            world.mine(1).await;
            (row_of(carol, row.id).await.state == State::Settled).then_some(())
        })
        .await;
        mined_until_home(&world, carol, 1).await;
    };
    let (paid, ()) = tokio::join!(lana.pay(ask), decided);
    let paid = paid.expect("it begins");
    assert_eq!((&paid.payment_preimage, paid.fee), (&preimage, Msat::ZERO));
    assert_same_keysend_in(&paid, carol, &Records::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_closes_by_force_and_sponte_takes_what_it_holds() {
    let cell = begin("forced close by LND with an HTLC pending, settled", Way::FromLnd);
    held_here(true).await;
    cell.passes();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn sponte_closes_by_force_and_takes_what_it_holds() {
    let cell = begin("forced close with an HTLC pending, settled", Way::FromLnd);
    held_here(false).await;
    cell.passes();
}
