//! An attempt ends, or the payment.

use super::late::PAID_TWICE;
use super::{Attempt, Outgoing, Over, Payment};
use crate::commit::{AttemptRow, Failure, Kind, PartFailure, PaymentRow, State};
use crate::config::Config;
use crate::failure;
use crate::retry;
use crate::step::{About, Step};
use sponte_proto::{Msat, PaymentId, Timestamp};

/// Why no further attempt may begin, if so.
pub(super) fn why_spent(payment: &Payment, now: Timestamp) -> Option<Failure> {
    let row = &payment.row;
    if row.plan.canceled {
        return Some(failure::canceled());
    }
    if !payment.spent(now) {
        return None;
    }
    // What stood in the way says more than that time or attempts are used up.
    Some(match (&payment.refusal, payment.lesson, &payment.blocked) {
        (Some(refusal), ..) => refusal.clone(),
        (None, Some(lesson), _) => lesson.reason(row),
        (None, None, Some(blocked)) => blocked.clone(),
        (None, None, None) if now >= row.deadline => failure::timeout(),
        (None, None, None) => failure::exhausted(),
    })
}

impl Payment {
    /// An attempt of before the start, which the destination refused. What it said is the last word only
    /// if none of another kind has begun since.
    pub(super) fn remember_refusal(&mut self, attempt: AttemptRow) {
        self.refused.push(attempt.kind);
        let is_last = attempt.number + 1 == self.row.attempts;
        self.refusal = attempt.failure.filter(|_| is_last);
    }
}

impl Outgoing {
    /// No part of an attempt is left, and none was paid. What comes next is decided after it.
    pub(super) fn end_attempt(&mut self, step: &mut Step, id: PaymentId) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let Some(Attempt { mut row, parts, over, .. }) = payment.attempt.take() else { return };
        let failed = parts.rows().iter().filter_map(|part| part.sent.failure);
        let never_left = failed.into_iter().all(|why| why == PartFailure::NEVER_LEFT);
        row.state = State::Failed;
        row.fee = Msat::ZERO;
        row.failure = Some(match &over {
            Some(Over::Refused(reason)) => reason.clone(),
            Some(Over::Incomplete) => failure::incomplete(),
            None if never_left => failure::never_left(),
            None => failure::on_the_way(),
        });
        row.updated_at = step.now;
        let kind = row.kind;
        step.changes.attempts.push(row);
        if let Some(Over::Refused(reason)) = over {
            return self.refused(step, id, kind, reason);
        }
        if never_left {
            // It costs the caller none of those that may leave. A backend that says so again and
            // again must not keep a step from ending.
            payment.row.plan.tries = payment.row.plan.tries.saturating_sub(1);
            let delay_ms = retry::delay_ms(payment.delays);
            self.wait(step, id, delay_ms, failure::timeout());
        }
    }

    /// The destination does not take this kind: another, if the caller wants that.
    fn refused(&mut self, step: &mut Step, id: PaymentId, kind: Kind, reason: Failure) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        payment.refused.push(kind);
        payment.refusal = Some(reason.clone());
        // A refusal is no failure on the way, and channels that carried it are fine.
        payment.lesson = None;
        match kind {
            Kind::Amp | Kind::MppKeysend if payment.row.plan.fall_back => {
                payment.row.kind = Kind::Keysend;
                payment.row.plan.reason.clear();
                payment.row.updated_at = step.now;
                step.changes.payments.push(payment.row.clone());
            }
            _ => self.fail_payment(step, id, reason),
        }
    }

    /// The deadline has come while the payment waited.
    pub(super) fn expire(&mut self, config: &Config, step: &mut Step, id: PaymentId, reason: Failure) {
        match self.payments.get(&id) {
            Some(payment) if payment.attempt.is_none() && !payment.paid => {
                self.fail_payment(step, id, reason);
            }
            _ => self.advance(config, step, id),
        }
    }

    /// Nothing more is sent: the payment fails, once nothing of it is on its way.
    pub(super) fn give_up(&mut self, step: &mut Step, id: PaymentId, reason: Failure) {
        self.stop_waiting(id);
        match self.payments.get_mut(&id).and_then(|payment| payment.attempt.as_mut()) {
            Some(attempt) if attempt.parts.pending() > 0 => attempt.over = Some(Over::Incomplete),
            _ => self.fail_payment(step, id, reason),
        }
    }

    /// Ends a payment as failed, unless a part of it that was taken for failed is paid.
    pub(super) fn fail_payment(&mut self, step: &mut Step, id: PaymentId, reason: Failure) {
        if self.payments.get(&id).is_some_and(|payment| payment.paid) {
            return self.settle_payment(step, id);
        }
        let Some(Payment { mut row, .. }) = self.forget(id) else { return };
        row.state = State::Failed;
        row.updated_at = step.now;
        step.event("payment_failed", About::payment(id, row.amount), reason.message.clone());
        row.failure = Some(reason);
        step.changes.payments.push(row);
    }

    /// Ends a payment as paid.
    pub(super) fn settle_payment(&mut self, step: &mut Step, id: PaymentId) {
        let Some(Payment { mut row, attempt, paid, .. }) = self.forget(id) else { return };
        if let Some(mut attempt) = attempt.filter(|attempt| attempt.parts.is_any_paid()) {
            if paid {
                step.event("anomaly", About::payment(id, row.amount), PAID_TWICE.into());
            }
            attempt.row.state = State::Settled;
            attempt.row.fee = attempt.parts.fee();
            attempt.row.updated_at = step.now;
            row.fee = cost(&row, &attempt);
            row.hash = attempt.row.hash;
            // AMP has a proof in each part, and none of the whole.
            row.preimage = attempt.row.hash.and_then(|_| attempt.parts.proof());
            tell_partly_paid(step, &row, &attempt);
            step.changes.attempts.push(attempt.row);
        }
        row.state = State::Settled;
        row.failure = None;
        row.updated_at = step.now;
        step.event("payment_sent", About::payment(id, row.amount), format!("fee {}", row.fee));
        step.changes.payments.push(row);
    }

    fn forget(&mut self, id: PaymentId) -> Option<Payment> {
        self.stop_waiting(id);
        self.payments.remove(&id)
    }
}

/// What a payment cost beyond its amount: all that left our channels counts, so that the books
/// follow the channels.
fn cost(row: &PaymentRow, attempt: &Attempt) -> Msat {
    let left = attempt.parts.live().map(super::parts::gross).try_fold(Msat::ZERO, Msat::checked_add);
    left.unwrap_or(Msat::MAX).saturating_sub(row.amount)
}

/// A destination that takes a part of a set before it has all of it has been paid less, and has
/// given the proof away nevertheless.
fn tell_partly_paid(step: &mut Step, row: &PaymentRow, attempt: &Attempt) {
    let missing = attempt.missing(row.amount);
    if missing != Msat::ZERO {
        let detail = format!("the destination took the payment without {missing} of it");
        step.event("anomaly", About::payment(row.id, row.amount), detail);
    }
}
