//! A payment as a user asks for it over HTTP, and what the ledgers of both ends say of it.

use super::node::Node;
use super::report::{Ledgers, Outcome, Step};
use super::until::{PATIENCE, until};
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::{
    Direction, Kind, Part, PayRequest, Payment, PaymentDetail, PaymentsQuery, RecordInput, State,
};
use sponte_proto::Msat;
use std::time::{Duration, Instant};

/// A payment that is asked for.
#[derive(Debug)]
pub struct Ask<'a> {
    name: &'static str,
    world: &'a Inhabitants,
    from: &'a Node,
    to: &'a Node,
    request: PayRequest,
}

/// What there is to check.
#[derive(Debug)]
pub struct Told {
    pub step: Step,
    /// The sender's ledger.
    pub sent: PaymentDetail,
    /// The receiver's ledger.
    pub received: Option<Payment>,
}

impl Inhabitants {
    /// A payment without message or records; its key is its name.
    pub fn ask<'a>(&'a self, name: &'static str, from: &'a Node, to: &'a Node, amount: Msat) -> Ask<'a> {
        let request = PayRequest {
            destination: to.id(),
            amount_msat: amount,
            key: Some(name.to_owned()),
            max_fee_msat: None,
            timeout_ms: Some(u64::try_from(PATIENCE.as_millis()).expect("less than a minute")),
            max_attempts: None,
            message: None,
            records: vec![],
        };
        Ask { name, world: self, from, to, request }
    }
}

impl<'a> Ask<'a> {
    /// With a text message.
    pub fn message(mut self, text: &str) -> Ask<'a> {
        self.request.message = Some(text.to_owned());
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
        self.from.client().pay(&self.request, wait).await.map_err(|error| self.from.failure(error))
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
                difference(&self.request, &told.sent.payment, received)
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
            let received = self.received(&sent.payment).await?;
            let ended = received.as_ref().is_some_and(|payment| payment.state != State::Pending);
            Ok((ended || !settled).then_some(received))
        });
        let received = match received.await {
            Ok(received) => received,
            Err(_) => self.received(&sent.payment).await?,
        };
        let receiver = received.as_ref().map(|payment| payment.state);
        let ledgers = Ledgers { sender: Some(sent.payment.state), receiver };
        Ok(Told { step: self.step(&sent, ledgers, took), sent, received })
    }

    async fn received(&self, sent: &Payment) -> Result<Option<Payment>, Failure> {
        let all = incoming(self.to).await?;
        Ok(all.into_iter().find(|payment| payment.hash == sent.hash))
    }

    /// The nodes on the way, by name; of a payment that never left, its ends.
    fn route(&self, parts: &[Part]) -> Vec<&'static str> {
        let Some(part) = parts.first() else { return vec![self.from.name, self.to.name] };
        let hops = part.route.iter().map(|id| self.world.name_of(*id));
        std::iter::once(self.from.name).chain(hops).collect()
    }

    fn step(&self, sent: &PaymentDetail, ledgers: Ledgers, took: Duration) -> Step {
        let parts = sent.attempts.last().map_or(&[][..], |attempt| &attempt.parts);
        Step {
            name: self.name,
            kind: Kind::Keysend,
            from: self.from.name,
            to: self.to.name,
            amount_msat: self.request.amount_msat.to_msat(),
            fee_msat: sent.payment.fee_msat.to_msat(),
            parts: u32::try_from(parts.len()).expect("a channel has at most 483 HTLCs"),
            outcome: ledgers.outcome(),
            latency_ms: u64::try_from(took.as_millis()).expect("a minute at most"),
            routes: vec![self.route(parts)],
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
fn difference(asked: &PayRequest, sent: &Payment, received: &Payment) -> Option<String> {
    if received.amount_msat != asked.amount_msat || sent.amount_msat != asked.amount_msat {
        return Some("the amounts at the two ends are not what was asked for".into());
    }
    if sent.preimage_hex.is_none() || sent.preimage_hex != received.preimage_hex {
        return Some("the two ends hold different proofs".into());
    }
    if received.message() != asked.message.as_deref() {
        return Some("the message did not arrive as it was sent".into());
    }
    let arrived = |kind, value: &Option<String>| {
        received.records.iter().any(|record| record.kind == kind && Some(&record.value_hex) == value.as_ref())
    };
    let lost = asked.records.iter().find(|record| !arrived(record.kind, &record.value_hex))?;
    Some(format!("record {} did not arrive as it was sent", lost.kind))
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
    fn agreed() -> (PayRequest, Payment, Payment) {
        let mut sent = examples::outgoing().payment;
        sent.state = State::Settled;
        sent.preimage_hex = Some("07".repeat(32));
        let records = vec![Record::new(34_349_334, b"hi"), Record::new(70_000, &[1, 2])];
        let received = Payment { direction: Direction::In, records, ..sent.clone() };
        let asked = PayRequest {
            destination: format!("02{}", "11".repeat(32)).parse().expect("a node id"),
            amount_msat: sent.amount_msat,
            key: None,
            max_fee_msat: None,
            timeout_ms: None,
            max_attempts: None,
            message: Some("hi".into()),
            records: vec![RecordInput::bytes(70_000, &[1, 2])],
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
        let told = |change: fn(&mut Payment)| {
            let (asked, sent, mut received) = agreed();
            change(&mut received);
            difference(&asked, &sent, &received).expect("they differ")
        };
        assert!(told(|received| received.amount_msat = Msat::ZERO).contains("amounts"));
        assert!(told(|received| received.preimage_hex = None).contains("proofs"));
        assert!(told(|received| drop(received.records.remove(0))).contains("message"));
        assert!(told(|received| drop(received.records.remove(1))).contains("record 70000"));
        assert!(told(|received| received.records[1].value_hex = "0102ff".into()).contains("record 70000"));
    }
}
