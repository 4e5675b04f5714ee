//! Who waits for the end of which payment. Each is woken by the end of its own, not by every
//! commit: of many who wait, all would look into the ledger for each that ends.

use sponte_engine::commit::{ChangeSet, PaymentRow};
use sponte_proto::PaymentId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// All who wait.
#[derive(Clone, Debug)]
pub(crate) struct Waiters(Arc<Mutex<Registry>>);

/// The loop's side. Dropped, it tells all who wait, and all who come, that nobody wakes them.
#[derive(Debug)]
pub(crate) struct Ends(Waiters);

/// `None` once the loop has ended.
type Registry = Option<BTreeMap<PaymentId, Vec<oneshot::Sender<PaymentRow>>>>;

/// One who waits. Dropped, it waits no more.
#[derive(Debug)]
pub(crate) struct Waiter {
    id: PaymentId,
    ended: oneshot::Receiver<PaymentRow>,
    waiters: Waiters,
}

impl Ends {
    pub(crate) fn new() -> (Ends, Waiters) {
        let waiters = Waiters(Arc::new(Mutex::new(Some(BTreeMap::new()))));
        (Ends(waiters.clone()), waiters)
    }

    /// Wakes who waits for what has ended in a commit that is durable.
    pub(crate) fn wake(&self, changes: &ChangeSet) {
        let mut registry = self.0.registry();
        let Some(waiting) = registry.as_mut().filter(|waiting| !waiting.is_empty()) else { return };
        for row in changes.payments.iter().filter(|row| row.state.has_ended()) {
            for waiter in waiting.remove(&row.id).into_iter().flatten() {
                // One who has just given up does not mind.
                let _ = waiter.send(row.clone());
            }
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        *self.0.registry() = None;
    }
}

impl Waiters {
    /// From now on the payment's end is heard. Look into the ledger after this, not before.
    pub(crate) fn wait_for(&self, id: PaymentId) -> Waiter {
        let (wake, ended) = oneshot::channel();
        if let Some(waiting) = self.registry().as_mut() {
            waiting.entry(id).or_default().push(wake);
        }
        Waiter { id, ended, waiters: self.clone() }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // No code that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The payment's row once it has ended; `None` if the loop ends before it.
    pub(crate) async fn ended(&mut self) -> Option<PaymentRow> {
        (&mut self.ended).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.ended.close();
        let mut registry = self.waiters.registry();
        let Some(waiting) = registry.as_mut() else { return };
        if let Some(others) = waiting.get_mut(&self.id) {
            others.retain(|waiter| !waiter.is_closed());
            if others.is_empty() {
                waiting.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::commit::{Direction, Kind, Plan, Receipt, State};
    use sponte_proto::{Msat, Records, Timestamp};
    use tokio::sync::oneshot::error::TryRecvError;

    fn id(byte: u8) -> PaymentId {
        PaymentId::from_bytes([byte; 32])
    }

    fn commit(byte: u8, state: State) -> ChangeSet {
        let row = PaymentRow {
            id: id(byte),
            direction: Direction::Out,
            kind: Kind::Keysend,
            state,
            key: None,
            destination: None,
            amount: Msat::MAX,
            fee: Msat::ZERO,
            max_fee: Msat::ZERO,
            hash: None,
            preimage: None,
            records: Records::new(),
            failure: None,
            deadline: Timestamp::default(),
            attempts: 0,
            max_attempts: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            receipt: Receipt::default(),
            plan: Plan::default(),
        };
        ChangeSet { payments: vec![row], ..ChangeSet::default() }
    }

    #[test]
    fn each_hears_of_its_own_end_only() {
        let (ends, waiters) = Ends::new();
        let (mut one, mut same, mut other) =
            (waiters.wait_for(id(1)), waiters.wait_for(id(1)), waiters.wait_for(id(2)));
        ends.wake(&commit(1, State::Pending));
        assert!(matches!(one.ended.try_recv(), Err(TryRecvError::Empty)));
        ends.wake(&commit(1, State::Failed));
        for waiter in [&mut one, &mut same] {
            assert_eq!(waiter.ended.try_recv().expect("told").state, State::Failed);
        }
        assert!(matches!(other.ended.try_recv(), Err(TryRecvError::Empty)), "not woken for another's");
    }

    #[test]
    fn who_gives_up_leaves_nothing() {
        let (ends, waiters) = Ends::new();
        let (one, mut same) = (waiters.wait_for(id(1)), waiters.wait_for(id(1)));
        drop(one);
        ends.wake(&commit(1, State::Settled));
        same.ended.try_recv().expect("told");
        drop(same);
        drop(waiters.wait_for(id(2)));
        assert_eq!(waiters.registry().as_ref().map(BTreeMap::len), Some(0));
    }

    #[test]
    fn nobody_waits_for_a_loop_that_has_ended() {
        let (ends, waiters) = Ends::new();
        let mut before = waiters.wait_for(id(1));
        drop(ends);
        let mut after = waiters.wait_for(id(1));
        for waiter in [&mut before, &mut after] {
            assert!(matches!(waiter.ended.try_recv(), Err(TryRecvError::Closed)));
        }
    }
}
