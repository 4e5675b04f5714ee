//! Answers to the engine's questions: the ledger, and over it what is on its way to the disk.

use crate::flights::Flights;
use sponte_engine::commit::PaymentRow;
use sponte_engine::{Fact, PastAttempt, Question};
use sponte_proto::PaymentId;
use sponte_store::{Ledger, StoreError};

/// Looks up what the engine asks for.
pub(crate) fn look_up(ledger: &Ledger, flights: &Flights, question: Question) -> Result<Fact, StoreError> {
    Ok(match question {
        Question::Received(hash, id) => {
            let on_its_way = flights.received(hash) || flights.payment(id).is_some();
            Fact::Received(on_its_way || ledger.received_before(&hash)? || ledger.payment(&id)?.is_some())
        }
        Question::Payment(id) => Fact::Payment(payment(ledger, flights, id)?.map(Box::new)),
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
    flights.overlay_parts(&attempt, &mut parts);
    Ok(Some(PastAttempt { payment, attempt, parts }))
}
