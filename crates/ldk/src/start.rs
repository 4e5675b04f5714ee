//! From stored bytes to a running node.
//!
//! The order matters (each line was paid for with crashes): monitors with all their updates,
//! the manager with them, blocks replayed to each monitor from its own height, then
//! `load_existing_monitor`, then completion of first monitors that were in flight; buffered
//! events are drained before the manager's own blocks; only then is it asked what it knows.

use crate::bumps::Bumps;
use crate::chain::{ChainError, ChainOptions, ChainSource, SyncedTip};
use crate::closing::ClosingBook;
use crate::convert::channel_id;
use crate::cooperative::CooperativeCloses;
use crate::entropy::Entropy;
use crate::gossip::Gossip;
use crate::handler::Handler;
use crate::htlcs::Htlcs;
use crate::interpreter::Interpreter;
use crate::links;
use crate::log::Log;
use crate::offers::{Answers, Asks, Limited};
use crate::peers::PeerBook;
use crate::persist::{MONITOR, Persister, STATE, SWEEPER, SweeperStore, UPDATE};
use crate::recovery::Recovery;
use crate::seed::Seed;
use crate::sent::SentHtlcs;
use crate::step::MANAGER;
use crate::ticks::{GRAPH, SCORER, Ticks};
use crate::types::{
    ChainMonitor, ChannelManager, ChannelMonitor, Graph, MessageRouter, Messenger, NetworkSync, PathFinder,
    PeerManager, Scorer, Sweeper,
};
use crate::wallet::{self, Wallet};
use crate::{Config, Later, Ldk, Parts, Wake};
use crate::{onion_fields, translate};
use bitcoin::block::Header;
use lightning::chain::channelmonitor::ChannelMonitorUpdate;
use lightning::chain::transaction::TransactionData;
use lightning::chain::{BlockLocator, ChannelMonitorUpdateStatus, Listen};
use lightning::events::bump_transaction::sync::BumpTransactionEventHandlerSync;
use lightning::ln::channelmanager::{ChainParameters, ChannelManagerReadArgs};
use lightning::ln::msgs::SocketAddress;
use lightning::ln::peer_handler::{IgnoringMessageHandler, MessageHandler};
use lightning::routing::scoring::{ProbabilisticScoringDecayParameters, ProbabilisticScoringFeeParameters};
use lightning::sign::{EntropySource, KeysManager, NodeSigner, Recipient};
use lightning::util::ser::{Readable, ReadableArgs};
use lightning::util::wallet_utils::WalletSync;
use sponte_proto::BlockHeight;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// Why the node did not start. One line each, that says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// bitcoind does not answer as it must.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Stored bytes that LDK or the wallet cannot read.
    #[error(
        "the stored {what} cannot be read ({why}): do NOT start from an older copy or an empty folder, which can cost all that is in channels; update sponte if a newer one wrote it, or ask the peers to close by force and run `sponte init --restore` in a new directory"
    )]
    Unreadable {
        /// Which.
        what: &'static str,
        /// What was said.
        why: String,
    },
    /// The wallet was born in a block that is not there yet.
    #[error(
        "the birthday {birthday} lies above bitcoind's tip {tip}: correct the file `birthday`, or wait until bitcoind is in sync"
    )]
    Birthday {
        /// The height that the user gave.
        birthday: u32,
        /// The height of bitcoind's best block.
        tip: u32,
    },
    /// An address to announce.
    #[error("cannot announce `{0}`: write it as host:port")]
    Announce(String),
    /// LDK is not the one that translation and sending were written for.
    #[error(
        "LDK does not read or write {0} as this version of sponte expects: its formats have changed, and payments could be lost; run a sponte that was built with the LDK that it names"
    )]
    Translation(&'static str),
    /// The port for peers.
    #[error("cannot listen for peers on {address}: {error}; choose another address with --listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
}

/// The node id that LDK derives from a seed.
pub fn node_id_of(seed: &Seed) -> sponte_proto::NodeId {
    let keys = KeysManager::new(&seed.ldk_seed(), 0, 0, true);
    crate::convert::node_id(&keys.get_node_id(Recipient::Node).expect("a node's own key is always at hand"))
}

/// What the node's sealed batches once wrote, by namespace, in key order.
#[derive(Default)]
pub struct Stored(BTreeMap<&'static str, Vec<(String, Vec<u8>)>>);

/// Every namespace that the node writes.
const NAMESPACES: [&str; 10] = [
    STATE,
    MONITOR,
    UPDATE,
    SWEEPER,
    PeerBook::NAMESPACE,
    ClosingBook::NAMESPACE,
    CooperativeCloses::NAMESPACE,
    Htlcs::NAMESPACE,
    SentHtlcs::NAMESPACE,
    wallet::NAMESPACE,
];

impl Stored {
    /// Reads each namespace once.
    ///
    /// # Errors
    /// What `read` says.
    pub fn read<E>(read: impl Fn(&str) -> Result<Vec<(String, Vec<u8>)>, E>) -> Result<Stored, E> {
        let entries = NAMESPACES.into_iter().map(|namespace| Ok((namespace, read(namespace)?)));
        Ok(Stored(entries.collect::<Result<_, E>>()?))
    }

    fn take(&mut self, namespace: &str) -> Vec<(String, Vec<u8>)> {
        self.0.remove(namespace).unwrap_or_default()
    }
}

fn unreadable(what: &'static str, why: impl std::fmt::Debug) -> StartError {
    StartError::Unreadable { what, why: format!("{why:?}") }
}

/// What is shared by all parts while they are made.
struct Bench {
    config: Config,
    chain: ChainSource,
    keys: Arc<KeysManager>,
    entropy: Arc<Entropy>,
    persister: Arc<Persister>,
    log: Arc<Log>,
    wallet: Arc<Wallet>,
    graph: Arc<Graph>,
    scorer: Arc<RwLock<Scorer>>,
    router: Arc<PathFinder>,
    monitor: Arc<ChainMonitor>,
}

impl Ldk {
    /// Loads or creates the node. Blocks until bitcoind answers and all blocks up to its tip
    /// are replayed to monitors and wallet.
    ///
    /// # Errors
    /// bitcoind refuses, stored bytes are damaged, or the port is taken.
    pub fn open(
        config: Config,
        seed: &Seed,
        mut stored: Stored,
        runtime: tokio::runtime::Handle,
        waker: Wake,
    ) -> Result<Ldk, StartError> {
        let _context = runtime.enter();
        translate::self_test().and_then(|()| onion_fields::self_test()).map_err(StartError::Translation)?;
        let listener = bind(&config)?;
        let announce = announced(&config)?;
        let chain = connect(&config)?;
        let tip = chain.best_tip()?;
        let peers = PeerBook::load(&stored.take(PeerBook::NAMESPACE));
        let closing = ClosingBook::load(&stored.take(ClosingBook::NAMESPACE), tip.height)
            .map_err(|key| unreadable("closed channel", key))?;
        let cooperative = CooperativeCloses::load(&stored.take(CooperativeCloses::NAMESPACE))
            .map_err(|key| unreadable("cooperative close", key))?;
        let htlcs = Htlcs::load(&stored.take(Htlcs::NAMESPACE)).map_err(|key| unreadable("HTLC", key))?;
        let sent = SentHtlcs::load(&stored.take(SentHtlcs::NAMESPACE))
            .map_err(|key| unreadable("sent HTLC", key))?;
        let state: HashMap<String, Vec<u8>> = stored.take(STATE).into_iter().collect();
        let coins = stored.take(wallet::NAMESPACE);
        let bench = Bench::new(config, chain, seed, coins, &state, &tip)?;
        let monitors = bench.read_monitors(stored.take(MONITOR), stored.take(UPDATE))?;
        let manager = bench.manager(state.get(MANAGER), &monitors, &tip)?;
        let sweeper = bench.sweeper(stored.take(SWEEPER), &tip)?;
        let recovery = Recovery::new(bench.keys.clone(), bench.config.birthday_height.is_some());
        let tip = bench.replay(&monitors, &sweeper, &recovery)?;
        let fundings = fundings(&monitors);
        bench.load_monitors(monitors)?;
        bench.free_lost_fundings(&fundings);
        let interpreter = Interpreter::new(seed.node_secret(), bench.keys.clone(), htlcs, sent);
        let answers = Arc::new(Answers::new(waker.clone()));
        let (node, chain_source, config) = bench.parts(manager, sweeper, interpreter, answers.clone());
        Ok(Ldk {
            events: vec![],
            later: Later::default(),
            feed: None,
            status: chain_source.status(),
            recovery,
            peers,
            asks: Asks::new(answers),
            waiting: BTreeMap::new(),
            route_queue: Default::default(),
            claims: HashSet::new(),
            opens: BTreeMap::new(),
            pending_unbooked: HashMap::new(),
            our_fundings: HashSet::new(),
            closes: vec![],
            closing,
            cooperative,
            bumps: Bumps::default(),
            fundings,
            closed_fundings: Default::default(),
            spends: HashMap::new(),
            uncommitted: VecDeque::new(),
            sealed: 0,
            manager_due: !state.contains_key(MANAGER),
            announce_due: true,
            announce,
            started: false,
            usable: BTreeSet::new(),
            told_height: BlockHeight::default(),
            chain_troubled: false,
            watched_txids: vec![],
            ticks: Ticks::new(),
            listening: listener.as_ref().and_then(|listener| listener.local_addr().ok()),
            listener,
            start_tip: Some(tip),
            tasks: vec![],
            config,
            node,
            chain_source,
            runtime,
            waker,
        })
    }

    /// The manager's own blocks, after the events that its monitors had buffered. The others
    /// have seen all up to the tip of the start.
    pub(crate) fn catch_up_manager(&mut self) -> Result<(), ChainError> {
        let Some(from) = self.start_tip.take() else { return Ok(()) };
        let from = from.locator();
        let manager: &ChannelManager = &self.node.manager;
        let listeners: Vec<(BlockLocator, &dyn Listen)> = vec![
            (manager.current_best_block(), manager),
            (from, &*self.node.monitor),
            (from, &*self.node.wallet),
            (from, &self.recovery),
            (from, &*self.node.sweeper),
        ];
        let tip = self.chain_source.synchronize(listeners)?;
        self.feed = Some(self.chain_source.run(tip, self.waker.clone())?);
        self.chain_moved();
        Ok(())
    }

    /// Takes peers in, and wakes the step when LDK has something for it.
    pub(crate) fn listen(&mut self) {
        let (manager, monitor) = (self.node.manager.clone(), self.node.monitor.clone());
        let (gossip, wake) = (self.node.gossip.clone(), self.waker.clone());
        self.tasks.push(self.runtime.spawn(async move {
            loop {
                tokio::select! {
                    () = manager.get_event_or_persistence_needed_future() => {}
                    () = monitor.get_update_future() => {}
                    () = gossip.channel_checked() => {}
                    () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                }
                wake();
            }
        }));
        let Some(listener) = self.listener.take() else { return };
        let peers = self.node.peers.clone();
        self.tasks.push(self.runtime.spawn(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let serve = |stream| links::accepted(peers.clone(), stream);
                    links::accept(listener, links::MAX_INBOUND, serve).await;
                }
                Err(error) => tracing::error!(%error, "cannot listen for peers"),
            }
        }));
    }
}

/// bitcoind may start later than we do, or be gone for a while: that is waited for, and told.
fn connect(config: &Config) -> Result<ChainSource, ChainError> {
    let mut options = ChainOptions::for_network(config.network);
    if let Some(interval) = config.poll_interval {
        options.poll_interval = interval;
        options.mempool_interval = interval;
    }
    let patience = Arc::new(|error: &ChainError| {
        tracing::warn!(%error, "waiting for bitcoind");
        true
    });
    ChainSource::connect_patiently(config.rpc.clone(), options, config.network, patience)
}

fn announced(config: &Config) -> Result<Vec<SocketAddress>, StartError> {
    let parse = |text: &String| text.parse().map_err(|_| StartError::Announce(text.clone()));
    config.announce.iter().map(parse).collect()
}

fn bind(config: &Config) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = config.listen else { return Ok(None) };
    let taken = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    Ok(Some(listener))
}

/// Funding outputs of all channels.
fn fundings(monitors: &[ChannelMonitor]) -> HashMap<bitcoin::OutPoint, sponte_proto::ChannelId> {
    let of = |monitor: &ChannelMonitor| {
        (monitor.get_funding_txo().into_bitcoin_outpoint(), channel_id(monitor.channel_id()))
    };
    monitors.iter().map(of).collect()
}

impl Bench {
    fn new(
        config: Config,
        chain: ChainSource,
        seed: &Seed,
        coins: Vec<(String, Vec<u8>)>,
        state: &HashMap<String, Vec<u8>>,
        tip: &BlockLocator,
    ) -> Result<Bench, StartError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let keys = KeysManager::new(&seed.ldk_seed(), now.as_secs(), now.subsec_nanos(), true);
        let (keys, log, persister) = (Arc::new(keys), Arc::new(Log), Arc::new(Persister::default()));
        let birthday = match config.birthday_height {
            Some(height) if height > tip.height => {
                return Err(StartError::Birthday { birthday: height, tip: tip.height });
            }
            Some(height) => (height, chain.block_hash(height)?),
            None => (tip.height, tip.block_hash),
        };
        let wallet = Wallet::create_or_load(seed, config.network, coins, Some(birthday))
            .map_err(|error| unreadable("wallet", format_args!("{error}")))?;
        let graph = match state.get(GRAPH) {
            Some(bytes) => Graph::read(&mut &bytes[..], log.clone()).map_err(|e| unreadable("graph", e))?,
            None => Graph::new(config.network, log.clone()),
        };
        let graph = Arc::new(graph);
        let decay = ProbabilisticScoringDecayParameters::default();
        let scorer = match state.get(SCORER) {
            Some(bytes) => Scorer::read(&mut &bytes[..], (decay, graph.clone(), log.clone()))
                .map_err(|e| unreadable("scorer", e))?,
            None => Scorer::new(decay, graph.clone(), log.clone()),
        };
        let scorer = Arc::new(RwLock::new(scorer));
        let fees = ProbabilisticScoringFeeParameters::default();
        let finder = PathFinder::new(graph.clone(), log.clone(), keys.clone(), scorer.clone(), fees);
        let monitor = ChainMonitor::new(
            None,
            chain.broadcaster(),
            log.clone(),
            chain.fees(),
            persister.clone(),
            keys.clone(),
            keys.get_peer_storage_key(),
            true,
        );
        Ok(Bench {
            config,
            chain,
            entropy: Arc::new(Entropy::new(keys.clone())),
            keys,
            persister,
            log,
            wallet: Arc::new(wallet),
            graph,
            scorer,
            router: Arc::new(finder),
            monitor: Arc::new(monitor),
        })
    }

    /// Each whole monitor, with the updates that were written beside it, without a gap.
    fn read_monitors(
        &self,
        whole: Vec<(String, Vec<u8>)>,
        stored_updates: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<ChannelMonitor>, StartError> {
        let mut updates: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (key, bytes) in stored_updates {
            let channel = key.split('/').next().unwrap_or_default().to_owned();
            updates.entry(channel).or_default().push(bytes);
        }
        let mut monitors = vec![];
        for (key, bytes) in whole {
            let args = (&*self.keys, &*self.keys);
            let (_, monitor) = <(BlockLocator, ChannelMonitor)>::read(&mut &bytes[..], args)
                .map_err(|error| unreadable("channel monitor", error))?;
            for bytes in updates.remove(&key).unwrap_or_default() {
                self.apply_update(&monitor, &bytes)?;
            }
            monitors.push(monitor);
        }
        Ok(monitors)
    }

    fn apply_update(&self, monitor: &ChannelMonitor, bytes: &[u8]) -> Result<(), StartError> {
        let damaged = |why: String| unreadable("channel monitor update", why);
        let update = ChannelMonitorUpdate::read(&mut &bytes[..]).map_err(|e| damaged(format!("{e:?}")))?;
        self.persister.note_stored_update(monitor.channel_id(), update.update_id);
        let latest = monitor.get_latest_update_id();
        if update.update_id <= latest {
            return Ok(());
        }
        // Updates of a closed channel all carry the highest number.
        if update.update_id != latest + 1 && update.update_id != u64::MAX {
            return Err(damaged(format!("update {} follows {latest}", update.update_id)));
        }
        monitor
            .update_monitor(&update, &self.chain.broadcaster(), &self.chain.fees(), &self.log)
            .map_err(|()| damaged(format!("update {} was refused", update.update_id)))
    }

    fn manager(
        &self,
        stored: Option<&Vec<u8>>,
        monitors: &[ChannelMonitor],
        tip: &BlockLocator,
    ) -> Result<Arc<ChannelManager>, StartError> {
        let (broadcaster, fees) = (self.chain.broadcaster(), self.chain.fees());
        let messages = self.message_router();
        let config = self.config.user_config();
        let Some(bytes) = stored else {
            let params = ChainParameters { network: self.config.network, best_block: *tip };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return Ok(Arc::new(ChannelManager::new(
                fees,
                self.monitor.clone(),
                broadcaster,
                self.router.clone(),
                messages,
                self.log.clone(),
                self.entropy.clone(),
                self.keys.clone(),
                self.keys.clone(),
                config,
                params,
                now.as_secs() as u32,
            )));
        };
        let args = ChannelManagerReadArgs::new(
            self.entropy.clone(),
            self.keys.clone(),
            self.keys.clone(),
            fees,
            self.monitor.clone(),
            broadcaster,
            self.router.clone(),
            messages,
            self.log.clone(),
            config,
            monitors.iter().collect(),
        );
        let (_, manager) = <(BlockLocator, ChannelManager)>::read(&mut &bytes[..], args)
            .map_err(|error| unreadable("channel manager", error))?;
        Ok(Arc::new(manager))
    }

    fn sweeper(
        &self,
        stored: Vec<(String, Vec<u8>)>,
        tip: &BlockLocator,
    ) -> Result<Arc<Sweeper>, StartError> {
        let (broadcaster, fees) = (self.chain.broadcaster(), self.chain.fees());
        let store = Arc::new(SweeperStore(self.persister.clone()));
        let Some((_, bytes)) = stored.into_iter().next() else {
            return Ok(Arc::new(Sweeper::new(
                *tip,
                broadcaster,
                fees,
                None,
                self.keys.clone(),
                self.wallet.clone(),
                store,
                self.log.clone(),
            )));
        };
        let args = (broadcaster, fees, None, self.keys.clone(), self.wallet.clone(), store, self.log.clone());
        let (_, sweeper) = <(BlockLocator, Sweeper)>::read(&mut &bytes[..], args)
            .map_err(|error| unreadable("sweeper", error))?;
        Ok(Arc::new(sweeper))
    }

    /// Blocks to everyone but the manager, each from its own height.
    fn replay(
        &self,
        monitors: &[ChannelMonitor],
        sweeper: &Sweeper,
        recovery: &Recovery,
    ) -> Result<SyncedTip, StartError> {
        let watchers: Vec<Replay<'_>> =
            monitors.iter().map(|monitor| Replay { monitor, bench: self }).collect();
        let mut listeners: Vec<(BlockLocator, &dyn Listen)> = vec![
            (self.wallet.best_block(), &*self.wallet),
            (self.wallet.best_block(), recovery),
            (sweeper.current_best_block(), sweeper),
        ];
        for watcher in &watchers {
            listeners.push((watcher.monitor.current_best_block(), watcher));
        }
        Ok(self.chain.synchronize(listeners)?)
    }

    fn load_monitors(&self, monitors: Vec<ChannelMonitor>) -> Result<(), StartError> {
        for monitor in monitors {
            let (channel, latest) = (monitor.channel_id(), monitor.get_latest_update_id());
            match self.monitor.load_existing_monitor(channel, monitor) {
                Ok(ChannelMonitorUpdateStatus::Completed) => {}
                other => return Err(unreadable("channel monitor", other)),
            }
            if latest == 0 {
                // The first write is not among the in-flight updates that the manager stores:
                // unless it is completed by hand the channel stays frozen.
                self.monitor
                    .channel_monitor_updated(channel, 0)
                    .map_err(|error| unreadable("channel monitor", error))?;
            }
        }
        Ok(())
    }

    /// Coins in funding transactions that never left, for channels that never were.
    fn free_lost_fundings(&self, fundings: &HashMap<bitcoin::OutPoint, sponte_proto::ChannelId>) {
        for txid in self.wallet.unbroadcast_fundings() {
            if !fundings.keys().any(|outpoint| outpoint.txid == txid) {
                tracing::info!(%txid, "a channel was not opened before the last stop: its coins are free again");
                self.wallet.cancel(txid);
            }
        }
    }

    fn message_router(&self) -> Arc<MessageRouter> {
        Arc::new(MessageRouter::new(self.graph.clone(), self.keys.clone()))
    }

    fn messenger(&self, manager: &Arc<ChannelManager>, answers: Arc<Answers>) -> Messenger {
        Messenger::new(
            self.keys.clone(),
            self.keys.clone(),
            self.log.clone(),
            manager.clone(),
            self.message_router(),
            answers,
            IgnoringMessageHandler {},
            IgnoringMessageHandler {},
            IgnoringMessageHandler {},
        )
    }

    fn parts(
        self,
        manager: Arc<ChannelManager>,
        sweeper: Arc<Sweeper>,
        interpreter: Interpreter,
        answers: Arc<Answers>,
    ) -> (Parts, ChainSource, Config) {
        let handler = Arc::new(Handler::new(manager.clone(), interpreter));
        let lookup = self.chain.utxo_checker();
        let gossip = NetworkSync::new(self.graph.clone(), Some(lookup), self.log.clone());
        let gossip = Arc::new(Gossip::new(gossip));
        let messages = Arc::new(Limited::new(self.messenger(&manager, answers)));
        let handlers = MessageHandler {
            chan_handler: handler.clone(),
            route_handler: gossip.clone(),
            onion_message_handler: messages.clone(),
            custom_message_handler: IgnoringMessageHandler {},
            send_only_message_handler: self.monitor.clone(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32;
        let seed = self.keys.get_secure_random_bytes();
        let peers = PeerManager::new(handlers, now, &seed, self.log.clone(), self.keys.clone());
        let coins = Arc::new(WalletSync::new(self.wallet.clone(), self.log.clone()));
        let bumper = BumpTransactionEventHandlerSync::new(
            self.chain.broadcaster(),
            coins,
            self.keys.clone(),
            self.log.clone(),
        );
        let id = self.keys.get_node_id(Recipient::Node).expect("a node's own key is always at hand");
        let parts = Parts {
            id,
            manager,
            handler,
            gossip,
            messages,
            peers: Arc::new(peers),
            sweeper,
            bumper,
            broadcaster: self.chain.broadcaster(),
            fees: self.chain.fees(),
            keys: self.keys,
            entropy: self.entropy,
            monitor: self.monitor,
            graph: self.graph,
            scorer: self.scorer,
            router: self.router,
            wallet: self.wallet,
            persister: self.persister,
            log: self.log,
        };
        (parts, self.chain, self.config)
    }
}

/// A monitor that is not in the chain monitor yet, as a listener of its own.
struct Replay<'a> {
    monitor: &'a ChannelMonitor,
    bench: &'a Bench,
}

impl Listen for Replay<'_> {
    fn filtered_block_connected(&self, header: &Header, txdata: &TransactionData, height: u32) {
        let (broadcaster, fees) = (self.bench.chain.broadcaster(), self.bench.chain.fees());
        self.monitor.block_connected(header, txdata, height, broadcaster, fees, &self.bench.log);
    }

    fn blocks_disconnected(&self, fork_point: BlockLocator) {
        let (broadcaster, fees) = (self.bench.chain.broadcaster(), self.bench.chain.fees());
        self.monitor.blocks_disconnected(fork_point, broadcaster, fees, &self.bench.log);
    }
}
