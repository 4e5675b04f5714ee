//! What a payment would cost, without paying.

use super::{Outgoing, Payment};
use crate::backend::{Destination, NoRoutes, Route};
use crate::config::Config;
use crate::derive;
use crate::failure;
use crate::input::Ticket;
use crate::output::Quoted;
use crate::request::PayRequest;
use crate::step::Step;
use sponte_proto::PaymentId;

/// A payment that is never begun, and who wants to know of it.
#[derive(Debug)]
pub(super) struct Quote {
    payment: Payment,
    ticket: Ticket,
}

impl Outgoing {
    /// Looks for routes as for a payment, and answers what was found. Nothing is written.
    pub(crate) fn handle_quote(
        &mut self,
        config: &Config,
        step: &mut Step,
        request: PayRequest,
        ticket: Ticket,
    ) {
        if let Err(error) = request.check(config.node_id).and_then(|()| request.check_time(step.now)) {
            return step.quote(ticket, Err(error));
        }
        self.quoted += 1;
        let id = derive::quote_id(&config.node_secret, self.quoted);
        let mut payment = Payment::new(request.into_row(config, id, step.now));
        let (amount, kind) = (payment.row.amount, payment.row.kind);
        if payment.ask(config, step, amount, kind) {
            self.quotes.insert(id, Quote { payment, ticket });
        } else {
            step.quote(ticket, Ok(Err(failure::no_invoice())));
        }
    }

    pub(super) fn handle_quoted(
        &mut self,
        config: &Config,
        step: &mut Step,
        id: PaymentId,
        number: u32,
        found: Result<Vec<Route>, NoRoutes>,
        destination: Destination,
    ) {
        let Some(Quote { payment, ticket }) = self.quotes.get_mut(&id) else { return };
        let Some(asked) = payment.asked.take_if(|asked| asked.number == number) else { return };
        let ticket = *ticket;
        let answer = match found {
            Ok(routes) if payment.fits(&asked, &routes) => {
                payment.note_kind(&asked, destination);
                let reason = payment.row.plan.reason.clone();
                Ok(Quoted { kind: asked.kind, reason, routes })
            }
            found => {
                let why = found.err().unwrap_or(NoRoutes::NoRoute);
                if let Some(kind) = payment.in_parts(&asked, &why, destination) {
                    payment.single = Some(why);
                    payment.ask(config, step, asked.amount, kind);
                    return;
                }
                let single = payment.single.take().filter(|_| why == NoRoutes::NoRoute);
                Err(failure::of_no_routes(&single.unwrap_or(why), destination.known, &payment.row))
            }
        };
        self.quotes.remove(&id);
        step.quote(ticket, Ok(answer));
    }
}
