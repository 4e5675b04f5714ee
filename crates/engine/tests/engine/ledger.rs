//! A ledger in memory that applies change sets as the store does, and refuses what it refuses.

use sponte_engine::commit::{
    Account, AmpInvoiceRow, AttemptRow, ChangeSet, Direction, EventRow, Failure, Kind, PartRow, PaymentRow,
    Reason, SettingRow, Snapshot, State, TransferRow, TransferState, WaitingPart,
};
use sponte_engine::{AmpFact, AmpQuestion, Fact, KnownPayments, PastAttempt, PastPart, PayRequest, Question};
use sponte_proto::{ChannelId, Msat, PaymentHash, PaymentId};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub payments: BTreeMap<PaymentId, PaymentRow>,
    pub attempts: BTreeMap<PaymentId, AttemptRow>,
    pub parts: BTreeMap<(PaymentId, u32, u32), PartRow>,
    pub transfers: BTreeMap<String, TransferRow>,
    pub events: Vec<EventRow>,
    /// In the order of their arrival.
    pub waiting: Vec<WaitingPart>,
    pub invoices: Vec<AmpInvoiceRow>,
    /// Of refused HTLCs: how many, and what they carried.
    pub counters: BTreeMap<(ChannelId, u64, Reason), (u64, u64)>,
    pub settings: BTreeMap<String, Vec<u8>>,
}

impl Ledger {
    pub fn apply(&mut self, changes: ChangeSet) {
        let ChangeSet { payments, attempts, parts, transfers, settlements, events, .. } = &changes;
        let (payments, attempts, parts) = (payments.clone(), attempts.clone(), parts.clone());
        let (transfers, settlements, events) = (transfers.clone(), settlements.clone(), events.clone());
        self.payments.extend(payments.into_iter().map(|row| (row.id, row)));
        self.attempts.extend(attempts.into_iter().map(|row| (row.id, row)));
        let part_key = |row: &PartRow| (row.payment, row.attempt, row.number);
        self.parts.extend(parts.into_iter().map(|row| (part_key(&row), row)));
        for row in transfers {
            assert_ne!(row.amount, Msat::ZERO, "{} moves nothing", row.key);
            assert_ne!(row.state, TransferState::Void, "{} begins void", row.key);
            let kept = self.transfers.entry(row.key.clone()).or_insert_with(|| row.clone());
            let meaning = |row: &TransferRow| (row.debit, row.credit, row.amount);
            assert_eq!(meaning(kept), meaning(&row), "{} has two meanings", row.key);
        }
        for end in settlements {
            let row = self.transfers.get_mut(&end.key).unwrap_or_else(|| panic!("{} never began", end.key));
            if row.state == TransferState::Pending {
                row.state = end.state;
            }
        }
        self.events.extend(events);
        self.apply_receive(changes);
    }

    fn apply_receive(&mut self, changes: ChangeSet) {
        let ChangeSet { waiting, waited, amp_invoices, amp_received, counters, settings, .. } = changes;
        for row in waiting {
            assert!(self.waiting.iter().all(|known| known.claim() != row.claim()), "a part waits once");
            self.waiting.push(row);
        }
        self.waiting.retain(|row| !waited.contains(&row.claim()));
        for row in amp_invoices {
            match self.invoices.iter_mut().find(|known| known.payment_addr == row.payment_addr) {
                Some(known) => {
                    *known = AmpInvoiceRow { payments: known.payments, received: known.received, ..row };
                }
                None => self.invoices.push(AmpInvoiceRow { payments: 0, received: Msat::ZERO, ..row }),
            }
        }
        for row in amp_received {
            let known = self.invoices.iter_mut().find(|known| known.payment_addr == row.payment_addr);
            let known = known.expect("only invoices receive");
            known.payments += u64::from(row.payments);
            known.received = known.received.checked_add(row.amount).expect("small");
        }
        for row in counters {
            let counted = self.counters.entry((row.channel, row.hour, row.reason)).or_default();
            counted.0 += row.count;
            counted.1 += row.amount.to_msat();
        }
        for row in settings {
            match row.value {
                Some(value) => drop(self.settings.insert(row.key, value)),
                None => drop(self.settings.remove(&row.key)),
            }
        }
    }

    fn received(&self, hash: PaymentHash, claim: PaymentId) -> bool {
        self.parts.values().any(|row| {
            row.claim.id == Some(claim) || (row.claim.hash == Some(hash) && row.state != State::Failed)
        })
    }

    fn amp(&self, asked: &AmpQuestion) -> AmpFact {
        let paid: Vec<_> = self
            .payments
            .values()
            .filter(|row| row.receipt.payment_addr.as_ref() == Some(&asked.payment_addr))
            .collect();
        let invoice = self.invoices.iter().find(|row| row.payment_addr == asked.payment_addr);
        AmpFact {
            invoice: invoice.cloned(),
            address_paid: !paid.is_empty(),
            set_paid: paid.iter().any(|row| row.receipt.set_id == Some(asked.set_id)),
            received: self.received(asked.hash, asked.claim),
        }
    }

    fn past_part(&self, claim: PaymentId) -> Option<PastPart> {
        let part = self.parts.values().find(|row| row.claim.id == Some(claim))?;
        let own = |row: &&PartRow| row.payment == part.payment;
        let parts = self.parts.values().filter(own).cloned().collect();
        Some(PastPart { payment: self.payments[&part.payment].clone(), parts })
    }

    /// What goes along with a request to pay.
    pub fn known(&self, request: &PayRequest, id: PaymentId) -> KnownPayments {
        let hash = request.invoice_hash();
        let paid = |row: &&PaymentRow| {
            hash.is_some() && row.plan.invoice_hash() == hash && row.state != State::Failed
        };
        KnownPayments {
            of_key: self.payments.get(&id).cloned().map(Box::new),
            of_invoice: self.payments.values().find(paid).map(|row| row.id),
        }
    }

    pub fn look_up(&self, question: Question) -> Fact {
        match question {
            Question::Received(hash, claim) => Fact::Received(self.received(hash, claim)),
            Question::Amp(asked) => Fact::Amp(Box::new(self.amp(&asked))),
            Question::Part(claim) => Fact::Part(self.past_part(claim).map(Box::new)),
            Question::SentPart(part) => Fact::SentPart(self.past(part).map(Box::new)),
            Question::Transfers(prefixes) => {
                let under = |row: &&TransferRow| prefixes.iter().any(|prefix| row.key.starts_with(prefix));
                Fact::Transfers(self.transfers.values().filter(under).cloned().collect())
            }
        }
    }

    fn past(&self, id: PaymentId) -> Option<PastAttempt> {
        let part = self.parts.values().find(|row| row.claim.id == Some(id))?;
        let of_part = |row: &&AttemptRow| row.payment == part.payment && row.number == part.attempt;
        let attempt = self.attempts.values().find(of_part)?.clone();
        let payment = self.payments.get(&attempt.payment)?.clone();
        let own = |row: &&PartRow| row.payment == attempt.payment && row.attempt == attempt.number;
        let parts = self.parts.values().filter(own).cloned().collect();
        Some(PastAttempt { payment, attempt, parts })
    }

    pub fn snapshot(&self) -> Snapshot {
        let open = |row: &&PaymentRow| !row.state.has_ended();
        let refused = |why: &Failure| why.code == Failure::REFUSED;
        let pending = |id: &PaymentId| self.payments.get(id).is_some_and(|row| open(&row));
        let incoming = |row: &&PartRow| {
            let payment = &self.payments[&row.payment];
            payment.direction == Direction::In && open(&payment)
        };
        let attempts: Vec<AttemptRow> = self
            .attempts
            .values()
            .filter(|row| pending(&row.payment))
            .filter(|row| row.state != State::Failed || row.failure.as_ref().is_some_and(refused))
            .cloned()
            .collect();
        let of_attempt = |row: &&PartRow| {
            let pending = attempts.iter().filter(|attempt| attempt.state == State::Pending);
            let mut of = pending.map(|attempt| (attempt.payment, attempt.number));
            of.any(|attempt| attempt == (row.payment, row.attempt))
        };
        let parts = self.parts.values().filter(|row| of_attempt(row) || incoming(row)).cloned().collect();
        Snapshot {
            payments: self.payments.values().filter(open).cloned().collect(),
            attempts,
            parts,
            channel_balances_msat: self.channel_balances_msat(),
            waiting: self.waiting.clone(),
            settings: self
                .settings
                .iter()
                .map(|(key, value)| SettingRow { key: key.clone(), value: Some(value.clone()) })
                .collect(),
        }
    }

    pub fn channel_balances_msat(&self) -> Vec<(ChannelId, i64)> {
        let mut balances = BTreeMap::<ChannelId, i64>::new();
        for row in self.transfers.values().filter(|row| row.state == TransferState::Posted) {
            for (account, sign) in [(row.debit, -1), (row.credit, 1)] {
                if let Account::Channel(channel) = account {
                    *balances.entry(channel).or_default() += sign * row.amount.to_msat().cast_signed();
                }
            }
        }
        balances.into_iter().filter(|(_, msat)| *msat != 0).collect()
    }

    /// Posted, signed msat.
    pub fn posted(&self, account: Account) -> i64 {
        self.balance(account, TransferState::Posted)
    }

    /// Pending in less pending out, signed msat.
    pub fn pending(&self, account: Account) -> i64 {
        self.balance(account, TransferState::Pending)
    }

    fn balance(&self, account: Account, state: TransferState) -> i64 {
        let rows = self.transfers.values().filter(|row| row.state == state);
        rows.map(|row| moved(row, account)).sum()
    }

    fn posted_of(&self, payment: PaymentId, account: Account) -> i64 {
        let own = |row: &&TransferRow| row.payment == Some(payment) && row.state == TransferState::Posted;
        self.transfers.values().filter(own).map(|row| moved(row, account)).sum()
    }

    /// What holds at every commit.
    pub fn check(&self) {
        assert_eq!(self.posted(Account::InFlightOut), 0, "in flight for good");
        assert_eq!(self.posted(Account::HeldIn), 0, "being claimed for good");
        assert_eq!(self.posted(Account::Held), 0, "held for good");
        for row in self.transfers.values().filter(|row| row.state == TransferState::Pending) {
            let Some(payment) = row.payment else { continue };
            assert!(!self.payments[&payment].state.has_ended(), "{} outlives its payment", row.key);
        }
        for row in self.payments.values() {
            self.check_payment(row);
        }
    }

    fn check_payment(&self, row: &PaymentRow) {
        let to_world = self.posted_of(row.id, Account::World);
        let fees = self.posted_of(row.id, Account::FeesPaid);
        let own = |attempt: &&AttemptRow| attempt.payment == row.id;
        let states = |state| self.attempts.values().filter(own).filter(|row| row.state == state).count();
        let amount = row.amount.to_msat().cast_signed();
        if row.direction == Direction::Out {
            self.check_parts(row, to_world, fees);
        }
        match (row.direction, row.state) {
            (Direction::Out, State::Settled) => {
                assert_eq!(to_world + fees, amount + row.fee.to_msat().cast_signed());
                assert!(to_world >= amount, "all of it");
                assert_eq!((states(State::Settled), states(State::Pending)), (1, 0));
                assert!(row.fee <= row.max_fee, "the limit was {}, the fee is {}", row.max_fee, row.fee);
                assert_eq!(row.preimage.as_ref().map(|preimage| preimage.payment_hash()), row.hash);
                assert_eq!(row.hash.is_none(), matches!(row.kind, Kind::Amp | Kind::AmpInvoice));
            }
            (Direction::In, State::Settled) => assert_eq!((to_world, fees), (-amount, 0)),
            (Direction::In, State::Held) | (_, State::Canceled) => assert_eq!((to_world, fees), (0, 0)),
            (Direction::Out, State::Held) => panic!("what we pay is never held"),
            (Direction::In, State::Pending) => assert_eq!(fees, 0),
            (_, State::Failed) => {
                assert_eq!((to_world, fees), (0, 0));
                assert!(row.failure.is_some());
                assert_eq!((states(State::Settled), states(State::Pending)), (0, 0));
            }
            (Direction::Out, State::Pending) => {
                assert!(states(State::Pending) <= 1, "one attempt at a time");
            }
        }
    }
}

impl Ledger {
    /// Every part is booked as it stands, and what is on its way or paid keeps to the fee limit.
    fn check_parts(&self, row: &PaymentRow, to_world: i64, fees: i64) {
        let own = self.parts.values().filter(|part| part.payment == row.id);
        let mut sums = [0; 3];
        for part in own {
            let (amount, fee) = (part.amount.to_msat().cast_signed(), part.fee.to_msat().cast_signed());
            match part.state {
                State::Settled => {
                    let opened = part.claim.preimage.as_ref().map(|preimage| preimage.payment_hash());
                    assert!(opened.is_some() && opened == part.claim.hash);
                    sums = [sums[0] + amount, sums[1] + fee, sums[2] + fee];
                }
                State::Pending => sums[2] += fee,
                _ => assert!(part.sent.failure.is_some()),
            }
        }
        assert_eq!([sums[0], sums[1]], [to_world, fees]);
        assert!(sums[2] <= row.max_fee.to_msat().cast_signed(), "the fee limit");
    }
}

fn moved(row: &TransferRow, account: Account) -> i64 {
    row.amount.to_msat().cast_signed() * (i64::from(row.credit == account) - i64::from(row.debit == account))
}
