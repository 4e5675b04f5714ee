//! The node: LDK with nothing around it, in memory.

use crate::chain::RawChain;
use crate::config::RawConfig;
use crate::forwards::Forwards;
use crate::htlc::{Onion, RawHtlc, Sent};
use crate::inner::Inner;
use crate::parts::Peers;
use crate::pay::{Keysend, Paid};
use crate::receive::Receives;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::PaymentId;
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::routing::gossip::ChannelInfo;
use lightning::routing::router::{Path, Route, RouteHop};
use lightning::sign::{EntropySource as _, NodeSigner as _, Recipient};
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret};
use sponte_proto::{Msat, NodeId, ShortChannelId};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How often the node looks for blocks and for work.
const TURN: Duration = Duration::from_millis(10);
/// LDK gives parts of a set back that has not become complete within three of them: after a minute,
/// the least that BOLT 4 allows.
const TICK: Duration = Duration::from_secs(20);

/// A node of plain LDK.
pub struct RawNode {
    pub(crate) inner: Arc<Inner>,
    address: SocketAddr,
    secp: Secp256k1<All>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for RawNode {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl std::fmt::Debug for RawNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawNode").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RawNode {
    /// What it asks of whom it forwards for, if it is not told otherwise.
    pub const FEE: Msat = match Msat::new(1_000) {
        Some(fee) => fee,
        None => Msat::ZERO,
    };
    /// The blocks that it asks of whom it forwards for.
    pub const DELTA: u16 = 72;

    /// A node with this seed at the chain's tip, on a free port of the loopback.
    ///
    /// # Errors
    /// The chain does not answer, or there is no port.
    pub async fn start(seed: [u8; 32], chain: impl RawChain) -> io::Result<RawNode> {
        RawNode::start_with(seed, chain, RawConfig::default()).await
    }

    /// As [`RawNode::start`], with fees of its own.
    ///
    /// # Errors
    /// The chain does not answer, or there is no port.
    pub async fn start_with(seed: [u8; 32], chain: impl RawChain, config: RawConfig) -> io::Result<RawNode> {
        let tip = chain.tip().await.ok_or_else(|| io::Error::other("the chain does not answer"))?;
        let inner = Arc::new(Inner::new(seed, tip, &config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, inner.peers.clone()));
        let driven = inner.clone();
        let driving = tokio::spawn(async move {
            let mut tick = Instant::now() + TICK;
            loop {
                driven.turn(&chain).await;
                if Instant::now() >= tick {
                    tick = Instant::now() + TICK;
                    driven.manager.timer_tick_occurred();
                }
                let wake = driven.manager.get_event_or_persistence_needed_future();
                let _ = tokio::time::timeout(TURN, wake).await;
            }
        });
        Ok(RawNode { inner, address, secp: Secp256k1::new(), tasks: vec![accepting, driving] })
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        let key = self.inner.keys.get_node_id(Recipient::Node).expect("its own key");
        NodeId::from_bytes(key.serialize()).expect("a compressed point")
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Reaches a node; [`RawNode::connected`] says when they have shaken hands.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(&self, id: NodeId, address: &str) -> io::Result<()> {
        let stream = TcpStream::connect(address).await?.into_std()?;
        tokio::spawn(lightning_net_tokio::setup_outbound(self.inner.peers.clone(), key(&id), stream));
        Ok(())
    }

    /// Ends the connection to a node.
    pub fn disconnect(&self, id: &NodeId) {
        self.inner.peers.disconnect_by_node_id(key(id));
        self.inner.peers.process_events();
    }

    /// The next HTLCs leave without the signature that commits to them: the peer forgets them if
    /// the connection ends, and they are sent again (BOLT 2, "Message Retransmission").
    pub fn stutter(&self) {
        self.inner.handler.stutter();
    }

    /// Whether it is connected to a node.
    pub fn connected(&self, id: &NodeId) -> bool {
        self.inner.peers.peer_by_node_id(&key(id)).is_some()
    }

    /// Asks a connected node for an unannounced channel of so many satoshi, paid by the chain's
    /// faucet. The other one gets `push` of it.
    ///
    /// # Errors
    /// LDK's reason: it is not connected, or the amounts are out of bounds.
    pub fn open(&self, to: &NodeId, sat: u64, push: Msat) -> Result<(), String> {
        let opened = self.inner.manager.create_channel(key(to), sat, push.to_msat(), 0, None, None);
        opened.map(drop).map_err(|why| format!("{why:?}"))
    }

    /// As [`RawNode::open`], and the channel is announced once it has six confirmations.
    ///
    /// # Errors
    /// LDK's reason.
    pub fn open_announced(&self, to: &NodeId, sat: u64, push: Msat) -> Result<(), String> {
        let mut config = self.inner.manager.get_current_config();
        config.channel_handshake_config.announce_for_forwarding = true;
        let (manager, push) = (&self.inner.manager, push.to_msat());
        let opened = manager.create_channel(key(to), sat, push, 0, None, Some(config));
        opened.map(drop).map_err(|why| format!("{why:?}"))
    }

    /// How many channels have a funding transaction that both sides have signed.
    pub fn funded(&self) -> usize {
        self.inner.funded.load(Ordering::Acquire)
    }

    /// The usable channels to a node, the newest last, and the most that an HTLC over it may carry.
    pub fn usable(&self, to: &NodeId) -> Vec<(ShortChannelId, Msat)> {
        let describe = |channel: ChannelDetails| {
            let most = Msat::new(channel.next_outbound_htlc_limit_msat)?;
            channel.is_usable.then_some((ShortChannelId::new(channel.short_channel_id?), most))
        };
        let channels = self.inner.manager.list_channels_with_counterparty(&key(to));
        let mut usable: Vec<_> = channels.into_iter().filter_map(describe).collect();
        usable.sort_by_key(|(channel, _)| channel.to_u64());
        usable
    }

    /// Tells the network its name, features and address: nodes that know a channel of it listen.
    pub fn announce(&self, name: &str) {
        let mut alias = [0; 32];
        alias.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
        let address = self.address.into();
        self.inner.peers.broadcast_node_announcement([0; 3], alias, vec![address]);
        self.inner.peers.process_events();
    }

    /// Tells its peers all that it knows of announced channels, once more.
    pub fn retell(&self) {
        self.inner.handler.retell();
        self.inner.peers.process_events();
    }

    /// In how many directions it knows announced channels: two of each, once gossip has come.
    pub fn known_directions(&self) -> usize {
        let graph = self.inner.graph.read_only();
        let of = |channel: &ChannelInfo| {
            usize::from(channel.one_to_two.is_some()) + usize::from(channel.two_to_one.is_some())
        };
        graph.channels().unordered_iter().map(|(_, channel)| of(channel)).sum()
    }

    /// Chooses what it does with HTLCs that it is to forward, from now on. Those that it keeps
    /// follow the new choice.
    pub fn choose(&self, forwards: Forwards) {
        self.inner.choose(forwards);
    }

    /// How many HTLCs it keeps.
    pub fn kept(&self) -> usize {
        self.inner.keeping.count()
    }

    /// Chooses which payments it takes, from now on.
    pub fn receive(&self, receives: Receives) {
        *self.inner.receives.lock().expect("unpoisoned") = receives;
    }

    /// Pays by LDK's own `send_spontaneous_payment`, and waits for the end.
    ///
    /// # Errors
    /// LDK's reason.
    pub async fn pay(&self, keysend: Keysend) -> Paid {
        self.inner.pay(keysend).await
    }

    /// How many HTLCs its channels hold, either way.
    pub fn htlcs(&self) -> usize {
        let channels = self.inner.manager.list_channels();
        let of = |channel: &ChannelDetails| {
            channel.pending_inbound_htlcs.len() + channel.pending_outbound_htlcs.len()
        };
        channels.iter().map(of).sum()
    }

    /// Sends an HTLC.
    ///
    /// # Errors
    /// LDK does not let it leave, and why.
    pub fn send(&self, htlc: RawHtlc) -> Result<Sent, String> {
        let Inner { keys, manager, handler, .. } = &*self.inner;
        let session_key = SecretKey::from_slice(&keys.get_secure_random_bytes()).expect("a key");
        let path = path(&htlc);
        let fields = RecipientOnionFields::secret_only(PaymentSecret([0; 32]), htlc.amount.to_msat());
        let (sent, onion) = Onion::new(&self.secp, &session_key, htlc);
        let hash = LdkHash(sent.hash.to_bytes());
        handler.expect(hash, onion);
        let id = PaymentId(keys.get_secure_random_bytes());
        let route = Route { paths: vec![path], route_params: None };
        let leaves = manager.send_payment_with_route(route, hash, fields, id);
        leaves.map_err(|why| format!("{why:?}"))?;
        self.inner.peers.process_events();
        Ok(sent)
    }
}

/// The HTLC's way, as LDK has it.
fn path(htlc: &RawHtlc) -> Path {
    let last = htlc.route.len() - 1;
    let hop = |(number, hop): (usize, &crate::RawHop)| RouteHop {
        pubkey: key(&hop.node),
        node_features: NodeFeatures::empty(),
        short_channel_id: hop.channel.to_u64(),
        channel_features: ChannelFeatures::empty(),
        fee_msat: if number == last { htlc.amount.to_msat() } else { hop.fee.to_msat() },
        cltv_expiry_delta: u32::from(if number == last { htlc.final_delta } else { hop.delta }),
        maybe_announced_channel: false,
    };
    Path { hops: htlc.route.iter().enumerate().map(hop).collect(), blinded_tail: None }
}

async fn accept(listener: TcpListener, peers: Arc<Peers>) {
    while let Ok((stream, _)) = listener.accept().await {
        if let Ok(stream) = stream.into_std() {
            tokio::spawn(lightning_net_tokio::setup_inbound(peers.clone(), stream));
        }
    }
}

pub fn key(id: &NodeId) -> PublicKey {
    PublicKey::from_slice(&id.to_bytes()).expect("a node's point")
}
