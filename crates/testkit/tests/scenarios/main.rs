//! Scenarios over the real stack, one file each. One binary, as linking LDK takes longer than
//! most of them.

mod archive;
mod closing;
mod direct;
mod kinds;
mod network;
mod refused;
mod reorg;
mod restarts;
mod routed;
mod seed;
