//! A proof of payment for a part that was taken for failed.
//!
//! It cannot happen while the backend keeps its word. If it does, money left that the books say
//! is here, so it is written down: the books follow the channel, the payment becomes paid, and an
//! event `anomaly` tells whoever reads. Dropping the proof would make a caller pay again.

use super::Outgoing;
use super::parts::{gross, in_flight, post_paid};
use crate::books::{Books, Entry};
use crate::commit::{PaymentRow, State};
use crate::config::Config;
use crate::input::PastAttempt;
use crate::step::{About, Step};
use sponte_proto::{PaymentId, Preimage};

/// What is told of a payment that is paid by two of its attempts.
pub(super) const PAID_TWICE: &str = "two attempts of this payment are paid";

impl Outgoing {
    /// Books a part that the memory does not wait for, if the ledger says that it failed. One that
    /// is paid already is a repeat.
    pub(crate) fn handle_late_sent(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        past: PastAttempt,
        part: PaymentId,
        preimage: Preimage,
    ) {
        let PastAttempt { payment: mut row, mut attempt, mut parts } = past;
        let Some(part) = parts.iter_mut().find(|row| row.claim.id == Some(part)) else { return };
        if part.state != State::Failed {
            return;
        }
        let entry = in_flight(&attempt, part);
        let key = format!("out/{}/{}/late", attempt.id, part.number);
        books.post(step, Entry { key, amount: gross(part), ..entry.clone() });
        books.void(step, entry);
        part.state = State::Settled;
        part.sent.failure = None;
        part.claim.preimage = Some(preimage.clone());
        post_paid(books, step, &attempt, part);
        let (number, fee) = (attempt.number, part.fee);
        step.changes.parts.push(part.clone());
        let detail = format!("part {} of attempt {number} was taken for failed, and is paid", part.number);
        step.event("anomaly", About::payment(row.id, row.amount), detail);

        let ended = attempt.state.has_ended();
        let was_paid = attempt.state == State::Settled;
        if ended {
            attempt.state = State::Settled;
            attempt.failure = None;
            attempt.fee = if was_paid { attempt.fee.checked_add(fee).unwrap_or(fee) } else { fee };
            attempt.updated_at = step.now;
            step.changes.attempts.push(attempt.clone());
        }
        let Some(payment) = self.payments.get_mut(&row.id) else {
            if row.state == State::Settled && !was_paid {
                return step.event("anomaly", About::payment(row.id, row.amount), PAID_TWICE.into());
            }
            note_paid(&mut row, attempt.hash.map(|hash| (hash, preimage)), fee);
            return note_ended(step, row);
        };
        note_paid(&mut payment.row, attempt.hash.map(|hash| (hash, preimage)), fee);
        payment.row.updated_at = step.now;
        step.changes.payments.push(payment.row.clone());
        // Another attempt must not start; one that is on its way must end.
        let id = row.id;
        payment.paid |= payment.attempt.as_ref().is_none_or(|current| current.row.id != attempt.id);
        if let Some(current) = payment.attempt.as_mut().filter(|current| current.row.id == attempt.id) {
            let known = current.parts.rows().iter().position(|known| known.claim.id == part.claim.id);
            if let Some(at) = known {
                current.parts.replace(at, part.clone());
            }
        }
        self.stop_waiting(id);
        self.advance(config, step, id);
    }
}

fn note_paid(
    row: &mut PaymentRow,
    proof: Option<(sponte_proto::PaymentHash, Preimage)>,
    fee: sponte_proto::Msat,
) {
    if let Some((hash, preimage)) = proof {
        row.hash = Some(hash);
        row.preimage = Some(preimage);
    }
    row.fee = row.fee.checked_add(fee).unwrap_or(fee);
}

/// Corrects a payment that had ended.
fn note_ended(step: &mut Step, mut row: PaymentRow) {
    let told = row.state == State::Settled;
    row.state = State::Settled;
    row.failure = None;
    row.updated_at = step.now;
    if !told {
        step.event("payment_sent", About::payment(row.id, row.amount), format!("fee {}", row.fee));
    }
    step.changes.payments.push(row);
}
