//! What was released and is not yet confirmed.

use std::sync::Mutex;

use bitcoin::{Block, Txid};
use tokio::sync::Notify;

use super::Package;
use super::package::BlockSummary;

/// For how many blocks a package is rebroadcast before it is given up.
///
/// LDK announces its own transactions again for as long as they matter, but for cooperative closes,
/// which a forced close follows then; so this bounds only what nobody cares for any more.
pub const REBROADCAST_BLOCKS: u32 = 144;
/// Packages kept at once; the oldest yields.
const MAX_KEPT: usize = 1000;

/// Shared by the step thread, which releases, the follower, which settles, and the announcer.
#[derive(Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    pub work: Notify,
}

#[derive(Default)]
struct State {
    kept: Vec<Kept>,
    height: Option<u32>,
}

struct Kept {
    package: Package,
    txids: Vec<Txid>,
    since: Option<u32>,
    due: bool,
    refusal: Option<String>,
}

impl Outbox {
    pub fn release(&self, packages: Vec<Package>) {
        if packages.is_empty() {
            return;
        }
        let mut state = self.lock();
        for package in packages {
            state.keep(package);
        }
        drop(state);
        self.work.notify_one();
    }

    /// The next package to send. It stays due until [`Self::note_answer`], so that a stop in the
    /// middle of a call loses nothing: a transaction sent twice does no harm.
    pub fn next_due(&self) -> Option<Package> {
        let state = self.lock();
        let kept = state.kept.iter().find(|kept| kept.due)?;
        Some(kept.package.clone())
    }

    /// Remembers what bitcoind said to a package; true if that is news. One that a block changed
    /// meanwhile is another package, and still due.
    pub fn note_answer(&self, package: &Package, refusal: Option<String>) -> bool {
        let txids = package.txids();
        let mut state = self.lock();
        let Some(kept) = state.kept.iter_mut().find(|kept| kept.txids == txids) else {
            return false;
        };
        kept.due = false;
        let news = kept.refusal != refusal;
        kept.refusal = refusal;
        news
    }

    pub fn refusal(&self, txid: &Txid) -> Option<String> {
        let state = self.lock();
        let kept = state.kept.iter().find(|kept| kept.txids.contains(txid))?;
        kept.refusal.clone()
    }

    /// Drops what a block settles and what has been tried for too long.
    pub fn block_connected(&self, block: &Block, height: u32) {
        let mut state = self.lock();
        state.height = Some(height);
        if state.kept.is_empty() {
            return;
        }
        let summary = BlockSummary::of(block);
        state.kept.retain_mut(|kept| {
            kept.package.settle(&summary);
            kept.txids = kept.package.txids();
            let since = *kept.since.get_or_insert(height);
            let expired = height.saturating_sub(since) > REBROADCAST_BLOCKS;
            if expired && !kept.txids.is_empty() {
                let (purpose, txids) = (kept.package.purpose(), &kept.txids);
                tracing::warn!(purpose, ?txids, "giving up the rebroadcast");
            }
            !expired && !kept.txids.is_empty()
        });
    }

    /// All that is unconfirmed is due again. Called at the end of a catch-up, not for each block.
    pub fn tip_reached(&self) {
        for kept in &mut self.lock().kept {
            kept.due = true;
        }
        self.work.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

impl State {
    /// The same package again, which LDK does often, is only made due.
    fn keep(&mut self, package: Package) {
        let txids = package.txids();
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.txids == txids) {
            kept.package = package;
            kept.due = true;
            return;
        }
        if self.kept.len() >= MAX_KEPT {
            let dropped = self.kept.remove(0);
            let (purpose, txids) = (dropped.package.purpose(), dropped.txids);
            tracing::warn!(purpose, ?txids, "too much to rebroadcast, dropped the oldest");
        }
        self.kept.push(Kept { package, txids, since: self.height, due: true, refusal: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::package::tests::{coin, spending};
    use bitcoin::{Network, constants::genesis_block};

    fn block_with(transactions: Vec<bitcoin::Transaction>) -> Block {
        let mut block = genesis_block(Network::Regtest);
        block.txdata = transactions;
        block
    }

    fn package(n: u8) -> Package {
        Package::new(vec![spending(&[coin(n)], n.into())], "test")
    }

    fn drain(outbox: &Outbox) -> Vec<Package> {
        let send_next = || {
            let package = outbox.next_due()?;
            outbox.note_answer(&package, None);
            Some(package)
        };
        std::iter::from_fn(send_next).collect()
    }

    #[test]
    fn a_package_is_sent_once_per_tip_until_it_is_confirmed() {
        let outbox = Outbox::default();
        outbox.release(vec![package(1), package(2)]);
        outbox.release(vec![package(1)]);
        assert_eq!(drain(&outbox), [package(1), package(2)]);
        assert!(drain(&outbox).is_empty());

        outbox.block_connected(&block_with(package(1).transactions().to_vec()), 101);
        assert!(drain(&outbox).is_empty());
        outbox.tip_reached();
        assert_eq!(drain(&outbox), [package(2)]);
    }

    #[test]
    fn it_is_given_up_in_the_end() {
        let outbox = Outbox::default();
        outbox.block_connected(&block_with(vec![]), 100);
        outbox.release(vec![package(1)]);
        outbox.block_connected(&block_with(vec![]), 100 + REBROADCAST_BLOCKS);
        outbox.tip_reached();
        assert_eq!(drain(&outbox).len(), 1);
        outbox.block_connected(&block_with(vec![]), 101 + REBROADCAST_BLOCKS);
        outbox.tip_reached();
        assert!(drain(&outbox).is_empty());
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let outbox = Outbox::default();
        let many = (0..1500).map(|n| Package::new(vec![spending(&[coin(1)], n)], "test"));
        outbox.release(many.collect());
        assert_eq!(drain(&outbox).len(), MAX_KEPT);
    }
}
