//! Nodes by name for the scenarios of sponte: a chain, and nodes on it, all in one process and all
//! real. The chain is a private one, or that of a [bitcoind](peers::Bitcoind). Scenarios live in this crate's `tests`, one per file.
//!
//! Nothing here sleeps for luck: [`until`] waits for a condition, with a deadline.

mod chain;
mod net;
mod network;
mod node;
pub mod peers;
mod raw;
mod rpc;
mod wait;

pub use chain::Chain;
pub use net::Net;
pub use network::Network;
pub use node::TestNode;
pub use raw::RawNode;
pub use rpc::{Rpc, RpcError};
pub use sponte_raw::{Forwards, Keysend, Outcome, Paid, RawConfig, RawHop, RawHtlc, Receives, Sent};
pub use wait::until;
