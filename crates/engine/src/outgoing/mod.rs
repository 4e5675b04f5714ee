//! Payments from us: attempts one after the other until one is paid, or the deadline, the limit
//! on attempts, the caller or a hopeless failure ends them.
//!
//! An attempt has one hash, or one AMP set, and lives as long as any of its HTLCs is pending: the
//! next begins only after all of it has irrevocably failed. Within it, what failed of a set is
//! sent again by other ways. Rows, and the backend's own record of each HTLC, are one commit, and
//! an HTLC leaves only after that, so at a start one that the backend does not know never left
//! (law 8).
//!
//! [`Outgoing::advance`] is the one place that decides what comes next; everything else notes what
//! happened and calls it.

mod advance;
mod ask;
mod attempt;
mod carrier;
mod ends;
mod hidden;
mod htlcs;
mod late;
mod parts;
mod quote;

use crate::backend::{Destination, NoRoutes};
use crate::books::Books;
use crate::commit::{AttemptRow, Direction, Failure, Kind, PartRow, PaymentRow, State};
use crate::config::Config;
use crate::derive;
use crate::input::{KnownPayments, Ticket};
use crate::output::PayError;
use crate::request::PayRequest;
use crate::retry::Lesson;
use crate::step::Step;
use hidden::Hidden;
use htlcs::Htlcs;
use sponte_proto::{Msat, PaymentHash, PaymentId, ShortChannelId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A payment that waits is not looked at more often for a channel that is usable again.
const LOOKS_APART_MS: u64 = 1_000;

/// Outgoing payments that are neither paid nor failed yet.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    payments: BTreeMap<PaymentId, Payment>,
    /// Pending parts by what the backend knows them by: whose they are, and where they stand in its
    /// attempt.
    parts: BTreeMap<PaymentId, (PaymentId, usize)>,
    /// Payments that wait, by the time of the next look.
    timers: BTreeSet<(Timestamp, PaymentId)>,
    /// Callers who want to know what a payment would cost.
    quotes: BTreeMap<PaymentId, quote::Quote>,
    quoted: u64,
}

#[derive(Debug)]
struct Payment {
    row: PaymentRow,
    /// It is from before the last stop, and the backend has not said yet what it knows.
    restored: bool,
    attempt: Option<Attempt>,
    /// Routes that were asked for.
    asked: Option<Asked>,
    /// Nothing is tried before; what to say if the deadline comes first.
    wait: Option<(Timestamp, Failure)>,
    /// Channels that failed since the start.
    avoid: Vec<ShortChannelId>,
    /// What is known of its blinded paths.
    hidden: Hidden,
    /// When routes were last asked for.
    asked_at: Timestamp,
    /// Waits since the start.
    delays: u32,
    /// Questions for routes since the start.
    queries: u32,
    /// Kinds that the destination refused, and what to say if no other is left.
    refused: Vec<Kind>,
    refusal: Option<Failure>,
    /// What the last failure on the way taught.
    lesson: Option<Lesson>,
    /// Why no routes were found when they were last looked for.
    blocked: Option<Failure>,
    /// Why one path does not do, while several are looked for.
    single: Option<NoRoutes>,
    /// A part that was taken for failed is paid.
    paid: bool,
}

/// Routes that were asked for.
#[derive(Clone, Debug)]
struct Asked {
    number: u32,
    kind: Kind,
    amount: Msat,
    max_fee: Msat,
    max_parts: u32,
}

/// What came of a question.
struct Answered {
    asked: Asked,
    to: Destination,
}

#[derive(Debug)]
struct Attempt {
    row: AttemptRow,
    parts: Htlcs,
    /// No part carries more from now on: one that did found too little in a channel.
    most: Option<Msat>,
    /// So many parts went out before that was known.
    larger: usize,
    /// What leaves next is a try: the first of it, or something has failed since.
    counts: bool,
    /// Nothing more is sent; it ends with its last part, for this reason.
    over: Option<Over>,
}

/// Why an attempt sends nothing more.
#[derive(Clone, Debug)]
enum Over {
    /// The destination refused a part.
    Refused(Failure),
    /// The destination waited in vain for the rest, or the caller's limits forbid to send it.
    Incomplete,
}

impl Payment {
    fn new(row: PaymentRow) -> Payment {
        Payment {
            paid: false,
            row,
            restored: false,
            attempt: None,
            asked: None,
            wait: None,
            avoid: vec![],
            hidden: Hidden::default(),
            asked_at: Timestamp::default(),
            delays: 0,
            queries: 0,
            refused: vec![],
            refusal: None,
            lesson: None,
            blocked: None,
            single: None,
        }
    }

    /// Why nothing more may be sent, if so.
    fn spent(&self, now: Timestamp) -> bool {
        let row = &self.row;
        let counts = self.attempt.as_ref().is_none_or(|attempt| attempt.counts);
        row.plan.canceled || now >= row.deadline || counts && row.plan.tries >= row.max_attempts
    }
}

impl Attempt {
    /// What is neither on its way nor paid.
    fn missing(&self, amount: Msat) -> Msat {
        amount.saturating_sub(self.parts.amount())
    }

    /// How much of what is missing is sent next: no more than found its way, as long as there may be
    /// more parts after it.
    fn next_amount(&self, row: &PaymentRow) -> Msat {
        let missing = self.missing(row.amount);
        let room = self.parts.pending() + 1 < row.plan.max_parts as usize;
        self.most.filter(|_| room).map_or(missing, |most| missing.min(most))
    }
}

impl Outgoing {
    pub(crate) fn new(rows: Vec<PaymentRow>, attempts: Vec<AttemptRow>, parts: Vec<PartRow>) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for row in rows {
            let payment = Payment { restored: true, ..Payment::new(row) };
            outgoing.payments.insert(payment.row.id, payment);
        }
        let mut of_attempts = BTreeMap::<(PaymentId, u32), Vec<PartRow>>::new();
        for part in parts {
            of_attempts.entry((part.payment, part.attempt)).or_default().push(part);
        }
        for row in attempts {
            let Some(payment) = outgoing.payments.get_mut(&row.payment) else { continue };
            match row.state {
                State::Pending => {}
                State::Failed => {
                    payment.remember_refusal(row);
                    continue;
                }
                _ => {
                    payment.paid = true;
                    continue;
                }
            }
            let mut parts = of_attempts.remove(&(row.payment, row.number)).unwrap_or_default();
            parts.sort_by_key(|part| part.number);
            let parts: Htlcs = parts.into_iter().collect();
            outgoing.parts.extend(parts.open().map(|(at, part)| (part, (row.payment, at))));
            payment.attempt = Some(Attempt::restored(row, parts, &payment.row));
        }
        outgoing
    }

    /// Whether the part is one that the memory waits for.
    pub(crate) fn awaits(&self, part: PaymentId) -> bool {
        self.parts.contains_key(&part)
    }

    /// When the next payment that waits is to be looked at.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Begins a payment, or finds the one that the key stands for, and answers.
    pub(crate) fn handle_pay(
        &mut self,
        config: &Config,
        step: &mut Step,
        request: PayRequest,
        ticket: Ticket,
        known: &KnownPayments,
    ) {
        let answer = self.pay(config, step, request, known);
        step.reply(ticket, answer);
    }

    fn pay(
        &mut self,
        config: &Config,
        step: &mut Step,
        request: PayRequest,
        ledger: &KnownPayments,
    ) -> Result<PaymentId, PayError> {
        request.check(config.node_id)?;
        let id = derive::payment_id(&config.node_secret, &request.key);
        if let Some(known) = self.payments.get(&id).map(|payment| &payment.row).or(ledger.of_key.as_deref()) {
            return if request.same_payment(known) { Ok(id) } else { Err(PayError::KeyReused) };
        }
        request.check_time(step.now)?;
        if let Some(other) = ledger.of_invoice.or_else(|| self.paying(request.invoice_hash()?)) {
            return Err(PayError::InvoicePaid(other));
        }
        let row = request.into_row(config, id, step.now);
        step.changes.payments.push(row.clone());
        self.payments.insert(id, Payment::new(row));
        self.advance(config, step, id);
        Ok(id)
    }

    /// A payment of this hash that has not ended. One hash is on its way once: whoever sees its
    /// preimage could take the other.
    fn paying(&self, hash: PaymentHash) -> Option<PaymentId> {
        let of_hash = |payment: &&Payment| payment.row.plan.invoice_hash() == Some(hash);
        self.payments.values().find(of_hash).map(|payment| payment.row.id)
    }

    /// Ends further attempts of a payment. What is on its way is waited for.
    pub(crate) fn handle_cancel(
        &mut self,
        config: &Config,
        step: &mut Step,
        id: PaymentId,
        ticket: Ticket,
        past: Option<&PaymentRow>,
    ) {
        let answer = match (self.payments.get_mut(&id), past) {
            (Some(payment), _) => {
                payment.row.plan.canceled = true;
                payment.row.updated_at = step.now;
                step.changes.payments.push(payment.row.clone());
                self.stop_waiting(id);
                self.advance(config, step, id);
                Ok(id)
            }
            (None, Some(row)) if row.direction == Direction::Out => Err(PayError::Ended(row.state)),
            (None, _) => Err(PayError::UnknownPayment),
        };
        step.reply(ticket, answer);
    }

    /// Looks at every payment whose time has come.
    pub(crate) fn handle_time(&mut self, config: &Config, step: &mut Step) {
        while let Some((at, id)) = self.timers.first().copied().filter(|(at, _)| *at <= step.now) {
            self.timers.remove(&(at, id));
            self.wake(config, step, id);
        }
    }

    /// A channel is usable: whatever waits may pass now. What was looked at just before waits on, so
    /// that a channel that comes and goes does not make all of them look all the time.
    pub(crate) fn handle_usable(&mut self, config: &Config, step: &mut Step) {
        let rested = |id: &PaymentId| {
            let asked_at = self.payments.get(id).map(|payment| payment.asked_at);
            asked_at.is_some_and(|at| step.now.millis_since(at) >= LOOKS_APART_MS)
        };
        let waiting: Vec<PaymentId> = self.timers.iter().map(|(_, id)| *id).filter(rested).collect();
        for id in waiting {
            self.wake(config, step, id);
        }
    }

    /// Reconciles with what the backend still knows: parts that it does not know never left.
    pub(crate) fn recover(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        known: &BTreeSet<PaymentId>,
    ) {
        let restored = self.payments.values().filter(|payment| payment.restored);
        let restored: Vec<PaymentId> = restored.map(|payment| payment.row.id).collect();
        for id in restored {
            self.never_left(books, step, id, known);
            self.stop_waiting(id);
            if let Some(payment) = self.payments.get_mut(&id) {
                payment.restored = false;
            }
            self.advance(config, step, id);
        }
    }

    fn wake(&mut self, config: &Config, step: &mut Step, id: PaymentId) {
        let Some(payment) = self.payments.get(&id) else { return };
        let ends = step.now >= payment.row.deadline;
        let reason = payment.wait.as_ref().map(|(_, reason)| reason.clone());
        self.stop_waiting(id);
        match reason {
            Some(reason) if ends => self.expire(config, step, id, reason),
            _ => self.advance(config, step, id),
        }
    }

    /// Puts a payment off, but not beyond its deadline.
    fn wait(&mut self, step: &Step, id: PaymentId, delay_ms: u64, reason: Failure) {
        self.stop_waiting(id);
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let at = step.now.plus_millis(delay_ms).min(payment.row.deadline);
        payment.delays += 1;
        payment.wait = Some((at, reason));
        self.timers.insert((at, id));
    }

    fn stop_waiting(&mut self, id: PaymentId) {
        let waited = self.payments.get_mut(&id).and_then(|payment| payment.wait.take());
        if let Some((at, _)) = waited {
            self.timers.remove(&(at, id));
        }
    }
}
