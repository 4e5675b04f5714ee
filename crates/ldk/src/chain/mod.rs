//! The chain over the user's bitcoind: blocks, mempool, broadcast, fees, UTXO checks for gossip.
//!
//! One thread of its own talks to bitcoind's JSON-RPC while the node runs; it owns nothing of
//! LDK. It hands [`ChainEvent`]s to the step thread through a bounded queue, and takes from it
//! only what was [released](Broadcaster::release) after a commit.
//!
//! 1. [`ChainSource::connect`] checks bitcoind and its network and gives the shared handles:
//!    [`Fees`], [`Broadcaster`], [`UtxoChecker`], [`WatchedScripts`], [`ChainStatus`].
//! 2. [`ChainSource::synchronize`], on the step thread, brings every listener to one block.
//! 3. [`ChainSource::run`] starts the thread. The step thread takes events with
//!    [`ChainEvents::try_next`] whenever it is woken, and calls the listeners.
//! 4. [`ChainThread::stop`] sends what was released last and ends.
//!
//! bitcoind may go away at any time: the thread keeps trying, says so in
//! [`ChainEvent::Status`], and goes on where it was.

mod announce;
mod blocks;
mod broadcaster;
mod config;
mod error;
mod event;
mod fees;
mod follow;
mod headers;
mod mempool;
mod outbox;
mod package;
mod rpc;
mod source;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod thread;
mod utxo;
mod watched;

pub use broadcaster::Broadcaster;
pub use config::{ChainOptions, RpcAuth, RpcConfig};
pub use error::ChainError;
pub use event::{ChainEvent, ChainEvents, Wake};
pub use fees::{Fees, for_whole_vbytes};
pub use outbox::REBROADCAST_BLOCKS;
pub use package::{COOPERATIVE_CLOSE, Package};
pub use source::{ChainSource, Patience, Presence, SyncedTip};
pub use status::{ChainSnapshot, ChainStatus, ChainTipInfo};
pub use thread::ChainThread;
#[cfg(test)]
pub(crate) use utxo::Answered;
pub use utxo::UtxoChecker;
pub use watched::WatchedScripts;
