//! Who may enter the mempool: bitcoind's `AcceptToMemoryPool`.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::{Amount, Transaction, Txid};

use crate::chain::Chain;
use crate::coins::Coin;
use crate::connect::sigop_cost;
use crate::locks;
use crate::reject::{Reason, TxRejected};
use crate::replacement::Replacement;
use crate::sanity::check_transaction;
use crate::scripts;
use crate::spend::check_amounts;
use crate::standard::{check_dust, check_spent, check_standard};
use crate::time::UnixTime;

/// The most weighted signature operations of a relayed transaction.
const MAX_STANDARD_SIGOPS_COST: usize = 16_000;
/// The longest chain of waiting transactions, counted from either end.
pub(crate) const MAX_CHAIN_COUNT: u64 = 25;
const MAX_CHAIN_VSIZE_VB: u64 = 101_000;
/// One child may exceed the limit of descendants if it is no larger than this and has one
/// ancestor only: so both sides of a channel can always bump a commitment transaction.
const CARVE_OUT_VSIZE_VB: u64 = 10_000;

/// A transaction that has been found acceptable, and what its entry does.
#[derive(Clone, Debug)]
pub struct Acceptance {
    tx: Arc<Transaction>,
    txid: Txid,
    fee: Amount,
    vsize_vb: u64,
    evicts: BTreeSet<Txid>,
}

impl Acceptance {
    /// What the transaction pays to the miner.
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// Its size in virtual bytes.
    pub fn vsize_vb(&self) -> u64 {
        self.vsize_vb
    }

    /// The waiting transactions that it replaces, with all that spend them.
    pub fn evicts(&self) -> impl Iterator<Item = Txid> + '_ {
        self.evicts.iter().copied()
    }
}

/// What is asked of a transaction on its way into the mempool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limits {
    All,
    /// A transaction that was in a block already need not pay for relay, nor keep chains short.
    Returned,
}

impl Chain {
    /// Takes a transaction into the mempool, in place of those that it replaces.
    ///
    /// # Errors
    /// [`TxRejected`], in the words of bitcoind.
    pub fn accept_transaction(&mut self, tx: Transaction, now: UnixTime) -> Result<Txid, TxRejected> {
        let acceptance = self.check_acceptance(tx)?;
        Ok(self.admit(acceptance, now))
    }

    /// Finds out whether the mempool would take a transaction, without taking it.
    ///
    /// # Errors
    /// [`TxRejected`], in the words of bitcoind.
    pub fn check_acceptance(&self, tx: Transaction) -> Result<Acceptance, TxRejected> {
        self.examine(Arc::new(tx), Limits::All)
    }

    /// Takes a transaction that has just been found acceptable: nothing may have happened to
    /// this chain since.
    pub(crate) fn admit(&mut self, acceptance: Acceptance, now: UnixTime) -> Txid {
        self.mempool.remove_all(&acceptance.evicts);
        let height = self.height();
        self.verified.insert(acceptance.tx.compute_wtxid());
        self.mempool.insert(acceptance.tx, acceptance.fee, now, height);
        acceptance.txid
    }

    pub(crate) fn accept_returned(
        &mut self,
        tx: Arc<Transaction>,
        time: UnixTime,
    ) -> Result<Txid, TxRejected> {
        let acceptance = self.examine(tx, Limits::Returned)?;
        Ok(self.admit(acceptance, time))
    }

    fn examine(&self, tx: Arc<Transaction>, limits: Limits) -> Result<Acceptance, TxRejected> {
        let txid = tx.compute_txid();
        self.check_form(&tx, txid)?;
        let spent = self.find_spent(&tx, txid)?;
        let fee = self.check_context(&tx, &spent)?;
        let vsize_vb = tx.vsize() as u64;
        let replacement = Replacement::find(&self.mempool, &tx);
        if limits == Limits::All {
            let floor = fee_at(self.policy.min_relay_fee, vsize_vb);
            if fee < floor {
                let detail = format!("{} < {}", fee.to_sat(), floor.to_sat());
                return Err(Reason::with("min relay fee not met", detail).into());
            }
        }
        if limits == Limits::All || !replacement.is_empty() {
            let ancestors = self.mempool.with_ancestors(self.mempool.parents_of(&tx));
            replacement.check_independent(txid, &ancestors)?;
            if limits == Limits::All {
                self.check_chain_limits(&ancestors, vsize_vb, &replacement)?;
            }
            replacement.check(&self.mempool, &self.policy, &tx, txid, fee)?;
        }
        self.check_scripts(&tx, &spent)?;
        Ok(Acceptance { tx, txid, fee, vsize_vb, evicts: replacement.into_evicted() })
    }

    /// What needs no coins.
    fn check_form(&self, tx: &Transaction, txid: Txid) -> Result<(), TxRejected> {
        check_transaction(tx)?;
        if tx.is_coinbase() {
            return Err(Reason::new("coinbase").into());
        }
        check_standard(tx, &self.policy)?;
        if !locks::is_final(tx, self.next_moment()) {
            return Err(Reason::new("non-final").into());
        }
        match self.mempool.entry(&txid) {
            Some(entry) if entry.wtxid == tx.compute_wtxid() => Err(TxRejected::AlreadyInMempool),
            Some(_) => Err(Reason::new("txn-same-nonwitness-data-in-mempool").into()),
            None => Ok(()),
        }
    }

    /// The coins of the inputs, from the chain or from waiting transactions.
    fn find_spent(&self, tx: &Transaction, txid: Txid) -> Result<Vec<Coin>, TxRejected> {
        let next_height = self.height() + 1;
        let find = |input: &bitcoin::TxIn| {
            let outpoint = &input.previous_output;
            self.coins.coin(outpoint).cloned().or_else(|| {
                let output = self.mempool.output(outpoint)?.clone();
                Some(Coin { output, height: next_height, coinbase: false })
            })
        };
        tx.input.iter().map(find).collect::<Option<Vec<Coin>>>().ok_or_else(|| {
            if self.coins.has_output_of(txid, tx) {
                TxRejected::AlreadyInChain
            } else {
                TxRejected::MissingInputs
            }
        })
    }

    /// What needs coins, but no scripts. Returns the fee.
    fn check_context(&self, tx: &Transaction, spent: &[Coin]) -> Result<Amount, TxRejected> {
        let moment = self.next_moment();
        let heights: Vec<u32> = spent.iter().map(|coin| coin.height).collect();
        if !locks::are_relative_locks_over(tx, &heights, moment, |h| self.median_before(h)) {
            return Err(Reason::new("non-BIP68-final").into());
        }
        let fee = check_amounts(tx, spent, moment.height)?;
        check_spent(tx, spent)?;
        check_dust(tx, &self.policy, fee)?;
        let sigops = sigop_cost(tx, spent);
        if sigops > MAX_STANDARD_SIGOPS_COST {
            return Err(Reason::with("bad-txns-too-many-sigops", sigops.to_string()).into());
        }
        Ok(fee)
    }

    fn check_scripts(&self, tx: &Transaction, spent: &[Coin]) -> Result<(), Reason> {
        if self.verified.contains(&tx.compute_wtxid()) {
            return Ok(());
        }
        let outputs: Vec<_> = spent.iter().map(|coin| &coin.output).collect();
        scripts::verify(tx, &outputs, scripts::IN_MEMPOOL)
    }

    fn check_chain_limits(
        &self,
        ancestors: &BTreeSet<Txid>,
        vsize_vb: u64,
        replacement: &Replacement,
    ) -> Result<(), Reason> {
        let too_long = |detail: String| Err(Reason::with("too-long-mempool-chain", detail));
        let package = self.mempool.sum(ancestors);
        if package.count + 1 > MAX_CHAIN_COUNT {
            return too_long(format!("too many unconfirmed ancestors [limit: {MAX_CHAIN_COUNT}]"));
        }
        if package.vsize_vb + vsize_vb > MAX_CHAIN_VSIZE_VB {
            return too_long(format!("exceeds ancestor size limit [limit: {MAX_CHAIN_VSIZE_VB}]"));
        }
        let carved_out = ancestors.len() == 1 && vsize_vb <= CARVE_OUT_VSIZE_VB;
        let (extra_count, extra_vsize) = if carved_out { (1, CARVE_OUT_VSIZE_VB) } else { (0, 0) };
        for ancestor in ancestors {
            let mut descendants = self.mempool.with_descendants(BTreeSet::from([*ancestor]));
            descendants.retain(|txid| !replacement.evicts(txid));
            let package = self.mempool.sum(&descendants);
            if package.count + 1 > MAX_CHAIN_COUNT + extra_count {
                return too_long(format!(
                    "too many descendants for tx {ancestor} [limit: {MAX_CHAIN_COUNT}]"
                ));
            }
            if package.vsize_vb + vsize_vb > MAX_CHAIN_VSIZE_VB + extra_vsize {
                return too_long(format!(
                    "exceeds descendant size limit for tx {ancestor} [limit: {MAX_CHAIN_VSIZE_VB}]"
                ));
            }
        }
        Ok(())
    }
}

/// The fee of `vsize_vb` virtual bytes at a feerate, rounded up.
pub(crate) fn fee_at(rate: bitcoin::FeeRate, vsize_vb: u64) -> Amount {
    rate.fee_vb(vsize_vb).unwrap_or(Amount::MAX_MONEY)
}
