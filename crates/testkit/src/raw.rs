//! Raw nodes on the chain.

use crate::{Net, until};
use sponte_proto::{Msat, NodeId, ShortChannelId};
use sponte_raw::{Forwards, Keysend, Paid, RawConfig, RawHtlc, Receives, Sent};

/// A [raw node](sponte_raw::RawNode), known by its name.
pub struct RawNode {
    node: sponte_raw::RawNode,
    name: String,
}

impl RawNode {
    /// What it asks of whom it forwards for.
    pub const FEE: Msat = sponte_raw::RawNode::FEE;
    /// The blocks that it asks of whom it forwards for.
    pub const DELTA: u16 = sponte_raw::RawNode::DELTA;

    /// A node with a seed of its own, by name, at the chain's tip.
    pub async fn start(net: &Net, name: &str) -> RawNode {
        RawNode::start_with(net, name, RawConfig::default()).await
    }

    /// As [`RawNode::start`], with fees of its own.
    pub async fn start_with(net: &Net, name: &str, config: RawConfig) -> RawNode {
        let mut seed = [b'-'; 32];
        seed.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
        let node = sponte_raw::RawNode::start_with(seed, net.chain().clone(), config).await;
        RawNode { node: node.expect("loopback has a free port"), name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.node.address()
    }

    /// Connects to a node. While a connection that has just ended still seems to be there, the new one
    /// would be taken for a second one, and ended.
    pub async fn connect(&self, id: NodeId, address: &str) {
        until("the end of a raw connection", async || (!self.node.connected(&id)).then_some(())).await;
        self.node.connect(id, address).await.expect("loopback connects");
        until("a raw connection", async || self.node.connected(&id).then_some(())).await;
    }

    /// Ends the connection to a node.
    pub async fn disconnect(&self, id: &NodeId) {
        self.node.disconnect(id);
        until("the end of a raw connection", async || (!self.node.connected(id)).then_some(())).await;
    }

    /// The next HTLCs leave without the signature that commits to them.
    pub fn stutter(&self) {
        self.node.stutter();
    }

    /// Opens an unannounced channel to a connected node, paid by the chain's faucet, and waits
    /// until this side can use it. The other one gets `push` of it.
    pub async fn open(&self, net: &Net, to: NodeId, sat: u64, push: Msat) -> ShortChannelId {
        let (usable, funded) = (self.node.usable(&to).len(), self.node.funded());
        self.node.open(&to, sat, push).expect("a connected peer");
        until("a raw channel to be funded", async || (self.node.funded() > funded).then_some(())).await;
        net.chain().mine(6).await;
        until("a raw channel to be usable", async || (self.node.usable(&to).len() > usable).then_some(()))
            .await;
        self.channel(&to)
    }

    /// Asks a connected node for an announced channel, paid by the chain's faucet, and waits until
    /// its funding is on its way. The other one gets `push` of it.
    pub async fn begin_open(&self, to: NodeId, sat: u64, push: Msat) {
        let funded = self.node.funded();
        self.node.open_announced(&to, sat, push).expect("a connected peer");
        until(&format!("a channel of {} to be funded", self.name), async || {
            (self.node.funded() > funded).then_some(())
        })
        .await;
    }

    /// Tells the network its name and features.
    pub fn announce(&self) {
        self.node.announce(&self.name);
    }

    /// Tells its peers all that it knows of announced channels, once more.
    pub fn retell(&self) {
        self.node.retell();
    }

    /// In how many directions it knows announced channels.
    pub fn known_directions(&self) -> usize {
        self.node.known_directions()
    }

    /// Chooses what it does with HTLCs that it is to forward, those that it keeps too.
    pub fn choose(&self, forwards: Forwards) {
        self.node.choose(forwards);
    }

    /// How many HTLCs it keeps.
    pub fn kept(&self) -> usize {
        self.node.kept()
    }

    /// Waits until it keeps so many HTLCs.
    pub async fn keeps(&self, htlcs: usize) {
        until(&format!("{} to keep {htlcs} HTLCs", self.name), async || {
            (self.node.kept() == htlcs).then_some(())
        })
        .await;
    }

    /// Chooses which payments it takes.
    pub fn receive(&self, receives: Receives) {
        self.node.receive(receives);
    }

    /// How many HTLCs its channels hold, either way.
    pub fn htlcs(&self) -> usize {
        self.node.htlcs()
    }

    /// Pays by LDK's own `send_spontaneous_payment`.
    ///
    /// # Errors
    /// LDK's reason.
    pub async fn pay(&self, keysend: Keysend) -> Paid {
        self.node.pay(keysend).await
    }

    /// An offer (BOLT 12) of its own, over any amount if none is given.
    ///
    /// # Panics
    /// Nobody could ask it for an invoice.
    pub fn offer(&self, amount: Option<Msat>) -> String {
        self.node.offer(amount).expect("somebody can ask")
    }

    /// An invoice (BOLT 11) of its own, over any amount if none is given.
    pub fn invoice(&self, amount: Option<Msat>) -> String {
        self.node.invoice(amount).expect("it signs")
    }

    /// Whether it answers nobody who asks for an invoice, from now on.
    pub fn keep_silent(&self, silent: bool) {
        self.node.keep_silent(silent);
    }

    /// How often it was asked for an invoice.
    pub fn asked(&self) -> usize {
        self.node.asked()
    }

    /// Whether it is connected to a node.
    pub fn connected(&self, id: &NodeId) -> bool {
        self.node.connected(id)
    }

    /// Whether it has a usable channel to a node.
    pub fn is_usable(&self, to: &NodeId) -> bool {
        !self.node.usable(to).is_empty()
    }

    /// The newest usable channel to a node.
    ///
    /// # Panics
    /// There is none.
    pub fn channel(&self, to: &NodeId) -> ShortChannelId {
        self.node.usable(to).last().expect("a usable channel").0
    }

    /// Waits until it can send so much over some channel to a node.
    pub async fn can_send(&self, to: &NodeId, amount: Msat) {
        until("a raw channel to be usable", async || {
            self.node.usable(to).iter().any(|(_, most)| *most >= amount).then_some(())
        })
        .await;
    }

    /// Sends an HTLC.
    ///
    /// # Panics
    /// LDK does not let it leave.
    pub fn send(&self, htlc: RawHtlc) -> Sent {
        self.node.send(htlc).expect("a sound route")
    }
}
