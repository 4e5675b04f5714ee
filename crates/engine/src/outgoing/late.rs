//! A proof of payment for an attempt that was taken for failed.
//!
//! It cannot happen while the backend keeps its word. If it does, money left that the books say
//! is here, so it is written down: the books follow the channel, the payment becomes paid, and an
//! event `anomaly` tells whoever reads. Dropping the proof would make a caller pay again.

use super::attempt::{PAID_TWICE, gross, in_flight, post_paid};
use super::{Awaits, Outgoing, cost, note_paid};
use crate::books::{Books, Entry};
use crate::commit::{PaymentRow, State};
use crate::input::PastAttempt;
use crate::step::{About, Step};
use sponte_proto::{Msat, Preimage};

impl Outgoing {
    /// Books an attempt that the memory does not wait for, if the ledger says that it failed. One
    /// that is paid already is a repeat.
    pub(crate) fn handle_late_sent(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        past: PastAttempt,
        preimage: Preimage,
        told_fee: Msat,
    ) {
        let PastAttempt { payment: row, mut attempt, mut parts } = past;
        if attempt.state == State::Settled {
            return;
        }
        let fee = cost(row.amount, &parts, told_fee);
        for part in &mut parts {
            let entry = in_flight(attempt.id, part);
            let key = format!("out/{}/late/{}", attempt.id, part.number);
            books.post(step, Entry { key, amount: gross(part), ..entry.clone() });
            books.void(step, entry);
            part.state = State::Settled;
        }
        post_paid(books, step, &attempt, row.amount, fee);
        attempt.state = State::Settled;
        attempt.failure = None;
        attempt.fee = fee;
        attempt.updated_at = step.now;
        let (id, hash) = (row.id, attempt.hash);
        let detail = format!("attempt {} was taken for failed, and is paid", attempt.number);
        step.event("anomaly", About::payment(id, row.amount), detail);
        step.changes.attempts.push(attempt);
        step.changes.parts.extend(parts);

        match self.payments.get_mut(&id) {
            None => note_ended(step, row, |row| note_paid(row, hash, preimage, fee)),
            Some(payment) => {
                note_paid(&mut payment.row, hash, preimage, fee);
                payment.row.updated_at = step.now;
                step.changes.payments.push(payment.row.clone());
                match payment.awaits {
                    // Paid already: another attempt must not start, but this one must end.
                    Awaits::End(_) => {}
                    Awaits::Retry(at, _) => {
                        self.timers.remove(&(at, id));
                        self.settle_payment(step, id);
                    }
                    Awaits::Recovery => self.settle_payment(step, id),
                }
            }
        }
    }
}

/// Corrects a payment that had ended. One that is paid by another attempt is paid twice: both
/// stand in its attempts and in the books.
fn note_ended(step: &mut Step, mut row: PaymentRow, note: impl FnOnce(&mut PaymentRow)) {
    if row.state == State::Settled {
        let about = About::payment(row.id, row.amount);
        return step.event("anomaly", about, PAID_TWICE.into());
    }
    note(&mut row);
    row.state = State::Settled;
    row.failure = None;
    row.updated_at = step.now;
    step.event("payment_sent", About::payment(row.id, row.amount), format!("fee {}", row.fee));
    step.changes.payments.push(row);
}
