//! A node of plain LDK whose HTLCs carry whatever their sender wants.
//!
//! It forwards and receives as LDK does. What it sends goes over a given route with a given
//! payload: LDK makes the HTLC, and its onion is exchanged as it leaves, which no signature
//! commits to. Failures that come back are decoded, hop and code.
//!
//! It lives in memory and has no books: it is for regtest, where nothing is lost with it.

mod chain;
mod handler;
mod htlc;
mod node;
mod parts;

pub use chain::RawChain;
pub use htlc::{Outcome, RawHop, RawHtlc, Sent};
pub use node::RawNode;
