//! The engine as whoever drives it sees it: inputs in, outputs out, rows into a ledger.

mod amp_sets;
mod books;
mod corners;
mod holds;
mod inbox;
mod incoming;
mod invoices;
mod late;
mod ledger;
mod offers;
mod outgoing;
mod outgoing_kinds;
mod payee;
mod receive_simulator;
mod recovery;
mod rig;
mod senders;
mod simulator;
mod tries;
mod world;
