//! An attempt begins, or goes on: HTLCs leave along the routes that were found.

use super::carrier::{Carrier, Loaded};
use super::htlcs::Htlcs;
use super::{Answered, Asked, Attempt, Outgoing, Payment, parts};
use crate::backend::{Command, Destination, Route};
use crate::books::Books;
use crate::commit::{AttemptRow, Kind, PartClaim, PartRow, PartSent, State};
use crate::config::Config;
use crate::derive;
use crate::failure;
use crate::step::Step;
use sponte_proto::{Msat, PaymentId};

impl Payment {
    /// Whether what was asked for is still what is missing.
    pub(super) fn still_wants(&self, asked: &Asked) -> bool {
        match &self.attempt {
            None => asked.amount == self.row.amount,
            Some(attempt) => {
                let open = attempt.over.is_none() && !attempt.parts.is_any_paid();
                open && attempt.next_amount(&self.row) == asked.amount
                    && attempt.row.kind == asked.kind
                    && attempt.parts.pending() > 0
            }
        }
    }

    /// Its attempt, begun if there is none.
    fn attempt(&mut self, config: &Config, step: &Step, kind: Kind, carrier: &Carrier) -> &mut Attempt {
        let Payment { row, attempt, .. } = self;
        attempt.get_or_insert_with(|| {
            let number = row.attempts;
            row.attempts += 1;
            row.hash = carrier.hash();
            Attempt {
                row: AttemptRow {
                    id: derive::attempt_id(&config.node_secret, row.id, number),
                    payment: row.id,
                    number,
                    kind,
                    hash: carrier.hash(),
                    set_id: carrier.set_id(),
                    state: State::Pending,
                    fee: Msat::ZERO,
                    failure: None,
                    created_at: step.now,
                    updated_at: step.now,
                },
                parts: Htlcs::default(),
                most: None,
                larger: 0,
                counts: true,
                over: None,
            }
        })
    }
}

impl Outgoing {
    /// One HTLC along each route.
    pub(super) fn dispatch(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        id: PaymentId,
        answered: &Answered,
        routes: Vec<Route>,
    ) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let Answered { asked, to } = answered;
        payment.note_kind(asked, *to);
        let number = payment.attempt.as_ref().map_or(payment.row.attempts, |attempt| attempt.row.number);
        let carrier = Carrier::new(config, &payment.row, asked.kind, number);
        let loaded = carrier.as_ref().and_then(|carrier| payment.load(config, step, asked, carrier, routes));
        let Some(loaded) = loaded else {
            return self.give_up(step, id, failure::no_invoice());
        };
        payment.row.updated_at = step.now;
        let Some(attempt) = &mut payment.attempt else { return };
        payment.row.plan.tries += u32::from(std::mem::take(&mut attempt.counts));
        for Loaded { send, share } in loaded {
            // Only ECDH has a hash that follows from the route.
            if attempt.row.kind == Kind::Ecdh {
                attempt.row.hash = Some(send.hash);
                payment.row.hash = Some(send.hash);
            }
            let part = PartRow {
                payment: id,
                attempt: attempt.row.number,
                number: u32::try_from(attempt.parts.rows().len()).unwrap_or(u32::MAX),
                channel: send.route.channel,
                amount: send.route.amount(),
                fee: send.route.fee(),
                state: State::Pending,
                route: send.route.nodes(),
                claim: PartClaim { id: Some(send.part), hash: Some(send.hash), ..PartClaim::default() },
                sent: PartSent { share, failure: None },
            };
            payment.hidden.note(send.part, send.route.tail.as_ref());
            books.reserve(step, parts::in_flight(&attempt.row, &part));
            self.parts.insert(send.part, (id, attempt.parts.rows().len()));
            step.changes.parts.push(part.clone());
            attempt.parts.push(part);
            step.command(Command::Send(Box::new(send)));
        }
        attempt.row.fee = attempt.parts.fee();
        attempt.row.updated_at = step.now;
        step.changes.attempts.push(attempt.row.clone());
        step.changes.payments.push(payment.row.clone());
        // There may be more to send than was asked for.
        self.advance(config, step, id);
    }
}

impl Payment {
    /// Puts it on its ways. The attempt has begun after it.
    fn load(
        &mut self,
        config: &Config,
        step: &Step,
        asked: &Asked,
        carrier: &Carrier,
        routes: Vec<Route>,
    ) -> Option<Vec<Loaded>> {
        let total = self.row.amount;
        let attempt = self.attempt(config, step, asked.kind, carrier);
        let first = u32::try_from(attempt.parts.rows().len()).ok()?;
        let routes = (first..).zip(routes).map(|(number, route)| {
            let part = derive::part_id(&config.node_secret, attempt.row.id, number);
            (part, number, route)
        });
        let routes: Vec<_> = routes.collect();
        let completes = attempt.missing(total) <= asked.amount;
        let given = attempt.parts.share().clone();
        carrier.load(config, &self.row, routes, given, completes)
    }

    /// The kind that it is, why, and what speaks against it.
    pub(super) fn note_kind(&mut self, asked: &Asked, to: Destination) {
        self.single = None;
        let row = &mut self.row;
        if self.attempt.is_some() || row.kind == asked.kind && !row.plan.reason.is_empty() {
            return;
        }
        row.kind = asked.kind;
        row.plan.reason = failure::why_kind(asked.kind, &row.plan, &self.refused, to);
        // What was said of another kind is no reason of this one's.
        self.refusal = None;
    }
}
