//! One attempt: begun, on its way, ended.

use super::{Attempt, Awaits, Outgoing, cost, note_paid};
use crate::backend::{Command, Send, SendFailure, SentPart};
use crate::books::{Books, Entry};
use crate::commit::{Account, AttemptRow, PartClaim, PartRow, State};
use crate::config::Config;
use crate::derive;
use crate::failure;
use crate::step::{About, Step};
use sponte_proto::{Msat, PaymentId, Preimage};

/// More channels to avoid than this are not remembered for one payment.
const AVOID: usize = 64;

/// What is told of a payment that the backend paid again after it said that it failed.
pub(super) const PAID_TWICE: &str = "two attempts of this payment are paid";

impl Outgoing {
    /// Begins the next attempt: a number, hash, preimage and id of its own.
    pub(super) fn start_attempt(&mut self, config: &Config, step: &mut Step, id: PaymentId) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let Some(destination) = payment.row.destination else { return };
        let number = payment.row.attempts;
        let preimage = derive::preimage(&config.node_secret, id, number);
        let row = AttemptRow {
            id: derive::attempt_id(&config.node_secret, id, number),
            payment: id,
            number,
            hash: preimage.payment_hash(),
            state: State::Pending,
            fee: Msat::ZERO,
            failure: None,
            created_at: step.now,
            updated_at: step.now,
        };
        payment.row.attempts += 1;
        payment.row.hash = Some(row.hash);
        payment.row.updated_at = step.now;
        step.changes.payments.push(payment.row.clone());
        step.changes.attempts.push(row.clone());
        step.command(Command::Send(Box::new(Send {
            attempt: row.id,
            destination,
            amount: payment.row.amount,
            max_fee: payment.row.max_fee,
            preimage,
            final_cltv: config.final_cltv,
            records: payment.row.records.clone(),
            avoid: payment.avoid.clone(),
        })));
        self.attempts.insert(row.id, id);
        payment.awaits = Awaits::End(Box::new(Attempt { row, parts: vec![], restored: false }));
    }

    /// The attempt's HTLCs: what they carry is in flight. A repeat is ignored.
    pub(crate) fn handle_dispatched(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        attempt: PaymentId,
        parts: &[SentPart],
    ) {
        let Some(Attempt { row, parts: known, .. }) = self.pending(attempt) else { return };
        if !known.is_empty() || parts.is_empty() {
            return;
        }
        for (number, part) in (0u32..).zip(parts) {
            let part = PartRow {
                payment: row.payment,
                attempt: row.number,
                number,
                channel: part.channel,
                amount: part.amount,
                fee: part.fee,
                state: State::Pending,
                route: part.route.clone(),
                claim: PartClaim::default(),
            };
            books.reserve(step, in_flight(attempt, &part));
            known.push(part);
        }
        let fee = parts.iter().try_fold(Msat::ZERO, |sum, part| sum.checked_add(part.fee));
        row.fee = fee.unwrap_or(Msat::MAX);
        row.updated_at = step.now;
        step.changes.attempts.push(row.clone());
        step.changes.parts.extend(known.iter().cloned());
    }

    /// A channel that failed is avoided by the attempts that follow.
    pub(crate) fn handle_part_failed(&mut self, attempt: PaymentId, channel: Option<u64>) {
        let payment = self.attempts.get(&attempt).and_then(|id| self.payments.get_mut(id));
        let (Some(payment), Some(channel)) = (payment, channel) else { return };
        if payment.avoid.len() < AVOID && !payment.avoid.contains(&channel) {
            payment.avoid.push(channel);
        }
    }

    /// The destination has the preimage, and the payment is paid.
    pub(crate) fn handle_sent(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        attempt: PaymentId,
        preimage: Preimage,
        fee: Msat,
    ) {
        let Some((id, mut attempt)) = self.take(attempt) else { return };
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let amount = payment.row.amount;
        if payment.row.preimage.is_some() {
            step.event("anomaly", About::payment(id, amount), PAID_TWICE.into());
        }
        let fee = cost(amount, &attempt.parts, fee);
        for part in &mut attempt.parts {
            books.settle(step, in_flight(attempt.row.id, part));
            part.state = State::Settled;
        }
        post_paid(books, step, &attempt.row, amount, fee);
        attempt.row.state = State::Settled;
        attempt.row.fee = fee;
        attempt.row.updated_at = step.now;
        note_paid(&mut payment.row, attempt.row.hash, preimage, fee);
        step.changes.attempts.push(attempt.row);
        step.changes.parts.extend(attempt.parts);
        self.settle_payment(step, id);
    }

    /// Nothing of the attempt is left and nothing was paid. What follows is for the retry policy.
    pub(crate) fn handle_attempt_failed(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        attempt: PaymentId,
        why: &SendFailure,
    ) {
        let Some((id, mut attempt)) = self.take(attempt) else { return };
        let Some(payment) = self.payments.get(&id) else { return };
        for part in &mut attempt.parts {
            books.void(step, in_flight(attempt.row.id, part));
            part.state = State::Failed;
        }
        attempt.row.state = State::Failed;
        attempt.row.failure = Some(match why {
            SendFailure::OnTheWay => failure::on_the_way(),
            other => failure::of_attempt(other, &payment.row),
        });
        attempt.row.updated_at = step.now;
        step.changes.attempts.push(attempt.row);
        step.changes.parts.extend(attempt.parts);
        self.follow(config, step, id, why);
    }

    fn pending(&mut self, attempt: PaymentId) -> Option<&mut Attempt> {
        let id = self.attempts.get(&attempt)?;
        match &mut self.payments.get_mut(id)?.awaits {
            Awaits::End(pending) => Some(pending),
            Awaits::Recovery | Awaits::Retry(..) => None,
        }
    }

    /// Ends the wait for an attempt. Whoever takes it says what the payment waits for next.
    fn take(&mut self, attempt: PaymentId) -> Option<(PaymentId, Attempt)> {
        let id = self.attempts.remove(&attempt)?;
        match std::mem::replace(&mut self.payments.get_mut(&id)?.awaits, Awaits::Recovery) {
            Awaits::End(attempt) => Some((id, *attempt)),
            Awaits::Recovery | Awaits::Retry(..) => None,
        }
    }
}

/// What a part takes out of its channel.
pub(super) fn gross(part: &PartRow) -> Msat {
    part.amount.checked_add(part.fee).unwrap_or(Msat::MAX)
}

/// A part on its way.
pub(super) fn in_flight(attempt: PaymentId, part: &PartRow) -> Entry {
    let key = format!("out/{attempt}/{}", part.number);
    Entry::new(key, Account::Channel(part.channel), Account::InFlightOut, gross(part)).of(part.payment)
}

/// What was in flight is the world's, and the fee.
pub(super) fn post_paid(books: &mut Books, step: &mut Step, attempt: &AttemptRow, amount: Msat, fee: Msat) {
    let entry = |name: &str, credit, amount| {
        let key = format!("out/{}/{name}", attempt.id);
        Entry::new(key, Account::InFlightOut, credit, amount).of(attempt.payment)
    };
    books.post(step, entry("paid", Account::World, amount));
    books.post(step, entry("fee", Account::FeesPaid, fee));
}
