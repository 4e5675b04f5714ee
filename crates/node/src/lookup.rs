//! Answers to the engine's questions: the ledger, and over it what is on its way to the disk.

use crate::flights::Flights;
use sponte_engine::commit::{AmpInvoiceRow, PaymentRow, State};
use sponte_engine::{AmpFact, AmpQuestion, Fact, KnownPayments, PastAttempt, PastPart, Question};
use sponte_proto::{PaymentHash, PaymentId, PaymentSecret};
use sponte_store::{Ledger, StoreError};

/// Looks up what the engine asks for.
pub(crate) fn look_up(ledger: &Ledger, flights: &Flights, question: Question) -> Result<Fact, StoreError> {
    Ok(match question {
        Question::Received(hash, claim) => Fact::Received(received(ledger, flights, hash, claim)?),
        Question::Amp(asked) => Fact::Amp(Box::new(amp(ledger, flights, &asked)?)),
        Question::Part(claim) => Fact::Part(part(ledger, flights, claim)?.map(Box::new)),
        Question::SentPart(claim) => Fact::SentPart(sent_part(ledger, flights, claim)?.map(Box::new)),
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

/// What is known of a request to pay: the payment of its key, and one of its invoice's hash that has not
/// failed.
pub(crate) fn known(
    ledger: &Ledger,
    flights: &Flights,
    id: PaymentId,
    invoice: Option<PaymentHash>,
) -> Result<KnownPayments, StoreError> {
    let of_key = payment(ledger, flights, id)?.map(Box::new);
    let of_invoice = match invoice {
        None => None,
        Some(hash) => match flights.paying_invoice(&hash) {
            Some(id) => Some(id),
            // It may have failed in a row that is on its way.
            None => ledger
                .payment_of_invoice(&hash)?
                .filter(|id| flights.payment(*id).is_none_or(|row| row.state != State::Failed)),
        },
    };
    Ok(KnownPayments { of_key, of_invoice })
}

fn sent_part(
    ledger: &Ledger,
    flights: &Flights,
    claim: PaymentId,
) -> Result<Option<PastAttempt>, StoreError> {
    let found = flights.sent_part(claim).map_or_else(|| ledger.sent_part(&claim), |found| Ok(Some(found)))?;
    let Some((id, number)) = found else { return Ok(None) };
    let Some(payment) = payment(ledger, flights, id)? else { return Ok(None) };
    let attempt = match flights.attempt(id, number) {
        Some(row) => Some(row.clone()),
        None => ledger.attempt(&id, number)?,
    };
    let mut parts = ledger.attempt_parts(&id, number)?;
    flights.overlay_parts(id, number, &mut parts);
    Ok(attempt.map(|attempt| PastAttempt { payment, attempt, parts }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::commit::{
        AttemptRow, ChangeSet, Direction, Kind, PartClaim, PartRow, PartSent, Plan, Receipt, State,
        Transaction,
    };
    use sponte_proto::{ChannelId, Msat, NodeId, Records, Timestamp};
    use sponte_store::{Options, Store};
    use std::sync::mpsc;

    fn id(number: u8) -> PaymentId {
        PaymentId::from_bytes([number; 32])
    }

    fn destination() -> NodeId {
        NodeId::from_bytes([2; 33]).expect("begins with 02")
    }

    fn sent() -> PaymentRow {
        PaymentRow {
            id: id(1),
            direction: Direction::Out,
            kind: Kind::Amp,
            state: State::Pending,
            key: Some("k".into()),
            destination: Some(destination()),
            amount: Msat::MAX,
            fee: Msat::ZERO,
            max_fee: Msat::ZERO,
            hash: None,
            preimage: None,
            records: Records::default(),
            failure: None,
            deadline: Timestamp::default(),
            attempts: 2,
            max_attempts: 3,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            receipt: Receipt::default(),
            plan: Plan::default(),
        }
    }

    fn attempt(number: u8, state: State) -> AttemptRow {
        AttemptRow {
            id: id(10 + number),
            payment: id(1),
            number: number.into(),
            kind: Kind::Amp,
            hash: None,
            set_id: None,
            state,
            fee: Msat::ZERO,
            failure: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    fn part(attempt: u8, number: u8, state: State) -> PartRow {
        PartRow {
            payment: id(1),
            attempt: attempt.into(),
            number: number.into(),
            channel: ChannelId::from_bytes([1; 32]),
            amount: Msat::MAX,
            fee: Msat::ZERO,
            state,
            route: vec![destination()],
            claim: PartClaim { id: Some(id(100 + 10 * attempt + number)), ..PartClaim::default() },
            sent: PartSent::default(),
        }
    }

    fn write(store: &Store, changes: ChangeSet) {
        let (sender, receiver) = mpsc::channel();
        let end = Box::new(move |end| sender.send(end).expect("waited for"));
        store.writer().submit(Transaction { changes, ..Transaction::default() }, end);
        receiver.recv().expect("told").expect("written");
    }

    #[test]
    fn a_sent_part_comes_with_its_attempt_as_of_now() {
        let (pending, failed, settled) = (State::Pending, State::Failed, State::Settled);
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), Options { create: true, ..Options::default() }).expect("opens");
        let durable = ChangeSet {
            payments: vec![sent()],
            attempts: vec![attempt(0, failed), attempt(1, pending)],
            parts: vec![part(0, 0, failed), part(1, 0, pending), part(1, 1, pending)],
            ..ChangeSet::default()
        };
        write(&store, durable);
        let mut flights = Flights::default();
        flights.current.add(ChangeSet {
            payments: vec![PaymentRow { state: settled, ..sent() }],
            attempts: vec![attempt(1, settled)],
            parts: vec![part(1, 0, settled), part(1, 2, settled)],
            ..ChangeSet::default()
        });
        let ledger = store.ledger();
        let look = |claim: u8| match look_up(&ledger, &flights, Question::SentPart(id(claim))) {
            Ok(Fact::SentPart(found)) => found,
            other => panic!("{other:?}"),
        };
        let payment = PaymentRow { state: settled, ..sent() };
        let parts = vec![part(1, 0, settled), part(1, 1, pending), part(1, 2, settled)];
        let now = PastAttempt { payment: payment.clone(), attempt: attempt(1, settled), parts };
        for claim in [110, 111, 112] {
            assert_eq!(look(claim).as_deref(), Some(&now), "{claim}");
        }
        let before = PastAttempt { payment, attempt: attempt(0, failed), parts: vec![part(0, 0, failed)] };
        assert_eq!(look(100).as_deref(), Some(&before));
        assert_eq!(look(99), None);
    }
}
