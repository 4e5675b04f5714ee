//! sponte and LND, both real, on a real bitcoind: what each side recorded of the same payment, field by field.
//!
//! They need the programs that `ci/peers/install` brings, so they are ignored; `just interop` runs them. Each
//! writes what came out of it to [`table`], from which `docs/interop.md` is made.

mod amounts;
mod amp;
mod amp_invoices;
mod bolt11;
mod chain_rpc;
mod closing;
mod ecdh;
mod fields;
mod full_mempool;
mod held;
mod keysend;
mod mpp_keysend;
mod restarts;
mod sets;
mod table;
mod world;
