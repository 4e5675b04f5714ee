//! Nodes by name for the scenarios of sponte: a private chain, and nodes on it, all in one
//! process and all real. Scenarios live in this crate's `tests`, one per file.
//!
//! Nothing here sleeps for luck: [`until`] waits for a condition, with a deadline.

mod net;
mod network;
mod node;
mod raw;
mod wait;

pub use net::Net;
pub use network::Network;
pub use node::TestNode;
pub use raw::RawNode;
pub use sponte_raw::{Forwards, Keysend, Outcome, Paid, RawConfig, RawHop, RawHtlc, Receives, Sent};
pub use wait::until;
