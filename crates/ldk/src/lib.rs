//! An embedded Lightning node on LDK, as a [`Backend`](sponte_engine::backend::Backend) of sponte.
//!
//! LDK is neither forked nor patched. This crate owns its event loop: [`Ldk`] lives on the
//! step's thread, feeds LDK blocks, timers and commands, turns its events into the engine's,
//! and hands out one batch of bytes per step. Nothing that LDK wants on the wire or the chain
//! leaves before the batch that says so is durable:
//!
//! * monitor updates are `InProgress` until their commit, and LDK holds back what they release;
//! * `funding_signed` waits in the message handler for its channel's first monitor;
//! * transactions wait in the broadcaster for the commit of their step. That also keeps a
//!   funding transaction from confirming while the manager on disk still waits for its
//!   channel's first monitor, which LDK answers with a panic on load.
//!
//! It knows no SQL: it is given the bytes it once handed out.

pub mod chain;
pub mod config;
/// For the benchmark of what it takes, and for nobody else.
#[doc(hidden)]
pub mod htlcs;
pub mod seed;
pub mod translate;
pub mod wallet;

mod amp_invoice;
mod blame;
mod bumps;
mod closes;
mod closing;
mod convert;
mod cooperative;
mod entropy;
mod gossip;
mod handler;
mod incoming;
mod interpreter;
mod invoice;
mod links;
mod log;
mod offers;
mod onion_fields;
mod opening;
mod payments;
mod peers;
mod persist;
mod read_invoice;
mod recovery;
mod route;
mod send;
mod sent;
mod start;
mod step;
mod ticks;
mod types;
mod unfunded;
mod views;

pub use config::Config;
pub use start::{StartError, Stored, node_id_of};

use crate::bumps::Bumps;
use crate::chain::{Broadcaster, ChainEvents, ChainSource, ChainStatus, ChainThread, Fees, SyncedTip};
use crate::closing::ClosingBook;
use crate::cooperative::CooperativeCloses;
use crate::entropy::Entropy;
use crate::gossip::Gossip;
use crate::handler::Handler;
use crate::log::Log;
use crate::offers::{Asks, Limited};
use crate::opening::Opening;
use crate::peers::PeerBook;
use crate::persist::{Completion, Persister};
use crate::recovery::Recovery;
use crate::types::{
    Bumper, ChainMonitor, ChannelManager, Graph, Messenger, PathFinder, PeerManager, Scorer, Sweeper,
};
use crate::wallet::Wallet;
use bitcoin::secp256k1::PublicKey;
use lightning::sign::KeysManager;
use sponte_engine::backend::BackendEvent;
use sponte_proto::{BlockHeight, ChannelId, PaymentHash, Txid};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, RwLock};

/// Wakes the step's thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Work that a callback found and only the node itself can do.
type Later = Arc<Mutex<Vec<Box<dyn FnOnce(&mut Ldk) + Send>>>>;

/// LDK's parts.
pub(crate) struct Parts {
    pub id: PublicKey,
    pub keys: Arc<KeysManager>,
    pub entropy: Arc<Entropy>,
    pub manager: Arc<ChannelManager>,
    pub monitor: Arc<ChainMonitor>,
    pub handler: Arc<Handler<ChannelManager>>,
    pub gossip: Arc<Gossip>,
    pub messages: Arc<Limited<Messenger>>,
    pub peers: Arc<PeerManager>,
    pub graph: Arc<Graph>,
    pub scorer: Arc<RwLock<Scorer>>,
    pub router: Arc<PathFinder>,
    pub wallet: Arc<Wallet>,
    pub sweeper: Arc<Sweeper>,
    pub bumper: Bumper,
    pub broadcaster: Arc<Broadcaster>,
    pub fees: Arc<Fees>,
    pub persister: Arc<Persister>,
    pub log: Arc<Log>,
}

/// A sealed step that is not durable yet, and what waits for it.
pub(crate) struct Uncommitted {
    pub number: u64,
    pub completions: Vec<Completion>,
    pub packages: Vec<chain::Package>,
}

/// The embedded node. Lives on the step's thread.
pub struct Ldk {
    pub(crate) config: Config,
    pub(crate) node: Parts,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) waker: Wake,
    /// What the engine has not been told yet.
    pub(crate) events: Vec<BackendEvent>,
    pub(crate) later: Later,
    pub(crate) chain_source: ChainSource,
    /// The running chain thread and its queue, once the manager has caught up.
    pub(crate) feed: Option<(ChainThread, ChainEvents)>,
    /// How far all but the manager have been brought at start.
    pub(crate) start_tip: Option<SyncedTip>,
    pub(crate) status: Arc<ChainStatus>,
    pub(crate) peers: PeerBook,
    pub(crate) recovery: Recovery,
    /// Questions to issuers of offers.
    pub(crate) asks: Asks,
    pub(crate) route_queue: route::RouteQueue,
    /// HTLCs to us that LDK has shown and that are neither claimed nor failed.
    pub(crate) waiting: incoming::Waiting,
    /// Hashes that the engine has claimed, until LDK says that it has.
    pub(crate) claims: HashSet<PaymentHash>,
    pub(crate) opens: BTreeMap<u128, Opening>,
    /// Channels whose `ChannelPending` came after they closed, or will never come.
    pub(crate) pending_unbooked: HashMap<lightning::ln::types::ChannelId, PublicKey>,
    /// Fundings of ours whose channels are not pending yet.
    pub(crate) our_fundings: HashSet<bitcoin::Txid>,
    /// Closings that LDK has not begun.
    pub(crate) closes: Vec<closes::Close>,
    pub(crate) closing: ClosingBook,
    pub(crate) cooperative: CooperativeCloses,
    pub(crate) bumps: Bumps,
    /// Funding outputs of all channels, to know what spends them.
    pub(crate) fundings: HashMap<bitcoin::OutPoint, ChannelId>,
    pub(crate) closed_fundings: unfunded::Fundings,
    pub(crate) spends: HashMap<ChannelId, Vec<Txid>>,
    pub(crate) uncommitted: VecDeque<Uncommitted>,
    pub(crate) sealed: u64,
    /// The manager is written with the next step whether or not LDK asks for it.
    pub(crate) manager_due: bool,
    /// A node announcement goes out with the next tick.
    pub(crate) announce_due: bool,
    pub(crate) announce: Vec<lightning::ln::msgs::SocketAddress>,
    pub(crate) started: bool,
    /// Channels that were usable when it was last looked.
    pub(crate) usable: BTreeSet<ChannelId>,
    /// The tip that was told last.
    pub(crate) told_height: BlockHeight,
    /// The chain source said that it cannot reach bitcoind, and not yet that it can.
    pub(crate) chain_troubled: bool,
    /// Transactions whose presence in the mempool was last asked for.
    pub(crate) watched_txids: Vec<bitcoin::Txid>,
    pub(crate) ticks: ticks::Ticks,
    pub(crate) listening: Option<std::net::SocketAddr>,
    /// Bound at the start, so that a taken port is told at once; used once all is recovered.
    pub(crate) listener: Option<std::net::TcpListener>,
    /// Ends the tasks of this node when it is dropped.
    pub(crate) tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Ldk {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some((thread, events)) = self.feed.take() {
            drop(events);
            thread.stop();
        }
    }
}
