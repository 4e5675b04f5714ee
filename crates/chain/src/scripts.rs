//! Runs every script of a transaction in Bitcoin Core's own interpreter.

use bitcoin::{Transaction, TxOut, consensus};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT, verify_with_flags};

use crate::reject::Reason;

/// bitcoind's words since 29.1. The interpreter does not say why a script fails, so it is always the
/// error that bitcoind has for what it does not know.
pub(crate) const IN_MEMPOOL: &str = "mempool-script-verify-flag-failed (unknown error)";
/// The same of a transaction in a block.
pub(crate) const IN_BLOCK: &str = "block-script-verify-flag-failed (unknown error)";

/// Verifies every input of `tx` against the outputs it spends, in the order of the inputs.
///
/// # Errors
/// `failure` for the first input whose script does not succeed: [`IN_MEMPOOL`] or [`IN_BLOCK`].
pub(crate) fn verify(tx: &Transaction, spent: &[&TxOut], failure: &'static str) -> Result<(), Reason> {
    debug_assert_eq!(tx.input.len(), spent.len());
    let raw = consensus::serialize(tx);
    let utxos: Vec<Utxo> = spent
        .iter()
        .map(|output| Utxo {
            script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: output.script_pubkey.len() as u32,
            value: output.value.to_sat() as i64,
        })
        .collect();
    for (index, output) in spent.iter().enumerate() {
        verify_with_flags(
            output.script_pubkey.as_bytes(),
            output.value.to_sat(),
            &raw,
            Some(&utxos),
            index,
            VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT,
        )
        .map_err(|_| failed(tx, index, failure))?;
    }
    Ok(())
}

fn failed(tx: &Transaction, index: usize, failure: &'static str) -> Reason {
    let spent = tx.input[index].previous_output;
    Reason::with(
        failure,
        format!("input {index} of {} (wtxid {}), spending {spent}", tx.compute_txid(), tx.compute_wtxid()),
    )
}
