//! Raw nodes on the private chain.

use crate::{Net, until};
use bitcoin::{Address, Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction};
use sponte_chain::{ChainHandle, UnixTime};
use sponte_proto::{Msat, NodeId, ShortChannelId};
use sponte_raw::{RawChain, RawHtlc, Sent};
use std::time::{SystemTime, UNIX_EPOCH};

/// A [raw node](sponte_raw::RawNode), known by its name.
pub struct RawNode(sponte_raw::RawNode);

/// The private chain without HTTP.
struct InProcess(ChainHandle);

impl RawChain for InProcess {
    async fn tip(&self) -> Option<(BlockHash, u32)> {
        let regtest = self.0.lock();
        let tip = regtest.chain().tip();
        Some((tip.hash, tip.height))
    }

    async fn block(&self, height: u32) -> Option<Block> {
        let regtest = self.0.lock();
        let hash = regtest.chain().block_hash_at(height)?;
        regtest.chain().block(&hash).map(|node| Block::clone(&node.block))
    }

    async fn broadcast(&self, transaction: Transaction) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixTime::from_secs(now.as_secs() as u32);
        let taken = self.0.lock().chain_mut().accept_transaction(transaction, now);
        tracing::debug!(target: "raw", ?taken, "broadcast");
    }

    async fn give(&self, script: ScriptBuf, value: Amount) -> Option<OutPoint> {
        let address = Address::from_script(&script, Network::Regtest).ok()?;
        let txid = self.0.send(&address, value).ok()?;
        let regtest = self.0.lock();
        let entry = regtest.chain().mempool_entry(&txid)?;
        let vout = entry.tx.output.iter().position(|output| output.script_pubkey == script)?;
        Some(OutPoint { txid, vout: vout as u32 })
    }
}

impl RawNode {
    /// What it asks of whom it forwards for.
    pub const FEE: Msat = sponte_raw::RawNode::FEE;
    /// The blocks that it asks of whom it forwards for.
    pub const DELTA: u16 = sponte_raw::RawNode::DELTA;

    /// A node with a seed of its own, by name, at the chain's tip.
    pub async fn start(net: &Net, name: &str) -> RawNode {
        let mut seed = [b'-'; 32];
        seed.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
        let chain = InProcess(net.chain().clone());
        RawNode(sponte_raw::RawNode::start(seed, chain).await.expect("loopback has a free port"))
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        self.0.id()
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.0.address()
    }

    /// Connects to a node.
    pub async fn connect(&self, id: NodeId, address: &str) {
        self.0.connect(id, address).await.expect("loopback connects");
        until("a raw connection", async || self.0.connected(&id).then_some(())).await;
    }

    /// Opens an unannounced channel to a connected node, paid by the chain's faucet, and waits
    /// until this side can use it. The other one gets `push` of it.
    pub async fn open(&self, net: &Net, to: NodeId, sat: u64, push: Msat) -> ShortChannelId {
        let (usable, funded) = (self.0.usable(&to).len(), self.0.funded());
        self.0.open(&to, sat, push).expect("a connected peer");
        until("a raw channel to be funded", async || (self.0.funded() > funded).then_some(())).await;
        net.mine(6);
        until("a raw channel to be usable", async || (self.0.usable(&to).len() > usable).then_some(())).await;
        self.channel(&to)
    }

    /// The newest usable channel to a node.
    ///
    /// # Panics
    /// There is none.
    pub fn channel(&self, to: &NodeId) -> ShortChannelId {
        self.0.usable(to).last().expect("a usable channel").0
    }

    /// Waits until it can send so much over some channel to a node.
    pub async fn can_send(&self, to: &NodeId, amount: Msat) {
        until("a raw channel to be usable", async || {
            self.0.usable(to).iter().any(|(_, most)| *most >= amount).then_some(())
        })
        .await;
    }

    /// Sends an HTLC.
    ///
    /// # Panics
    /// LDK does not let it leave.
    pub fn send(&self, htlc: RawHtlc) -> Sent {
        self.0.send(htlc).expect("a sound route")
    }
}
