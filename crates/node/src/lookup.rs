//! Answers to the engine's questions: the ledger, and over it what is on its way to the disk.

use crate::flights::Flights;
use sponte_engine::commit::{AmpInvoiceRow, PaymentRow};
use sponte_engine::{AmpFact, AmpQuestion, Fact, PastAttempt, PastPart, Question};
use sponte_proto::{PaymentHash, PaymentId, PaymentSecret};
use sponte_store::{Ledger, StoreError};

/// Looks up what the engine asks for.
pub(crate) fn look_up(ledger: &Ledger, flights: &Flights, question: Question) -> Result<Fact, StoreError> {
    Ok(match question {
        Question::Received(hash, claim) => Fact::Received(received(ledger, flights, hash, claim)?),
        Question::Amp(asked) => Fact::Amp(Box::new(amp(ledger, flights, &asked)?)),
        Question::Part(claim) => Fact::Part(part(ledger, flights, claim)?.map(Box::new)),
        Question::Attempt(id) => Fact::Attempt(attempt(ledger, flights, id)?.map(Box::new)),
        Question::Transfers(prefixes) => {
            let mut rows = vec![];
            for prefix in prefixes {
                let mut under = ledger.transfers_under(&prefix)?;
                flights.overlay_transfers(&prefix, &mut under);
                rows.extend(under);
            }
            Fact::Transfers(rows)
        }
    })
}

/// The payment with an id, whatever became of it.
pub(crate) fn payment(
    ledger: &Ledger,
    flights: &Flights,
    id: PaymentId,
) -> Result<Option<PaymentRow>, StoreError> {
    match flights.payment(id) {
        Some(row) => Ok(Some(row.clone())),
        None => ledger.payment(&id),
    }
}

fn attempt(ledger: &Ledger, flights: &Flights, id: PaymentId) -> Result<Option<PastAttempt>, StoreError> {
    let durable = ledger.attempt(&id)?;
    let Some(attempt) = flights.attempt(id).cloned().or(durable) else { return Ok(None) };
    let Some(payment) = payment(ledger, flights, attempt.payment)? else { return Ok(None) };
    let mut parts = ledger.parts(&attempt.payment)?;
    parts.retain(|part| part.attempt == attempt.number);
    flights.overlay_parts(attempt.payment, attempt.number, &mut parts);
    Ok(Some(PastAttempt { payment, attempt, parts }))
}

/// The AMP invoice with an address, whatever became of it.
pub(crate) fn amp_invoice(
    ledger: &Ledger,
    flights: &Flights,
    payment_addr: &PaymentSecret,
) -> Result<Option<AmpInvoiceRow>, StoreError> {
    match flights.amp_invoice(payment_addr) {
        Some(row) => Ok(Some(row.clone())),
        None => ledger.amp_invoice(payment_addr),
    }
}

fn received(
    ledger: &Ledger,
    flights: &Flights,
    hash: PaymentHash,
    claim: PaymentId,
) -> Result<bool, StoreError> {
    Ok(flights.received(hash, claim) || ledger.received_before(&hash, &claim)?)
}

fn amp(ledger: &Ledger, flights: &Flights, asked: &AmpQuestion) -> Result<AmpFact, StoreError> {
    let (address, set) = flights.amp_paid(&asked.payment_addr, asked.set_id);
    let durable = ledger.amp_paid(&asked.payment_addr, asked.set_id)?;
    Ok(AmpFact {
        invoice: amp_invoice(ledger, flights, &asked.payment_addr)?,
        address_paid: address || durable.0,
        set_paid: set || durable.1,
        received: received(ledger, flights, asked.hash, asked.claim)?,
    })
}

fn part(ledger: &Ledger, flights: &Flights, claim: PaymentId) -> Result<Option<PastPart>, StoreError> {
    let durable = ledger.payment_of_claim(&claim)?;
    let Some(id) = flights.payment_of_claim(claim).or(durable) else { return Ok(None) };
    let Some(payment) = payment(ledger, flights, id)? else { return Ok(None) };
    let mut parts = ledger.parts(&id)?;
    flights.overlay_parts(id, 0, &mut parts);
    Ok(Some(PastPart { payment, parts }))
}
