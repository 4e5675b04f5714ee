//! The node: LDK with nothing around it, in memory.

use super::handler::RawHandler;
use super::htlc::{Onion, RawHtlc, Sent};
use crate::{Net, until};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use bitcoin::{Address, Amount, Network, ScriptBuf, Transaction};
use lightning::blinded_path::payment::{BlindedPaymentPath, ReceiveTlvs};
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::chainmonitor::{self, Persist};
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::chain::transaction::OutPoint;
use lightning::chain::{BlockLocator, ChannelMonitorUpdateStatus, Filter, Listen as _};
use lightning::events::{Event, EventsProvider as _};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::{self, ChainParameters, PaymentId};
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::ln::peer_handler::{self, IgnoringMessageHandler, MessageHandler};
use lightning::onion_message::messenger::NullMessageRouter;
use lightning::routing::router::{InFlightHtlcs, Path, Route, RouteHop, RouteParameters, Router};
use lightning::sign::{
    EntropySource as _, InMemorySigner, KeysManager, NodeSigner as _, ReceiveAuthKey, Recipient,
};
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret};
use lightning::util::config::{MaxDustHTLCExposure, UserConfig};
use lightning::util::logger::{Logger, Record};
use lightning::util::persist::MonitorName;
use lightning_net_tokio::SocketDescriptor;
use sponte_chain::{ChainHandle, UnixTime};
use sponte_proto::{Msat, NodeId, ShortChannelId};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

struct Silent;

impl Logger for Silent {
    fn log(&self, record: Record) {
        tracing::debug!(target: "raw", "{}", record.args);
    }
}

struct Fees;

impl FeeEstimator for Fees {
    fn get_est_sat_per_1000_weight(&self, _: ConfirmationTarget) -> u32 {
        253
    }
}

/// Into the chain's mempool; what it does not take is nobody's business here.
struct Broadcaster(ChainHandle);

impl BroadcasterInterface for Broadcaster {
    fn broadcast_transactions(&self, transactions: &[(&Transaction, TransactionType)]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixTime::from_secs(now.as_secs() as u32);
        for (transaction, _) in transactions {
            let taken = self.0.lock().chain_mut().accept_transaction((*transaction).clone(), now);
            tracing::debug!(target: "raw", ?taken, "broadcast");
        }
    }
}

struct Forgetful;

impl Persist<InMemorySigner> for Forgetful {
    fn persist_new_channel(
        &self,
        _: MonitorName,
        _: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        ChannelMonitorUpdateStatus::Completed
    }

    fn update_persisted_channel(
        &self,
        _: MonitorName,
        _: Option<&ChannelMonitorUpdate>,
        _: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        ChannelMonitorUpdateStatus::Completed
    }

    fn archive_persisted_channel(&self, _: MonitorName) {}
}

/// Every route is the test's.
struct NoRoutes;

impl Router for NoRoutes {
    fn find_route(
        &self,
        _: &PublicKey,
        _: &RouteParameters,
        _: Option<&[&ChannelDetails]>,
        _: InFlightHtlcs,
    ) -> Result<Route, &'static str> {
        Err("routes are given")
    }

    fn create_blinded_payment_paths<T: bitcoin::secp256k1::Signing + bitcoin::secp256k1::Verification>(
        &self,
        _: PublicKey,
        _: ReceiveAuthKey,
        _: Vec<ChannelDetails>,
        _: ReceiveTlvs,
        _: Option<u64>,
        _: &Secp256k1<T>,
    ) -> Result<Vec<BlindedPaymentPath>, ()> {
        Err(())
    }
}

type Monitor = chainmonitor::ChainMonitor<
    InMemorySigner,
    Arc<dyn Filter + Send + Sync>,
    Arc<Broadcaster>,
    Arc<Fees>,
    Arc<Silent>,
    Arc<Forgetful>,
    Arc<KeysManager>,
>;
type Manager = channelmanager::ChannelManager<
    Arc<Monitor>,
    Arc<Broadcaster>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Fees>,
    Arc<NoRoutes>,
    Arc<NullMessageRouter>,
    Arc<Silent>,
>;
type Peers = peer_handler::PeerManager<
    SocketDescriptor,
    Arc<RawHandler<Manager>>,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
    Arc<Silent>,
    IgnoringMessageHandler,
    Arc<KeysManager>,
    Arc<Monitor>,
>;

/// A node of plain LDK, known by its name.
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
    chain: ChainHandle,
    /// Channels whose funding both sides have signed.
    funded: AtomicUsize,
}

impl Drop for RawNode {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
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

    /// A node with a seed of its own, by name, at the chain's tip.
    pub async fn start(net: &Net, name: &str) -> RawNode {
        let mut seed = [b'-'; 32];
        seed.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
        let inner = Arc::new(Inner::new(seed, net.chain().clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let peers = inner.peers.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = stream.into_std().expect("a socket");
                tokio::spawn(lightning_net_tokio::setup_inbound(peers.clone(), stream));
            }
        });
        let driven = inner.clone();
        let driving = tokio::spawn(async move {
            loop {
                driven.turn();
                let wake = driven.manager.get_event_or_persistence_needed_future();
                let _ = tokio::time::timeout(Duration::from_millis(10), wake).await;
            }
        });
        RawNode { inner, address, secp: Secp256k1::new(), tasks: vec![accepting, driving] }
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

    /// Connects to a node.
    pub async fn connect(&self, id: NodeId, address: &str) {
        let stream = tokio::net::TcpStream::connect(address).await.expect("loopback connects");
        let stream = stream.into_std().expect("a socket");
        tokio::spawn(lightning_net_tokio::setup_outbound(self.inner.peers.clone(), key(&id), stream));
        until("a raw connection", async || {
            self.inner.peers.peer_by_node_id(&key(&id)).is_some().then_some(())
        })
        .await;
    }

    /// Opens an unannounced channel to a connected node, paid by the chain's faucet, and waits
    /// until this side can use it. The other one gets `push` of it.
    pub async fn open(&self, net: &Net, to: NodeId, sat: u64, push: Msat) -> ShortChannelId {
        let usable = || self.channels(&to).iter().filter(|channel| channel.is_usable).count();
        let (before, funded) = (usable(), self.inner.funded.load(Ordering::Acquire));
        let opened = self.inner.manager.create_channel(key(&to), sat, push.to_msat(), 0, None, None);
        opened.expect("a connected peer");
        until("a raw channel to be funded", async || {
            (self.inner.funded.load(Ordering::Acquire) > funded).then_some(())
        })
        .await;
        net.mine(6);
        until("a raw channel to be usable", async || (usable() > before).then_some(())).await;
        self.channel(&to)
    }

    fn channels(&self, to: &NodeId) -> Vec<ChannelDetails> {
        let channels = self.inner.manager.list_channels_with_counterparty(&key(to));
        channels.into_iter().filter(|channel| channel.funding_txo.is_some()).collect()
    }

    /// The newest channel to a node.
    ///
    /// # Panics
    /// There is none that is in a block.
    pub fn channel(&self, to: &NodeId) -> ShortChannelId {
        let ids = self.channels(to).into_iter().filter_map(|channel| channel.short_channel_id);
        ShortChannelId::new(ids.max().expect("a confirmed channel"))
    }

    /// Waits until it can send so much over some channel to a node.
    pub async fn can_send(&self, to: &NodeId, amount: Msat) {
        until("a raw channel to be usable", async || {
            let channels = self.channels(to);
            let enough = |channel: &ChannelDetails| {
                channel.is_usable && channel.next_outbound_htlc_limit_msat >= amount.to_msat()
            };
            channels.iter().any(enough).then_some(())
        })
        .await;
    }

    /// Sends an HTLC.
    ///
    /// # Panics
    /// LDK does not let it leave.
    pub fn send(&self, htlc: RawHtlc) -> Sent {
        let Inner { keys, manager, handler, .. } = &*self.inner;
        let session_key = SecretKey::from_slice(&keys.get_secure_random_bytes()).expect("a key");
        let (final_delta, last) = (htlc.final_delta, htlc.route.len() - 1);
        let hops = htlc.route.iter().enumerate().map(|(number, hop)| RouteHop {
            pubkey: key(&hop.node),
            node_features: NodeFeatures::empty(),
            short_channel_id: hop.channel.to_u64(),
            channel_features: ChannelFeatures::empty(),
            fee_msat: if number == last { htlc.amount.to_msat() } else { hop.fee.to_msat() },
            cltv_expiry_delta: u32::from(if number == last { final_delta } else { hop.delta }),
            maybe_announced_channel: false,
        });
        let path = Path { hops: hops.collect(), blinded_tail: None };
        let fields = RecipientOnionFields::secret_only(PaymentSecret([0; 32]), htlc.amount.to_msat());
        let (hash, onion) = Onion::new(&self.secp, &session_key, htlc);
        let sent = Sent { hash, end: onion.end.clone() };
        let hash = LdkHash(hash.to_bytes());
        handler.expect(hash, onion);
        let id = PaymentId(keys.get_secure_random_bytes());
        let route = Route { paths: vec![path], route_params: None };
        manager.send_payment_with_route(route, hash, fields, id).expect("a sound route");
        self.inner.peers.process_events();
        sent
    }
}

impl Inner {
    fn new(seed: [u8; 32], chain: ChainHandle) -> Inner {
        let keys = Arc::new(KeysManager::new(&seed, 1, 1, true));
        let (log, fees) = (Arc::new(Silent), Arc::new(Fees));
        let broadcaster = Arc::new(Broadcaster(chain.clone()));
        let monitor = Arc::new(Monitor::new(
            None,
            broadcaster.clone(),
            log.clone(),
            fees.clone(),
            Arc::new(Forgetful),
            keys.clone(),
            keys.get_peer_storage_key(),
            false,
        ));
        let (hash, height) = {
            let regtest = chain.lock();
            let tip = regtest.chain().tip();
            (tip.hash, tip.height)
        };
        let params =
            ChainParameters { network: Network::Regtest, best_block: BlockLocator::new(hash, height) };
        let manager = Arc::new(Manager::new(
            fees,
            monitor.clone(),
            broadcaster,
            Arc::new(NoRoutes),
            Arc::new(NullMessageRouter {}),
            log.clone(),
            keys.clone(),
            keys.clone(),
            keys.clone(),
            config(),
            params,
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
        Inner { keys, manager, monitor, handler, peers, chain, funded: AtomicUsize::new(0) }
    }

    /// Blocks, then LDK's work, then messages.
    fn turn(&self) {
        self.connect_blocks();
        self.manager.process_pending_htlc_forwards();
        let handle = |event: Event| {
            self.handle(event);
            Ok(())
        };
        self.manager.process_pending_events(&handle);
        self.monitor.process_pending_events(&handle);
        self.peers.process_events();
    }

    /// It is not made for reorgs.
    fn connect_blocks(&self) {
        loop {
            let next = self.manager.current_best_block().height + 1;
            let block = {
                let regtest = self.chain.lock();
                let hash = regtest.chain().block_hash_at(next);
                hash.and_then(|hash| regtest.chain().block(&hash)).map(|node| node.block.clone())
            };
            let Some(block) = block else { return };
            self.monitor.block_connected(&block, next);
            self.manager.block_connected(&block, next);
        }
    }

    fn handle(&self, event: Event) {
        match event {
            Event::OpenChannelRequest { temporary_channel_id, counterparty_node_id, .. } => {
                let accepted = self.manager.accept_inbound_channel(
                    &temporary_channel_id,
                    &counterparty_node_id,
                    0,
                    None,
                );
                accepted.expect("it is asked once");
            }
            Event::FundingGenerationReady {
                temporary_channel_id,
                counterparty_node_id,
                channel_value_satoshis,
                output_script,
                ..
            } => {
                let funding = self.fund(&output_script, Amount::from_sat(channel_value_satoshis));
                let funded = self.manager.unsafe_manual_funding_transaction_generated(
                    temporary_channel_id,
                    counterparty_node_id,
                    funding,
                );
                funded.expect("the channel waits for it");
            }
            Event::ChannelPending { .. } => {
                self.funded.fetch_add(1, Ordering::AcqRel);
            }
            _ => {}
        }
    }

    fn fund(&self, script: &ScriptBuf, value: Amount) -> OutPoint {
        let address = Address::from_script(script, Network::Regtest).expect("a script of LDK's");
        let txid = self.chain.send(&address, value).expect("the faucet has enough");
        let regtest = self.chain.lock();
        let entry = regtest.chain().mempool_entry(&txid).expect("it was just sent");
        let index = entry.tx.output.iter().position(|output| output.script_pubkey == *script);
        OutPoint { txid, index: index.expect("it pays the script") as u16 }
    }
}

fn config() -> UserConfig {
    let mut config = UserConfig { accept_forwards_to_priv_channels: true, ..UserConfig::default() };
    config.channel_config.forwarding_fee_base_msat = RawNode::FEE.to_msat() as u32;
    config.channel_config.forwarding_fee_proportional_millionths = 0;
    config.channel_config.cltv_expiry_delta = RawNode::DELTA;
    config.channel_config.max_dust_htlc_exposure = MaxDustHTLCExposure::FixedLimitMsat(50_000_000);
    config.channel_handshake_config.our_max_accepted_htlcs = 483;
    config.channel_handshake_config.unannounced_channel_max_inbound_htlc_value_in_flight_percentage = 100;
    config.channel_handshake_config.negotiate_anchors_zero_fee_htlc_tx = true;
    config.channel_handshake_config.minimum_depth = 1;
    config
}

fn key(id: &NodeId) -> PublicKey {
    PublicKey::from_slice(&id.to_bytes()).expect("a node's point")
}
