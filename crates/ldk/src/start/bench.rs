//! The parts of a node while they are made.

use super::{StartError, unreadable};
use crate::chain::{ChainSource, SyncedTip};
use crate::closing::FundingSpends;
use crate::entropy::Entropy;
use crate::gossip::Gossip;
use crate::handler::Handler;
use crate::interpreter::Interpreter;
use crate::log::Log;
use crate::offers::{Answers, Limited};
use crate::persist::{Persister, SweeperStore};
use crate::recovery::Recovery;
use crate::seed::Seed;
use crate::ticks::{GRAPH, SCORER};
use crate::types::{
    ChainMonitor, ChannelManager, ChannelMonitor, Graph, MessageRouter, Messenger, NetworkSync, PathFinder,
    PeerManager, Scorer, Sweeper,
};
use crate::wallet::Wallet;
use crate::{Config, Parts};
use bitcoin::block::Header;
use lightning::chain::channelmonitor::ChannelMonitorUpdate;
use lightning::chain::transaction::TransactionData;
use lightning::chain::{BlockLocator, ChannelMonitorUpdateStatus, Listen};
use lightning::events::bump_transaction::sync::BumpTransactionEventHandlerSync;
use lightning::ln::channelmanager::{ChainParameters, ChannelManagerReadArgs};
use lightning::ln::peer_handler::{IgnoringMessageHandler, MessageHandler};
use lightning::routing::scoring::{ProbabilisticScoringDecayParameters, ProbabilisticScoringFeeParameters};
use lightning::sign::{EntropySource, KeysManager, NodeSigner, Recipient};
use lightning::util::ser::{Readable, ReadableArgs};
use lightning::util::wallet_utils::WalletSync;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is shared by all parts while they are made.
pub(super) struct Bench {
    pub(super) config: Config,
    chain: ChainSource,
    pub(super) keys: Arc<KeysManager>,
    entropy: Arc<Entropy>,
    persister: Arc<Persister>,
    log: Arc<Log>,
    wallet: Arc<Wallet>,
    graph: Arc<Graph>,
    scorer: Arc<RwLock<Scorer>>,
    router: Arc<PathFinder>,
    monitor: Arc<ChainMonitor>,
}
impl Bench {
    pub(super) fn new(
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
    pub(super) fn read_monitors(
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

    pub(super) fn manager(
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

    pub(super) fn sweeper(
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
    pub(super) fn replay(
        &self,
        monitors: &[ChannelMonitor],
        sweeper: &Sweeper,
        recovery: &Recovery,
        spends: &FundingSpends,
        tip: &BlockLocator,
    ) -> Result<SyncedTip, StartError> {
        let seen = self.wallet.best_block();
        let recovered = match recovery.begins_after(seen.height) {
            Some(height) => self.chain.locator(height.min(tip.height))?,
            None => seen,
        };
        let watchers: Vec<Replay<'_>> =
            monitors.iter().map(|monitor| Replay { monitor, bench: self }).collect();
        let mut listeners: Vec<(BlockLocator, &dyn Listen)> =
            vec![(seen, &*self.wallet), (recovered, recovery), (sweeper.current_best_block(), sweeper)];
        for watcher in &watchers {
            listeners.push((watcher.monitor.current_best_block(), watcher));
        }
        let heights = monitors.iter().map(|monitor| monitor.current_best_block());
        listeners.extend(heights.min_by_key(|at| at.height).map(|lowest| (lowest, spends as &dyn Listen)));
        Ok(self.chain.synchronize(listeners)?)
    }

    pub(super) fn load_monitors(&self, monitors: Vec<ChannelMonitor>) -> Result<(), StartError> {
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
    pub(super) fn free_lost_fundings(&self, fundings: &HashMap<bitcoin::OutPoint, sponte_proto::ChannelId>) {
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

    pub(super) fn parts(
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
