//! The command beside programs that nobody here wrote: bitcoind and LND, which `ci/peers/install` brings.

#[path = "../common/mod.rs"]
mod common;
mod killed;
mod readme;
mod world;
