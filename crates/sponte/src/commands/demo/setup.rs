//! Money and channels: alice - bob - carol, both channels public; and dave's two, to bob and to carol.

use super::node::Node;
use super::progress::Progress;
use super::until::until;
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::OpenChannelRequest;
use sponte_proto::{Msat, Sat, Txid};

/// The value of each channel.
pub const CHANNEL: Sat = Sat::new(1_000_000).expect("below the supply");
/// What each node gets from the faucet, in whole bitcoins: carol too, for the fees that a forced
/// close of her channel would cost.
const GIFT_BTC: u32 = 1;
/// Confirmations after which BOLT 7 lets a channel be announced.
const ANNOUNCEABLE: u32 = 6;

/// From three fresh nodes to two announced channels that alice knows of.
///
/// # Errors
/// A node or the chain refuses, or something is not so in time.
pub async fn prepare(world: &Inhabitants, progress: &Progress) -> Result<(), Failure> {
    progress.phase("mining coins for all three", fund(world)).await?;
    let fundings =
        progress.phase("opening alice-bob and bob-carol, and dave's channels", open(world)).await?;
    progress.phase("mining six blocks over the channels", confirm(world, fundings)).await?;
    progress.phase("waiting until alice has heard of carol's channel", hear(world)).await
}

async fn fund(world: &Inhabitants) -> Result<(), Failure> {
    let Inhabitants { rpc, alice, bob, carol, .. } = world;
    for node in [alice, bob, carol] {
        let fresh = node.client().wallet_address().await.map_err(|error| node.failure(error))?;
        rpc.give(&fresh.address, GIFT_BTC).await?;
    }
    rpc.mine(1).await?;
    let rich =
        async |node: &Node| node.until("has its coins", |info| info.wallet.confirmed_sat > CHANNEL).await;
    tokio::try_join!(rich(alice), rich(bob), rich(carol))?;
    Ok(())
}

/// Carol connects to bob, so that she finds him again after a restart.
async fn open(world: &Inhabitants) -> Result<[Txid; 2], Failure> {
    let Inhabitants { alice, bob, carol, dave, .. } = world;
    let connect = async |node: &Node| {
        let connected = node.client().connect_peer(bob.id(), bob.listening()?).await;
        connected.map_err(|error| node.failure(error))
    };
    tokio::try_join!(connect(alice), connect(carol))?;
    bob.until("is connected to both", |info| info.peers >= 2).await?;
    let (first, second, ()) =
        tokio::try_join!(open_one(alice, bob), open_one(bob, carol), dave.open(bob, carol))?;
    Ok([first, second])
}

async fn open_one(from: &Node, to: &Node) -> Result<Txid, Failure> {
    let request = OpenChannelRequest {
        peer: to.id(),
        address: None,
        value_sat: CHANNEL,
        push_msat: Msat::ZERO,
        announce: true,
    };
    let opened = from.client().open_channel(&request).await.map_err(|error| from.failure(error))?;
    Ok(opened.funding_txid)
}

async fn confirm(world: &Inhabitants, fundings: [Txid; 2]) -> Result<(), Failure> {
    let Inhabitants { rpc, alice, bob, carol, dave } = world;
    until("both funding transactions are in the mempool", async || {
        Ok(rpc.knows(&fundings).await?.then_some(()))
    })
    .await?;
    rpc.mine(ANNOUNCEABLE).await?;
    tokio::try_join!(
        alice.until("can use its channel", |info| info.channels_usable == 1),
        bob.until("can use its channels", |info| info.channels_usable == 3),
        carol.until("can use its channels", |info| info.channels_usable == 2),
        dave.ready(bob, carol),
    )?;
    Ok(())
}

async fn hear(world: &Inhabitants) -> Result<(), Failure> {
    world.alice.until("knows both channels in both directions", |info| info.graph_channels >= 2).await
}
