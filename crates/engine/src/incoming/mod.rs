//! Payments to us: taken or refused, put together, held, claimed, and booked.
//!
//! Whatever its kind, a payment is a set of parts that are claimed together. A part is checked when
//! it arrives, and waits until its set is worth its total; a payment in one part is complete at
//! once. Then one change set has the payment, its parts with their preimages and what they
//! reserve, and the claims go to the backend in the same step: it keeps the preimages back until
//! that is durable. After a crash every part of it is claimed again (law 2).
//!
//! * `sets`: what waits, and how much of it; `checks`: what may join.
//! * `complete`: from a set to a payment; `holds`: those that wait for a decision.
//! * `claims`: how payments end; `recovery`: what a start makes of all that was open.

mod alarms;
mod checks;
mod claims;
mod complete;
mod holds;
mod invoices;
mod late;
mod payment;
mod recovery;
mod sets;

pub(crate) use holds::Canceled;
pub use invoices::{MAX_DESCRIPTION_BYTES, check_invoice};
pub use sets::{MAX_SETS, MAX_SETS_PER_ADDRESS, MAX_WAITING_BYTES};

use crate::backend::{Claimable, Command, FailAs, Kinds, Purpose};
use crate::books::Books;
use crate::commit::{Counter, PartRow, PaymentRow, Reason, SettingRow, WaitingPart};
use crate::config::Config;
use crate::input::{AmpQuestion, Fact, Question, Ticket};
use crate::receive::Receive;
use crate::step::Step;
use alarms::Alarms;
use checks::{Verdict, last_height};
use payment::Payment;
use secp256k1::{Secp256k1, VerifyOnly};
use sets::{Part, SetKey, Sets};
use sponte_proto::{BlockHeight, ChannelId, Msat, NodeId, PaymentHash, PaymentId, Timestamp};
use std::collections::BTreeMap;

/// Blocks before the first claim deadline of a set from which on it is neither claimed nor held:
/// a claim that comes later could find some of its parts failed.
const MARGIN: u32 = 3;

const HOUR_MS: u64 = 3_600_000;

/// Incoming payments that have not ended, and parts that wait for their set.
#[derive(Debug)]
pub(crate) struct Incoming {
    us: NodeId,
    secp: Secp256k1<VerifyOnly>,
    configured: Receive,
    /// What was set at run time.
    replaced: Option<Receive>,
    sets: Sets,
    payments: BTreeMap<PaymentId, Payment>,
    /// The payment of each claim id.
    claims: BTreeMap<PaymentId, PaymentId>,
    /// Commands name a hash, so all that waits under one belongs together.
    hashes: BTreeMap<PaymentHash, Owner>,
    times: Alarms<Timestamp, Owner>,
    heights: Alarms<BlockHeight, Owner>,
    height: BlockHeight,
    /// Before it nothing is claimed, held or given up: nobody knows what the backend lost.
    recovered: bool,
}

/// Whose a hash is, or what an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Set(SetKey),
    Payment(PaymentId),
}

/// What the ledger has of payments to us.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) payments: Vec<PaymentRow>,
    pub(crate) parts: Vec<PartRow>,
    pub(crate) waiting: Vec<WaitingPart>,
    pub(crate) settings: Vec<SettingRow>,
}

impl Incoming {
    pub(crate) fn new(config: &Config, open: Open) -> Incoming {
        let mut incoming = Incoming {
            us: config.node_id,
            secp: Secp256k1::verification_only(),
            configured: config.receive.clone(),
            replaced: Receive::of_rows(&open.settings),
            sets: Sets::default(),
            payments: BTreeMap::new(),
            claims: BTreeMap::new(),
            hashes: BTreeMap::new(),
            times: Alarms::default(),
            heights: Alarms::default(),
            height: BlockHeight::default(),
            recovered: false,
        };
        let mut parts: BTreeMap<PaymentId, Vec<PartRow>> = BTreeMap::new();
        for part in open.parts {
            parts.entry(part.payment).or_default().push(part);
        }
        for row in open.payments {
            let parts = parts.remove(&row.id).unwrap_or_default();
            incoming.keep(Payment { row, parts });
        }
        for waiting in open.waiting {
            incoming.join(Part { waiting, stored: true });
        }
        incoming
    }

    /// Which kinds are on.
    pub(crate) fn kinds(&self) -> Kinds {
        self.policy().kinds
    }

    /// What is taken and held, and whether that was set at run time.
    pub(crate) fn receive(&self) -> (&Receive, bool) {
        (self.policy(), self.replaced.is_some())
    }

    fn policy(&self) -> &Receive {
        self.replaced.as_ref().unwrap_or(&self.configured)
    }

    /// What to look up before a part is handed in.
    pub(crate) fn question(&self, claimable: &Claimable) -> Option<Question> {
        let (hash, claim) = (claimable.hash, claimable.id);
        match &claimable.purpose {
            _ if self.knows(claimable) => None,
            Purpose::Unknown => None,
            Purpose::Amp(shard) => Some(Question::Amp(AmpQuestion {
                payment_addr: shard.payment_data.payment_secret().clone(),
                set_id: shard.record.set_id,
                hash,
                claim,
            })),
            _ => Some(Question::Received(hash, claim)),
        }
    }

    /// Whether the part of a claim id belongs to a payment that has not ended.
    pub(crate) fn is_claiming(&self, claim: PaymentId) -> bool {
        self.claims.contains_key(&claim)
    }

    /// When [`Incoming::handle_time`] is due.
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.times.next().filter(|_| self.recovered)
    }

    /// A part arrives.
    pub(crate) fn handle_claimable(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        claimable: &Claimable,
        fact: &Fact,
    ) {
        if self.knows(claimable) {
            return self.claim_again(step, claimable.id);
        }
        let key = SetKey::of(claimable);
        let owner = self.hashes.get(&claimable.hash).copied();
        if owner.is_some_and(|owner| owner != Owner::Set(key)) {
            // HTLCs of another set under a hash of ours are left to the backend, which fails them
            // at their deadline: a failure by hash would hit ours.
            return count(step, claimable, Reason::Repeated);
        }
        match self.check(step.now, claimable, fact) {
            Verdict::Refuse(reason) if owner.is_none() => refuse(step, claimable, reason),
            // A failure is by hash: what waits under the same one goes along.
            Verdict::Refuse(reason) | Verdict::FailSet(reason) => {
                refuse(step, claimable, reason);
                self.fail_set(step, key, reason, FailAs::Unknown);
            }
            Verdict::Join { to_invoice, instead_of } => {
                if let Some(poorer) = instead_of {
                    self.fail_set(step, poorer, Reason::Limit, FailAs::Timeout);
                }
                let waiting = WaitingPart { claimable: claimable.clone(), to_invoice, arrived_at: step.now };
                self.join(Part { waiting, stored: false });
                self.complete_or_wait(books, step, key);
            }
        }
    }

    /// A time that was waited for may have come.
    pub(crate) fn handle_time(&mut self, books: &mut Books, step: &mut Step) {
        while self.recovered
            && let Some(owner) = self.times.take_due(step.now)
        {
            match owner {
                Owner::Set(key) => self.fail_set(step, key, Reason::Timeout, FailAs::Timeout),
                Owner::Payment(id) => self.cancel(books, step, id, Canceled::Time),
            }
        }
    }

    /// A new tip: what comes too near to its deadline ends, whatever the patience.
    pub(crate) fn handle_block(&mut self, books: &mut Books, step: &mut Step, height: BlockHeight) {
        self.height = height;
        while self.recovered
            && let Some(owner) = self.heights.take_due(height)
        {
            match owner {
                Owner::Set(key) => self.fail_set(step, key, Reason::Timeout, FailAs::Timeout),
                Owner::Payment(id) => self.cancel(books, step, id, Canceled::Height),
            }
        }
    }

    /// Other payments are taken from now on.
    pub(crate) fn handle_receive(&mut self, step: &mut Step, receive: Option<Box<Receive>>, ticket: Ticket) {
        if let Some(Err(error)) = receive.as_ref().map(|receive| receive.check()) {
            return step.answer(ticket, Err(error));
        }
        step.changes.settings.push(Receive::row(receive.as_deref()));
        self.replaced = receive.map(|receive| *receive);
        step.command(Command::Accept(self.kinds()));
        step.answer(ticket, Ok(()));
    }

    /// Whether it waits already, is held or is being claimed.
    fn knows(&self, claimable: &Claimable) -> bool {
        match self.hashes.get(&claimable.hash) {
            Some(Owner::Payment(_)) => self.claims.contains_key(&claimable.id),
            Some(Owner::Set(key)) => {
                let mut parts = self.sets.get(*key).into_iter().flat_map(|set| set.claimables());
                parts.any(|part| part.id == claimable.id)
            }
            None => false,
        }
    }

    /// Puts a part to its set.
    fn join(&mut self, part: Part) {
        let (key, hash) = (SetKey::of(&part.waiting.claimable), part.waiting.claimable.hash);
        self.sets.add(key, part);
        self.hashes.insert(hash, Owner::Set(key));
        self.set_alarms(key);
    }

    fn set_alarms(&mut self, key: SetKey) {
        let set = self.sets.get(key);
        self.times.set(Owner::Set(key), set.and_then(|set| set.deadline(key)));
        self.heights.set(Owner::Set(key), set.and_then(|set| set.claim_deadline()).map(last_height));
    }

    /// Takes a set away with all that is known of it, its rows too.
    fn take_set(&mut self, step: &mut Step, key: SetKey) -> Option<sets::Set> {
        let set = self.sets.remove(key)?;
        self.times.clear(Owner::Set(key));
        self.heights.clear(Owner::Set(key));
        for hash in set.hashes() {
            self.hashes.remove(&hash);
        }
        forget_rows(step, &set.parts);
        Some(set)
    }

    /// Refuses all parts of a set.
    fn fail_set(&mut self, step: &mut Step, key: SetKey, reason: Reason, fail_as: FailAs) {
        let Some(set) = self.take_set(step, key) else { return };
        for part in set.claimables() {
            count(step, part, reason);
        }
        for hash in set.hashes() {
            step.command(Command::Fail(hash, fail_as));
        }
    }
}

/// Refuses a part of which nothing else waits. The sender hears the same whatever the reason.
fn refuse(step: &mut Step, claimable: &Claimable, reason: Reason) {
    count(step, claimable, reason);
    step.command(Command::Fail(claimable.hash, FailAs::Unknown));
}

/// Counts HTLCs that were refused: no row of them stays, so nobody can make the ledger grow.
fn count(step: &mut Step, claimable: &Claimable, reason: Reason) {
    let channel = claimable.channels.first().copied();
    count_from(step, channel, claimable.amount, reason);
}

fn count_from(step: &mut Step, channel: Option<ChannelId>, amount: Msat, reason: Reason) {
    let channel = channel.unwrap_or(ChannelId::from_bytes([0; 32]));
    let hour = step.now.to_millis() / HOUR_MS;
    step.changes.counters.push(Counter { channel, hour, reason, count: 1, amount });
}

/// Parts that wait no more.
fn forget_rows(step: &mut Step, parts: &[Part]) {
    let stored = parts.iter().filter(|part| part.stored);
    step.changes.waited.extend(stored.map(|part| part.waiting.claim()));
}
