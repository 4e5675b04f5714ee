//! How payments that are being claimed end.

use super::complete::described;
use super::payment::{Payment, book_claimed, reserved};
use super::{Canceled, Incoming, Owner, count, count_from, forget_rows};
use crate::backend::{Claimed, Command, ReceiveFailed};
use crate::books::Books;
use crate::commit::{AmpReceived, Kind, PaymentRow, Reason, State};
use crate::failure;
use crate::input::PastPart;
use crate::step::{About, Step};
use sponte_proto::{Msat, PaymentHash, PaymentId};

impl Incoming {
    /// Gives the claim of a part again, if its payment is being claimed.
    pub(super) fn claim_again(&self, step: &mut Step, claim: PaymentId) {
        let payment = self.claims.get(&claim).and_then(|id| self.payments.get(id));
        let mut parts = payment.into_iter().flat_map(|payment| &payment.parts);
        let part = parts.find(|part| part.claim.id == Some(claim) && part.state == State::Pending);
        if let Some((hash, preimage)) = part.and_then(|part| part.claim.hash.zip(part.claim.preimage.clone()))
        {
            step.command(Command::Claim(hash, preimage));
        }
    }

    /// The preimage of a part is durable. Repeats of what is settled are ignored; of what was taken
    /// for failed or canceled not: money that came is booked, whatever was thought before.
    pub(crate) fn handle_claimed(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        claimed: &Claimed,
        past: Option<PastPart>,
    ) {
        let Some(id) = self.claims.get(&claimed.id).copied() else {
            return past.map_or((), |past| super::late::handle_late_claim(books, step, claimed, past));
        };
        if self.payments.get(&id).is_some_and(|payment| payment.row.state == State::Held) {
            self.release(books, step, id);
        }
        let Some(mut payment) = self.take(id) else { return };
        let part = payment.parts.iter().position(|part| part.claim.id == Some(claimed.id));
        if let Some(at) = part.filter(|at| payment.parts[*at].state != State::Settled) {
            book_claimed(books, step, &mut payment.parts, at, claimed);
        }
        self.keep_or_end(step, payment);
    }

    /// HTLCs to us are failed. Nothing is known of those that we refused.
    pub(crate) fn handle_receive_failed(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        failed: &ReceiveFailed,
    ) {
        // A further HTLC under the hash may be the one that failed: the backend's list tells.
        if !self.recovered {
            return;
        }
        let owner = self.hashes.get(&failed.hash).copied();
        if failed.claiming || failed.waiting {
            // Others of the hash go on; those that failed were never shown.
            if owner.is_some() {
                count_from(step, failed.channels.first().copied(), Msat::ZERO, Reason::Repeated);
            }
            return;
        }
        match owner {
            None => {}
            Some(Owner::Set(_)) => self.lose_waiting(step, failed.hash),
            Some(Owner::Payment(id)) => self.lose(books, step, id, failed.hash),
        }
    }

    /// A part leaves its set, as the backend failed it.
    pub(super) fn lose_waiting(&mut self, step: &mut Step, hash: PaymentHash) {
        let Some(Owner::Set(key)) = self.hashes.remove(&hash) else { return };
        let gone = self.sets.remove_parts(key, hash);
        forget_rows(step, &gone);
        for part in &gone {
            count(step, &part.waiting.claimable, Reason::Timeout);
        }
        self.set_alarms(key);
    }

    /// Parts of a payment are failed: one that is held ends, of one that is being claimed the rest
    /// goes on.
    pub(super) fn lose(&mut self, books: &mut Books, step: &mut Step, id: PaymentId, hash: PaymentHash) {
        if self.payments.get(&id).is_some_and(|payment| payment.row.state == State::Held) {
            return self.cancel(books, step, id, Canceled::Lost);
        }
        let Some(mut payment) = self.take(id) else { return };
        let pending = payment.parts.iter_mut().filter(|part| part.state == State::Pending);
        for part in pending.filter(|part| part.claim.hash == Some(hash)) {
            books.void(step, reserved(part));
            part.state = State::Failed;
            step.changes.parts.push(part.clone());
        }
        self.keep_or_end(step, payment);
    }

    fn keep_or_end(&mut self, step: &mut Step, payment: Payment) {
        if payment.parts.iter().any(|part| part.state == State::Pending) {
            self.keep(payment);
        } else {
            end(step, payment);
        }
    }
}

/// No part is pending any more.
fn end(step: &mut Step, mut payment: Payment) {
    let received = payment.received();
    payment.row.updated_at = step.now;
    if received == Msat::ZERO {
        payment.row.state = State::Failed;
        let failure = failure::not_received();
        let about = About::payment(payment.row.id, payment.row.amount);
        step.event("receive_failed", about, failure.message.clone());
        payment.row.failure = Some(failure);
        return step.changes.payments.push(payment.row);
    }
    let asked = payment.row.amount;
    let lost = payment.parts.iter().any(|part| part.state == State::Failed);
    settle(step, payment.row, received, 1);
    if lost {
        let id = payment.parts[0].payment;
        let detail = format!("{received} of {asked} came: the rest was failed before it could be claimed");
        step.event("receive_incomplete", About::payment(id, received), detail);
    }
}

/// A payment is settled for what came. `count` is 0 if it was settled before, for less.
pub(super) fn settle(step: &mut Step, mut row: PaymentRow, received: Msat, count: u32) {
    let more = if count == 0 { received.saturating_sub(row.amount) } else { received };
    row.amount = received;
    row.state = State::Settled;
    row.failure = None;
    row.updated_at = step.now;
    if let (Kind::AmpInvoice, Some(payment_addr)) = (row.kind, row.receipt.payment_addr.clone()) {
        step.changes.amp_received.push(AmpReceived { payment_addr, payments: count, amount: more });
    }
    step.event("payment_received", About::payment(row.id, more), described(&row));
    step.changes.payments.push(row);
}
