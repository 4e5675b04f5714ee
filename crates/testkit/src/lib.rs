//! Nodes by name for the scenarios of sponte: a chain, and nodes on it, all in one process and all
//! real. The chain is a private one, or that of a [bitcoind](sponte_peers::Bitcoind). Scenarios live in
//! this crate's `tests`, one per file.
//!
//! Nothing here sleeps for luck: [`until`] waits for a condition, with a deadline.

mod chain;
mod invoices;
mod net;
mod network;
mod node;
mod raw;

pub use chain::Chain;
pub use net::Net;
pub use network::Network;
pub use node::TestNode;
pub use raw::RawNode;
pub use sponte_peers::until;
pub use sponte_raw::{Forwards, Keysend, Outcome, Paid, RawConfig, RawHop, RawHtlc, Receives, Sent};
