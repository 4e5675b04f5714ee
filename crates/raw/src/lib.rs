//! A node of plain LDK whose HTLCs carry whatever their sender wants.
//!
//! It forwards as LDK does, or badly: it keeps what it is to forward, fails it, or asks more than it
//! announces. It takes keysend, and makes invoices (BOLT 11) and offers (BOLT 12). What it sends goes over a given route with a given
//! payload: LDK makes the HTLC, and its onion is exchanged as it leaves, which no signature
//! commits to. Failures that come back are decoded, hop and code.
//!
//! It lives in memory and has no books: it is for regtest, where nothing is lost with it.

mod chain;
mod config;
mod forwards;
mod gossip;
mod handler;
mod htlc;
mod inner;
mod issuer;
mod node;
mod parts;
mod pay;
mod receive;

pub use chain::RawChain;
pub use config::RawConfig;
pub use forwards::Forwards;
pub use htlc::{Outcome, RawHop, RawHtlc, Sent};
pub use node::RawNode;
pub use pay::{Keysend, Paid};
pub use receive::Receives;
