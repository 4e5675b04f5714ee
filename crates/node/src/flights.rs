//! Transactions that are submitted and not durable yet, in order.

use crate::answers::Answer;
use sponte_engine::commit::{
    AmpInvoiceRow, AttemptRow, ChangeSet, PartRow, PaymentRow, State, TransferRow, TransferState,
};
use sponte_proto::amp::SetId;
use sponte_proto::{PaymentHash, PaymentId, PaymentSecret};
use std::collections::VecDeque;

/// One of them.
pub(crate) struct Flight {
    /// Rising by one.
    pub(crate) number: u64,
    /// The backend's number of what is in it.
    pub(crate) sealed: Option<u64>,
    /// Its rows, for look-ups that must count them.
    pub(crate) changes: ChangeSet,
    /// Who waits for it and all before it.
    pub(crate) answers: Vec<Answer>,
}

/// All of them, and the rows of the step that is going on.
#[derive(Default)]
pub(crate) struct Flights {
    pub(crate) queue: VecDeque<Flight>,
    pub(crate) current: ChangeSet,
}

impl Flights {
    fn changes(&self) -> impl DoubleEndedIterator<Item = &ChangeSet> {
        self.queue.iter().map(|flight| &flight.changes).chain([&self.current])
    }

    /// The latest row of a payment that is not durable yet.
    pub(crate) fn payment(&self, id: PaymentId) -> Option<&PaymentRow> {
        let rows = self.changes().rev().flat_map(|changes| changes.payments.iter().rev());
        rows.into_iter().find(|row| row.id == id)
    }

    /// The latest row of an attempt that is not durable yet.
    pub(crate) fn attempt(&self, id: PaymentId) -> Option<&AttemptRow> {
        let rows = self.changes().rev().flat_map(|changes| changes.attempts.iter().rev());
        rows.into_iter().find(|row| row.id == id)
    }

    /// Lays the parts of an attempt over those that are durable; those of an incoming payment are
    /// attempt 0.
    pub(crate) fn overlay_parts(&self, payment: PaymentId, attempt: u32, parts: &mut Vec<PartRow>) {
        for row in self.changes().flat_map(|changes| &changes.parts) {
            if row.payment != payment || row.attempt != attempt {
                continue;
            }
            match parts.iter_mut().find(|part| part.number == row.number) {
                Some(part) => part.clone_from(row),
                None => parts.push(row.clone()),
            }
        }
    }

    /// Whether an incoming part of the hash, or with the claim id, is on its way to the disk. One
    /// of the hash that fails in a later row counts as well: its payment was pending a moment ago.
    pub(crate) fn received(&self, hash: PaymentHash, claim: PaymentId) -> bool {
        let mut rows = self.changes().flat_map(|changes| &changes.parts);
        rows.any(|row| {
            row.claim.id == Some(claim) || (row.claim.hash == Some(hash) && row.state != State::Failed)
        })
    }

    /// The payment of the incoming part with a claim id.
    pub(crate) fn payment_of_claim(&self, claim: PaymentId) -> Option<PaymentId> {
        let mut rows = self.changes().flat_map(|changes| &changes.parts);
        rows.find(|row| row.claim.id == Some(claim)).map(|row| row.payment)
    }

    /// Whether there is a payment to an AMP address, and one with this set id.
    pub(crate) fn amp_paid(&self, payment_addr: &PaymentSecret, set_id: SetId) -> (bool, bool) {
        let rows = self.changes().flat_map(|changes| &changes.payments);
        let to = rows.filter(|row| row.receipt.payment_addr.as_ref() == Some(payment_addr));
        to.fold((false, false), |(_, set), row| (true, set || row.receipt.set_id == Some(set_id)))
    }

    /// The latest row of an AMP invoice that is not durable yet.
    pub(crate) fn amp_invoice(&self, payment_addr: &PaymentSecret) -> Option<&AmpInvoiceRow> {
        let rows = self.changes().rev().flat_map(|changes| changes.amp_invoices.iter().rev());
        rows.into_iter().find(|row| row.payment_addr == *payment_addr)
    }

    /// Lays the transfers under a prefix over those that are durable, as the store will: a key
    /// that is there stays, a pending one may end.
    pub(crate) fn overlay_transfers(&self, prefix: &str, rows: &mut Vec<TransferRow>) {
        for changes in self.changes() {
            for row in changes.transfers.iter().filter(|row| row.key.starts_with(prefix)) {
                if rows.iter().all(|known| known.key != row.key) {
                    rows.push(row.clone());
                }
            }
            for end in changes.settlements.iter().filter(|end| end.key.starts_with(prefix)) {
                let pending =
                    |row: &&mut TransferRow| row.key == end.key && row.state == TransferState::Pending;
                if let Some(row) = rows.iter_mut().find(pending) {
                    row.state = end.state;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::commit::{Account, Settlement};
    use sponte_proto::{Msat, Timestamp};

    fn transfer(key: &str) -> TransferRow {
        TransferRow {
            key: key.into(),
            debit: Account::World,
            credit: Account::OnChain,
            amount: Msat::MAX,
            state: TransferState::Pending,
            payment: None,
            created_at: Timestamp::default(),
        }
    }

    fn flight(number: u64, changes: ChangeSet) -> Flight {
        Flight { number, sealed: None, changes, answers: vec![] }
    }

    #[test]
    fn what_is_on_its_way_lies_over_what_is_durable() {
        let durable = transfer("a/1");
        let begin = ChangeSet { transfers: vec![transfer("a/2"), transfer("b/1")], ..ChangeSet::default() };
        let end = |key: &str| Settlement { key: key.into(), state: TransferState::Posted };
        let finish = ChangeSet { settlements: vec![end("a/1"), end("a/2")], ..ChangeSet::default() };
        let flights = Flights { queue: [flight(1, begin)].into(), current: finish };

        let mut rows = vec![durable];
        flights.overlay_transfers("a/", &mut rows);
        let found: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.state)).collect();
        assert_eq!(found, [("a/1", TransferState::Posted), ("a/2", TransferState::Posted)]);
    }

    #[test]
    fn a_commit_that_comes_again_ends_nothing_twice() {
        let void = Settlement { key: "a".into(), state: TransferState::Void };
        let current = ChangeSet { settlements: vec![void], ..ChangeSet::default() };
        let flights = Flights { current, ..Flights::default() };
        let mut rows = vec![TransferRow { state: TransferState::Posted, ..transfer("a") }];
        flights.overlay_transfers("a", &mut rows);
        assert_eq!(rows[0].state, TransferState::Posted);
    }
}
