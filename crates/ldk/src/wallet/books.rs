//! What the books were told of each transaction, and what they have to be told next.
//!
//! Only transactions that are not final are looked at again: the *open* ones, those that BDK
//! *touched*, and what either can influence (conflicts, unconfirmed parents and children). Their
//! fate is decided by BDK's own rules, on a graph of just them.

use std::collections::{BTreeSet, HashMap};

use bdk_wallet::ChangeSet;
use bdk_wallet::chain::tx_graph::TxGraph;
use bdk_wallet::chain::{CanonicalizationParams, ChainPosition, ConfirmationBlockTime};
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Transaction, Txid};
use sponte_engine::backend::{WalletTx, WalletTxState};
use sponte_engine::commit::KvEntry;
use sponte_proto::{ChannelId, Sat};

use super::classify::Facts;
use super::coins::Coins;
use super::record::{Channel, Kind, Label, Note, Record, Told, ToldState};
use super::{FINAL_DEPTH, State, WalletError, journal};

const RECORD_PREFIX: &str = "tx/";
const NOTE_PREFIX: &str = "note/";

/// Records and notes, and which of them to look at and to write.
#[derive(Default)]
pub(super) struct Books {
    records: HashMap<Txid, Record>,
    notes: HashMap<OutPoint, Note>,
    /// Count, or might again, and are not final.
    open: BTreeSet<Txid>,
    /// What final transactions left unspent.
    settled: Coins,
    /// Changed in BDK since the last look.
    touched: BTreeSet<Txid>,
    stale: bool,
    unwritten_records: BTreeSet<Txid>,
    unwritten_notes: BTreeSet<OutPoint>,
}

/// Where a transaction stands for BDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Replaced, evicted, or never inserted.
    Gone,
    Unconfirmed,
    /// In the best chain's block of that height, or below.
    Confirmed(u32),
}

impl Books {
    pub(super) fn read(&mut self, key: &str, value: &[u8]) -> Result<(), WalletError> {
        if let Some(txid) = key.strip_prefix(RECORD_PREFIX) {
            let txid = txid.parse().map_err(|error| journal::damaged(key, error))?;
            self.records.insert(txid, journal::read(key, value)?);
        } else if let Some(outpoint) = key.strip_prefix(NOTE_PREFIX) {
            let outpoint = outpoint.parse().map_err(|error| journal::damaged(key, error))?;
            self.notes.insert(outpoint, journal::read(key, value)?);
        } else {
            return Err(journal::damaged(key, "no such key is known"));
        }
        Ok(())
    }

    pub(super) fn take_writes(&mut self) -> Vec<KvEntry> {
        let records = std::mem::take(&mut self.unwritten_records).into_iter().filter_map(|txid| {
            let record = self.records.get(&txid)?;
            Some(journal::put(format!("{RECORD_PREFIX}{txid}"), record))
        });
        let notes = std::mem::take(&mut self.unwritten_notes).into_iter().filter_map(|outpoint| {
            let note = self.notes.get(&outpoint)?;
            Some(journal::put(format!("{NOTE_PREFIX}{outpoint}"), note))
        });
        records.chain(notes).collect()
    }

    pub(super) fn label(&self, txid: &Txid) -> Option<Label> {
        self.records.get(txid)?.label
    }

    pub(super) fn set_label(&mut self, txid: Txid, label: Label) {
        self.records.entry(txid).or_default().label = Some(label);
        self.unwritten_records.insert(txid);
        self.touch(txid);
    }

    pub(super) fn mark_broadcast(&mut self, txid: Txid) {
        if let Some(Label::Funding { value_sat, broadcast: false }) = self.label(&txid) {
            self.set_label(txid, Label::Funding { value_sat, broadcast: true });
        }
    }

    pub(super) fn touch_changed(&mut self, changes: &ChangeSet) {
        let graph = &changes.tx_graph;
        self.stale = true;
        self.touched.extend(graph.txs.iter().map(|tx| tx.compute_txid()));
        self.touched.extend(graph.anchors.iter().map(|(_, txid)| *txid));
        self.touched.extend(graph.last_seen.keys());
        self.touched.extend(graph.last_evicted.keys());
    }

    /// Depths are others now.
    pub(super) fn tip_changed(&mut self) {
        self.stale = true;
    }

    /// What was final above `height` is not any more; whether there was such.
    fn reopen_above(&mut self, height: u32) -> bool {
        let open_before = self.open.len();
        for (txid, record) in &mut self.records {
            if record.final_height.is_some_and(|confirmed| confirmed > height) {
                record.final_height = None;
                self.open.insert(*txid);
                self.unwritten_records.insert(*txid);
            }
        }
        self.stale = true;
        self.open.len() > open_before
    }

    pub(super) fn settled(&self) -> &Coins {
        &self.settled
    }

    fn touch(&mut self, txid: Txid) {
        self.touched.insert(txid);
        self.stale = true;
    }

    pub(super) fn is_final(&self, txid: &Txid) -> bool {
        self.records.get(txid).is_some_and(|record| record.final_height.is_some())
    }

    /// Brings a transaction's record up to its fate; what the books have to be told of it.
    fn settle(&mut self, txid: Txid, fate: Fate, kind: Option<Kind>, tip: u32) -> Vec<Told> {
        let depth = |height| (tip + 1).saturating_sub(height);
        let final_height = match fate {
            Fate::Confirmed(height) if depth(height) >= FINAL_DEPTH => Some(height),
            _ => None,
        };
        match (fate, final_height) {
            (Fate::Gone, _) | (_, Some(_)) => self.open.remove(&txid),
            _ => self.open.insert(txid),
        };
        if matches!(fate, Fate::Confirmed(_)) {
            self.mark_broadcast(txid);
        }
        let old = self.records.get(&txid).cloned().unwrap_or_default();
        let kind = kind.filter(|_| fate != Fate::Gone);
        let news = news(old.told.as_ref(), kind, final_height.is_some());
        let told = news.last().cloned().or_else(|| old.told.clone());
        let new = Record { label: old.label, told, final_height };
        if new != old {
            self.records.insert(txid, new);
            self.unwritten_records.insert(txid);
        }
        news
    }
}

/// What to say after `old`, now that the transaction is of this kind, or counts for nothing.
fn news(old: Option<&Told>, kind: Option<Kind>, is_final: bool) -> Vec<Told> {
    let counted = old.filter(|told| told.state != ToldState::Gone);
    let gone = counted.map(|told| Told { state: ToldState::Gone, kind: told.kind.clone() });
    let state = if is_final { ToldState::Confirmed } else { ToldState::Seen };
    match (counted, kind) {
        (_, None) => gone.into_iter().collect(),
        (Some(told), Some(kind)) if told.kind == kind => {
            // Once confirmed it stays so, however the chain is reorganised, until it is gone.
            let deeper = told.state == ToldState::Seen && is_final;
            deeper.then_some(Told { state, kind }).into_iter().collect()
        }
        (_, Some(kind)) => gone.into_iter().chain([Told { state, kind }]).collect(),
    }
}

impl State {
    /// After a start: everything that is not final is open, and what is final but has another
    /// effect now (an address that was not looked for then) is corrected.
    pub(super) fn open_books(&mut self) {
        self.settle_coins();
        let txs = self.bdk.tx_graph().full_txs().map(|node| (node.txid, node.tx));
        let open: Vec<Txid> =
            txs.filter(|(txid, tx)| self.is_open(*txid, tx)).map(|(txid, _)| txid).collect();
        self.books.touched.extend(open);
        self.books.stale = true;
    }

    /// What was final above `height` is open again.
    pub(super) fn reopen_above(&mut self, height: u32) {
        if self.books.reopen_above(height) {
            self.settle_coins();
        }
    }

    /// Counts the coins of final transactions anew.
    fn settle_coins(&mut self) {
        let graph = self.bdk.tx_graph();
        let height = |txid: &Txid| self.books.records.get(txid)?.final_height;
        let finals = graph.full_txs().filter_map(|node| Some((node.txid, node.tx, height(&node.txid)?)));
        let mut coins = Coins::new();
        for (txid, tx, height) in finals {
            self.lay_over(&mut coins, txid, &tx, Some(height));
        }
        self.books.settled = coins;
    }

    fn is_open(&self, txid: Txid, tx: &Transaction) -> bool {
        let Some(record) = self.books.records.get(&txid) else { return true };
        let told = record.told.as_ref();
        if told.is_some_and(|told| told.state == ToldState::Gone) {
            return false;
        }
        let effect = |kind: Option<&Kind>| kind.map_or(0, Kind::effect);
        record.final_height.is_none()
            || effect(told.map(|told| &told.kind)) != effect(self.facts(txid, tx).kind().as_ref())
    }

    pub(super) fn note(&mut self, channel: ChannelId, outpoint: OutPoint, value: Option<Sat>) {
        let channel = Channel(channel.to_bytes());
        let note = Note { channel, value_sat: value.map(Sat::to_sat) };
        let old = self.books.notes.get(&outpoint);
        // A value that is known stays known.
        if old == Some(&note) || (value.is_none() && old.is_some()) {
            return;
        }
        self.books.notes.insert(outpoint, note);
        self.books.unwritten_notes.insert(outpoint);
        let spenders: Vec<Txid> = self.bdk.tx_graph().outspends(outpoint).iter().copied().collect();
        spenders.into_iter().for_each(|txid| self.books.touch(txid));
    }

    pub(super) fn poll_changes(&mut self) -> Vec<WalletTx> {
        if !self.books.stale {
            return vec![];
        }
        let fates = self.fates();
        self.books.stale = false;
        self.books.touched.clear();
        let tip = self.blocks.tip().height;
        let mut changes = vec![];
        for (txid, fate) in fates {
            let Some(tx) = self.bdk.tx_graph().get_tx(txid) else { continue };
            let kind = self.facts(txid, &tx).kind();
            let was_final = self.books.is_final(&txid);
            let news = self.books.settle(txid, fate, kind, tip);
            changes.extend(news.into_iter().map(|told| wallet_tx(txid, &told)));
            if let (Fate::Confirmed(height), false, true) = (fate, was_final, self.books.is_final(&txid)) {
                let mut settled = std::mem::take(&mut self.books.settled);
                self.lay_over(&mut settled, txid, &tx, Some(height));
                self.books.settled = settled;
            }
        }
        changes
    }

    /// The fates of all transactions that may have changed: what is gone first, then parents
    /// before their children.
    pub(super) fn fates(&self) -> Vec<(Txid, Fate)> {
        let candidates = self.candidates();
        let graph = self.subgraph(&candidates);
        let tip = self.blocks.tip();
        let params = CanonicalizationParams::default();
        let canonical: Vec<(Txid, Fate)> = graph
            .list_ordered_canonical_txs(&self.blocks, tip, params)
            .map(|tx| match tx.chain_position {
                ChainPosition::Confirmed { anchor, .. } => {
                    (tx.tx_node.txid, Fate::Confirmed(anchor.block_id.height))
                }
                ChainPosition::Unconfirmed { .. } => (tx.tx_node.txid, Fate::Unconfirmed),
            })
            .collect();
        let counted: BTreeSet<Txid> = canonical.iter().map(|(txid, _)| *txid).collect();
        let gone = candidates.difference(&counted).map(|txid| (*txid, Fate::Gone));
        gone.chain(canonical).collect()
    }

    /// Open and touched transactions, and what they and those influence, up to final ones.
    fn candidates(&self) -> BTreeSet<Txid> {
        let graph = self.bdk.tx_graph();
        let mut found = BTreeSet::new();
        let mut waiting: Vec<Txid> = self.books.open.union(&self.books.touched).copied().collect();
        while let Some(txid) = waiting.pop() {
            let Some(tx) = graph.get_tx(txid) else { continue };
            if !found.insert(txid) || self.books.is_final(&txid) {
                continue;
            }
            let parents = tx.input.iter().map(|input| input.previous_output.txid);
            waiting.extend(parents.filter(|parent| !self.books.is_final(parent)));
            waiting.extend(graph.direct_conflicts(&tx).map(|(_, conflict)| conflict));
            waiting.extend(graph.tx_spends(txid).flat_map(|(_, spenders)| spenders.iter().copied()));
        }
        found
    }

    fn subgraph(&self, txids: &BTreeSet<Txid>) -> TxGraph<ConfirmationBlockTime> {
        let graph = self.bdk.tx_graph();
        let mut sub = TxGraph::default();
        for node in txids.iter().filter_map(|txid| graph.get_tx_node(*txid)) {
            let _ = sub.insert_tx(node.tx.clone());
            for anchor in node.anchors {
                let _ = sub.insert_anchor(node.txid, *anchor);
            }
            if let Some(last_seen) = node.last_seen {
                let _ = sub.insert_seen_at(node.txid, last_seen);
            }
            if let Some(evicted) = graph.get_last_evicted(node.txid) {
                let _ = sub.insert_evicted_at(node.txid, evicted);
            }
        }
        sub
    }

    fn facts(&self, txid: Txid, tx: &Transaction) -> Facts {
        let index = self.bdk.spk_index();
        let mut facts = Facts { label: self.books.label(&txid), ..Default::default() };
        for input in &tx.input {
            match (index.txout(input.previous_output), self.books.notes.get(&input.previous_output)) {
                (Some((_, coin)), _) => facts.spent_sat += coin.value.to_sat(),
                (None, Some(note)) => facts.notes.push(*note),
                (None, None) => facts.strange_inputs += 1,
            }
        }
        // By outpoint, not by script: these are the coins that BDK counts.
        let received = index.txouts_in_tx(txid).map(|(_, (_, output))| output.value.to_sat());
        facts.received_sat = received.sum();
        let all: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        facts.paid_sat = all - facts.received_sat;
        facts
    }
}

fn wallet_tx(txid: Txid, told: &Told) -> WalletTx {
    let state = match told.state {
        ToldState::Seen => WalletTxState::Seen,
        ToldState::Confirmed => WalletTxState::Confirmed,
        ToldState::Gone => WalletTxState::Gone,
    };
    let txid = sponte_proto::Txid::from_bytes(txid.to_byte_array());
    WalletTx { txid, state, kind: told.kind.to_backend() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: ToldState, amount: u64) -> Told {
        Told { state, kind: Kind::Deposit(amount) }
    }

    #[test]
    fn each_change_is_told_once() {
        use ToldState::{Confirmed, Gone, Seen};
        let deposit = |amount| Some(Kind::Deposit(amount));
        let after = |old: Option<Told>, kind, is_final| news(old.as_ref(), kind, is_final);
        assert_eq!(after(None, deposit(1), false), [told(Seen, 1)]);
        assert_eq!(after(None, deposit(1), true), [told(Confirmed, 1)]);
        assert_eq!(after(None, None, true), []);
        assert_eq!(after(Some(told(Seen, 1)), deposit(1), false), []);
        assert_eq!(after(Some(told(Seen, 1)), deposit(1), true), [told(Confirmed, 1)]);
        assert_eq!(after(Some(told(Seen, 1)), None, false), [told(Gone, 1)]);
        assert_eq!(after(Some(told(Confirmed, 1)), deposit(1), false), []);
        assert_eq!(after(Some(told(Confirmed, 1)), None, false), [told(Gone, 1)]);
        assert_eq!(after(Some(told(Gone, 1)), None, false), []);
        assert_eq!(after(Some(told(Gone, 1)), deposit(1), false), [told(Seen, 1)]);
        assert_eq!(after(Some(told(Seen, 1)), deposit(2), true), [told(Gone, 1), told(Confirmed, 2)]);
    }
}
