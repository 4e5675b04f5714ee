//! Payments from us: attempts one after the other until one is paid, or the deadline, the limit
//! on attempts or a hopeless failure ends them.
//!
//! The row, its attempt and the backend's own record of it are one commit, and its HTLC leaves
//! only after that, so at a start an attempt that the backend does not know never left (law 8).

mod attempt;
mod late;

use crate::backend::SendFailure;
use crate::books::Books;
use crate::commit::{AttemptRow, Direction, Failure, Kind, PartRow, PaymentRow, Receipt, State};
use crate::config::Config;
use crate::derive;
use crate::failure;
use crate::input::Ticket;
use crate::output::PayError;
use crate::request::PayRequest;
use crate::retry::{self, Verdict};
use crate::step::{About, Step};
use sponte_proto::{Msat, PaymentHash, PaymentId, Preimage, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Outgoing payments that are neither paid nor failed yet.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    payments: BTreeMap<PaymentId, Payment>,
    /// Pending attempts, and whose they are.
    attempts: BTreeMap<PaymentId, PaymentId>,
    /// Payments between two attempts, by the time of the next.
    timers: BTreeSet<(Timestamp, PaymentId)>,
}

#[derive(Debug)]
struct Payment {
    row: PaymentRow,
    awaits: Awaits,
    /// Channels that failed attempts since the start.
    avoid: Vec<u64>,
    /// Waits since the start.
    delays: u32,
}

/// What a payment waits for.
#[derive(Debug)]
enum Awaits {
    /// The word of the backend after a start.
    Recovery,
    /// The end of its attempt.
    End(Box<Attempt>),
    /// The time of the next attempt; the reason to give if the deadline comes first.
    Retry(Timestamp, Failure),
}

#[derive(Debug)]
struct Attempt {
    row: AttemptRow,
    parts: Vec<PartRow>,
    /// Whether it is from before the last stop.
    restored: bool,
}

impl Outgoing {
    pub(crate) fn new(rows: Vec<PaymentRow>, attempts: Vec<AttemptRow>, parts: Vec<PartRow>) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for row in rows {
            let payment = Payment { row, awaits: Awaits::Recovery, avoid: vec![], delays: 0 };
            outgoing.payments.insert(payment.row.id, payment);
        }
        for row in attempts {
            let Some(payment) = outgoing.payments.get_mut(&row.payment) else { continue };
            let own = |part: &&PartRow| part.payment == row.payment && part.attempt == row.number;
            let parts = parts.iter().filter(own).cloned().collect();
            outgoing.attempts.insert(row.id, row.payment);
            payment.awaits = Awaits::End(Box::new(Attempt { row, parts, restored: true }));
        }
        outgoing
    }

    /// Whether the attempt is one that the memory waits for.
    pub(crate) fn awaits(&self, attempt: PaymentId) -> bool {
        self.attempts.contains_key(&attempt)
    }

    /// When the next payment that waits is to be looked at.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Begins a payment, or finds the one that the key stands for, and answers.
    pub(crate) fn handle_pay(
        &mut self,
        config: &Config,
        step: &mut Step,
        request: PayRequest,
        ticket: Ticket,
        past: Option<Box<PaymentRow>>,
    ) {
        let answer = self.pay(config, step, request, past.as_deref());
        step.reply(ticket, answer);
    }

    fn pay(
        &mut self,
        config: &Config,
        step: &mut Step,
        request: PayRequest,
        past: Option<&PaymentRow>,
    ) -> Result<PaymentId, PayError> {
        request.check(config.node_id)?;
        let id = derive::payment_id(&config.node_secret, &request.key);
        if let Some(known) = self.payments.get(&id).map(|payment| &payment.row).or(past) {
            return if request.same_payment(known) { Ok(id) } else { Err(PayError::KeyReused) };
        }
        let row = new_row(id, request, step.now);
        self.payments.insert(id, Payment { row, awaits: Awaits::Recovery, avoid: vec![], delays: 0 });
        self.start_attempt(config, step, id);
        Ok(id)
    }

    /// Starts every attempt whose time has come.
    pub(crate) fn handle_time(&mut self, config: &Config, step: &mut Step) {
        while self.timers.first().is_some_and(|(at, _)| *at <= step.now) {
            let Some((_, id)) = self.timers.pop_first() else { return };
            self.wake(config, step, id);
        }
    }

    /// A channel is usable: whatever waits may pass now.
    pub(crate) fn handle_usable(&mut self, config: &Config, step: &mut Step) {
        let waiting: Vec<PaymentId> = self.timers.iter().map(|(_, id)| *id).collect();
        for id in waiting {
            self.wake(config, step, id);
        }
    }

    /// Reconciles with what the backend still knows: attempts that it does not know never left.
    pub(crate) fn recover(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        known: &BTreeSet<PaymentId>,
    ) {
        let restored: Vec<PaymentId> = self.payments.keys().copied().collect();
        for id in restored {
            let Some(payment) = self.payments.get_mut(&id) else { continue };
            match &mut payment.awaits {
                Awaits::End(attempt) if attempt.restored && !known.contains(&attempt.row.id) => {
                    let attempt = attempt.row.id;
                    self.handle_attempt_failed(config, books, step, attempt, &SendFailure::NeverLeft);
                    self.wake(config, step, id);
                }
                Awaits::End(attempt) => attempt.restored = false,
                Awaits::Recovery => {
                    self.wait(id, step.now, failure::timeout());
                    self.wake(config, step, id);
                }
                Awaits::Retry(..) => {}
            }
        }
    }

    /// Ends the wait between two attempts: with the next one, or with the deadline.
    fn wake(&mut self, config: &Config, step: &mut Step, id: PaymentId) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let Awaits::Retry(at, reason) = &payment.awaits else { return };
        let reason = reason.clone();
        self.timers.remove(&(*at, id));
        if payment.row.preimage.is_some() {
            self.settle_payment(step, id);
        } else if step.now >= payment.row.deadline {
            self.fail_payment(step, id, reason);
        } else {
            self.start_attempt(config, step, id);
        }
    }

    /// Puts a payment off, but not beyond its deadline.
    fn wait(&mut self, id: PaymentId, at: Timestamp, reason: Failure) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let at = at.min(payment.row.deadline);
        payment.awaits = Awaits::Retry(at, reason);
        self.timers.insert((at, id));
    }

    /// Does what follows a failed attempt.
    fn follow(&mut self, config: &Config, step: &mut Step, id: PaymentId, why: &SendFailure) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        if payment.row.preimage.is_some() {
            return self.settle_payment(step, id);
        }
        let avoids = !payment.avoid.is_empty();
        if retry::is_free(why) || retry::only_avoided(why, avoids) {
            payment.row.max_attempts = payment.row.max_attempts.saturating_add(1);
        }
        if retry::only_avoided(why, avoids) {
            payment.avoid.clear();
        }
        match retry::judge(why, &payment.row, payment.delays, avoids, step.now) {
            Verdict::Again => self.start_attempt(config, step, id),
            Verdict::Fail(reason) => self.fail_payment(step, id, reason),
            Verdict::Later(delay_ms, reason) => {
                payment.delays += 1;
                payment.row.updated_at = step.now;
                step.changes.payments.push(payment.row.clone());
                self.wait(id, step.now.plus_millis(delay_ms), reason);
            }
        }
    }

    fn fail_payment(&mut self, step: &mut Step, id: PaymentId, reason: Failure) {
        let Some(mut row) = self.forget(id) else { return };
        row.state = State::Failed;
        row.updated_at = step.now;
        step.event("payment_failed", About::payment(id, row.amount), reason.message.clone());
        row.failure = Some(reason);
        step.changes.payments.push(row);
    }

    /// Ends a payment as paid; its row has preimage, hash and fee already.
    fn settle_payment(&mut self, step: &mut Step, id: PaymentId) {
        let Some(mut row) = self.forget(id) else { return };
        row.state = State::Settled;
        row.updated_at = step.now;
        step.event("payment_sent", About::payment(id, row.amount), format!("fee {}", row.fee));
        step.changes.payments.push(row);
    }

    fn forget(&mut self, id: PaymentId) -> Option<PaymentRow> {
        Some(self.payments.remove(&id)?.row)
    }
}

fn new_row(id: PaymentId, request: PayRequest, now: Timestamp) -> PaymentRow {
    PaymentRow {
        id,
        direction: Direction::Out,
        kind: Kind::Keysend,
        state: State::Pending,
        destination: Some(request.destination),
        amount: request.amount,
        fee: Msat::ZERO,
        max_fee: request.fee_limit(),
        hash: None,
        preimage: None,
        failure: None,
        deadline: now.plus_millis(request.timeout_ms),
        attempts: 0,
        max_attempts: request.max_attempts,
        created_at: now,
        updated_at: now,
        receipt: Receipt::default(),
        key: Some(request.key),
        records: request.records,
    }
}

/// What a payment's attempt cost beyond the amount: all that left our channels counts, so that
/// the books follow the channels.
fn cost(amount: Msat, parts: &[PartRow], told: Msat) -> Msat {
    if parts.is_empty() {
        return told;
    }
    let left = parts.iter().map(attempt::gross).try_fold(Msat::ZERO, Msat::checked_add);
    left.unwrap_or(Msat::MAX).saturating_sub(amount)
}

fn note_paid(row: &mut PaymentRow, hash: PaymentHash, preimage: Preimage, fee: Msat) {
    row.hash = Some(hash);
    row.preimage = Some(preimage);
    row.fee = fee;
}
