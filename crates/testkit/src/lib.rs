//! Nodes by name for the scenarios of sponte: a private chain, and nodes on it, all in one
//! process and all real. Scenarios live in this crate's `tests`, one per file.
//!
//! Nothing here sleeps for luck: [`until`] waits for a condition, with a deadline.

mod net;
mod node;
mod raw;
mod wait;

pub use net::Net;
pub use node::TestNode;
pub use raw::RawNode;
pub use sponte_raw::{Outcome, RawHop, RawHtlc, Sent};
pub use wait::until;
