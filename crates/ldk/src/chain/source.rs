//! The way to bitcoind before and beside the chain thread.

use std::fmt;
use std::sync::Arc;

use bitcoin::{BlockHash, Network, OutPoint};
use lightning::chain::{BlockLocator, Listen};
use lightning_block_sync::init::synchronize_listeners;
use lightning_block_sync::poll::ChainPoller;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::blocks::Blocks;
use super::error::from_block_source;
use super::headers::RecentHeaders;
use super::outbox::Outbox;
use super::rpc::{Rpc, code};
use super::thread::{ChainThread, Parts};
use super::utxo::Lookups;
use super::{
    Broadcaster, ChainError, ChainEvents, ChainOptions, ChainStatus, Fees, RpcConfig, UtxoChecker, Wake,
    WatchedScripts,
};

/// Asked after each transient failure whether to go on waiting; says it to the user, too.
pub type Patience = Arc<dyn Fn(&ChainError) -> bool + Send + Sync>;

/// A bitcoind on the right network, and the handles that the parts of a node share.
///
/// Its methods block the calling thread; neither call them nor drop it in asynchronous code.
pub struct ChainSource {
    config: RpcConfig,
    options: ChainOptions,
    network: Network,
    runtime: Runtime,
    blocks: Arc<Blocks>,
    fees: Arc<Fees>,
    watched: Arc<WatchedScripts>,
    broadcaster: Arc<Broadcaster>,
    outbox: Arc<Outbox>,
    utxo_checker: Arc<UtxoChecker>,
    lookups: Arc<tokio::sync::Mutex<Lookups>>,
    /// For [`Self::look_for`]: connections belong to the runtime that made them.
    look_rpc: Arc<Rpc>,
    status: Arc<ChainStatus>,
}

/// Where an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// In the chain, and no block spends it.
    Confirmed,
    /// Its transaction is in the mempool.
    Unconfirmed,
    /// Nowhere: spent, or never there, up to a height.
    Missing {
        /// Of bitcoind's best block, asked last.
        height: u32,
    },
}

/// The block up to which all listeners have been brought, from where the chain thread goes on.
#[derive(Clone, Debug)]
pub struct SyncedTip(RecentHeaders);

impl SyncedTip {
    /// The block with its ancestry.
    pub fn locator(&self) -> BlockLocator {
        let height = self.height();
        self.0.locator(height).expect("the tip is always known")
    }

    /// Its height.
    pub fn height(&self) -> u32 {
        self.0.tip().height
    }
}

impl ChainSource {
    /// Looks whether bitcoind can be used.
    ///
    /// # Errors
    /// Any [`ChainError`]; transient ones are not waited for.
    pub fn connect(config: RpcConfig, options: ChainOptions, network: Network) -> Result<Self, ChainError> {
        Self::connect_with(config, options, network, None)
    }

    /// Like [`Self::connect`], but waits while bitcoind is starting, syncing or unreachable for
    /// as long as `patience` says so, now and in every later call.
    ///
    /// # Errors
    /// What needs a person, such as a wrong password, at once; else the failure that ended the
    /// patience.
    pub fn connect_patiently(
        config: RpcConfig,
        options: ChainOptions,
        network: Network,
        patience: Patience,
    ) -> Result<Self, ChainError> {
        Self::connect_with(config, options, network, Some(patience))
    }

    fn connect_with(
        config: RpcConfig,
        options: ChainOptions,
        network: Network,
        patience: Option<Patience>,
    ) -> Result<Self, ChainError> {
        let status: Arc<ChainStatus> = Arc::default();
        let outbox: Arc<Outbox> = Arc::default();
        let (utxo_checker, lookups) = UtxoChecker::new(network);
        let source = Self {
            blocks: Arc::new(Blocks { rpc: Arc::new(Rpc::new(&config, status.clone())?), network, patience }),
            look_rpc: Arc::new(Rpc::new(&config, status.clone())?),
            config,
            options,
            network,
            runtime: current_thread_runtime()?,
            fees: Arc::new(Fees::new(network, status.clone())),
            watched: Arc::default(),
            broadcaster: Arc::new(Broadcaster::new(outbox.clone())),
            outbox,
            utxo_checker: Arc::new(utxo_checker),
            lookups: Arc::new(tokio::sync::Mutex::new(lookups)),
            status,
        };
        source.runtime.block_on(source.blocks.synced_info())?;
        source.refresh_fees();
        Ok(source)
    }

    /// Brings each listener from where it was to the same best block: disconnects what is stale,
    /// connects what is new. Call it on the step thread, before [`Self::run`]. Up to 36 blocks are
    /// in memory at once.
    ///
    /// # Errors
    /// [`ChainError::UnknownBlock`] if bitcoind knows none of a listener's blocks,
    /// [`ChainError::Pruned`], and any other. The listeners may then stand at different blocks:
    /// load them again before another try. With patience, an outage of bitcoind is no error.
    pub fn synchronize(&self, listeners: Vec<(BlockLocator, &dyn Listen)>) -> Result<SyncedTip, ChainError> {
        self.runtime.block_on(async {
            for (locator, _) in &listeners {
                self.check_known(locator).await?;
            }
            let synced = synchronize_listeners(self.blocks.clone(), self.network, listeners).await;
            let (cache, tip) = synced.map_err(from_block_source)?;
            let poller = ChainPoller::new(self.blocks.clone(), self.network);
            let headers = RecentHeaders::up_to(tip, &cache, &poller).await;
            self.status.note_tip(&tip.header, tip.height);
            Ok(SyncedTip(headers.map_err(from_block_source)?))
        })
    }

    /// Starts the chain thread, which goes on `from` where [`Self::synchronize`] ended.
    /// One at a time: a second one starts when the first has been stopped.
    ///
    /// # Errors
    /// [`ChainError::Config`] if the system gives no thread.
    pub fn run(&self, from: SyncedTip, wake: Wake) -> Result<(ChainThread, ChainEvents), ChainError> {
        // Connections belong to the runtime that made them, so the thread gets its own client.
        // Gossip gets one more: its lookups must not keep blocks waiting.
        let rpc = Arc::new(Rpc::new(&self.config, self.status.clone())?);
        let lookup_rpc = Arc::new(Rpc::new(&self.config, self.status.clone())?);
        ChainThread::start(
            Parts {
                options: self.options,
                network: self.network,
                rpc,
                lookup_rpc,
                headers: from.0,
                fees: self.fees.clone(),
                watched: self.watched.clone(),
                outbox: self.outbox.clone(),
                lookups: self.lookups.clone(),
                status: self.status.clone(),
            },
            current_thread_runtime()?,
            wake,
        )
    }

    /// bitcoind's best block, with its ancestry: where a new node begins.
    ///
    /// # Errors
    /// Any [`ChainError`].
    pub fn best_tip(&self) -> Result<BlockLocator, ChainError> {
        self.runtime.block_on(async {
            let info = self.blocks.synced_info().await?;
            self.locator_of(info.bestblockhash).await
        })
    }

    /// The block at `height` of the best chain, with its ancestry.
    ///
    /// # Errors
    /// [`ChainError::Rpc`] with code -8 for a height beyond the best block.
    pub fn locator(&self, height: u32) -> Result<BlockLocator, ChainError> {
        self.runtime.block_on(async {
            let hash = self.blocks.hash_at(height).await?;
            self.locator_of(hash).await
        })
    }

    /// The hash of the block at `height` of the best chain.
    ///
    /// # Errors
    /// As [`Self::locator`].
    pub fn block_hash(&self, height: u32) -> Result<BlockHash, ChainError> {
        self.runtime.block_on(self.blocks.hash_at(height))
    }

    /// Looks for an output of a transaction. It does not block; it is to be waited for always in
    /// the same runtime.
    pub fn look_for(
        &self,
        output: OutPoint,
    ) -> impl Future<Output = Result<Presence, ChainError>> + Send + 'static {
        let rpc = self.look_rpc.clone();
        async move { look_for(&rpc, output).await }
    }

    /// The fee estimator, already asked once.
    pub fn fees(&self) -> Arc<Fees> {
        self.fees.clone()
    }

    /// The broadcaster.
    pub fn broadcaster(&self) -> Arc<Broadcaster> {
        self.broadcaster.clone()
    }

    /// What of the mempool is told.
    pub fn watched(&self) -> Arc<WatchedScripts> {
        self.watched.clone()
    }

    /// The UTXO lookup for gossip.
    pub fn utxo_checker(&self) -> Arc<UtxoChecker> {
        self.utxo_checker.clone()
    }

    /// The state for `info`.
    pub fn status(&self) -> Arc<ChainStatus> {
        self.status.clone()
    }

    /// The network that was checked.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Fees are not worth failing for: there are fallbacks, and the chain thread asks again.
    fn refresh_fees(&self) {
        let refreshed = self.runtime.block_on(self.fees.refresh(&self.blocks.rpc));
        if let Err(error) = refreshed {
            tracing::warn!(%error, "no fee estimates yet");
        }
    }

    /// Finds out with a clear error what `synchronize_listeners` would only call unresolvable.
    async fn check_known(&self, locator: &BlockLocator) -> Result<(), ChainError> {
        let ancestors = locator.previous_blocks.iter().flatten();
        for hash in std::iter::once(&locator.block_hash).chain(ancestors) {
            match self.blocks.header(hash).await {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some(code::NOT_FOUND) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ChainError::UnknownBlock { block: locator.block_hash, height: locator.height })
    }

    async fn locator_of(&self, hash: BlockHash) -> Result<BlockLocator, ChainError> {
        let tip = self.blocks.header(&hash).await?;
        let mut locator = BlockLocator::new(hash, tip.height);
        let (mut height, mut previous) = (tip.height, tip.header.prev_blockhash);
        for ancestor in &mut locator.previous_blocks {
            if height == 0 {
                break;
            }
            *ancestor = Some(previous);
            let header = self.blocks.header(&previous).await?;
            (height, previous) = (header.height, header.header.prev_blockhash);
        }
        Ok(locator)
    }
}

impl fmt::Debug for ChainSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainSource")
            .field("config", &self.config)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

async fn look_for(rpc: &Rpc, output: OutPoint) -> Result<Presence, ChainError> {
    let OutPoint { txid, vout } = output;
    let unspent: Option<Value> = rpc.call("gettxout", json!([txid, vout, false])).await?;
    if unspent.is_some() {
        return Ok(Presence::Confirmed);
    }
    // What spends it may be in the mempool too, so `gettxout` cannot tell.
    match rpc.call::<Value>("getmempoolentry", json!([txid])).await {
        Ok(_) => Ok(Presence::Unconfirmed),
        Err(error) if error.code() == Some(code::NOT_FOUND) => {
            let height = rpc.call("getblockcount", json!([])).await?;
            Ok(Presence::Missing { height })
        }
        Err(error) => Err(error),
    }
}

fn current_thread_runtime() -> Result<Runtime, ChainError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| ChainError::Config(format!("the system gives no event loop: {e}")))
}
