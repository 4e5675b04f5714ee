//! Payments to us: taken or refused, claimed, and booked.
//!
//! A keysend payment is complete when the backend shows it. Its row, the reservation of its
//! amount and the claim are one commit; its parts are known once it is claimed.

use crate::backend::{AmpInvoiceRequest, Claimable, Claimed, Command, FailAs, Purpose};
use crate::books::{Books, Entry};
use crate::commit::{Account, Direction, Kind, PartClaim, PartRow, PaymentRow, Receipt, State};
use crate::failure;
use crate::output::ReceiveError;
use crate::step::{About, Step};
use sponte_proto::{ChannelId, Msat, PaymentHash, PaymentId, Preimage, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The longest description of an invoice: BOLT 11 has so many bytes for it (field `d`).
pub const MAX_DESCRIPTION_BYTES: usize = 639;

/// Whether an AMP invoice can be made.
///
/// # Errors
/// Its description is too long, its amount is zero, or it would have expired.
pub fn check_amp_invoice(request: &AmpInvoiceRequest) -> Result<(), ReceiveError> {
    if request.description.len() > MAX_DESCRIPTION_BYTES {
        return Err(ReceiveError::LongDescription);
    }
    if request.amount == Some(Msat::ZERO) {
        return Err(ReceiveError::ZeroAmount);
    }
    if request.expires_at <= request.created_at {
        return Err(ReceiveError::BadExpiry);
    }
    Ok(())
}

/// Incoming payments that are neither claimed nor failed yet.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    payments: BTreeMap<PaymentId, Payment>,
    by_hash: BTreeMap<PaymentHash, PaymentId>,
}

#[derive(Debug)]
struct Payment {
    row: PaymentRow,
    /// Whether it came before the last stop, so that only the backend knows if it still is there.
    restored: bool,
}

impl Incoming {
    pub(crate) fn new(rows: impl IntoIterator<Item = PaymentRow>) -> Incoming {
        let mut incoming = Incoming::default();
        for row in rows {
            incoming.insert(row, true);
        }
        incoming
    }

    pub(crate) fn contains(&self, id: PaymentId) -> bool {
        self.payments.contains_key(&id)
    }

    /// Takes what can be claimed and was never taken before; all else is failed as an unknown
    /// payment is (law 7).
    pub(crate) fn handle_claimable(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        claimable: &Claimable,
        accept: bool,
        received_before: bool,
    ) {
        if let Some(known) = self.by_hash.get(&claimable.hash).and_then(|id| self.payments.get(id)) {
            // A repeat. HTLCs of another set with a hash that is being claimed are left to the
            // backend, which fails them at their deadline: failing by hash would hit the claim.
            if let (true, Some(preimage)) = (known.row.id == claimable.id, &known.row.preimage) {
                step.command(Command::Claim(claimable.hash, preimage.clone()));
            }
            return;
        }
        let preimage = match &claimable.purpose {
            Purpose::Keysend { preimage, .. } if preimage.opens(&claimable.hash) => *preimage,
            _ => return step.command(Command::Fail(claimable.hash, FailAs::Unknown)),
        };
        if !accept || received_before || claimable.amount == Msat::ZERO {
            return step.command(Command::Fail(claimable.hash, FailAs::Unknown));
        }
        let row = row(claimable, preimage.clone(), step.now);
        books.reserve(step, held(row.id, row.amount));
        step.changes.payments.push(row.clone());
        step.changes.parts.push(unclaimed(&row, State::Pending));
        step.command(Command::Claim(claimable.hash, preimage));
        self.insert(row, false);
    }

    /// The preimage is durable. Repeats of what has ended before are ignored, unless it was taken
    /// for failed: money that came is booked, whatever was thought before.
    pub(crate) fn handle_claimed(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        claimed: &Claimed,
        past: Option<PaymentRow>,
    ) {
        let known = self.remove(claimed.id);
        let is_late = known.is_none();
        let late = |row: &PaymentRow| row.direction == Direction::In && row.state == State::Failed;
        let Some(mut row) = known.or(past.filter(late)) else { return };

        let sum = claimed.parts.iter().try_fold(Msat::ZERO, |sum, part| sum.checked_add(part.amount));
        let received = sum.filter(|sum| *sum > Msat::ZERO).unwrap_or(row.amount);
        let reserved = held(row.id, row.amount);
        if is_late || received != row.amount {
            books.void(step, reserved);
            books.post(step, Entry { key: format!("in/{}/claimed", row.id), ..held(row.id, received) });
        } else {
            books.settle(step, reserved);
        }
        row.amount = received;
        row.state = State::Settled;
        row.failure = None;
        row.updated_at = step.now;
        write_parts(books, step, claimed, row.id);

        let detail = row.records.text().map(|text| format!("with a message of {} bytes", text.len()));
        let about = About::payment(row.id, row.amount);
        step.event("payment_received", about, detail.unwrap_or_else(|| "keysend".into()));
        step.changes.payments.push(row);
    }

    /// Its HTLCs are failed: a pending payment of that hash has ended, unless it is being claimed
    /// and the failed ones are further HTLCs of anybody who knows the hash. Nothing is known of
    /// those that we refused.
    pub(crate) fn handle_receive_failed(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        hash: PaymentHash,
        claiming: bool,
    ) {
        if claiming {
            return;
        }
        if let Some(id) = self.by_hash.get(&hash).copied() {
            self.fail(books, step, id);
        }
    }

    /// Claims again what the backend still holds; what it does not hold has ended unclaimed.
    pub(crate) fn recover(&mut self, books: &mut Books, step: &mut Step, held: &BTreeSet<PaymentHash>) {
        let restored: Vec<PaymentId> =
            self.payments.iter().filter(|(_, payment)| payment.restored).map(|(id, _)| *id).collect();
        for id in restored {
            let Some(payment) = self.payments.get_mut(&id) else { continue };
            match payment.row.preimage {
                Some(preimage) if held.contains(&preimage.payment_hash()) => {
                    payment.restored = false;
                    step.command(Command::Claim(preimage.payment_hash(), preimage));
                }
                _ => self.fail(books, step, id),
            }
        }
    }

    fn fail(&mut self, books: &mut Books, step: &mut Step, id: PaymentId) {
        let Some(mut row) = self.remove(id) else { return };
        books.void(step, held(row.id, row.amount));
        row.state = State::Failed;
        step.changes.parts.push(unclaimed(&row, State::Failed));
        let failure = failure::not_received();
        step.event("receive_failed", About::payment(row.id, row.amount), failure.message.clone());
        row.failure = Some(failure);
        row.updated_at = step.now;
        step.changes.payments.push(row);
    }

    fn insert(&mut self, row: PaymentRow, restored: bool) {
        if let Some(hash) = row.hash {
            self.by_hash.insert(hash, row.id);
        }
        self.payments.insert(row.id, Payment { row, restored });
    }

    fn remove(&mut self, id: PaymentId) -> Option<PaymentRow> {
        let Payment { row, .. } = self.payments.remove(&id)?;
        row.hash.and_then(|hash| self.by_hash.remove(&hash));
        Some(row)
    }
}

fn row(claimable: &Claimable, preimage: Preimage, now: Timestamp) -> PaymentRow {
    PaymentRow {
        id: claimable.id,
        direction: Direction::In,
        kind: Kind::Keysend,
        state: State::Pending,
        key: None,
        destination: None,
        amount: claimable.amount,
        fee: Msat::ZERO,
        max_fee: Msat::ZERO,
        hash: Some(claimable.hash),
        preimage: Some(preimage),
        records: claimable.records.clone(),
        failure: None,
        deadline: now,
        attempts: 0,
        max_attempts: 0,
        created_at: now,
        updated_at: now,
        receipt: Receipt::default(),
    }
}

/// The part of a payment whose channels are not known yet.
fn unclaimed(row: &PaymentRow, state: State) -> PartRow {
    PartRow {
        payment: row.id,
        attempt: 0,
        number: 0,
        channel: ChannelId::from_bytes([0; 32]),
        amount: row.amount,
        fee: Msat::ZERO,
        state,
        route: vec![],
        claim: PartClaim { id: Some(row.id), hash: row.hash, preimage: row.preimage, expiry: None },
    }
}

/// The reservation of what a payment brings.
fn held(id: PaymentId, amount: Msat) -> Entry {
    Entry::new(format!("in/{id}"), Account::World, Account::HeldIn, amount).of(id)
}

fn write_parts(books: &mut Books, step: &mut Step, claimed: &Claimed, payment: PaymentId) {
    for (number, part) in (0u32..).zip(&claimed.parts) {
        let key = format!("in/{payment}/{number}");
        let entry = Entry::new(key, Account::HeldIn, Account::Channel(part.channel), part.amount);
        books.post(step, entry.of(payment));
        step.changes.parts.push(PartRow {
            payment,
            attempt: 0,
            number,
            channel: part.channel,
            amount: part.amount,
            fee: Msat::ZERO,
            state: State::Settled,
            route: vec![],
            claim: PartClaim { id: Some(claimed.id), hash: Some(claimed.hash), ..PartClaim::default() },
        });
    }
}
