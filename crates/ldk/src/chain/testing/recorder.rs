//! Listeners and readers that notice every mistake.

use std::sync::{Arc, Mutex};

use bitcoin::{Block, BlockHash, block::Header};
use lightning::chain::transaction::TransactionData;
use lightning::chain::{BlockLocator, Listen};

use super::Watched;
use crate::chain::{ChainEvent, ChainEvents, ChainSource, ChainThread, SyncedTip, Wake};

/// A listener that holds to the rules of [`Listen`] and remembers its chain.
pub struct Recorder(Mutex<Recorded>);

struct Recorded {
    first: u32,
    hashes: Vec<BlockHash>,
    disconnections: usize,
}

impl Recorder {
    /// A listener that has seen `chain` up to its last block, from height `first` on.
    pub fn with(first: u32, chain: &[BlockHash]) -> Self {
        Self(Mutex::new(Recorded { first, hashes: chain.to_vec(), disconnections: 0 }))
    }

    /// What it would save: its best block and the ancestry it remembers.
    pub fn locator(&self) -> BlockLocator {
        let recorded = self.0.lock().unwrap();
        let mut hashes = recorded.hashes.iter();
        let mut locator = BlockLocator::new(*hashes.next().unwrap(), recorded.first);
        hashes.for_each(|hash| locator.advance(*hash));
        locator
    }

    pub fn hashes(&self) -> Vec<BlockHash> {
        self.0.lock().unwrap().hashes.clone()
    }

    pub fn disconnections(&self) -> usize {
        self.0.lock().unwrap().disconnections
    }
}

impl Listen for Recorder {
    fn block_connected(&self, block: &Block, height: u32) {
        let mut recorded = self.0.lock().unwrap();
        assert_eq!(height as usize, recorded.first as usize + recorded.hashes.len());
        assert_eq!(Some(&block.header.prev_blockhash), recorded.hashes.last());
        recorded.hashes.push(block.block_hash());
    }

    fn filtered_block_connected(&self, _: &Header, _: &TransactionData<'_>, _: u32) {
        unreachable!("blocks come whole")
    }

    fn blocks_disconnected(&self, fork_point: BlockLocator) {
        let mut recorded = self.0.lock().unwrap();
        let kept = (fork_point.height - recorded.first) as usize + 1;
        assert!(kept < recorded.hashes.len(), "nothing to disconnect");
        recorded.hashes.truncate(kept);
        recorded.disconnections += 1;
        assert_eq!(recorded.hashes.last(), Some(&fork_point.block_hash));
    }
}

/// A running chain thread whose events are read as the step thread would.
pub struct Feed {
    pub thread: ChainThread,
    pub events: ChainEvents,
    woken: Arc<Watched<u64>>,
    pub recorder: Recorder,
}

impl Feed {
    pub fn start(source: &ChainSource, from: SyncedTip) -> Self {
        let woken: Arc<Watched<u64>> = Arc::default();
        let counter = woken.clone();
        let wake: Wake = Arc::new(move || counter.with(|count| *count += 1));
        let locator = from.locator();
        let ancestors = locator.previous_blocks.iter().rev().flatten();
        let known: Vec<_> = ancestors.chain([&locator.block_hash]).copied().collect();
        let first = locator.height + 1 - u32::try_from(known.len()).unwrap();
        let (thread, events) = source.run(from, wake).unwrap();
        Self { thread, events, woken, recorder: Recorder::with(first, &known) }
    }

    /// Reads events, feeding the recorder, until `wanted` finds one.
    pub fn until<R>(&mut self, what: &str, mut wanted: impl FnMut(&ChainEvent) -> Option<R>) -> R {
        let Self { events, woken, recorder, .. } = self;
        woken.until(what, |_| {
            while let Some(event) = events.try_next() {
                match &event {
                    ChainEvent::BlockConnected { block, height } => {
                        recorder.block_connected(block, *height);
                    }
                    ChainEvent::Disconnected { fork_point } => {
                        recorder.blocks_disconnected(**fork_point);
                    }
                    _ => {}
                }
                if let Some(result) = wanted(&event) {
                    return Some(result);
                }
            }
            None
        })
    }

    /// Reads events until the tip at `height` is told.
    pub fn until_tip(&mut self, height: u32) {
        self.thread.poll_now();
        self.until(&format!("tip {height}"), |event| match event {
            ChainEvent::Tip { height: told, .. } if *told == height => Some(()),
            _ => None,
        });
    }

    /// Reads events until the health is as wanted, and gives it.
    pub fn until_status(&mut self, well: bool) -> Result<(), String> {
        self.until("a status", |event| match event {
            ChainEvent::Status(status) if status.is_ok() == well => Some(status.clone()),
            _ => None,
        })
    }
}
