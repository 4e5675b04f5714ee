//! What the chain thread tells, and the bounded queue it tells it through.

use std::sync::Arc;

use bitcoin::{Block, BlockHash, Transaction, Txid};
use lightning::chain::BlockLocator;
use tokio::sync::mpsc;

/// Called from the chain thread after each event is queued; must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// News of the chain, in the order in which the listeners must be told.
///
/// Within one run every event comes once. After a restart blocks come again from where each
/// listener was saved, by [`synchronize`](super::ChainSource::synchronize).
#[derive(Clone, Debug)]
pub enum ChainEvent {
    /// The next block of the best chain; its parent is the block of the event before.
    BlockConnected {
        /// The whole block.
        block: Arc<Block>,
        /// Its height.
        height: u32,
    },
    /// All blocks above `fork_point` are gone; blocks of the better chain follow.
    Disconnected {
        /// The highest block that both chains share, with its ancestry.
        fork_point: Box<BlockLocator>,
    },
    /// The blocks before this event led to bitcoind's best block.
    Tip {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Its header's time in seconds since 1970.
        time_s: u32,
    },
    /// Changes in the mempool to what is [watched](super::WatchedScripts).
    Mempool {
        /// Transactions not told before, with the Unix time in seconds at which they were seen.
        new: Vec<(Transaction, u64)>,
        /// Of those told before, and of those [watched](super::WatchedScripts::watch_txids):
        /// confirmed (their block was told earlier), replaced, evicted, or never there.
        gone: Vec<Txid>,
    },
    /// bitcoind's health, told when it changes: the trouble in one line.
    Status(Result<(), String>),
}

/// The receiving end of the queue. Dropping it ends the chain thread.
#[derive(Debug)]
pub struct ChainEvents(mpsc::Receiver<ChainEvent>);

impl ChainEvents {
    /// The next event, if there is one. Never blocks; [`Wake`] says when to look.
    pub fn try_next(&mut self) -> Option<ChainEvent> {
        self.0.try_recv().ok()
    }
}

/// The queue was closed by its reader.
#[derive(Debug)]
pub(super) struct Closed;

/// The chain thread's end.
pub(super) struct EventSender {
    queue: mpsc::Sender<ChainEvent>,
    wake: Wake,
}

impl EventSender {
    /// Waits while the queue is full; the other work of the chain thread goes on meanwhile.
    pub async fn send(&self, event: ChainEvent) -> Result<(), Closed> {
        self.queue.send(event).await.map_err(|_| Closed)?;
        (self.wake)();
        Ok(())
    }
}

pub(super) fn queue(capacity: usize, wake: Wake) -> (EventSender, ChainEvents) {
    let (queue, events) = mpsc::channel(capacity.max(1));
    (EventSender { queue, wake }, ChainEvents(events))
}
