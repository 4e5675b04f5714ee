//! Invoices of this node. An AMP invoice is payable any number of times, until it expires or is canceled;
//! any other once.
//!
//! Of one that is paid once there is no row: the backend tells its payment by what it derived. The amount
//! is what the invoice says, so `min` and `max` of [`Receive`](crate::Receive) do not apply, and no
//! switch turns it off: this node asked for it. All else is as with every kind: it may be held, its
//! records may be too large, and a hash that was claimed, held or canceled before is refused.

use super::Incoming;
use crate::backend::{FailAs, InvoiceTerms};
use crate::commit::{AmpInvoiceRow, InvoiceState, Reason};
use crate::input::Ticket;
use crate::output::ReceiveError;
use crate::step::Step;
use sponte_proto::Msat;

/// The longest description of an invoice: BOLT 11 has room for so many bytes (field `d`).
pub const MAX_DESCRIPTION_BYTES: usize = 639;

/// Whether an invoice can be made.
///
/// # Errors
/// Its description is too long, its amount is zero, or it would have expired.
pub fn check_invoice(request: &InvoiceTerms) -> Result<(), ReceiveError> {
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

impl Incoming {
    /// An invoice is signed: it can be paid once its row is durable, and shown then.
    pub(crate) fn handle_amp_invoice(&self, step: &mut Step, row: AmpInvoiceRow, ticket: Ticket) {
        step.changes.amp_invoices.push(row);
        step.answer(ticket, Ok(()));
    }

    /// An invoice is never to be paid again; sets to it that wait are refused.
    pub(crate) fn handle_cancel_amp_invoice(
        &mut self,
        step: &mut Step,
        known: Option<AmpInvoiceRow>,
        ticket: Ticket,
    ) {
        let answer = match &known {
            None => Err(ReceiveError::UnknownInvoice),
            Some(row) if row.state == InvoiceState::Canceled => Err(ReceiveError::InvoiceCanceled),
            Some(_) => Ok(()),
        };
        if let (Ok(()), Some(row)) = (answer, known) {
            let waiting: Vec<_> = self.sets.keys_to(*row.payment_addr.as_bytes()).collect();
            for key in waiting {
                self.fail_set(step, key, Reason::Invoice, FailAs::Unknown);
            }
            step.changes.amp_invoices.push(AmpInvoiceRow { state: InvoiceState::Canceled, ..row });
        }
        step.answer(ticket, answer);
    }
}
