//! Amounts and maturity of what a transaction spends: bitcoind's `CheckTxInputs`.

use bitcoin::{Amount, Transaction};

use crate::coins::Coin;
use crate::reject::Reason;
use crate::replacement::money;

/// The fee of a transaction that spends `spent` in a block at `height`.
///
/// # Errors
/// The reason in the words of bitcoind, such as `bad-txns-in-belowout`.
pub(crate) fn check_amounts(tx: &Transaction, spent: &[Coin], height: u32) -> Result<Amount, Reason> {
    let mut value_in = Amount::ZERO;
    for coin in spent {
        if !coin.is_mature_at(height) {
            return Err(Reason::with(
                "bad-txns-premature-spend-of-coinbase",
                format!("tried to spend coinbase at depth {}", height - coin.height),
            ));
        }
        value_in = value_in
            .checked_add(coin.output.value)
            .filter(|total| *total <= Amount::MAX_MONEY)
            .ok_or_else(|| Reason::new("bad-txns-inputvalues-outofrange"))?;
    }
    let value_out: Amount = tx.output.iter().map(|output| output.value).sum();
    value_in.checked_sub(value_out).ok_or_else(|| {
        Reason::with(
            "bad-txns-in-belowout",
            format!("value in ({}) < value out ({})", money(value_in), money(value_out)),
        )
    })
}
