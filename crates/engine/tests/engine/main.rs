//! The engine as whoever drives it sees it: inputs in, outputs out, rows into a ledger.

mod books;
mod incoming;
mod late;
mod ledger;
mod outgoing;
mod recovery;
mod rig;
mod simulator;
mod world;
