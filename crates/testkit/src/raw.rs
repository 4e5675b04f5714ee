//! Raw nodes on the private chain.

use crate::{Net, until};
use sponte_proto::{Msat, NodeId, ShortChannelId};
use sponte_raw::{RawHtlc, Sent};

/// A [raw node](sponte_raw::RawNode), known by its name.
pub struct RawNode(sponte_raw::RawNode);

impl RawNode {
    /// What it asks of whom it forwards for.
    pub const FEE: Msat = sponte_raw::RawNode::FEE;
    /// The blocks that it asks of whom it forwards for.
    pub const DELTA: u16 = sponte_raw::RawNode::DELTA;

    /// A node with a seed of its own, by name, at the chain's tip.
    pub async fn start(net: &Net, name: &str) -> RawNode {
        let mut seed = [b'-'; 32];
        seed.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
        RawNode(
            sponte_raw::RawNode::start(seed, net.chain().clone()).await.expect("loopback has a free port"),
        )
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

    /// Ends the connection to a node.
    pub async fn disconnect(&self, id: &NodeId) {
        self.0.disconnect(id);
        until("the end of a raw connection", async || (!self.0.connected(id)).then_some(())).await;
    }

    /// The next HTLCs leave without the signature that commits to them.
    pub fn stutter(&self) {
        self.0.stutter();
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
