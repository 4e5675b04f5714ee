//! Payments that wait for a decision.

use super::Incoming;
use super::checks::last_height;
use super::payment::held;
use crate::backend::{Command, FailAs};
use crate::books::Books;
use crate::commit::{Failure, PaymentRow, State};
use crate::failure;
use crate::input::{Decision, Ticket};
use crate::output::ReceiveError;
use crate::receive::Short;
use crate::step::{About, Step};
use sponte_proto::{BlockHeight, PaymentId, Timestamp};

const MINUTE_MS: u64 = 60_000;

/// Whether a payment is to be held.
pub(super) enum Hold {
    /// It is claimed at once.
    No,
    /// Until a time, and a height if its deadline is known.
    Until(Timestamp, Option<BlockHeight>),
    /// It should be, and leaves too few blocks.
    TooShort,
}

/// Why a held payment is failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canceled {
    /// A caller said so.
    Asked,
    /// Its time has passed.
    Time,
    /// It came too near to its deadline.
    Height,
    /// The backend failed some of its HTLCs.
    Lost,
}

impl Incoming {
    pub(super) fn decide_hold(
        &self,
        now: Timestamp,
        row: &PaymentRow,
        deadline: Option<BlockHeight>,
    ) -> Hold {
        let policy = self.policy();
        if !policy.holds(row.amount, &row.records) {
            return Hold::No;
        }
        let height = deadline.map(last_height);
        let left = height.map_or(u32::MAX, |height| height.checked_sub(self.height).unwrap_or(0));
        if left >= policy.hold_blocks.max(1) {
            return Hold::Until(now.plus_millis(u64::from(policy.hold_minutes) * MINUTE_MS), height);
        }
        match policy.short {
            Short::Accept => Hold::No,
            Short::Refuse => Hold::TooShort,
        }
    }

    /// A caller decides.
    pub(crate) fn handle_decision(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        id: PaymentId,
        decision: Decision,
        ticket: Ticket,
        known: Option<&PaymentRow>,
    ) {
        let state = self.payments.get(&id).map(|payment| payment.row.state);
        match state.or(known.map(|row| row.state)) {
            None => return step.answer(ticket, Err(ReceiveError::UnknownPayment)),
            Some(State::Held) if state.is_some() => {}
            Some(other) => return step.answer(ticket, Err(ReceiveError::NotHeld(other))),
        }
        match decision {
            Decision::Settle => self.release(books, step, id),
            Decision::Cancel => self.cancel(books, step, id, Canceled::Asked),
        }
        step.answer(ticket, Ok(()));
    }

    /// Claims a held payment.
    pub(super) fn release(&mut self, books: &mut Books, step: &mut Step, id: PaymentId) {
        let Some(payment) = self.take(id) else { return };
        books.void(step, held(&payment.row));
        self.begin_claim(books, step, payment);
    }

    /// Fails a held payment.
    pub(super) fn cancel(&mut self, books: &mut Books, step: &mut Step, id: PaymentId, why: Canceled) {
        let Some(mut payment) = self.take(id) else { return };
        for hash in payment.hashes(State::Held) {
            step.command(Command::Fail(hash, FailAs::Unknown));
        }
        for part in &mut payment.parts {
            part.state = State::Canceled;
            step.changes.parts.push(part.clone());
        }
        books.void(step, held(&payment.row));
        let Failure { message, .. } = failure::of_canceled(why);
        step.event("payment_canceled", About::payment(id, payment.row.amount), message);
        payment.row.failure = Some(failure::of_canceled(why));
        payment.row.state = State::Canceled;
        payment.row.updated_at = step.now;
        step.changes.payments.push(payment.row);
    }
}
