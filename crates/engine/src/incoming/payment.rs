//! A complete payment, and what is booked of its parts.

use super::{Incoming, Owner};
use crate::backend::{Claimed, ClaimedPart, Command};
use crate::books::{Books, Entry};
use crate::commit::{Account, PartRow, PaymentRow, State};
use crate::step::Step;
use sponte_proto::{CltvExpiry, Msat, PaymentHash, PaymentId};

/// A payment that is held or being claimed.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) row: PaymentRow,
    /// In the order of their numbers.
    pub(super) parts: Vec<PartRow>,
}

impl Payment {
    /// The hashes of its parts in a state, each once.
    pub(super) fn hashes(&self, state: State) -> Vec<PaymentHash> {
        let parts = self.parts.iter().filter(|part| part.state == state);
        let mut hashes: Vec<_> = parts.filter_map(|part| part.claim.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// What its settled parts brought.
    pub(super) fn received(&self) -> Msat {
        let settled = self.parts.iter().filter(|part| part.state == State::Settled);
        settled.fold(Msat::ZERO, |sum, part| sum.checked_add(part.amount).unwrap_or(Msat::MAX))
    }

    /// Claims all parts that are not claimed.
    pub(super) fn claim(&self, step: &mut Step) {
        for hash in self.hashes(State::Pending) {
            let of_hash = |part: &&PartRow| part.claim.hash == Some(hash);
            let preimage = self.parts.iter().find(of_hash).and_then(|part| part.claim.preimage.clone());
            if let Some(preimage) = preimage {
                step.command(Command::Claim(hash, preimage));
            }
        }
    }
}

impl Incoming {
    /// Keeps a payment that has not ended.
    pub(super) fn keep(&mut self, payment: Payment) {
        let id = payment.row.id;
        for part in payment.parts.iter().filter(|part| !part.state.has_ended()) {
            part.claim.hash.map(|hash| self.hashes.insert(hash, Owner::Payment(id)));
        }
        self.claims.extend(payment.parts.iter().filter_map(|part| Some((part.claim.id?, id))));
        if payment.row.state == State::Held {
            self.times.set(Owner::Payment(id), Some(payment.row.deadline));
            self.heights.set(Owner::Payment(id), payment.row.receipt.deadline_height);
        }
        self.payments.insert(id, payment);
    }

    /// Forgets a payment, because it ends, or to keep it again as it is then.
    pub(super) fn take(&mut self, id: PaymentId) -> Option<Payment> {
        let payment = self.payments.remove(&id)?;
        for part in &payment.parts {
            part.claim.id.map(|claim| self.claims.remove(&claim));
            if let Some(hash) = part.claim.hash
                && self.hashes.get(&hash) == Some(&Owner::Payment(id))
            {
                self.hashes.remove(&hash);
            }
        }
        self.times.clear(Owner::Payment(id));
        self.heights.clear(Owner::Payment(id));
        Some(payment)
    }
}

/// The reservation of what a part brings. That of the first one has the key that it had when all
/// payments had one part.
pub(super) fn reserved(part: &PartRow) -> Entry {
    Entry::new(format!("in/{}", suffixed(part)), Account::World, Account::HeldIn, part.amount)
        .of(part.payment)
}

fn suffixed(part: &PartRow) -> String {
    match part.number {
        0 => part.payment.to_string(),
        number => format!("{}+{number}", part.payment),
    }
}

/// The reservation of what a held payment would bring.
pub(super) fn held(row: &PaymentRow) -> Entry {
    Entry::new(format!("held/{}", row.id), Account::World, Account::Held, row.amount).of(row.id)
}

/// Books a part that is claimed: what its channels gained, whatever was expected.
pub(super) fn book_claimed(
    books: &mut Books,
    step: &mut Step,
    parts: &mut Vec<PartRow>,
    at: usize,
    claimed: &Claimed,
) {
    let mut next = parts.iter().map(|part| part.number).max().map_or(0, |number| number + 1);
    let part = &mut parts[at];
    let was_reserved = part.state == State::Pending;
    let told = htlcs(part, claimed);
    let received = told.iter().try_fold(Msat::ZERO, |sum, htlc| sum.checked_add(htlc.amount));
    let received = received.unwrap_or(Msat::MAX);
    let entry = reserved(part);
    if was_reserved && received == part.amount {
        books.settle(step, entry);
    } else {
        let key = format!("{}/claimed", entry.key);
        if was_reserved {
            books.void(step, entry.clone());
        }
        books.post(step, Entry { key, amount: received, ..entry });
    }
    let first = part.clone();
    let mut more = vec![];
    for (nth, htlc) in told.iter().enumerate() {
        let number = if nth == 0 { first.number } else { next };
        next += u32::from(nth > 0);
        let key = format!("in/{}/{number}", first.payment);
        let entry = Entry::new(key, Account::HeldIn, Account::Channel(htlc.channel), htlc.amount);
        books.post(step, entry.of(first.payment));
        let mut row = PartRow { number, channel: htlc.channel, amount: htlc.amount, ..first.clone() };
        row.state = State::Settled;
        row.claim.expiry = Some(htlc.expiry);
        step.changes.parts.push(row.clone());
        more.push(row);
    }
    parts[at] = more.remove(0);
    parts.extend(more);
}

/// The HTLCs of a claim. Of one that names none, or no amount, what is known of the part.
fn htlcs(part: &PartRow, claimed: &Claimed) -> Vec<ClaimedPart> {
    if claimed.parts.iter().any(|htlc| htlc.amount > Msat::ZERO) {
        return claimed.parts.clone();
    }
    let expiry = part.claim.expiry.unwrap_or(CltvExpiry::new(0));
    vec![ClaimedPart { channel: part.channel, amount: part.amount, expiry }]
}
