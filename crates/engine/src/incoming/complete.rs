//! From a set that is complete to a payment.

use super::checks::{check_records, is_above};
use super::payment::{Payment, held, reserved};
use super::sets::{Set, SetKey};
use super::{Incoming, holds};
use crate::backend::{Claimable, FailAs, Purpose};
use crate::books::Books;
use crate::commit::{
    Direction, Kind, PartClaim, PartRow, PartSent, PaymentRow, Plan, Reason, Receipt, State,
};
use crate::step::{About, Step};
use sponte_proto::amp::{Root, reconstruct};
use sponte_proto::message::{self, Sender};
use sponte_proto::{ChannelId, Msat, NodeId, Preimage, Records};

impl Incoming {
    /// A part has joined: its set is taken if it is complete, or the part's row is written.
    pub(super) fn complete_or_wait(&mut self, books: &mut Books, step: &mut Step, key: SetKey) {
        let complete = self.sets.get(key).is_some_and(Set::is_complete);
        if self.recovered && complete {
            return self.complete(books, step, key);
        }
        if let Some(part) = self.sets.last_part(key).filter(|part| !part.stored) {
            part.stored = true;
            step.changes.waiting.push(part.waiting.clone());
        }
    }

    /// Claims or holds a complete set, or fails all of it.
    pub(super) fn complete(&mut self, books: &mut Books, step: &mut Step, key: SetKey) {
        let payment = match self.sets.get(key).map(|set| self.payment(step, key, set)) {
            None => return,
            Some(Err(reason)) => return self.fail_set(step, key, reason, FailAs::Unknown),
            Some(Ok(payment)) => payment,
        };
        let deadline = self.sets.get(key).and_then(Set::claim_deadline);
        match self.decide_hold(step.now, &payment.row, deadline) {
            holds::Hold::No => {
                self.take_set(step, key);
                self.begin_claim(books, step, payment);
            }
            holds::Hold::Until(time, height) => {
                self.take_set(step, key);
                self.begin_hold(books, step, payment, time, height);
            }
            holds::Hold::TooShort => self.fail_set(step, key, Reason::Hold, FailAs::Unknown),
        }
    }

    /// Reserves what the parts bring, and claims them.
    pub(super) fn begin_claim(&mut self, books: &mut Books, step: &mut Step, mut payment: Payment) {
        payment.row.state = State::Pending;
        payment.row.updated_at = step.now;
        step.changes.payments.push(payment.row.clone());
        for part in &mut payment.parts {
            part.state = State::Pending;
            books.reserve(step, reserved(part));
            step.changes.parts.push(part.clone());
        }
        payment.claim(step);
        self.keep(payment);
    }

    fn begin_hold(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        mut payment: Payment,
        time: sponte_proto::Timestamp,
        height: Option<sponte_proto::BlockHeight>,
    ) {
        payment.row.state = State::Held;
        payment.row.deadline = time;
        payment.row.receipt.deadline_height = height;
        books.reserve(step, held(&payment.row));
        step.changes.payments.push(payment.row.clone());
        payment.parts.iter_mut().for_each(|part| part.state = State::Held);
        step.changes.parts.extend(payment.parts.iter().cloned());
        let about = About::payment(payment.row.id, payment.row.amount);
        step.event("payment_held", about, described(&payment.row));
        self.keep(payment);
    }

    /// The payment that a set is, if it may be taken.
    fn payment(&self, step: &Step, key: SetKey, set: &Set) -> Result<Payment, Reason> {
        let policy = self.policy();
        let (first, records) = (set.claimables().next().ok_or(Reason::Unknown)?, merged(set));
        check_records(policy, records.encode().len())?;
        if is_above(policy, first, set.sum()) {
            return Err(Reason::Amount);
        }
        if set.claim_deadline().is_some_and(|deadline| self.is_late(deadline, set.parts.len() == 1)) {
            return Err(Reason::Expiry);
        }
        let kind = kind(set);
        if kind == Kind::MppKeysend && !policy.kinds.mpp_keysend
            || kind == Kind::Keysend && !policy.kinds.keysend
        {
            return Err(Reason::Off);
        }
        let (preimages, root) = preimages(set)?;
        let single = key.amp().is_none();
        let amp = key.amp();
        let row = PaymentRow {
            id: first.id,
            direction: Direction::In,
            kind,
            state: State::Pending,
            key: None,
            destination: None,
            amount: set.sum(),
            fee: Msat::ZERO,
            max_fee: Msat::ZERO,
            hash: single.then_some(first.hash),
            preimage: preimages.first().cloned().filter(|_| single),
            failure: None,
            deadline: step.now,
            attempts: 0,
            max_attempts: 0,
            created_at: step.now,
            updated_at: step.now,
            receipt: Receipt {
                payment_addr: amp.clone().map(|(addr, _)| addr),
                set_id: amp.map(|(_, set_id)| set_id),
                root,
                sender: self.sender(&records),
                deadline_height: None,
            },
            plan: Plan::default(),
            records,
        };
        let parts = (0..).zip(set.claimables().zip(preimages));
        let parts = parts.map(|(number, (claimable, preimage))| part(&row, number, claimable, preimage));
        Ok(Payment { parts: parts.collect(), row })
    }

    /// Who signed the message among the records.
    fn sender(&self, records: &Records) -> Option<NodeId> {
        match message::read(&self.secp, records, &self.us)?.sender {
            Sender::Signed(node) => Some(node),
            _ => None,
        }
    }
}

/// A line for people.
pub(super) fn described(row: &PaymentRow) -> String {
    match row.records.text() {
        Some(text) => format!("{} with a message of {} bytes", row.kind.as_str(), text.len()),
        None => row.kind.as_str().into(),
    }
}

/// The records of all parts, which senders repeat in each; of a type that differs the first stays.
fn merged(set: &Set) -> Records {
    let mut parts: Vec<&Claimable> = set.claimables().collect();
    parts.reverse();
    let all = parts.iter().flat_map(|part| part.records.iter());
    Records::from_received(all.map(|(kind, value)| (kind, value.to_vec())))
}

fn kind(set: &Set) -> Kind {
    let htlcs: usize = set.claimables().map(|part| part.channels.len().max(1)).sum();
    let to_invoice = set.parts.iter().any(|part| part.waiting.to_invoice);
    match set.claimables().next().map(|part| &part.purpose) {
        Some(Purpose::Amp(_)) if to_invoice => Kind::AmpInvoice,
        Some(Purpose::Amp(_)) => Kind::Amp,
        Some(Purpose::Ecdh { .. }) => Kind::Ecdh,
        Some(Purpose::Bolt11 { .. }) => Kind::Bolt11,
        _ if htlcs > 1 => Kind::MppKeysend,
        _ => Kind::Keysend,
    }
}

/// The preimages in the order of the parts, and of AMP the root.
fn preimages(set: &Set) -> Result<(Vec<Preimage>, Option<Root>), Reason> {
    let shards = set.shards();
    if shards.is_empty() {
        let own = set.claimables().map(|part| match &part.purpose {
            Purpose::Keysend { preimage, .. }
            | Purpose::Ecdh { preimage, .. }
            | Purpose::Bolt11 { preimage } => Ok(preimage.clone()),
            Purpose::Amp(_) | Purpose::Unknown => Err(Reason::Unknown),
        });
        return Ok((own.collect::<Result<_, _>>()?, None));
    }
    let preimages = reconstruct(&shards, set.total).map_err(|_| Reason::Shares)?;
    let mut root = Root::from_bytes([0; 32]);
    for shard in &shards {
        root ^= &shard.share;
    }
    Ok((preimages, Some(root)))
}

fn part(row: &PaymentRow, number: u32, claimable: &Claimable, preimage: Preimage) -> PartRow {
    PartRow {
        payment: row.id,
        attempt: 0,
        number,
        channel: claimable.channels.first().copied().unwrap_or(ChannelId::from_bytes([0; 32])),
        amount: claimable.amount,
        fee: Msat::ZERO,
        state: row.state,
        route: vec![],
        claim: PartClaim {
            id: Some(claimable.id),
            hash: Some(claimable.hash),
            preimage: Some(preimage),
            expiry: claimable.expiry,
        },
        sent: PartSent::default(),
    }
}
