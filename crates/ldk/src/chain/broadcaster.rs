//! Collects what LDK and the wallet want broadcast until the commit of their step.

use std::sync::{Arc, Mutex};

use bitcoin::{Transaction, Txid};
use lightning::chain::chaininterface::{BroadcasterInterface, TransactionType};

use super::outbox::Outbox;
use super::package::{Package, purpose_of};

/// The broadcaster given to LDK. Nothing it is given leaves before [`Self::release`].
///
/// The step thread calls [`Self::take`] when it seals a step, and [`Self::release`] with the same
/// packages once that step's commit is durable. If the commit never happens, nothing was sent.
pub struct Broadcaster {
    step: Mutex<Vec<Package>>,
    outbox: Arc<Outbox>,
}

impl Broadcaster {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { step: Mutex::default(), outbox }
    }

    /// Adds a package of ours to the present step, such as a payment of the wallet.
    pub fn broadcast(&self, package: Package) {
        if !package.transactions().is_empty() {
            self.step().push(package);
        }
    }

    /// How many packages the present step has.
    pub fn waiting(&self) -> usize {
        self.step().len()
    }

    /// Ends the step: what was collected since the last call.
    pub fn take(&self) -> Vec<Package> {
        std::mem::take(&mut *self.step())
    }

    /// Hands packages whose commit is durable to the chain thread. They are sent as soon as
    /// bitcoind answers, and again at each new block until they are confirmed or contradicted, for
    /// [144 blocks](super::REBROADCAST_BLOCKS) at most. They are kept in memory only: after a
    /// restart LDK, the wallet, and whoever remembers cooperative closes announce again what still
    /// matters.
    pub fn release(&self, packages: Vec<Package>) {
        self.outbox.release(packages);
    }

    /// Why bitcoind last refused a transaction that is still being rebroadcast.
    pub fn refusal(&self, txid: &Txid) -> Option<String> {
        self.outbox.refusal(txid)
    }

    fn step(&self) -> std::sync::MutexGuard<'_, Vec<Package>> {
        self.step.lock().expect("no holder of this lock can panic")
    }
}

impl BroadcasterInterface for Broadcaster {
    fn broadcast_transactions(&self, transactions: &[(&Transaction, TransactionType)]) {
        let purpose = transactions.first().map_or("nothing", |(_, kind)| purpose_of(kind));
        let transactions = transactions.iter().map(|(tx, _)| (*tx).clone()).collect();
        self.broadcast(Package::new(transactions, purpose));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::package::tests::{coin, spending};

    #[test]
    fn nothing_reaches_the_outbox_before_its_release() {
        let outbox = Arc::new(Outbox::default());
        let broadcaster = Broadcaster::new(outbox.clone());
        let tx = spending(&[coin(1)], 1);
        let kind = TransactionType::Sweep { channels: vec![] };
        broadcaster.broadcast_transactions(&[(&tx, kind)]);
        let step = broadcaster.take();
        assert_eq!(step.len(), 1);
        assert_eq!(step[0].purpose(), "sweep");
        assert!(broadcaster.take().is_empty());
        assert!(outbox.next_due().is_none());

        broadcaster.release(step);
        assert_eq!(outbox.next_due().unwrap().transactions(), &[tx]);
    }
}
