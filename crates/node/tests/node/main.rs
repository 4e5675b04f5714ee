//! A node as its callers see it, over a real store and a backend in memory that keeps what LDK
//! promises.

mod asking;
mod audit;
mod deciding;
mod fake;
mod order;
mod paying;
mod receiving;
mod repeats;
mod restarting;
mod trouble;
