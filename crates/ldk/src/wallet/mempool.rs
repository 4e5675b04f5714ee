//! Transactions outside of blocks: seen, gone, never broadcast.

use bdk_wallet::chain::Indexer;
use bitcoin::{Transaction, Txid};
use std::sync::Arc;

use super::books::Fate;
use super::record::Label;
use super::{State, Wallet};

/// A bump of ours is given so many blocks to reach the mempool before its absence counts.
const BUMP_GRACE_BLOCKS: u32 = 2;

impl Wallet {
    /// Takes what came into the mempool and what is not there. Strangers' transactions are
    /// ignored, and of what is not there all that is not [evictable](Wallet::evictable): so all may
    /// be given. `last_seen` are seconds since the epoch; whatever they say, what is handed in later
    /// wins over what it conflicts with. Whether a bump of ours is not there: its coins are free, and
    /// LDK needs another one.
    pub fn apply_mempool(&self, new: Vec<(Transaction, u64)>, mut gone: Vec<Txid>) -> bool {
        let mut state = self.lock();
        if !gone.is_empty() {
            // A block may have confirmed it meanwhile: what builds on it would go with it.
            let evictable = state.evictable();
            gone.retain(|txid| evictable.contains(txid));
        }
        let is_bump = |txid: &Txid| matches!(state.books.label(txid), Some(Label::Bump { .. }));
        let bump_is_gone = gone.iter().any(is_bump);
        if !gone.is_empty() {
            state.evict(gone);
        }
        if !new.is_empty() {
            let last_seen = new.iter().map(|(_, last_seen)| *last_seen).max().unwrap_or(0);
            new.iter().for_each(|(tx, _)| state.books.mark_broadcast(tx.compute_txid()));
            state.see(new.into_iter().map(|(tx, _)| tx), last_seen);
        }
        bump_is_gone
    }

    /// Whether a transaction pays the wallet or spends a coin of it.
    pub fn is_relevant(&self, tx: &Transaction) -> bool {
        self.lock().bdk.spk_index().is_tx_relevant(tx)
    }

    /// Unconfirmed transactions that count only while a mempool has them: those of others,
    /// sweeps, and bumps that had two blocks' time to get there. The ones that the chain source
    /// does not have are gone, and are to be given to [`Wallet::apply_mempool`] as such.
    ///
    /// What the wallet itself sent, and fundings, count until a conflict is confirmed or they
    /// are cancelled: [`Wallet::to_rebroadcast`].
    pub fn evictable(&self) -> Vec<Txid> {
        self.lock().evictable()
    }

    /// Unconfirmed transactions that the wallet sent, and fundings that LDK has broadcast: to be
    /// given to the chain source again after a start and from time to time. Parents come first.
    pub fn to_rebroadcast(&self) -> Vec<Arc<Transaction>> {
        let state = self.lock();
        let sent = |txid: &Txid| {
            matches!(
                state.books.label(txid),
                Some(Label::Withdrawal | Label::Funding { broadcast: true, .. })
            )
        };
        let graph = state.bdk.tx_graph();
        let unconfirmed = state.unconfirmed();
        unconfirmed.into_iter().filter(sent).filter_map(|txid| graph.get_tx(txid)).collect()
    }

    /// Fundings of [`Wallet::fund_channel`] that LDK has not broadcast, as far as the wallet was
    /// told or has seen: after a start, those of channels that LDK does not know are to be cancelled.
    pub fn unbroadcast_fundings(&self) -> Vec<Txid> {
        let state = self.lock();
        let waits =
            |txid: &Txid| matches!(state.books.label(txid), Some(Label::Funding { broadcast: false, .. }));
        state.unconfirmed().into_iter().filter(waits).collect()
    }

    /// Says that LDK broadcasts a funding: its change may be spent from now on.
    pub fn mark_broadcast(&self, txid: Txid) {
        self.lock().books.mark_broadcast(txid);
    }

    /// Takes back an unconfirmed transaction of ours, and what builds on it: its coins are free
    /// again. Only for one that nobody will broadcast; if it does appear, it counts again.
    /// `false` if there is nothing to take back.
    pub fn cancel(&self, txid: Txid) -> bool {
        let mut state = self.lock();
        let ours = state.books.label(&txid).is_some() && state.unconfirmed().contains(&txid);
        if ours {
            state.evict(vec![txid]);
        }
        ours
    }
}

impl State {
    /// Inserts transactions as unconfirmed, newer than anything before.
    pub(super) fn see(&mut self, txs: impl IntoIterator<Item = Transaction>, last_seen: u64) {
        let last_seen = self.tick().max(last_seen);
        self.clock = last_seen;
        // A coinbase is in no mempool, and BDK would count it as spendable.
        let txs = txs.into_iter().filter(|tx| !tx.is_coinbase());
        self.bdk.apply_unconfirmed_txs(txs.map(|tx| (tx, last_seen)));
        self.absorb();
    }

    /// With all that spend their outputs: BDK holds a transaction for real as long as one of
    /// its descendants is.
    fn evict(&mut self, txids: Vec<Txid>) {
        let at = self.tick();
        let graph = self.bdk.tx_graph();
        let mut gone = txids.clone();
        for txid in txids {
            gone.extend(graph.walk_descendants(txid, |_, descendant| Some(descendant)));
        }
        let known = gone.into_iter().filter(|txid| graph.get_tx(*txid).is_some());
        // Not `apply_evicted_txs`, which judges the whole history first.
        let mut update = bdk_wallet::Update::default();
        update.tx_update.evicted_ats = known.map(|txid| (txid, at)).collect();
        self.bdk.apply_update(update).expect("an update without blocks connects to any chain");
        self.absorb();
    }

    fn evictable(&self) -> Vec<Txid> {
        let tip = self.blocks.tip().height;
        let absent_is_gone = |txid: &Txid| match self.books.label(txid) {
            Some(Label::Withdrawal | Label::Funding { .. }) => false,
            Some(Label::Bump { since }) => tip >= since + BUMP_GRACE_BLOCKS,
            None => true,
        };
        self.unconfirmed().into_iter().filter(absent_is_gone).collect()
    }

    /// Parents before children.
    fn unconfirmed(&self) -> Vec<Txid> {
        let open = self.fates().into_iter().filter(|(_, fate)| *fate == Fate::Unconfirmed);
        open.map(|(txid, _)| txid).collect()
    }
}
