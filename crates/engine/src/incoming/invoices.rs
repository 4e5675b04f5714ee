//! AMP invoices: payable any number of times, until they expire or are canceled.

use super::Incoming;
use crate::backend::{AmpInvoiceRequest, FailAs};
use crate::commit::{AmpInvoiceRow, InvoiceState, Reason};
use crate::input::Ticket;
use crate::output::ReceiveError;
use crate::step::Step;
use sponte_proto::Msat;

/// The longest description of an invoice: BOLT 11 has room for so many bytes (field `d`).
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
