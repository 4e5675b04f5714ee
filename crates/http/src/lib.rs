//! HTTP routes of sponte: JSON in, JSON out, on loopback.
//!
//! [`Api`] puts a node behind a listener; what its paths and bodies are is documented
//! in [`sponte_api`]. Every request carries the node's token. What a request asks for is given to
//! the node's [`Handle`](sponte_node::Handle), and every answer is durable when it comes; lists
//! are read from the ledger.
//!
//! This is the only crate that knows HTTP on the server's side. It decides nothing about
//! payments, keeps no state, and speaks no TLS: it is for the machine that it runs on.

mod asking;
mod auth;
mod blocking;
mod convert;
mod error;
mod extract;
mod router;
mod routes;
mod serve;
mod state;
mod warnings;

pub use router::router;
pub use routes::receive::{defaults as receive_defaults, to_engine as receive_policy};
pub use serve::Api;
pub use state::Stopping;
