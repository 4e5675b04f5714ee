//! Money and channels. All are public; bob is the cheaper way from alice to carol, dave the other:
//!
//! ```text
//!         4 BTC/100   bob   2 × 1 BTC/100
//!       /                                \
//! alice                                    carol
//!       \                                /
//!         1 BTC/100   dave  1 BTC/100
//! ```

use super::node::Node;
use super::progress::Progress;
use super::until::until;
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::OpenChannelRequest;
use sponte_proto::{Msat, Sat, Txid};

/// The value of each channel but the first.
pub const CHANNEL: Sat = Sat::new(1_000_000).expect("below the supply");
/// The value of alice's with bob: more than bob's two to carol.
const WIDE: Sat = Sat::new(4_000_000).expect("below the supply");
/// What each node gets from the faucet, in whole bitcoins, once for each channel that it opens:
/// carol too, for the fees that a forced close of her channels would cost.
const GIFT_BTC: u32 = 1;
const GIFTS: usize = 2;
/// Confirmations after which BOLT 7 lets a channel be announced.
const ANNOUNCEABLE: u32 = 6;
const CHANNELS: u32 = 5;

/// From four fresh nodes to announced channels that everybody knows of.
///
/// # Errors
/// A node or the chain refuses, or something is not so in time.
pub async fn prepare(world: &Inhabitants, progress: &Progress) -> Result<(), Failure> {
    progress.phase("mining coins for all four", fund(world)).await?;
    let fundings = progress.phase("opening five channels", open(world)).await?;
    progress.phase("mining six blocks over the channels", confirm(world, fundings)).await?;
    progress.phase("waiting until all have heard of all channels", hear(world)).await
}

async fn fund(world: &Inhabitants) -> Result<(), Failure> {
    let Inhabitants { rpc, alice, bob, carol, dave } = world;
    for node in [alice, bob, carol, dave] {
        for _ in 0..GIFTS {
            let fresh = node.client().wallet_address().await.map_err(|error| node.failure(error))?;
            rpc.give(&fresh.address, GIFT_BTC).await?;
        }
    }
    rpc.mine(1).await?;
    let all = u64::from(GIFT_BTC) * GIFTS as u64 * 100_000_000;
    let rich = async |node: &Node| {
        node.until("has its coins", |info| info.wallet.confirmed_sat.to_sat() == all).await
    };
    tokio::try_join!(rich(alice), rich(bob), rich(carol), rich(dave))?;
    Ok(())
}

/// Carol connects to those who open channels to her, so that she finds them again after a restart.
async fn open(world: &Inhabitants) -> Result<Vec<Txid>, Failure> {
    let Inhabitants { alice, bob, carol, dave, .. } = world;
    for from in [alice, carol] {
        for to in [bob, dave] {
            let connected = from.client().connect_peer(to.id(), to.listening()?).await;
            connected.map_err(|error| from.failure(error))?;
        }
    }
    for node in [bob, dave] {
        node.until("is connected to both", |info| info.peers >= 2).await?;
    }
    let alices = async {
        Ok::<_, Failure>([open_one(alice, bob, WIDE).await?, open_one(alice, dave, CHANNEL).await?])
    };
    let bobs = async { Ok([open_one(bob, carol, CHANNEL).await?, open_one(bob, carol, CHANNEL).await?]) };
    let (alices, bobs, daves) = tokio::try_join!(alices, bobs, open_one(dave, carol, CHANNEL))?;
    Ok(alices.into_iter().chain(bobs).chain([daves]).collect())
}

async fn open_one(from: &Node, to: &Node, value_sat: Sat) -> Result<Txid, Failure> {
    let request =
        OpenChannelRequest { peer: to.id(), address: None, value_sat, push_msat: Msat::ZERO, announce: true };
    let opened = from.client().open_channel(&request).await.map_err(|error| from.failure(error))?;
    Ok(opened.funding_txid)
}

async fn confirm(world: &Inhabitants, fundings: Vec<Txid>) -> Result<(), Failure> {
    let Inhabitants { rpc, alice, bob, carol, dave } = world;
    until("the funding transactions are in the mempool", async || {
        Ok(rpc.knows(&fundings).await?.then_some(()))
    })
    .await?;
    rpc.mine(ANNOUNCEABLE).await?;
    let usable = async |node: &Node, channels| {
        node.until("can use its channels", |info| info.channels_usable == channels).await
    };
    tokio::try_join!(usable(alice, 2), usable(bob, 3), usable(carol, 3), usable(dave, 2))?;
    Ok(())
}

async fn hear(world: &Inhabitants) -> Result<(), Failure> {
    let Inhabitants { alice, bob, carol, dave, .. } = world;
    let knows = async |node: &Node| {
        let all = |info: &sponte_api::Info| info.graph_channels == CHANNELS && info.graph_nodes == 4;
        node.until("knows all channels in both directions", all).await
    };
    tokio::try_join!(knows(alice), knows(bob), knows(carol), knows(dave))?;
    Ok(())
}
