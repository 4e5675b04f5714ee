//! Routes: asked for, and what follows where there are none.

use super::carrier::{Carrier, is_set};
use super::{Answered, Asked, Outgoing, Payment};
use crate::backend::{BlindedWays, Command, Destination, NoRoutes, Query, Route, RouteRequest, Routes};
use crate::books::Books;
use crate::commit::Kind;
use crate::config::Config;
use crate::failure;
use crate::retry;
use crate::step::Step;
use sponte_proto::{Msat, PaymentId};

impl Payment {
    /// The kind of its attempt, or of the next.
    pub(super) fn kind(&self) -> Kind {
        self.attempt.as_ref().map_or(self.row.kind, |attempt| attempt.row.kind)
    }

    /// Asks for routes. Answers whether it could: an invoice's kind needs an invoice.
    pub(super) fn ask(&mut self, config: &Config, step: &mut Step, amount: Msat, kind: Kind) -> bool {
        let Payment { row, attempt, .. } = &*self;
        let Some(destination) = row.destination else { return false };
        let attempt = attempt.as_ref();
        let number = attempt.map_or(row.attempts, |attempt| attempt.row.number);
        let Some(carrier) = Carrier::new(config, row, kind, number) else { return false };
        let pending = attempt.map_or(0, |attempt| attempt.parts.pending());
        let pending = u32::try_from(pending).unwrap_or(u32::MAX);
        let max_parts = if is_set(kind) { row.plan.max_parts.saturating_sub(pending).max(1) } else { 1 };
        let max_fee = row.max_fee.saturating_sub(attempt.map_or(Msat::ZERO, |attempt| attempt.parts.fee()));
        let request = RouteRequest {
            query: Query { payment: row.id, number: self.queries },
            destination,
            amount,
            max_fee,
            max_parts,
            final_cltv: row.plan.final_cltv,
            payload_bytes: carrier.payload_bytes(row),
            avoid: self.avoid.clone(),
            hints: row.plan.hints.clone(),
            blinded: self.blinded_ways(),
        };
        self.asked = Some(Asked { number: self.queries, kind, amount, max_fee, max_parts });
        self.queries += 1;
        self.asked_at = step.now;
        step.command(Command::Route(Box::new(request)));
        true
    }

    fn blinded_ways(&self) -> Option<Box<BlindedWays>> {
        let offered = self.row.plan.invoice.as_ref()?.offered.as_ref()?;
        Some(Box::new(BlindedWays { invoice: offered.invoice.clone(), avoid: self.hidden.failed.clone() }))
    }

    /// The kind that may pass where one path does not: in parts, if the node chooses the kind.
    pub(super) fn in_parts(&self, asked: &Asked, why: &NoRoutes, to: Destination) -> Option<Kind> {
        let plan = &self.row.plan;
        let chooses = plan.asked.is_none() || plan.fall_back && plan.asked == Some(Kind::Amp);
        let helps = matches!(
            why,
            NoRoutes::NoRoute | NoRoutes::InsufficientBalance { .. } | NoRoutes::FeeLimitTooLow { .. }
        );
        if asked.kind != Kind::Keysend || !chooses || !helps || plan.max_parts < 2 {
            return None;
        }
        let amp = (to.amp && plan.asked.is_none()).then_some(Kind::Amp);
        let kinds = amp.into_iter().chain([Kind::MppKeysend]);
        kinds.into_iter().find(|kind| !self.refused.contains(kind))
    }

    /// Whether these are routes for what was asked. What they carry beyond it, because a channel's
    /// minimum wants it, is a cost like a fee; and a set must not reach its total while a part of it
    /// is missing, or the destination takes it for complete.
    pub(super) fn fits(&self, asked: &Asked, routes: &[Route]) -> bool {
        let sum = |of: fn(&Route) -> Msat| {
            routes.iter().map(of).try_fold(Msat::ZERO, |sum, amount| sum.checked_add(amount))
        };
        let there = |route: &Route| {
            let last = route.hops.last().map(|hop| hop.node);
            let arrives = route.tail.is_some() || last == self.row.destination;
            arrives && route.amount() != Msat::ZERO
        };
        let (Some(amount), Some(fee)) = (sum(Route::amount), sum(Route::fee)) else { return false };
        let Some(beyond) = amount.checked_sub(asked.amount) else { return false };
        let live = || self.attempt.iter().flat_map(|attempt| attempt.parts.live().map(|part| part.amount));
        let smallest = || live().chain(routes.iter().map(Route::amount)).min();
        !routes.is_empty()
            && routes.len() <= asked.max_parts as usize
            && routes.iter().all(there)
            && beyond.checked_add(fee).is_some_and(|cost| cost <= asked.max_fee)
            && (!is_set(asked.kind) || beyond == Msat::ZERO || Some(beyond) < smallest())
    }
}

impl Outgoing {
    /// Sends along the routes, or does what follows where there are none. A repeat is ignored.
    pub(crate) fn handle_routes(
        &mut self,
        config: &Config,
        books: &mut Books,
        step: &mut Step,
        routes: Routes,
    ) {
        let Routes { query: Query { payment: id, number }, found, destination } = routes;
        let Some(payment) = self.payments.get_mut(&id) else {
            return self.handle_quoted(config, step, id, number, found, destination);
        };
        let Some(asked) = payment.asked.take_if(|asked| asked.number == number) else { return };
        if payment.paid || payment.spent(step.now) || !payment.still_wants(&asked) {
            return self.advance(config, step, id);
        }
        let fits = found.as_ref().is_ok_and(|routes| payment.fits(&asked, routes));
        let answered = Answered { asked, to: destination };
        match found {
            Ok(routes) if fits => self.dispatch(config, books, step, id, &answered, routes),
            Ok(_) => self.no_routes(config, step, id, &answered, &NoRoutes::NoRoute),
            Err(why) => self.no_routes(config, step, id, &answered, &why),
        }
    }

    fn no_routes(
        &mut self,
        config: &Config,
        step: &mut Step,
        id: PaymentId,
        answered: &Answered,
        why: &NoRoutes,
    ) {
        let Some(payment) = self.payments.get_mut(&id) else { return };
        let Answered { asked, to } = answered;
        if let Some(kind) = payment.in_parts(asked, why, *to) {
            payment.single = Some(why.clone());
            payment.ask(config, step, asked.amount, kind);
            return;
        }
        // In parts there is no way either: of one path more may have been known.
        let single = payment.single.take().filter(|_| *why == NoRoutes::NoRoute);
        let why = single.as_ref().unwrap_or(why);
        let avoids = !payment.avoid.is_empty();
        let reason = match (&payment.refusal, payment.lesson) {
            (Some(refusal), _) => refusal.clone(),
            (None, Some(lesson)) if *why == NoRoutes::NoRoute => lesson.reason(&payment.row),
            (None, _) => failure::of_no_routes(why, to.known, &payment.row),
        };
        // What is on its way may still be completed: the destination waits a while.
        if payment.attempt.is_some() || retry::may_pass_later(why, avoids) {
            payment.avoid.clear();
            payment.blocked = Some(reason.clone());
            let delay_ms = retry::delay_ms(payment.delays);
            return self.wait(step, id, delay_ms, reason);
        }
        self.fail_payment(step, id, reason);
    }
}
