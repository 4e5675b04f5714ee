//! What the engine asks of this crate, over real channels: routes, HTLCs along them, and how they end.
//! The test is the engine of every node.

mod ends;
mod kinds;
mod net;
mod node;
mod restarts;
mod routes;
mod sends;
