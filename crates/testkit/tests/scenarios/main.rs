//! Scenarios over the real stack, one file each. One binary, as linking LDK takes longer than
//! most of them.

mod archive;
mod bolt11;
mod closing;
mod direct;
mod invoices;
mod kinds;
mod network;
mod offers;
mod refused;
mod reorg;
mod restarts;
mod routed;
mod seed;
