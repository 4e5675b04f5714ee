//! A payment as a user asks for it over HTTP, and what the ledgers of both ends say of it.

use super::node::Node;
use super::report::{Ledgers, Outcome, Step};
use super::until::{PATIENCE, until};
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::{
    Direction, Kind, Limits, Part, PayInvoiceRequest, PayRequest, Payment, PaymentDetail, PaymentsQuery,
    RecordInput, State,
};
use sponte_proto::{Msat, PaymentHash};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A payment that is asked for.
#[derive(Debug)]
pub struct Ask<'a> {
    name: &'static str,
    world: &'a Inhabitants,
    from: &'a Node,
    to: &'a Node,
    request: PayRequest,
    /// Paid instead of the destination.
    invoice: Option<String>,
}

/// What there is to check.
#[derive(Debug)]
pub struct Told {
    pub step: Step,
    /// The sender's ledger.
    pub sent: PaymentDetail,
    /// The receiver's ledger.
    pub received: Option<PaymentDetail>,
}

impl Inhabitants {
    /// A payment without message or records, of whatever kind; its key is its name.
    pub fn ask<'a>(&'a self, name: &'static str, from: &'a Node, to: &'a Node, amount: Msat) -> Ask<'a> {
        let timeout_ms = Some(u64::try_from(PATIENCE.as_millis()).expect("less than a minute"));
        let request = PayRequest {
            key: Some(name.to_owned()),
            limits: Limits { timeout_ms, ..Limits::default() },
            ..PayRequest::new(to.id(), amount)
        };
        Ask { name, world: self, from, to, request, invoice: None }
    }
}

impl<'a> Ask<'a> {
    /// With a text message.
    pub fn message(mut self, text: &str) -> Ask<'a> {
        self.request.message = Some(text.to_owned());
        self
    }

    /// Of this kind.
    pub fn kind(mut self, kind: Kind) -> Ask<'a> {
        self.request.kind = Some(kind);
        self
    }

    /// To an invoice.
    pub fn invoice(mut self, invoice: &str) -> Ask<'a> {
        self.invoice = Some(invoice.to_owned());
        self
    }

    /// With a custom record.
    pub fn record(mut self, kind: u64, value: &[u8]) -> Ask<'a> {
        self.request.records.push(RecordInput::bytes(kind, value));
        self
    }

    /// Pays and waits for the end, at most so long.
    ///
    /// # Errors
    /// The node refuses, or does not answer. A payment that failed is no error.
    pub async fn pay(&self, wait: Duration) -> Result<PaymentDetail, Failure> {
        let paid = match &self.invoice {
            None => self.from.client().pay(&self.request, wait).await,
            Some(invoice) => {
                let PayRequest { key, limits, .. } = self.request.clone();
                let request = PayInvoiceRequest { key, limits, ..PayInvoiceRequest::new(invoice) };
                self.from.client().pay_invoice(&request, wait).await
            }
        };
        paid.map_err(|error| self.from.failure(error))
    }

    /// Pays and must be paid.
    ///
    /// # Errors
    /// As [`Ask::pay`], at either end.
    pub async fn settle(&self) -> Result<Told, Failure> {
        let begun = Instant::now();
        let sent = self.pay(PATIENCE).await?;
        self.settled(sent, begun.elapsed()).await
    }

    /// What is told of a payment that must have been paid.
    ///
    /// # Errors
    /// The receiver does not answer.
    pub async fn settled(&self, sent: PaymentDetail, took: Duration) -> Result<Told, Failure> {
        let mut told = self.look(sent, took).await?;
        told.step.wrong = match &told.received {
            Some(received) if told.step.outcome == Outcome::Settled => {
                difference(&self.request, &told.sent, received)
            }
            _ => Some(contradiction(&told)),
        };
        Ok(told)
    }

    /// Reads both ledgers. The receiver's may be a moment behind: it has claimed before the sender
    /// can know, but it books only what its peer can no longer take back.
    ///
    /// # Errors
    /// The receiver does not answer.
    pub async fn look(&self, sent: PaymentDetail, took: Duration) -> Result<Told, Failure> {
        let settled = sent.payment.state == State::Settled;
        let received = until("the receiver has booked it", async || {
            let received = self.received(&sent).await?;
            let ended = received.as_ref().is_some_and(|detail| detail.payment.state != State::Pending);
            Ok((ended || !settled).then_some(received))
        });
        let received = match received.await {
            Ok(received) => received,
            Err(_) => self.received(&sent).await?,
        };
        let receiver = received.as_ref().map(|detail| detail.payment.state);
        let ledgers = Ledgers { sender: Some(sent.payment.state), receiver };
        Ok(Told { step: self.step(&sent, ledgers, took), sent, received })
    }

    /// What the receiver has of the last attempt, by its hash, or its set.
    async fn received(&self, sent: &PaymentDetail) -> Result<Option<PaymentDetail>, Failure> {
        let Some(attempt) = sent.attempts.last() else { return Ok(None) };
        let is_it = |payment: &Payment| match &attempt.set_id {
            Some(_) => payment.set_id == attempt.set_id,
            None => payment.hash == attempt.hash,
        };
        let Some(found) = incoming(self.to).await?.into_iter().find(is_it) else { return Ok(None) };
        let detail = self.to.client().payment(found.id, Duration::ZERO).await;
        detail.map(Some).map_err(|error| self.to.failure(error))
    }

    /// The nodes on each way, by name; of a payment that never left, its ends.
    fn routes(&self, parts: &[Part]) -> Vec<Vec<&'static str>> {
        if parts.is_empty() {
            return vec![vec![self.from.name, self.to.name]];
        }
        let route = |part: &Part| {
            let hops = part.route.iter().map(|id| self.world.name_of(*id));
            std::iter::once(self.from.name).chain(hops).collect()
        };
        let mut routes: Vec<Vec<_>> = parts.iter().map(route).collect();
        routes.sort();
        routes.dedup();
        routes
    }

    fn step(&self, sent: &PaymentDetail, ledgers: Ledgers, took: Duration) -> Step {
        let all = sent.attempts.last().map_or(&[][..], |attempt| &attempt.parts);
        let paid: Vec<Part> = all.iter().filter(|part| part.state == State::Settled).cloned().collect();
        let parts = if paid.is_empty() { all } else { &paid };
        Step {
            name: self.name,
            kind: sent.payment.kind,
            from: self.from.name,
            to: self.to.name,
            amount_msat: self.request.amount_msat.to_msat(),
            fee_msat: sent.payment.fee_msat.to_msat(),
            parts: u32::try_from(parts.len()).expect("a channel has at most 483 HTLCs"),
            attempts: sent.payment.attempt_count,
            outcome: ledgers.outcome(),
            latency_ms: u64::try_from(took.as_millis()).expect("a minute at most"),
            routes: self.routes(parts),
            ledgers,
            note: None,
            wrong: None,
        }
    }
}

/// All payments that a node's ledger says it received, or is receiving.
///
/// # Errors
/// It does not answer.
pub async fn incoming(node: &Node) -> Result<Vec<Payment>, Failure> {
    let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
    Ok(node.client().payments(&query).await.map_err(|error| node.failure(error))?.payments)
}

/// What two ledgers that both say `settled` do not agree about.
fn difference(asked: &PayRequest, sent: &PaymentDetail, received: &PaymentDetail) -> Option<String> {
    let (ours, theirs) = (&sent.payment, &received.payment);
    if theirs.amount_msat != asked.amount_msat || ours.amount_msat != asked.amount_msat {
        return Some("the amounts at the two ends are not what was asked for".into());
    }
    if ours.kind != theirs.kind {
        return Some(format!("it left as {} and arrived as {}", ours.kind, theirs.kind));
    }
    let last = sent.attempts.last().map_or(&[][..], |attempt| &attempt.parts);
    if hashes(last) != hashes(&received.parts) || ours.preimage_hex != theirs.preimage_hex {
        return Some("the two ends hold different proofs".into());
    }
    if theirs.message() != asked.message.as_deref() {
        return Some("the message did not arrive as it was sent".into());
    }
    let arrived = |kind, value: &Option<String>| {
        theirs.records.iter().any(|record| record.kind == kind && Some(&record.value_hex) == value.as_ref())
    };
    let lost = asked.records.iter().find(|record| !arrived(record.kind, &record.value_hex))?;
    Some(format!("record {} did not arrive as it was sent", lost.kind))
}

/// What the parts that were paid are locked to. One hash may have several at the sender's end and be
/// one part at the receiver's.
fn hashes(parts: &[Part]) -> BTreeSet<PaymentHash> {
    let paid = parts.iter().filter(|part| part.state == State::Settled);
    paid.filter_map(|part| part.hash).collect()
}

fn contradiction(told: &Told) -> String {
    match &told.sent.payment.failure {
        Some(failure) => failure.message.clone(),
        None => "the two ledgers do not both say that it is settled".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_view::examples;
    use sponte_api::Record;

    /// What was asked for, and what both ends say of it.
    fn agreed() -> (PayRequest, PaymentDetail, PaymentDetail) {
        let mut sent = examples::outgoing();
        sent.payment.state = State::Settled;
        sent.payment.preimage_hex = Some("07".repeat(32));
        for part in &mut sent.attempts[0].parts {
            part.state = State::Settled;
            part.hash = sent.payment.hash;
        }
        let records = vec![Record::new(34_349_334, b"hi"), Record::new(70_000, &[1, 2])];
        let payment = Payment { direction: Direction::In, records, ..sent.payment.clone() };
        let received = PaymentDetail { payment, attempts: vec![], parts: sent.attempts[0].parts.clone() };
        let node = format!("02{}", "11".repeat(32)).parse().expect("a node id");
        let asked = PayRequest {
            message: Some("hi".into()),
            records: vec![RecordInput::bytes(70_000, &[1, 2])],
            ..PayRequest::new(node, sent.payment.amount_msat)
        };
        (asked, sent, received)
    }

    #[test]
    fn ends_that_agree() {
        let (asked, sent, received) = agreed();
        assert_eq!(difference(&asked, &sent, &received), None);
    }

    #[test]
    fn ends_that_do_not() {
        let told = |change: fn(&mut PaymentDetail)| {
            let (asked, sent, mut received) = agreed();
            change(&mut received);
            difference(&asked, &sent, &received).expect("they differ")
        };
        assert!(told(|received| received.payment.amount_msat = Msat::ZERO).contains("amounts"));
        assert!(told(|received| received.payment.kind = Kind::Amp).contains("arrived as amp"));
        assert!(told(|received| received.payment.preimage_hex = None).contains("proofs"));
        assert!(told(|received| received.parts.clear()).contains("proofs"));
        assert!(told(|received| drop(received.payment.records.remove(0))).contains("message"));
        assert!(told(|received| drop(received.payment.records.remove(1))).contains("record 70000"));
        let changed = told(|received| received.payment.records[1].value_hex = "0102ff".into());
        assert!(changed.contains("record 70000"));
    }
}
