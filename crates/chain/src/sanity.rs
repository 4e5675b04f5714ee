//! What a transaction must be whatever chain it meets: bitcoind's `CheckTransaction`.

use std::collections::HashSet;

use bitcoin::{Amount, Transaction, Weight};

use crate::reject::Reason;

/// Checks everything that needs no other data than the transaction.
///
/// # Errors
/// The reason in the words of bitcoind, such as `bad-txns-vin-empty`.
pub(crate) fn check_transaction(tx: &Transaction) -> Result<(), Reason> {
    if tx.input.is_empty() {
        return Err(Reason::new("bad-txns-vin-empty"));
    }
    if tx.output.is_empty() {
        return Err(Reason::new("bad-txns-vout-empty"));
    }
    if tx.base_size() as u64 * 4 > Weight::MAX_BLOCK.to_wu() {
        return Err(Reason::new("bad-txns-oversize"));
    }
    check_outputs(tx)?;
    check_inputs(tx)
}

fn check_outputs(tx: &Transaction) -> Result<(), Reason> {
    let mut total = Amount::ZERO;
    for output in &tx.output {
        if output.value.to_sat() > i64::MAX as u64 {
            return Err(Reason::new("bad-txns-vout-negative"));
        }
        if output.value > Amount::MAX_MONEY {
            return Err(Reason::new("bad-txns-vout-toolarge"));
        }
        total = total
            .checked_add(output.value)
            .filter(|total| *total <= Amount::MAX_MONEY)
            .ok_or_else(|| Reason::new("bad-txns-txouttotal-toolarge"))?;
    }
    Ok(())
}

fn check_inputs(tx: &Transaction) -> Result<(), Reason> {
    let mut seen = HashSet::with_capacity(tx.input.len());
    if !tx.input.iter().all(|input| seen.insert(input.previous_output)) {
        return Err(Reason::new("bad-txns-inputs-duplicate"));
    }
    if tx.is_coinbase() {
        let length = tx.input[0].script_sig.len();
        if !(2..=100).contains(&length) {
            return Err(Reason::new("bad-cb-length"));
        }
    } else if tx.input.iter().any(|input| input.previous_output.is_null()) {
        return Err(Reason::new("bad-txns-prevout-null"));
    }
    Ok(())
}
