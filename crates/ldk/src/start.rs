//! From stored bytes to a running node.
//!
//! The order matters (each line was paid for with crashes): monitors with all their updates,
//! the manager with them, blocks replayed to each monitor from its own height, then
//! `load_existing_monitor`, then completion of first monitors that were in flight; buffered
//! events are drained before the manager's own blocks; only then is it asked what it knows.

mod bench;

use crate::bumps::Bumps;
use crate::chain::{ChainError, ChainOptions, ChainSource};
use crate::closing::{ClosingBook, FundingSpends};
use crate::convert::channel_id;
use crate::cooperative::CooperativeCloses;
use crate::htlcs::Htlcs;
use crate::interpreter::Interpreter;
use crate::links;
use crate::offers::{Answers, Asks};
use crate::peers::PeerBook;
use crate::persist::{MONITOR, STATE, SWEEPER, UPDATE};
use crate::recovery::Recovery;
use crate::seed::Seed;
use crate::sent::SentHtlcs;
use crate::step::MANAGER;
use crate::ticks::Ticks;
use crate::types::{ChannelManager, ChannelMonitor};
use crate::wallet;
use crate::{Config, Later, Ldk, Wake};
use crate::{onion_fields, translate};
use bench::Bench;
use lightning::chain::{BlockLocator, Listen};
use lightning::ln::msgs::SocketAddress;
use lightning::sign::{KeysManager, NodeSigner, Recipient};
use sponte_proto::BlockHeight;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::TcpListener;
use std::sync::Arc;

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
        let fundings = fundings(&monitors);
        let spends = FundingSpends::of(fundings.clone());
        let tip = bench.replay(&monitors, &sweeper, &recovery, &spends, &tip)?;
        bench.load_monitors(monitors)?;
        bench.free_lost_fundings(&fundings);
        let interpreter = Interpreter::new(seed.node_secret(), bench.keys.clone(), htlcs, sent);
        let answers = Arc::new(Answers::new(waker.clone()));
        let (node, chain_source, config) = bench.parts(manager, sweeper, interpreter, answers.clone());
        let mut ldk = Ldk {
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
        };
        ldk.note_spends(spends);
        Ok(ldk)
    }

    /// The manager's own blocks, after the events that its monitors had buffered. The others
    /// have seen all up to the tip of the start.
    pub(crate) fn catch_up_manager(&mut self) -> Result<(), ChainError> {
        let Some(from) = self.start_tip.take() else { return Ok(()) };
        let from = from.locator();
        let manager: &ChannelManager = &self.node.manager;
        let spends = FundingSpends::of(self.fundings.clone());
        let listeners: Vec<(BlockLocator, &dyn Listen)> = vec![
            (manager.current_best_block(), manager),
            (from, &*self.node.monitor),
            (from, &*self.node.wallet),
            (from, &self.recovery),
            (from, &*self.node.sweeper),
            (from, &spends),
        ];
        let tip = self.chain_source.synchronize(listeners)?;
        self.note_spends(spends);
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
