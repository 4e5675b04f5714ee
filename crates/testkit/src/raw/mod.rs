//! A node of plain LDK whose HTLCs carry what a test wants.
//!
//! It forwards and receives as LDK does. What it sends goes over a route of the test's with a
//! payload of the test's: LDK makes the HTLC, and its onion is exchanged as it leaves, which no
//! signature commits to. Failures that come back are decoded here, hop and code.

mod handler;
mod htlc;
mod node;

pub use htlc::{Outcome, RawHop, RawHtlc, Sent};
pub use node::RawNode;
