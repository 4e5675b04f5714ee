//! The thread that talks to bitcoind while the node runs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bitcoin::Network;
use lightning_block_sync::poll::ChainPoller;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::announce::Announcer;
use super::blocks::Blocks;
use super::event::{self, Closed, EventSender};
use super::follow::{Follower, Halt};
use super::headers::RecentHeaders;
use super::mempool::MempoolWatch;
use super::outbox::Outbox;
use super::rpc::Rpc;
use super::utxo::Lookups;
use super::{ChainError, ChainEvent, ChainEvents, ChainOptions, ChainStatus, Fees, Wake, WatchedScripts};

/// How long a stop may take to send what was released last.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The running chain thread. Stops when dropped.
#[derive(Debug)]
pub struct ChainThread {
    stop: watch::Sender<bool>,
    poke: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs.
pub(super) struct Parts {
    pub options: ChainOptions,
    pub network: Network,
    pub rpc: Arc<Rpc>,
    pub lookup_rpc: Arc<Rpc>,
    pub headers: RecentHeaders,
    pub fees: Arc<Fees>,
    pub watched: Arc<WatchedScripts>,
    pub outbox: Arc<Outbox>,
    pub lookups: Arc<tokio::sync::Mutex<Lookups>>,
    pub status: Arc<ChainStatus>,
}

impl ChainThread {
    pub(super) fn start(
        parts: Parts,
        runtime: Runtime,
        wake: Wake,
    ) -> Result<(Self, ChainEvents), ChainError> {
        let (stop, stopped) = watch::channel(false);
        let poke: Arc<Notify> = Arc::default();
        let (sender, events) = event::queue(parts.options.queue_capacity, wake);
        let poked = poke.clone();
        let thread = std::thread::Builder::new()
            .name("chain".to_owned())
            .spawn(move || {
                runtime.block_on(work(parts, sender, poked, stopped));
                // A name lookup that hangs must not hold up the stop.
                runtime.shutdown_background();
            })
            .map_err(|e| ChainError::Config(format!("the system gives no thread: {e}")))?;
        let thread = Self { stop, poke, thread: Some(thread) };
        Ok((thread, events))
    }

    /// Looks for blocks, and at the mempool, at once instead of at the next interval.
    pub fn poll_now(&self) {
        self.poke.notify_one();
    }

    /// Whether it has ended, because its [`ChainEvents`] were dropped. If they were not, it has
    /// panicked: stop the node.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Sends what was released, for three seconds at most, and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the chain thread panicked");
        }
    }
}

impl Drop for ChainThread {
    fn drop(&mut self) {
        self.end();
    }
}

async fn work(parts: Parts, events: EventSender, poke: Arc<Notify>, mut stopped: watch::Receiver<bool>) {
    let new_block = Notify::new();
    let announcer = Announcer { rpc: parts.rpc.clone(), outbox: parts.outbox.clone() };
    let mut lookups = parts.lookups.lock().await;
    // What was released before the start.
    parts.outbox.work.notify_one();
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => {}
        Closed = follow(&parts, &events, &poke, &new_block) => {}
        () = announcer.run() => {}
        () = keep_fees(&parts, &new_block) => {}
        () = lookups.serve(parts.lookup_rpc.clone()) => {}
    }
    if timeout(LAST_WORDS, announcer.flush()).await != Ok(true) {
        tracing::warn!("stopped before bitcoind took every transaction");
    }
}

/// Tells blocks and mempool until nobody listens.
async fn follow(parts: &Parts, events: &EventSender, poke: &Notify, new_block: &Notify) -> Closed {
    let options = &parts.options;
    let mut rounds = Rounds::new(parts, events, new_block);
    let mut backoff = options.poll_interval;
    let mut told_once = false;
    loop {
        let (health, pause) = match rounds.round().await {
            Ok(()) => {
                backoff = options.poll_interval;
                (Ok(()), options.poll_interval)
            }
            Err(Halt::Closed) => return Closed,
            Err(Halt::Chain(error)) => {
                backoff = (backoff * 2).min(options.max_backoff);
                (Err(error.to_string()), backoff)
            }
        };
        let news = parts.status.note_error(health.clone().err());
        if news || !told_once {
            if let Err(trouble) = &health {
                tracing::warn!("{trouble}");
            }
            told_once = true;
            if let Err(closed) = events.send(ChainEvent::Status(health)).await {
                return closed;
            }
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = poke.notified() => rounds.mempool_due = Instant::now(),
        }
    }
}

/// One look after the other at blocks and mempool.
struct Rounds<'a> {
    parts: &'a Parts,
    events: &'a EventSender,
    new_block: &'a Notify,
    follower: Follower,
    mempool: MempoolWatch,
    mempool_due: Instant,
}

impl<'a> Rounds<'a> {
    fn new(parts: &'a Parts, events: &'a EventSender, new_block: &'a Notify) -> Self {
        let blocks = Arc::new(Blocks { rpc: parts.rpc.clone(), network: parts.network, patience: None });
        Self {
            parts,
            events,
            new_block,
            follower: Follower {
                poller: ChainPoller::new(blocks, parts.network),
                headers: parts.headers.clone(),
                outbox: parts.outbox.clone(),
                status: parts.status.clone(),
            },
            mempool: MempoolWatch::default(),
            mempool_due: Instant::now(),
        }
    }

    async fn round(&mut self) -> Result<(), Halt> {
        let parts = self.parts;
        if self.follower.advance(self.events).await? {
            parts.outbox.tip_reached();
            self.new_block.notify_one();
            // What the block confirmed is gone from the mempool: tell it soon.
            self.mempool_due = Instant::now();
        }
        if Instant::now() < self.mempool_due {
            return Ok(());
        }
        let tip = self.follower.headers.tip().header.block_hash();
        let change = self.mempool.poll(&parts.rpc, &parts.watched, tip).await?;
        self.mempool_due = Instant::now() + parts.options.mempool_interval;
        if let Some(change) = change {
            self.events.send(change).await?;
        }
        Ok(())
    }
}

/// Asks for fees at every block and at least every so often.
async fn keep_fees(parts: &Parts, new_block: &Notify) {
    loop {
        if let Err(error) = parts.fees.refresh(&parts.rpc).await {
            tracing::debug!(%error, "no fee estimates now");
        }
        tokio::select! {
            () = sleep(parts.options.fee_interval) => {}
            () = new_block.notified() => {}
        }
    }
}
