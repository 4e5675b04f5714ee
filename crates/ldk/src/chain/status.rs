//! What `info` tells about the chain.

use std::sync::Mutex;
use std::time::SystemTime;

use bitcoin::{BlockHash, block::Header};

/// Shared between the chain thread, which writes it, and whoever wants to know.
#[derive(Debug, Default)]
pub struct ChainStatus(Mutex<ChainSnapshot>);

/// The state of the chain side at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainSnapshot {
    /// When bitcoind last answered anything.
    pub last_answer: Option<SystemTime>,
    /// The trouble that lasts, in one line; `None` while all is well.
    pub last_error: Option<String>,
    /// The best block handed to the queue or to the listeners.
    pub tip: Option<ChainTipInfo>,
    /// Whether fees come from bitcoind's estimates; if not, from the fallbacks of the network.
    pub fees_estimated: bool,
}

/// The best block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainTipInfo {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// Its header's time in seconds since 1970: an old one means a stale chain.
    pub time_s: u32,
}

impl ChainStatus {
    /// A copy of the state.
    pub fn snapshot(&self) -> ChainSnapshot {
        self.lock().clone()
    }

    pub(super) fn note_answer(&self) {
        self.lock().last_answer = Some(SystemTime::now());
    }

    pub(super) fn note_tip(&self, header: &Header, height: u32) {
        self.lock().tip = Some(ChainTipInfo { height, hash: header.block_hash(), time_s: header.time });
    }

    pub(super) fn note_fees(&self, estimated: bool) {
        self.lock().fees_estimated = estimated;
    }

    /// Sets or clears the trouble; true if that is news.
    pub(super) fn note_error(&self, error: Option<String>) -> bool {
        let mut snapshot = self.lock();
        let news = snapshot.last_error != error;
        snapshot.last_error = error;
        news
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ChainSnapshot> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}
