//! Programs that nobody here wrote, as processes of a test: bitcoind and LND, on free loopback ports and in
//! temporary folders, ended by their process id.
//!
//! `ci/peers/install` puts them into a folder outside of the checkout, see [`program`]. A test that needs
//! them is ignored, with that as the reason; whoever runs it without them reads what to do.

mod bitcoind;
mod cell;
mod lnd;
mod process;
mod program;
mod rpc;
mod wait;

pub use bitcoind::Bitcoind;
pub use cell::{Cell, Way};
pub use lnd::{
    BitcoindRpc, Lnd, LndAttempt, LndChannel, LndConfig, LndFailure, LndHop, LndInvoice, LndInvoiceHtlc,
    LndPay, LndPayment, LndRoute, LndShard,
};
pub use program::program;
pub use rpc::{Rpc, RpcError};
pub use wait::{until, until_within};
