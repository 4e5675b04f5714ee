//! The node: LDK with nothing around it, in memory.

use crate::chain::RawChain;
use crate::handler::RawHandler;
use crate::htlc::{Onion, RawHtlc, Sent};
use crate::parts::{Fees, Forgetful, Manager, Monitor, NoRoutes, Outbox, Peers, Silent, config};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use bitcoin::{Amount, BlockHash, Network, ScriptBuf};
use lightning::chain::transaction::OutPoint;
use lightning::chain::{BlockLocator, Listen as _};
use lightning::events::{Event, EventsProvider as _, PathFailure};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::{ChainParameters, PaymentId};
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::ln::peer_handler::{IgnoringMessageHandler, MessageHandler};
use lightning::ln::types::ChannelId;
use lightning::onion_message::messenger::NullMessageRouter;
use lightning::routing::router::{Path, Route, RouteHop};
use lightning::sign::{EntropySource as _, KeysManager, NodeSigner as _, Recipient};
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret};
use sponte_proto::{Msat, NodeId, ShortChannelId};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How often the node looks for blocks and for work.
const TURN: Duration = Duration::from_millis(10);

/// A node of plain LDK.
pub struct RawNode {
    inner: Arc<Inner>,
    address: SocketAddr,
    secp: Secp256k1<All>,
    tasks: Vec<JoinHandle<()>>,
}

struct Inner {
    keys: Arc<KeysManager>,
    manager: Arc<Manager>,
    monitor: Arc<Monitor>,
    handler: Arc<RawHandler<Manager>>,
    peers: Arc<Peers>,
    outbox: Arc<Outbox>,
    /// Channels that wait for coins of the faucet.
    unfunded: Mutex<Vec<Funding>>,
    /// Channels whose funding both sides have signed.
    funded: AtomicUsize,
}

/// What a new channel needs.
#[derive(Clone)]
struct Funding {
    channel: ChannelId,
    peer: PublicKey,
    script: ScriptBuf,
    value: Amount,
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
    /// What it asks of whom it forwards for.
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
        let tip = chain.tip().await.ok_or_else(|| io::Error::other("the chain does not answer"))?;
        let inner = Arc::new(Inner::new(seed, tip));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, inner.peers.clone()));
        let driven = inner.clone();
        let driving = tokio::spawn(async move {
            loop {
                driven.turn(&chain).await;
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

impl Inner {
    fn new(seed: [u8; 32], (hash, height): (BlockHash, u32)) -> Inner {
        let keys = Arc::new(KeysManager::new(&seed, 1, 1, true));
        let (log, fees, outbox) = (Arc::new(Silent), Arc::new(Fees), Arc::new(Outbox::default()));
        let monitor = Arc::new(Monitor::new(
            None,
            outbox.clone(),
            log.clone(),
            fees.clone(),
            Arc::new(Forgetful),
            keys.clone(),
            keys.get_peer_storage_key(),
            false,
        ));
        let best_block = BlockLocator::new(hash, height);
        let manager = Arc::new(Manager::new(
            fees,
            monitor.clone(),
            outbox.clone(),
            Arc::new(NoRoutes),
            Arc::new(NullMessageRouter {}),
            log.clone(),
            keys.clone(),
            keys.clone(),
            keys.clone(),
            config(RawNode::FEE, RawNode::DELTA),
            ChainParameters { network: Network::Regtest, best_block },
            1,
        ));
        let handler = Arc::new(RawHandler::new(manager.clone()));
        let messages = MessageHandler {
            chan_handler: handler.clone(),
            route_handler: IgnoringMessageHandler {},
            onion_message_handler: IgnoringMessageHandler {},
            custom_message_handler: IgnoringMessageHandler {},
            send_only_message_handler: monitor.clone(),
        };
        let peers = Arc::new(Peers::new(messages, 1, &seed, log, keys.clone()));
        let (unfunded, funded) = (Mutex::default(), AtomicUsize::new(0));
        Inner { keys, manager, monitor, handler, peers, outbox, unfunded, funded }
    }

    /// Blocks, then LDK's work, then messages, then what the chain is to do.
    async fn turn(&self, chain: &impl RawChain) {
        while let Some(block) = chain.block(self.manager.current_best_block().height + 1).await {
            let height = self.manager.current_best_block().height + 1;
            self.monitor.block_connected(&block, height);
            self.manager.block_connected(&block, height);
        }
        self.manager.process_pending_htlc_forwards();
        let handle = |event: Event| {
            self.handle(event);
            Ok(())
        };
        self.manager.process_pending_events(&handle);
        self.monitor.process_pending_events(&handle);
        self.peers.process_events();
        for transaction in self.outbox.take() {
            chain.broadcast(transaction).await;
        }
        self.fund(chain).await;
    }

    fn handle(&self, event: Event) {
        match event {
            Event::OpenChannelRequest { temporary_channel_id, counterparty_node_id, .. } => {
                let (channel, peer) = (temporary_channel_id, counterparty_node_id);
                let accepted = self.manager.accept_inbound_channel(&channel, &peer, 0, None);
                tracing::debug!(target: "raw", ?accepted, "channel");
            }
            Event::FundingGenerationReady {
                temporary_channel_id: channel,
                counterparty_node_id: peer,
                channel_value_satoshis,
                output_script: script,
                ..
            } => {
                let value = Amount::from_sat(channel_value_satoshis);
                self.unfunded().push(Funding { channel, peer, script, value });
            }
            Event::PaymentPathFailed { payment_hash, failure: PathFailure::InitialSend { .. }, .. } => {
                self.handler.unsent(payment_hash)
            }
            Event::ChannelPending { .. } => {
                self.funded.fetch_add(1, Ordering::AcqRel);
            }
            _ => {}
        }
    }

    /// Pays for the channels that wait; those that the faucet pays nothing for wait on.
    async fn fund(&self, chain: &impl RawChain) {
        let waiting = std::mem::take(&mut *self.unfunded());
        for funding in waiting {
            let Some(output) = chain.give(funding.script.clone(), funding.value).await else {
                self.unfunded().push(funding);
                continue;
            };
            let index = u16::try_from(output.vout).unwrap_or(u16::MAX);
            let output = OutPoint { txid: output.txid, index };
            let Funding { channel, peer, .. } = funding;
            let funded = self.manager.unsafe_manual_funding_transaction_generated(channel, peer, output);
            tracing::debug!(target: "raw", ?funded, "funding");
        }
    }

    fn unfunded(&self) -> std::sync::MutexGuard<'_, Vec<Funding>> {
        self.unfunded.lock().expect("unpoisoned")
    }
}

fn key(id: &NodeId) -> PublicKey {
    PublicKey::from_slice(&id.to_bytes()).expect("a node's point")
}
