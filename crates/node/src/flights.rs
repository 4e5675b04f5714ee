//! Transactions that are submitted and not durable yet, in order.

use crate::answers::Answer;
use crate::rows::Rows;
use sponte_engine::commit::{
    AmpInvoiceRow, AttemptRow, PartRow, PaymentRow, State, TransferRow, TransferState,
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
    pub(crate) rows: Rows,
    /// Who waits for it and all before it.
    pub(crate) answers: Vec<Answer>,
}

/// All of them, and the rows of the step that is going on.
#[derive(Default)]
pub(crate) struct Flights {
    pub(crate) queue: VecDeque<Flight>,
    pub(crate) current: Rows,
}

impl Flights {
    fn rows(&self) -> impl DoubleEndedIterator<Item = &Rows> {
        self.queue.iter().map(|flight| &flight.rows).chain([&self.current])
    }

    /// The latest row of a payment that is not durable yet.
    pub(crate) fn payment(&self, id: PaymentId) -> Option<&PaymentRow> {
        self.rows().rev().find_map(|rows| rows.payment(id))
    }

    /// A payment of an invoice's hash that has not failed. Invoices are paid one by one: all rows are
    /// looked at.
    pub(crate) fn paying_invoice(&self, hash: &PaymentHash) -> Option<PaymentId> {
        let rows = self.rows().flat_map(|rows| &rows.changes().payments);
        let mut of_hash = rows.filter(|row| row.plan.invoice_hash().as_ref() == Some(hash));
        of_hash
            .find(|row| self.payment(row.id).is_some_and(|last| last.state != State::Failed))
            .map(|row| row.id)
    }

    /// The latest row of an attempt that is not durable yet.
    pub(crate) fn attempt(&self, payment: PaymentId, number: u32) -> Option<&AttemptRow> {
        self.rows().rev().find_map(|rows| rows.attempt(payment, number))
    }

    /// Lays the parts of an attempt over those that are durable; those of an incoming payment are
    /// attempt 0.
    pub(crate) fn overlay_parts(&self, payment: PaymentId, attempt: u32, parts: &mut Vec<PartRow>) {
        for row in self.rows().flat_map(|rows| rows.parts(payment, attempt)) {
            match parts.iter_mut().find(|part| part.number == row.number) {
                Some(part) => part.clone_from(row),
                None => parts.push(row.clone()),
            }
        }
    }

    /// The payment of the outgoing part that the backend knows by this id, and the number of its
    /// attempt.
    pub(crate) fn sent_part(&self, claim: PaymentId) -> Option<(PaymentId, u32)> {
        self.rows().find_map(|rows| rows.sent_part(claim))
    }

    /// Whether an incoming part of the hash, or with the claim id, is on its way to the disk. One
    /// of the hash that fails in a later row counts as well: its payment was pending a moment ago.
    pub(crate) fn received(&self, hash: PaymentHash, claim: PaymentId) -> bool {
        self.rows().any(|rows| rows.received(hash, claim))
    }

    /// The payment of the incoming part with a claim id.
    pub(crate) fn payment_of_claim(&self, claim: PaymentId) -> Option<PaymentId> {
        self.rows().find_map(|rows| rows.payment_of_claim(claim))
    }

    /// Whether there is a payment to an AMP address, and one with this set id.
    pub(crate) fn amp_paid(&self, payment_addr: &PaymentSecret, set_id: SetId) -> (bool, bool) {
        let paid = self.rows().filter_map(|rows| rows.amp_paid(payment_addr));
        paid.fold((false, false), |(_, set), sets| (true, set || sets.contains(&Some(set_id))))
    }

    /// The latest row of an AMP invoice that is not durable yet.
    pub(crate) fn amp_invoice(&self, payment_addr: &PaymentSecret) -> Option<&AmpInvoiceRow> {
        self.rows().rev().find_map(|rows| rows.amp_invoice(payment_addr))
    }

    /// Lays the transfers under a prefix over those that are durable, as the store will: a key
    /// that is there stays, a pending one may end.
    pub(crate) fn overlay_transfers(&self, prefix: &str, rows: &mut Vec<TransferRow>) {
        for later in self.rows() {
            for row in later.transfers(prefix) {
                if rows.iter().all(|known| known.key != row.key) {
                    rows.push(row.clone());
                }
            }
            for (key, state) in later.ends(prefix) {
                let pending = |row: &&mut TransferRow| row.key == *key && row.state == TransferState::Pending;
                if let Some(row) = rows.iter_mut().find(pending) {
                    row.state = state;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::commit::{
        Account, ChangeSet, Direction, Kind, PartClaim, PartSent, Plan, Receipt, Settlement, State,
    };
    use sponte_proto::{ChannelId, Msat, NodeId, Records, Timestamp};

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

    fn id(number: u8) -> PaymentId {
        PaymentId::from_bytes([number; 32])
    }

    fn hash(number: u8) -> PaymentHash {
        PaymentHash::from_bytes([number; 32])
    }

    /// A part with a number of its own; one to us if it has no attempt.
    fn part(number: u8, of: u8, attempt: Option<u32>, state: State) -> PartRow {
        PartRow {
            payment: id(of),
            attempt: attempt.unwrap_or(0),
            number: number.into(),
            channel: ChannelId::from_bytes([1; 32]),
            amount: Msat::MAX,
            fee: Msat::ZERO,
            state,
            route: attempt
                .map(|_| NodeId::from_bytes([2; 33]).expect("begins with 02"))
                .into_iter()
                .collect(),
            claim: PartClaim { id: Some(id(100 + number)), hash: Some(hash(number)), ..PartClaim::default() },
            sent: PartSent::default(),
        }
    }

    /// A payment to us, to an AMP address.
    fn received(number: u8, address: u8) -> PaymentRow {
        PaymentRow {
            id: id(number),
            direction: Direction::In,
            kind: Kind::Amp,
            state: State::Pending,
            key: None,
            destination: None,
            amount: Msat::MAX,
            fee: Msat::ZERO,
            max_fee: Msat::ZERO,
            hash: None,
            preimage: None,
            records: Records::default(),
            failure: None,
            deadline: Timestamp::default(),
            attempts: 0,
            max_attempts: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            receipt: Receipt {
                payment_addr: Some(PaymentSecret::from_bytes([address; 32])),
                set_id: Some(SetId::from_bytes([number; 32])),
                ..Receipt::default()
            },
            plan: Plan::default(),
        }
    }

    /// One flight of the first, and the step that goes on of the rest, one after the other.
    fn flights(changes: impl IntoIterator<Item = ChangeSet>) -> Flights {
        let mut changes = changes.into_iter();
        let mut rows = Rows::default();
        rows.add(changes.next().expect("at least one"));
        let flight = Flight { number: 1, sealed: None, rows, answers: vec![] };
        let mut flights = Flights { queue: [flight].into(), current: Rows::default() };
        changes.for_each(|changes| flights.current.add(changes));
        flights
    }

    fn parts(parts: Vec<PartRow>) -> ChangeSet {
        ChangeSet { parts, ..ChangeSet::default() }
    }

    #[test]
    fn what_is_on_its_way_lies_over_what_is_durable() {
        let durable = transfer("a/1");
        let begin = |key| ChangeSet { transfers: vec![transfer(key)], ..ChangeSet::default() };
        let end = |key: &str| Settlement { key: key.into(), state: TransferState::Posted };
        let finish = ChangeSet { settlements: vec![end("a/1"), end("a/2")], ..ChangeSet::default() };
        let flights = flights([begin("a/2"), finish, begin("b/1"), begin("a/3")]);

        let mut rows = vec![durable];
        flights.overlay_transfers("a/", &mut rows);
        let found: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.state)).collect();
        let (pending, posted) = (TransferState::Pending, TransferState::Posted);
        assert_eq!(found, [("a/1", posted), ("a/2", posted), ("a/3", pending)]);
    }

    #[test]
    fn a_commit_that_comes_again_ends_nothing_twice() {
        let end = |state| {
            let settlements = vec![Settlement { key: "a".into(), state }];
            ChangeSet { settlements, ..ChangeSet::default() }
        };
        let mut rows = vec![TransferRow { state: TransferState::Posted, ..transfer("a") }];
        flights([end(TransferState::Void)]).overlay_transfers("a", &mut rows);
        assert_eq!(rows[0].state, TransferState::Posted);

        // Nor does a second end in the same step, nor the same transfer once more.
        let again = ChangeSet { transfers: vec![transfer("a")], ..ChangeSet::default() };
        let steps = [again.clone(), end(TransferState::Posted), end(TransferState::Void), again];
        let mut rows = vec![];
        flights(steps).overlay_transfers("a", &mut rows);
        assert_eq!(rows, [TransferRow { state: TransferState::Posted, ..transfer("a") }]);
    }

    #[test]
    fn parts_are_found_in_every_step_and_by_their_direction() {
        let (pending, failed) = (State::Pending, State::Failed);
        let flights = flights([
            parts(vec![part(1, 1, Some(0), pending), part(2, 2, None, pending), part(3, 3, None, failed)]),
            parts(vec![part(4, 1, Some(1), pending), part(5, 1, Some(1), pending)]),
            parts(vec![part(6, 4, None, pending), part(1, 1, Some(0), failed), part(2, 2, None, failed)]),
        ]);
        let sent = |part: u8| flights.sent_part(id(100 + part));
        assert_eq!([1, 4, 5].map(sent), [Some((id(1), 0)), Some((id(1), 1)), Some((id(1), 1))]);
        assert_eq!([2, 3, 6, 7].map(sent), [None; 4]);

        let of_claim = |part: u8| flights.payment_of_claim(id(100 + part));
        assert_eq!([2, 3, 6].map(of_claim), [Some(id(2)), Some(id(3)), Some(id(4))]);
        assert_eq!([1, 4, 5, 7].map(of_claim), [None; 4]);

        let by_hash: Vec<u8> = (1..8).filter(|part| flights.received(hash(*part), id(99))).collect();
        assert_eq!(by_hash, [2, 6], "one that failed later was pending a moment ago");
        let by_claim: Vec<u8> = (1..8).filter(|part| flights.received(hash(99), id(100 + part))).collect();
        assert_eq!(by_claim, [2, 3, 6]);
    }

    #[test]
    fn the_latest_row_of_a_part_counts() {
        let [pending, failed] = [State::Pending, State::Failed];
        let flights = flights([
            parts(vec![part(1, 1, Some(0), pending), part(2, 1, Some(0), pending)]),
            parts(vec![part(3, 1, Some(0), pending)]),
            parts(vec![part(1, 1, Some(0), failed), part(1, 1, Some(1), pending)]),
        ]);
        let mut rows = vec![part(0, 1, Some(0), pending), part(2, 1, Some(0), failed)];
        flights.overlay_parts(id(1), 0, &mut rows);
        let told: Vec<_> = rows.iter().map(|row| (row.number, row.state)).collect();
        assert_eq!(told, [(0, pending), (2, pending), (1, failed), (3, pending)]);
    }

    #[test]
    fn the_latest_row_of_a_payment_counts_and_every_set_of_an_address() {
        let payments = |payments| ChangeSet { payments, ..ChangeSet::default() };
        let ended = PaymentRow { state: State::Settled, ..received(1, 7) };
        let flights = flights([
            payments(vec![received(1, 7), received(2, 7)]),
            payments(vec![received(3, 8)]),
            payments(vec![ended.clone()]),
        ]);
        assert_eq!(flights.payment(id(1)), Some(&ended));
        assert_eq!(flights.payment(id(3)), Some(&received(3, 8)));
        assert_eq!(flights.payment(id(4)), None);
        let paid = |address: u8, set: u8| {
            flights.amp_paid(&PaymentSecret::from_bytes([address; 32]), SetId::from_bytes([set; 32]))
        };
        assert_eq!([paid(7, 1), paid(7, 2), paid(7, 3)], [(true, true), (true, true), (true, false)]);
        assert_eq!([paid(8, 3), paid(9, 3)], [(true, true), (false, false)]);
    }
}
