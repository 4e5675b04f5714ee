//! The transactions that wait for a block, and how they spend one another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid, Wtxid};

use crate::time::UnixTime;

/// A waiting transaction.
#[derive(Clone, Debug)]
pub struct MempoolEntry {
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// Its id with witnesses.
    pub wtxid: Wtxid,
    /// What it pays to the miner.
    pub fee: Amount,
    /// Its size in virtual bytes.
    pub vsize_vb: u64,
    /// When it came.
    pub time: UnixTime,
    /// The height of the chain when it came.
    pub height: u32,
    /// The order of arrival: parents come before their children.
    arrival: u64,
    parents: BTreeSet<Txid>,
    children: BTreeSet<Txid>,
}

impl MempoolEntry {
    /// The waiting transactions it spends directly.
    pub fn parents(&self) -> impl Iterator<Item = Txid> + '_ {
        self.parents.iter().copied()
    }

    /// The waiting transactions that spend it directly.
    pub fn children(&self) -> impl Iterator<Item = Txid> + '_ {
        self.children.iter().copied()
    }
}

/// The number, size and fees of a transaction together with its kin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// How many transactions.
    pub count: u64,
    /// Their size in virtual bytes.
    pub vsize_vb: u64,
    /// Their fees.
    pub fee: Amount,
}

impl Package {
    fn add(&mut self, entry: &MempoolEntry) {
        self.count += 1;
        self.vsize_vb += entry.vsize_vb;
        self.fee += entry.fee;
    }
}

/// The waiting transactions. It keeps the graph; what may enter is decided elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Mempool {
    entries: HashMap<Txid, MempoolEntry>,
    by_arrival: BTreeMap<u64, Txid>,
    spends: HashMap<OutPoint, Txid>,
    arrivals: u64,
    vsize_vb: u64,
    total_fee: Amount,
    /// Counts every change, as bitcoind's `mempool_sequence` does.
    changes: u64,
}

impl Mempool {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn vsize_vb(&self) -> u64 {
        self.vsize_vb
    }

    pub(crate) fn total_fee(&self) -> Amount {
        self.total_fee
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn entry(&self, txid: &Txid) -> Option<&MempoolEntry> {
        self.entries.get(txid)
    }

    /// All entries in the order of arrival: parents before children.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &MempoolEntry> {
        self.by_arrival.values().map(|txid| self.known(txid))
    }

    /// The waiting transaction that spends an output.
    pub(crate) fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.spends.get(outpoint).copied()
    }

    /// An output of a waiting transaction.
    pub(crate) fn output(&self, outpoint: &OutPoint) -> Option<&TxOut> {
        self.entries.get(&outpoint.txid)?.tx.output.get(outpoint.vout as usize)
    }

    /// The waiting transactions that a newcomer would spend directly.
    pub(crate) fn parents_of(&self, tx: &Transaction) -> BTreeSet<Txid> {
        tx.input
            .iter()
            .map(|input| input.previous_output.txid)
            .filter(|txid| self.entries.contains_key(txid))
            .collect()
    }

    /// `from` and everything they spend, directly or not.
    pub(crate) fn with_ancestors(&self, from: BTreeSet<Txid>) -> BTreeSet<Txid> {
        self.closure(from, |entry| &entry.parents)
    }

    /// `from` and everything that spends them, directly or not.
    pub(crate) fn with_descendants(&self, from: BTreeSet<Txid>) -> BTreeSet<Txid> {
        self.closure(from, |entry| &entry.children)
    }

    /// An entry and everything it spends, summed.
    pub(crate) fn ancestor_package(&self, txid: &Txid) -> Package {
        self.sum(&self.with_ancestors(BTreeSet::from([*txid])))
    }

    /// An entry and everything that spends it, summed.
    pub(crate) fn descendant_package(&self, txid: &Txid) -> Package {
        self.sum(&self.with_descendants(BTreeSet::from([*txid])))
    }

    pub(crate) fn sum(&self, txids: &BTreeSet<Txid>) -> Package {
        let mut package = Package::default();
        txids.iter().for_each(|txid| package.add(self.known(txid)));
        package
    }

    /// Adds a transaction whose inputs are free and whose parents are here already.
    pub(crate) fn insert(&mut self, tx: Arc<Transaction>, fee: Amount, time: UnixTime, height: u32) {
        let txid = tx.compute_txid();
        let parents = self.parents_of(&tx);
        for parent in &parents {
            self.known_mut(parent).children.insert(txid);
        }
        for input in &tx.input {
            self.spends.insert(input.previous_output, txid);
        }
        let entry = MempoolEntry {
            txid,
            wtxid: tx.compute_wtxid(),
            fee,
            vsize_vb: tx.vsize() as u64,
            time,
            height,
            arrival: self.arrivals,
            parents,
            children: BTreeSet::new(),
            tx,
        };
        self.arrivals += 1;
        self.changes += 1;
        self.vsize_vb += entry.vsize_vb;
        self.total_fee += fee;
        self.by_arrival.insert(entry.arrival, txid);
        self.entries.insert(txid, entry);
    }

    /// Removes entries; whatever spends them must be among them.
    pub(crate) fn remove_all(&mut self, txids: &BTreeSet<Txid>) {
        txids.iter().for_each(|txid| self.remove(txid));
    }

    /// Removes what a block confirmed, and what can no longer be confirmed because of it.
    pub(crate) fn remove_confirmed(&mut self, txid: &Txid, tx: &Transaction) {
        self.remove(txid);
        for input in &tx.input {
            if let Some(conflict) = self.spender(&input.previous_output) {
                let orphaned = self.with_descendants(BTreeSet::from([conflict]));
                self.remove_all(&orphaned);
            }
        }
    }

    /// Empties the mempool and returns what was in it, in the order of arrival.
    pub(crate) fn drain(&mut self) -> Vec<MempoolEntry> {
        let order = std::mem::take(&mut self.by_arrival);
        let mut entries = std::mem::take(&mut self.entries);
        self.spends.clear();
        self.vsize_vb = 0;
        self.total_fee = Amount::ZERO;
        order.into_values().filter_map(|txid| entries.remove(&txid)).collect()
    }

    fn remove(&mut self, txid: &Txid) {
        let Some(entry) = self.entries.remove(txid) else { return };
        self.by_arrival.remove(&entry.arrival);
        for input in &entry.tx.input {
            self.spends.remove(&input.previous_output);
        }
        for parent in &entry.parents {
            if let Some(parent) = self.entries.get_mut(parent) {
                parent.children.remove(txid);
            }
        }
        for child in &entry.children {
            if let Some(child) = self.entries.get_mut(child) {
                child.parents.remove(txid);
            }
        }
        self.changes += 1;
        self.vsize_vb -= entry.vsize_vb;
        self.total_fee -= entry.fee;
    }

    fn closure(
        &self,
        from: BTreeSet<Txid>,
        next: impl Fn(&MempoolEntry) -> &BTreeSet<Txid>,
    ) -> BTreeSet<Txid> {
        let mut open: Vec<Txid> = from.iter().copied().collect();
        let mut seen = from;
        while let Some(txid) = open.pop() {
            for other in next(self.known(&txid)) {
                if seen.insert(*other) {
                    open.push(*other);
                }
            }
        }
        seen
    }

    fn known(&self, txid: &Txid) -> &MempoolEntry {
        self.entries.get(txid).expect("the graph of the mempool names its own entries only")
    }

    fn known_mut(&mut self, txid: &Txid) -> &mut MempoolEntry {
        self.entries.get_mut(txid).expect("the graph of the mempool names its own entries only")
    }
}
