//! What comes next for a payment.

use super::{Outgoing, Payment, ends};
use crate::commit::Failure;
use crate::config::Config;
use crate::failure;
use crate::step::Step;
use sponte_proto::{Msat, PaymentId, Timestamp};

enum Next {
    /// Something else must happen first.
    Wait,
    /// Routes for this amount.
    Ask(Msat),
    /// What is missing of the set stays so.
    GiveUpSet,
    /// No part of the attempt is left, and none was paid.
    EndAttempt,
    Settle,
    Fail(Failure),
}

impl Outgoing {
    /// Does what comes next, until something else must happen first.
    pub(super) fn advance(&mut self, config: &Config, step: &mut Step, id: PaymentId) {
        while let Some(payment) = self.payments.get_mut(&id) {
            match next(payment, step.now) {
                Next::Wait => return,
                Next::Ask(amount) => {
                    let kind = payment.kind();
                    if !payment.ask(config, step, amount, kind) {
                        return self.give_up(step, id, failure::no_invoice());
                    }
                    return;
                }
                Next::GiveUpSet => {
                    let reason = ends::why_spent(payment, step.now).unwrap_or_else(failure::timeout);
                    self.give_up(step, id, reason);
                }
                Next::EndAttempt => self.end_attempt(step, id),
                Next::Settle => return self.settle_payment(step, id),
                Next::Fail(reason) => return self.fail_payment(step, id, reason),
            }
        }
    }
}

fn next(payment: &Payment, now: Timestamp) -> Next {
    let Payment { row, restored, asked, wait, .. } = payment;
    let Some(attempt) = &payment.attempt else {
        if *restored {
            return Next::Wait;
        }
        if payment.paid {
            return Next::Settle;
        }
        return match ends::why_spent(payment, now) {
            // Whatever is still looked for comes too late.
            Some(reason) => Next::Fail(reason),
            None if asked.is_some() || wait.is_some() => Next::Wait,
            None => Next::Ask(row.amount),
        };
    };
    if attempt.parts.pending() == 0 {
        return if attempt.parts.is_any_paid() { Next::Settle } else { Next::EndAttempt };
    }
    let missing = attempt.missing(row.amount);
    let taken = payment.paid || attempt.parts.is_any_paid();
    let waits = asked.is_some() || *restored || taken || attempt.over.is_some();
    if waits || missing == Msat::ZERO {
        return Next::Wait;
    }
    match payment.spent(now) {
        true => Next::GiveUpSet,
        false if wait.is_some() => Next::Wait,
        false => Next::Ask(attempt.next_amount(row)),
    }
}
