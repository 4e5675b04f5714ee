//! One HTLC: paid, or failed.

use super::carrier::is_set;
use super::hidden::Taught;
use super::htlcs::Htlcs;
use super::{Attempt, Outgoing, Over, Payment};
use crate::backend::SendFailed;
use crate::books::{Books, Entry};
use crate::commit::{Account, AttemptRow, Kind, PartFailure, PartRow, PaymentRow, State};
use crate::config::Config;
use crate::failure;
use crate::retry::{self, Outcome};
use crate::step::Step;
use sponte_proto::failure::FailureCode;
use sponte_proto::{Msat, PaymentId, Preimage};
use std::collections::BTreeSet;

/// Parts are not made smaller because a channel had too little (lnd's `DefaultShardMinAmt`).
const SMALLEST: Msat = match Msat::from_sat(10_000) {
    Some(smallest) => smallest,
    None => unreachable!(),
};
/// More channels to avoid than this are not remembered for one payment.
const AVOID: usize = 64;

impl Outgoing {
    /// The destination has the preimage of a part.
    pub(crate) fn handle_part_sent(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        part: PaymentId,
        preimage: Preimage,
    ) {
        let Some((id, at)) = self.parts.remove(&part) else { return };
        if let Some(payment) = self.payments.get_mut(&id) {
            payment.hidden.forget(part);
        }
        let Some((attempt, mut row)) = self.find(id, at) else { return };
        row.state = State::Settled;
        row.claim.preimage = Some(preimage);
        books.settle(step, in_flight(&attempt.row, &row));
        post_paid(books, step, &attempt.row, &row);
        step.changes.parts.push(row.clone());
        attempt.parts.replace(at, row);
        attempt.row.updated_at = step.now;
        step.changes.attempts.push(attempt.row.clone());
        self.advance(config, step, id);
    }

    /// A part is irrevocably gone, unpaid.
    pub(crate) fn handle_part_failed(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        failed: &SendFailed,
    ) {
        let Some(id) = self.fail_part(books, step, failed) else { return };
        self.advance(config, step, id);
    }

    /// Parts of a restored payment that the backend does not know never left. If none of its
    /// attempt did, another takes its place at once.
    pub(super) fn never_left(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        id: PaymentId,
        known: &BTreeSet<PaymentId>,
    ) {
        let Some(attempt) = self.payments.get(&id).and_then(|payment| payment.attempt.as_ref()) else {
            return;
        };
        let open = attempt.parts.open().map(|(_, part)| part);
        let gone: Vec<PaymentId> = open.filter(|part| !known.contains(part)).collect();
        for part in gone {
            self.fail_part(books, step, &SendFailed { part, why: PartFailure::NEVER_LEFT });
        }
        let Some(payment) = self.payments.get(&id) else { return };
        if payment.attempt.as_ref().is_some_and(|attempt| attempt.parts.live().next().is_none()) {
            self.end_attempt(step, id);
        }
    }

    /// Notes that a part has failed, and what that teaches. Answers whose it was.
    fn fail_part(&mut self, books: &mut Books, step: &mut Step, failed: &SendFailed) -> Option<PaymentId> {
        let SendFailed { part, why } = failed;
        let (id, at) = self.parts.remove(part)?;
        let (attempt, mut row) = self.find(id, at)?;
        row.state = State::Failed;
        row.sent.failure = Some(*why);
        books.void(step, in_flight(&attempt.row, &row));
        step.changes.parts.push(row.clone());
        let hops = hops(&row);
        attempt.parts.replace(at, row);
        attempt.row.fee = attempt.parts.fee();
        attempt.row.updated_at = step.now;
        step.changes.attempts.push(attempt.row.clone());
        let payment = self.payments.get_mut(&id)?;
        let path = payment.hidden.forget(*part);
        let taught = payment.halve(at) || payment.learn(why, hops, path);
        if let Some(attempt) = &mut payment.attempt {
            attempt.counts |= attempt.is_failed_try(at);
        }
        let pause = match retry::outcome(why, hops) {
            Outcome::Pause => true,
            // Without something new to avoid the same would happen at once, again and again.
            Outcome::Again | Outcome::Hidden => !taught,
            Outcome::Refused | Outcome::Incomplete => false,
        };
        if pause && payment.wait.is_none() {
            let (delay_ms, reason) = (retry::delay_ms(payment.delays), failure::timeout());
            self.wait(step, id, delay_ms, reason);
        }
        Some(id)
    }

    /// A pending part, and its attempt.
    fn find(&mut self, id: PaymentId, at: usize) -> Option<(&mut Attempt, PartRow)> {
        let attempt = self.payments.get_mut(&id)?.attempt.as_mut()?;
        let row = attempt.parts.rows().get(at).filter(|row| row.state == State::Pending)?.clone();
        Some((attempt, row))
    }
}

impl Payment {
    /// A channel had too little for a part of a set: from now on they are half as large, and the channel
    /// may carry one of those. Answers whether it did not know that.
    fn halve(&mut self, at: usize) -> bool {
        let Payment { attempt: Some(attempt), lesson, .. } = self else { return false };
        let row = &attempt.parts.rows()[at];
        let Some(half) = half(attempt.row.kind, row).filter(|_| attempt.parts.pending() > 0) else {
            return false;
        };
        if attempt.most.is_none_or(|most| half < most) {
            attempt.most = Some(half);
            attempt.larger = attempt.parts.rows().len();
        }
        let was_large = at < attempt.larger;
        if was_large {
            *lesson = None;
        }
        was_large
    }

    /// Answers whether there is a channel, or a blinded path, more to avoid.
    fn learn(&mut self, why: &PartFailure, hops: u32, path: Option<(u32, u32)>) -> bool {
        if self.kind() == Kind::Bolt12 && retry::outcome(why, hops) == Outcome::Hidden {
            return self.learn_of_hidden(why, path);
        }
        let new = why.channel.filter(|channel| self.avoid.len() < AVOID && !self.avoid.contains(channel));
        self.avoid.extend(new);
        // The node at which a blinded path begins need not be the destination.
        self.lesson = retry::lesson(why, hops).filter(|_| self.kind() != Kind::Bolt12);
        let Payment { row, attempt, .. } = self;
        if let Some(attempt) = attempt.as_mut().filter(|attempt| attempt.over.is_none()) {
            attempt.over = over(row, attempt.row.kind, why, hops);
        }
        new.is_some()
    }
}

impl Payment {
    /// A part failed where nobody sees who did it. Answers whether another way may pass.
    fn learn_of_hidden(&mut self, why: &PartFailure, path: Option<(u32, u32)>) -> bool {
        let taught = self.hidden.fail(path);
        if taught == Taught::Nothing {
            return false;
        }
        let reason = failure::refused(&self.row, Kind::Bolt12, why);
        self.refusal = Some(reason.clone());
        let attempt = self.attempt.as_mut().filter(|attempt| attempt.over.is_none());
        if let (Taught::All, Some(attempt)) = (taught, attempt) {
            attempt.over = Some(Over::Refused(reason));
        }
        true
    }
}

impl Attempt {
    /// As its rows say.
    pub(super) fn restored(row: AttemptRow, parts: Htlcs, payment: &PaymentRow) -> Attempt {
        let most = parts.rows().iter().filter_map(|part| half(row.kind, part)).min();
        let is_larger = |part: &PartRow| most.is_some_and(|most| part.amount > most);
        let larger = parts.rows().iter().rposition(is_larger).map_or(0, |last| last + 1);
        let mut attempt = Attempt { row, parts, most, larger, counts: false, over: None };
        // Rather one too many than one too few: no row tells what was sent again since.
        let failed = (0..attempt.parts.rows().len()).any(|at| attempt.is_failed_try(at));
        attempt.counts = failed && attempt.missing(payment.amount) != Msat::ZERO;
        attempt.over = over_again(payment, &attempt);
        attempt
    }

    /// Whether sending again what a part carried is another try. Not if it never left, and not if it
    /// only was larger than what goes out by now: there is an end to halving.
    fn is_failed_try(&self, at: usize) -> bool {
        let row = &self.parts.rows()[at];
        let too_large = at < self.larger && half(self.row.kind, row).is_some();
        row.sent.failure.is_some_and(|why| why != PartFailure::NEVER_LEFT && !too_large)
    }
}

/// What a part is made smaller to, if a channel on the way had too little for it.
fn half(kind: Kind, part: &PartRow) -> Option<Msat> {
    let why = part.sent.failure.filter(|why| why.code == Some(FailureCode::TEMPORARY_CHANNEL_FAILURE))?;
    let half = Msat::new(part.amount.to_msat().div_ceil(2))?;
    (is_set(kind) && why.hop.is_some_and(|hop| hop > 0) && half >= SMALLEST).then_some(half)
}

fn over(row: &PaymentRow, kind: Kind, why: &PartFailure, hops: u32) -> Option<Over> {
    match retry::outcome(why, hops) {
        Outcome::Refused => Some(Over::Refused(failure::refused(row, kind, why))),
        Outcome::Incomplete => Some(Over::Incomplete),
        // Which paths there are, and which of them failed, is not known here.
        Outcome::Hidden if kind == Kind::Bolt12 => None,
        Outcome::Hidden => Some(Over::Refused(failure::refused(row, kind, why))),
        Outcome::Again | Outcome::Pause => None,
    }
}

/// Why a restored attempt sends nothing more.
fn over_again(row: &PaymentRow, attempt: &Attempt) -> Option<Over> {
    let failures = attempt.parts.rows().iter().filter_map(|part| Some((part.sent.failure?, hops(part))));
    failures.into_iter().find_map(|(why, hops)| over(row, attempt.row.kind, &why, hops))
}

fn hops(part: &PartRow) -> u32 {
    u32::try_from(part.route.len()).unwrap_or(u32::MAX)
}

/// What a part takes out of its channel.
pub(super) fn gross(part: &PartRow) -> Msat {
    part.amount.checked_add(part.fee).unwrap_or(Msat::MAX)
}

/// A part on its way.
pub(super) fn in_flight(attempt: &AttemptRow, part: &PartRow) -> Entry {
    let key = format!("out/{}/{}", attempt.id, part.number);
    Entry::new(key, Account::Channel(part.channel), Account::InFlightOut, gross(part)).of(part.payment)
}

/// What was in flight is the world's, and the fee.
pub(super) fn post_paid(books: &mut Books, step: &mut Step, attempt: &AttemptRow, part: &PartRow) {
    let entry = |name: &str, credit, amount| {
        let key = format!("out/{}/{}/{name}", attempt.id, part.number);
        Entry::new(key, Account::InFlightOut, credit, amount).of(attempt.payment)
    };
    books.post(step, entry("paid", Account::World, part.amount));
    books.post(step, entry("fee", Account::FeesPaid, part.fee));
}
