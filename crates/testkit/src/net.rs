//! A private chain and what is done to it.

use crate::{TestNode, until};
use bitcoin::{Address, Amount, Network};
use sponte_chain::{ChainHandle, RunningServer, Server, ServerConfig};
use std::str::FromStr;
use std::sync::Once;
use tempfile::TempDir;

/// A private chain with the folders of the nodes on it.
pub struct Net {
    chain: Option<RunningServer>,
    dir: TempDir,
}

impl Net {
    /// A new chain.
    pub async fn start() -> Net {
        static LOG: Once = Once::new();
        LOG.call_once(|| {
            let filter = tracing_subscriber::EnvFilter::from_default_env();
            let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        });
        let chain = Server::start(ServerConfig::default()).await.expect("loopback has a free port");
        Net { chain: Some(chain), dir: TempDir::new().expect("a temporary folder") }
    }

    /// The chain's server.
    pub fn server(&self) -> &RunningServer {
        self.chain.as_ref().expect("the chain runs")
    }

    /// The chain without HTTP.
    pub fn chain(&self) -> &ChainHandle {
        self.server().chain()
    }

    /// A node with a new seed of its own, by name.
    pub async fn node(&self, name: &str) -> TestNode {
        TestNode::start(self.server(), self.dir.path(), name).await
    }

    /// Mines blocks, one after the other.
    pub fn mine(&self, blocks: u32) {
        self.chain().mine(blocks).expect("the chain takes its own blocks");
    }

    /// Mines until what was sent to the mempool is in a block and every node has seen it.
    pub async fn mine_and_sync(&self, blocks: u32, nodes: &[&TestNode]) {
        self.mine(blocks);
        self.synced(nodes).await;
    }

    /// Waits until the nodes are at the chain's tip.
    pub async fn synced(&self, nodes: &[&TestNode]) {
        let tip = self.chain().tip_hash().to_string();
        for node in nodes {
            until(&format!("{} to reach the tip", node.name()), async || {
                (node.info().await.block_hash == tip).then_some(())
            })
            .await;
        }
    }

    /// Gives a node confirmed coins.
    pub async fn fund(&self, node: &TestNode, sat: u64) {
        let before = node.balance().await.confirmed;
        let address = Address::from_str(&node.address().await).expect("an address");
        let address = address.require_network(Network::Regtest).expect("of regtest");
        self.chain().send(&address, Amount::from_sat(sat)).expect("the faucet has enough");
        self.mine_and_sync(1, &[node]).await;
        until("the coins to be confirmed", async || (node.balance().await.confirmed > before).then_some(()))
            .await;
    }

    /// Waits until a transaction is in the mempool.
    pub async fn mempool_holds(&self, transactions: usize) {
        until("transactions in the mempool", async || {
            (self.chain().mempool_txids().len() >= transactions).then_some(())
        })
        .await;
    }

    /// Opens a channel from one to the other and waits until both can use it, and until
    /// `onlookers` know it if it is announced.
    pub async fn open(&self, from: &TestNode, to: &TestNode, sat: u64, announce: bool, all: &[&TestNode]) {
        from.connect(to).await;
        let opened = from.open(to, sat, announce).await.expect("the channel opens");
        self.mempool_holds(1).await;
        self.mine_and_sync(6, all).await;
        for node in [from, to] {
            until(&format!("{} to use its channel", node.name()), async || {
                node.channel(opened.channel).await.filter(TestNode::usable).map(drop)
            })
            .await;
        }
        if announce {
            let scid = from.channel(opened.channel).await.and_then(|channel| channel.short_channel_id);
            assert!(scid.is_some(), "a usable channel is confirmed");
            self.gossiped(all).await;
        }
    }

    /// Alice, Bob and Carol, with announced channels of `sat` from the first to the second and
    /// from the second to the third.
    pub async fn line(&self, sat: u64) -> [TestNode; 3] {
        let nodes = [self.node("alice").await, self.node("bob").await, self.node("carol").await];
        let [alice, bob, carol] = &nodes;
        let all = [alice, bob, carol];
        self.fund(alice, 2 * sat).await;
        self.fund(bob, 2 * sat).await;
        self.open(alice, bob, sat, true, &[alice, bob]).await;
        self.synced(&all).await;
        self.open(bob, carol, sat, true, &all).await;
        nodes
    }

    /// Waits until every node knows both directions of as many public channels as there are.
    async fn gossiped(&self, all: &[&TestNode]) {
        let mut announced = std::collections::BTreeSet::new();
        for node in all {
            let channels = node.channels().await;
            announced.extend(channels.iter().filter(|c| c.announced && TestNode::usable(c)).map(|c| c.id));
        }
        for node in all {
            let channels = announced.len();
            until(&format!("{} to hear of {channels} channels", node.name()), async || {
                (node.info().await.graph_channels as usize >= channels).then_some(())
            })
            .await;
        }
    }
}
