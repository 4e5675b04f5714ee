//! One thing to broadcast: a transaction, or a child with the parents it pays for.

use std::collections::HashSet;

use bitcoin::{Block, OutPoint, Transaction, Txid};
use lightning::chain::chaininterface::TransactionType;

/// The purpose of a closing transaction that both sides signed.
pub const COOPERATIVE_CLOSE: &str = "cooperative close";

/// Transactions to be broadcast together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    transactions: Vec<Transaction>,
    purpose: &'static str,
}

impl Package {
    /// A package of `transactions` in any order; `purpose` is for the log, such as "funding".
    pub fn new(transactions: Vec<Transaction>, purpose: &'static str) -> Self {
        Self { transactions: parents_first(transactions), purpose }
    }

    /// The transactions, parents before children.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// What it is for.
    pub fn purpose(&self) -> &'static str {
        self.purpose
    }

    pub(super) fn txids(&self) -> Vec<Txid> {
        let ids = self.transactions.iter().map(Transaction::compute_txid);
        ids.collect()
    }

    /// Drops what `block` confirms, and what it makes impossible with all that spends it.
    pub(super) fn settle(&mut self, block: &BlockSummary) {
        let mut impossible = HashSet::new();
        self.transactions.retain(|tx| {
            let txid = tx.compute_txid();
            if block.txids.contains(&txid) {
                return false;
            }
            let dead = tx.input.iter().any(|input| {
                let coin = input.previous_output;
                block.spent.contains(&coin) || impossible.contains(&coin.txid)
            });
            if dead {
                impossible.insert(txid);
            }
            !dead
        });
    }
}

/// What a block confirms and spends.
pub(super) struct BlockSummary {
    txids: HashSet<Txid>,
    spent: HashSet<OutPoint>,
}

impl BlockSummary {
    pub fn of(block: &Block) -> Self {
        let inputs = block.txdata.iter().flat_map(|tx| &tx.input);
        Self {
            txids: block.txdata.iter().map(Transaction::compute_txid).collect(),
            spent: inputs.map(|input| input.previous_output).collect(),
        }
    }
}

fn parents_first(transactions: Vec<Transaction>) -> Vec<Transaction> {
    let mut waiting: Vec<(Txid, Transaction)> = Vec::new();
    for tx in transactions {
        let txid = tx.compute_txid();
        if !waiting.iter().any(|(known, _)| *known == txid) {
            waiting.push((txid, tx));
        }
    }
    let mut sorted = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ids: HashSet<Txid> = waiting.iter().map(|(txid, _)| *txid).collect();
        let free = |tx: &Transaction| {
            let mut inputs = tx.input.iter();
            inputs.all(|input| !ids.contains(&input.previous_output.txid))
        };
        // A transaction names its parents by hash, so there is no cycle and one is always free.
        let next = waiting.iter().position(|(_, tx)| free(tx)).unwrap_or(0);
        sorted.push(waiting.remove(next).1);
    }
    sorted
}

pub(super) fn purpose_of(kind: &TransactionType) -> &'static str {
    match kind {
        TransactionType::Funding { .. } | TransactionType::InteractiveFunding { .. } => "funding",
        TransactionType::CooperativeClose { .. } => COOPERATIVE_CLOSE,
        TransactionType::UnilateralClose { .. } => "forced close",
        TransactionType::AnchorBump { .. } => "anchor bump",
        TransactionType::Claim { .. } => "claim of channel outputs",
        TransactionType::Sweep { .. } => "sweep",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bitcoin::{Amount, ScriptBuf, TxIn, TxOut, absolute, transaction};

    /// A transaction that spends `inputs` and is told from others by its output's `sats`.
    pub fn spending(inputs: &[OutPoint], sats: u64) -> Transaction {
        let inputs = inputs.iter().map(|coin| TxIn { previous_output: *coin, ..TxIn::default() });
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: inputs.collect(),
            output: vec![TxOut { value: Amount::from_sat(sats), script_pubkey: ScriptBuf::new() }],
        }
    }

    pub fn coin(n: u8) -> OutPoint {
        use bitcoin::hashes::Hash;
        OutPoint::new(Txid::from_byte_array([n; 32]), 0)
    }

    fn output_of(tx: &Transaction) -> OutPoint {
        OutPoint::new(tx.compute_txid(), 0)
    }

    fn block_of(transactions: Vec<Transaction>) -> BlockSummary {
        let mut block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        block.txdata = transactions;
        BlockSummary::of(&block)
    }

    #[test]
    fn parents_come_before_children_whatever_the_order() {
        let parents = [spending(&[coin(1)], 10), spending(&[coin(2)], 11)];
        let child = spending(&[output_of(&parents[0]), output_of(&parents[1])], 12);
        let [a, b] = parents;
        for order in [
            vec![child.clone(), a.clone(), b.clone()],
            vec![a.clone(), child.clone(), b.clone()],
            vec![b.clone(), a.clone(), child.clone(), a.clone()],
        ] {
            let package = Package::new(order, "test");
            assert_eq!(package.transactions().len(), 3);
            assert_eq!(package.transactions()[2], child);
        }
    }

    #[test]
    fn a_block_settles_what_it_confirms_and_what_it_contradicts() {
        let parent = spending(&[coin(1)], 10);
        let child = spending(&[output_of(&parent), coin(3)], 11);
        let package = Package::new(vec![parent.clone(), child.clone()], "test");

        let mut confirmed = package.clone();
        confirmed.settle(&block_of(vec![parent.clone()]));
        assert_eq!(confirmed.transactions(), &[child]);

        let mut contradicted = package.clone();
        contradicted.settle(&block_of(vec![spending(&[coin(1)], 99)]));
        assert!(contradicted.transactions().is_empty());

        let mut untouched = package.clone();
        untouched.settle(&block_of(vec![spending(&[coin(7)], 99)]));
        assert_eq!(untouched, package);
    }
}
