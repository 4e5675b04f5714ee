//! A chain, nodes on it, and what is done to both.

use crate::{Chain, TestNode, until};
use bitcoin::{Address, Amount, Network};
use std::str::FromStr;
use std::sync::Once;
use tempfile::TempDir;

/// A chain with the folders of the nodes on it.
pub struct Net {
    chain: Chain,
    dir: TempDir,
}

impl Net {
    /// A new chain: a bitcoind's if `SPONTE_CHAIN` is `bitcoind`, else a private one.
    ///
    /// # Panics
    /// `SPONTE_CHAIN` is something else, or bitcoind does not start.
    pub async fn start() -> Net {
        match std::env::var("SPONTE_CHAIN").as_deref() {
            Ok("bitcoind") => Net::on_bitcoind().await,
            Ok("") | Ok("private") | Err(_) => Net::on(Chain::private().await),
            Ok(other) => panic!("SPONTE_CHAIN is private or bitcoind, not {other}"),
        }
    }

    /// A new bitcoind, and its new chain.
    ///
    /// # Panics
    /// bitcoind does not start.
    pub async fn on_bitcoind() -> Net {
        Net::on(Chain::on_bitcoind().await)
    }

    /// A chain that is there.
    pub fn on(chain: Chain) -> Net {
        static LOG: Once = Once::new();
        LOG.call_once(|| {
            let filter = tracing_subscriber::EnvFilter::from_default_env();
            let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        });
        Net { chain, dir: TempDir::new().expect("a temporary folder") }
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The folder of all folders.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// A node with a new seed of its own, by name.
    pub async fn node(&self, name: &str) -> TestNode {
        TestNode::start(&self.chain, self.dir.path(), name).await
    }

    /// Mines until what was sent to the mempool is in a block and every node has seen it.
    pub async fn mine_and_sync(&self, blocks: u32, nodes: &[&TestNode]) {
        self.chain.mine(blocks).await;
        self.synced(nodes).await;
    }

    /// Waits until the nodes are at the chain's tip.
    pub async fn synced(&self, nodes: &[&TestNode]) {
        let tip = self.chain.tip_hash().await.to_string();
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
        self.chain.send(&address, Amount::from_sat(sat)).await;
        self.mine_and_sync(1, &[node]).await;
        until("the coins to be confirmed", async || (node.balance().await.confirmed > before).then_some(()))
            .await;
    }

    /// Waits until a transaction is in the mempool.
    pub async fn mempool_holds(&self, transactions: usize) {
        until("transactions in the mempool", async || {
            (self.chain.mempool_txids().await.len() >= transactions).then_some(())
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
