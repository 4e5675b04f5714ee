//! Rows that are not durable yet, found by what look-ups ask for: as many questions come as HTLCs.

use sponte_engine::commit::{
    AmpInvoiceRow, AttemptRow, ChangeSet, PartRow, PaymentRow, State, TransferRow, TransferState,
};
use sponte_proto::amp::SetId;
use sponte_proto::{PaymentHash, PaymentId, PaymentSecret};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::ops::Bound;

/// Change sets one behind the other, and where in them a row stands.
#[derive(Default)]
pub(crate) struct Rows {
    changes: ChangeSet,
    /// The latest of each.
    payments: HashMap<PaymentId, usize>,
    attempts: HashMap<Nth, usize>,
    amp_invoices: HashMap<Address, usize>,
    /// All of each attempt.
    parts: HashMap<Nth, Vec<usize>>,
    /// By their claim ids.
    sent: HashMap<PaymentId, Nth>,
    received: HashMap<PaymentId, PaymentId>,
    /// Of parts to us that had not failed.
    hashes: HashSet<PaymentHash>,
    amp_paid: HashMap<Address, HashSet<Option<SetId>>>,
    /// The first of each key: none after it changes anything.
    transfers: BTreeMap<String, usize>,
    ends: BTreeMap<String, TransferState>,
}

/// An attempt of a payment; number 0 of one to us.
type Nth = (PaymentId, u32);

#[derive(PartialEq, Eq)]
struct Address(PaymentSecret);

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

impl Rows {
    /// Adds later rows.
    pub(crate) fn add(&mut self, later: ChangeSet) {
        let ChangeSet { payments, attempts, parts, amp_invoices, transfers, .. } = &self.changes;
        for (at, row) in (payments.len()..).zip(&later.payments) {
            self.payments.insert(row.id, at);
            if let Some(address) = &row.receipt.payment_addr {
                self.amp_paid.entry(Address(address.clone())).or_default().insert(row.receipt.set_id);
            }
        }
        for (at, row) in (attempts.len()..).zip(&later.attempts) {
            self.attempts.insert((row.payment, row.number), at);
        }
        for (at, row) in (amp_invoices.len()..).zip(&later.amp_invoices) {
            self.amp_invoices.insert(Address(row.payment_addr.clone()), at);
        }
        for (at, row) in (transfers.len()..).zip(&later.transfers) {
            self.transfers.entry(row.key.clone()).or_insert(at);
        }
        for end in &later.settlements {
            self.ends.entry(end.key.clone()).or_insert(end.state);
        }
        let first = parts.len();
        for (at, row) in (first..).zip(&later.parts) {
            self.note_part(at, row);
        }
        self.changes.extend(later);
    }

    fn note_part(&mut self, at: usize, row: &PartRow) {
        let nth = (row.payment, row.attempt);
        self.parts.entry(nth).or_default().push(at);
        let PartRow { claim, route, state, .. } = row;
        // What is sent has a way, what is received has none.
        if !route.is_empty() {
            self.sent.extend(claim.id.map(|id| (id, nth)));
            return;
        }
        self.received.extend(claim.id.map(|id| (id, row.payment)));
        if *state != State::Failed {
            self.hashes.extend(claim.hash);
        }
    }

    pub(crate) fn changes(&self) -> &ChangeSet {
        &self.changes
    }

    pub(crate) fn payment(&self, id: PaymentId) -> Option<&PaymentRow> {
        self.payments.get(&id).map(|at| &self.changes.payments[*at])
    }

    pub(crate) fn attempt(&self, payment: PaymentId, number: u32) -> Option<&AttemptRow> {
        self.attempts.get(&(payment, number)).map(|at| &self.changes.attempts[*at])
    }

    /// In the order in which they were written.
    pub(crate) fn parts(&self, payment: PaymentId, attempt: u32) -> impl Iterator<Item = &PartRow> {
        let found = self.parts.get(&(payment, attempt));
        found.into_iter().flatten().map(|at| &self.changes.parts[*at])
    }

    pub(crate) fn sent_part(&self, claim: PaymentId) -> Option<(PaymentId, u32)> {
        self.sent.get(&claim).copied()
    }

    pub(crate) fn payment_of_claim(&self, claim: PaymentId) -> Option<PaymentId> {
        self.received.get(&claim).copied()
    }

    pub(crate) fn received(&self, hash: PaymentHash, claim: PaymentId) -> bool {
        self.hashes.contains(&hash) || self.received.contains_key(&claim)
    }

    /// The sets that were paid to an AMP address.
    pub(crate) fn amp_paid(&self, payment_addr: &PaymentSecret) -> Option<&HashSet<Option<SetId>>> {
        self.amp_paid.get(&Address(payment_addr.clone()))
    }

    pub(crate) fn amp_invoice(&self, payment_addr: &PaymentSecret) -> Option<&AmpInvoiceRow> {
        let at = self.amp_invoices.get(&Address(payment_addr.clone()))?;
        Some(&self.changes.amp_invoices[*at])
    }

    /// New transfers whose key starts with `prefix`.
    pub(crate) fn transfers<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a TransferRow> {
        under(&self.transfers, prefix).map(|(_, at)| &self.changes.transfers[*at])
    }

    /// Ends of transfers whose key starts with `prefix`.
    pub(crate) fn ends<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, TransferState)> {
        under(&self.ends, prefix).map(|(key, state)| (key, *state))
    }
}

fn under<'a, T>(map: &'a BTreeMap<String, T>, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a T)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    map.range::<str, _>(from).take_while(move |(key, _)| key.starts_with(prefix))
}
