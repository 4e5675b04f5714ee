//! A private chain, and alice - bob - carol on it.

use crate::node::Node;
use crate::random::Random;
use crate::until::{Outcome, until};
use bitcoin::{Address, Amount, Network, OutPoint};
use sponte_api::{Info, OpenChannelRequest};
use sponte_chain::{RunningServer, Server, ServerConfig};
use sponte_proto::{Msat, Sat, Txid};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
pub const CAROL: usize = 2;
/// The order of the path between them.
pub const NAMES: [&str; 3] = ["alice", "bob", "carol"];
/// Channels of each in [`World::connected`].
pub const CHANNELS: [u32; 3] = [1, 2, 1];
/// Confirmations after which BOLT 7 lets a channel be announced.
const ANNOUNCEABLE: u32 = 6;

/// A chain and three nodes, and the folder where they live: kept if the test fails.
pub struct World {
    pub chain: RunningServer,
    pub nodes: Vec<Node>,
    folder: PathBuf,
    well: bool,
}

impl World {
    /// Three nodes with coins, and no channels.
    pub async fn funded(coins_btc: u64) -> Outcome<World> {
        let folder = tempfile::Builder::new().prefix("sponte-crashes-").tempdir();
        let folder = folder.map_err(|why| format!("no temporary folder: {why}"))?.keep();
        let chain = Server::start(ServerConfig::default()).await.map_err(|why| why.to_string())?;
        let mut world = World { chain, nodes: vec![], folder, well: false };
        for name in NAMES {
            let mut node = Node::make(name, &world.folder).await?;
            node.start(&world.chain, "").await?;
            let fresh = node.client()?.wallet_address().await.map_err(|why| why.to_string())?;
            let address = Address::from_str(&fresh.address).map_err(|why| why.to_string())?;
            let address = address.require_network(Network::Regtest).map_err(|why| why.to_string())?;
            let coins = Amount::from_int_btc(coins_btc);
            world.chain.chain().send(&address, coins).map_err(|why| why.to_string())?;
            world.nodes.push(node);
        }
        world.mine(1);
        for node in &world.nodes {
            node.until("has its coins", |info| info.wallet.confirmed_sat > Sat::ZERO).await?;
        }
        world.connect().await?;
        Ok(world)
    }

    /// Three nodes with announced channels alice - bob - carol, half of each on either side. All
    /// have the network on the disk, so no kill is an excuse for not knowing the way.
    pub async fn connected(channel: Sat) -> Outcome<World> {
        let mut world = World::funded(1).await?;
        for (from, to) in [(ALICE, BOB), (BOB, CAROL)] {
            let half = Msat::from_sat(channel.to_sat() / 2).ok_or("too much")?;
            let funding = world.open(from, to, channel, half, true).await?;
            until("the funding transaction is in the mempool", async || {
                let txids = world.chain.chain().mempool_txids();
                Ok(txids.iter().any(|txid| txid.to_string() == funding.to_string()).then_some(()))
            })
            .await?;
        }
        world.mine(ANNOUNCEABLE);
        world.usable().await?;
        world.heard().await?;
        for at in 0..world.nodes.len() {
            world.nodes[at].stop().await?;
            world.restart(at, "").await?;
        }
        world.usable().await?;
        Ok(world)
    }

    /// Waits until all know both channels.
    async fn heard(&self) -> Outcome<()> {
        for node in &self.nodes {
            until(&format!("{} knows both channels", node.name), async || {
                let info = node.info().await?;
                Ok((info.graph_channels >= 2 && info.graph_nodes >= 3).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Alice and carol connect to bob, and find him again after every restart.
    pub async fn connect(&self) -> Outcome<()> {
        let bob = &self.nodes[BOB];
        for node in [&self.nodes[ALICE], &self.nodes[CAROL]] {
            let connected = node.client()?.connect_peer(bob.id(), bob.listening()).await;
            connected.map_err(|why| format!("{}: {why}", node.name))?;
        }
        Ok(())
    }

    /// Opens a channel; answers its funding transaction.
    pub async fn open(
        &self,
        from: usize,
        to: usize,
        value: Sat,
        push: Msat,
        announce: bool,
    ) -> Outcome<Txid> {
        let request = OpenChannelRequest {
            peer: self.nodes[to].id(),
            address: None,
            value_sat: value,
            push_msat: push,
            announce,
        };
        let opened = self.nodes[from].client()?.open_channel(&request).await;
        opened.map(|opened| opened.funding_txid).map_err(|why| why.to_string())
    }

    /// Whether everybody answers, can use its channels and knows the way: one look.
    pub async fn is_connected(&self) -> bool {
        for (node, channels) in self.nodes.iter().zip(CHANNELS) {
            let info = node.info().await;
            let so = |info: Info| info.channels_usable == channels && info.graph_channels >= 2;
            if !info.is_ok_and(so) {
                return false;
            }
        }
        true
    }

    /// Waits until both channels are usable at both ends.
    pub async fn usable(&self) -> Outcome<()> {
        for (node, channels) in self.nodes.iter().zip(CHANNELS) {
            node.until("can use its channels", |info| info.channels_usable == channels).await?;
        }
        Ok(())
    }

    /// Runs a node again on its folder; who connects to it does so at once.
    pub async fn restart(&mut self, at: usize, failpoints: &str) -> Outcome<()> {
        let World { chain, nodes, .. } = self;
        nodes[at].start(chain, failpoints).await?;
        self.call_back(at).await;
        Ok(())
    }

    /// Bob waits to be connected to; the others connect by themselves. One that cannot now will.
    pub async fn call_back(&self, at: usize) {
        if at == BOB {
            let bob = &self.nodes[BOB];
            for node in [&self.nodes[ALICE], &self.nodes[CAROL]] {
                if let Ok(client) = node.client() {
                    let _ = client.connect_peer(bob.id(), bob.listening()).await;
                }
            }
        }
    }

    /// Loses what the killed node had not synced yet, as a loss of power may. Answers the bytes.
    pub fn cut(&self, at: usize, random: &mut Random) -> Outcome<u64> {
        sponte_store::cut_unsynced(&self.nodes[at].dir, random.next())
            .map_err(|why| format!("cannot cut the log: {why}"))
    }

    /// Mines blocks, one after the other.
    pub fn mine(&self, blocks: u32) {
        self.chain.chain().mine(blocks).expect("the chain takes its own blocks");
    }

    /// Mines until everything in the mempool is so deep, and all nodes have seen it.
    pub async fn bury(&self, depth: u32) -> Outcome<()> {
        self.synced().await?;
        // What a node sends upon a block gets into the next one.
        for _ in 0..2 * depth {
            self.mine(1);
            self.synced().await?;
        }
        Ok(())
    }

    /// Waits until all nodes have seen all blocks.
    pub async fn synced(&self) -> Outcome<()> {
        let tip = self.chain.chain().tip_hash().to_string();
        for node in &self.nodes {
            node.until("is at the tip", |info| info.block_hash == tip).await?;
        }
        Ok(())
    }

    /// Outputs in the chain by their value, of those that are worth so much.
    pub fn outputs(&self, values_sat: Range<u64>) -> BTreeMap<u64, OutPoint> {
        let regtest = self.chain.chain().lock();
        let chain = regtest.chain();
        let hashes = (0..=chain.height()).filter_map(|height| chain.block_hash_at(height));
        let blocks = hashes.filter_map(|hash| chain.block(&hash));
        let mut found = BTreeMap::new();
        for tx in blocks.flat_map(|node| &node.block.txdata) {
            for (vout, output) in (0..).zip(&tx.output) {
                let value_sat = output.value.to_sat();
                if output.script_pubkey.is_p2wsh() && values_sat.contains(&value_sat) {
                    found.insert(value_sat, OutPoint { txid: tx.compute_txid(), vout });
                }
            }
        }
        found
    }

    /// All is well, or was not to be: nothing stays.
    pub fn end(mut self) {
        self.well = true;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.nodes.clear();
        if self.well {
            let _ = std::fs::remove_dir_all(&self.folder);
        } else {
            println!("logs and folders of the nodes are kept in {}", self.folder.display());
        }
    }
}
