//! Replacement by fee: BIP 125 without the opt-in, as bitcoind does it since version 28.

use std::collections::BTreeSet;

use bitcoin::{Amount, Transaction, Txid};

use crate::accept::fee_at;
use crate::mempool::Mempool;
use crate::policy::Policy;
use crate::reject::Reason;

/// The most transactions that one may push out.
const MAX_EVICTED: usize = 100;

/// The waiting transactions that a newcomer conflicts with.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// Those that spend one of its inputs.
    conflicts: BTreeSet<Txid>,
    /// Those, and all that spend them.
    evicted: BTreeSet<Txid>,
}

impl Replacement {
    pub(crate) fn find(mempool: &Mempool, tx: &Transaction) -> Self {
        let conflicts: BTreeSet<Txid> =
            tx.input.iter().filter_map(|input| mempool.spender(&input.previous_output)).collect();
        let evicted = mempool.with_descendants(conflicts.clone());
        Self { conflicts, evicted }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.conflicts.is_empty()
    }

    pub(crate) fn evicts(&self, txid: &Txid) -> bool {
        self.evicted.contains(txid)
    }

    pub(crate) fn into_evicted(self) -> BTreeSet<Txid> {
        self.evicted
    }

    /// A transaction cannot replace what it spends.
    pub(crate) fn check_independent(&self, txid: Txid, ancestors: &BTreeSet<Txid>) -> Result<(), Reason> {
        match self.conflicts.intersection(ancestors).next() {
            Some(conflict) => Err(Reason::with(
                "bad-txns-spends-conflicting-tx",
                format!("{txid} spends conflicting transaction {conflict}"),
            )),
            None => Ok(()),
        }
    }

    /// # Errors
    /// The reason in the words of bitcoind, such as `insufficient fee`.
    pub(crate) fn check(
        &self,
        mempool: &Mempool,
        policy: &Policy,
        tx: &Transaction,
        txid: Txid,
        fee: Amount,
    ) -> Result<(), Reason> {
        if self.is_empty() {
            return Ok(());
        }
        let vsize_vb = tx.vsize() as u64;
        self.check_feerate(mempool, txid, fee, vsize_vb)?;
        self.check_count(txid)?;
        self.check_no_new_parents(mempool, tx, txid)?;
        self.check_fee(mempool, policy, txid, fee, vsize_vb)
    }

    fn check_feerate(&self, mempool: &Mempool, txid: Txid, fee: Amount, vsize_vb: u64) -> Result<(), Reason> {
        let new_rate = sat_per_kvb(fee, vsize_vb);
        for entry in self.conflicts.iter().filter_map(|conflict| mempool.entry(conflict)) {
            let old_rate = sat_per_kvb(entry.fee, entry.vsize_vb);
            if new_rate <= old_rate {
                return insufficient(format!(
                    "rejecting replacement {txid}; new feerate {} BTC/kvB <= old feerate {} BTC/kvB",
                    eight_digits(new_rate),
                    eight_digits(old_rate)
                ));
            }
        }
        Ok(())
    }

    fn check_count(&self, txid: Txid) -> Result<(), Reason> {
        if self.evicted.len() > MAX_EVICTED {
            return Err(Reason::with(
                "too many potential replacements",
                format!(
                    "rejecting replacement {txid}; too many potential replacements ({} > {MAX_EVICTED})",
                    self.evicted.len()
                ),
            ));
        }
        Ok(())
    }

    fn check_no_new_parents(&self, mempool: &Mempool, tx: &Transaction, txid: Txid) -> Result<(), Reason> {
        let known: BTreeSet<Txid> = self
            .conflicts
            .iter()
            .filter_map(|conflict| mempool.entry(conflict))
            .flat_map(|entry| entry.tx.input.iter().map(|input| input.previous_output.txid))
            .collect();
        for (index, input) in tx.input.iter().enumerate() {
            let parent = input.previous_output.txid;
            if !known.contains(&parent) && mempool.entry(&parent).is_some() {
                return Err(Reason::with(
                    "replacement-adds-unconfirmed",
                    format!("replacement {txid} adds unconfirmed input, idx {index}"),
                ));
            }
        }
        Ok(())
    }

    fn check_fee(
        &self,
        mempool: &Mempool,
        policy: &Policy,
        txid: Txid,
        fee: Amount,
        vsize_vb: u64,
    ) -> Result<(), Reason> {
        let replaced = mempool.sum(&self.evicted).fee;
        let Some(additional) = fee.checked_sub(replaced) else {
            return insufficient(format!(
                "rejecting replacement {txid}, less fees than conflicting txs; {} < {}",
                money(fee),
                money(replaced)
            ));
        };
        let relay = fee_at(policy.incremental_relay_fee, vsize_vb);
        if additional < relay {
            return insufficient(format!(
                "rejecting replacement {txid}, not enough additional fees to relay; {} < {}",
                money(additional),
                money(relay)
            ));
        }
        Ok(())
    }
}

fn insufficient(detail: String) -> Result<(), Reason> {
    Err(Reason::with("insufficient fee", detail))
}

fn sat_per_kvb(fee: Amount, vsize_vb: u64) -> u64 {
    fee.to_sat() * 1000 / vsize_vb.max(1)
}

fn eight_digits(sat: u64) -> String {
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// An amount in BTC as bitcoind's messages write it: at least two decimals, no idle zeros.
pub(crate) fn money(amount: Amount) -> String {
    let digits = eight_digits(amount.to_sat());
    let trimmed = digits.trim_end_matches('0');
    let least = digits.len() - 6;
    digits[..trimmed.len().max(least)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_two_decimals() {
        assert_eq!(money(Amount::from_sat(1000)), "0.00001");
        assert_eq!(money(Amount::from_sat(0)), "0.00");
        assert_eq!(money(Amount::from_sat(5_000_000_000)), "50.00");
        assert_eq!(money(Amount::from_sat(123)), "0.00000123");
    }
}
