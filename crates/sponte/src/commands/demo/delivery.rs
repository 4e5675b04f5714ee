//! A payment of dave's to carol: HTLCs that he makes by hand, and what carol's ledger says of them.

use super::dave::{self, Way};
use super::payment::incoming;
use super::report::{Ledgers, Step};
use super::until::{failed, until};
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::{Kind, Payment, State};
use sponte_proto::failure::FailureCode;
use sponte_proto::onion::SharedSecret;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{Msat, PaymentHash, PaymentId};
use sponte_raw::{Outcome, RawHtlc, Sent};
use std::time::Instant;

/// Blocks that are left at carol's end, enough for her to hold a payment.
const FINAL_DELTA: u16 = 100;

/// One under way.
pub struct Delivery<'a> {
    name: &'static str,
    kind: Kind,
    world: &'a Inhabitants,
    begun: Instant,
    /// What carol had received before.
    before: Vec<PaymentId>,
    amount: Msat,
    parts: Vec<(Way, Sent)>,
}

/// How an HTLC's hash follows from the secret that dave shares with carol.
pub type Hash = Box<dyn Fn(&SharedSecret) -> PaymentHash>;

impl<'a> Delivery<'a> {
    /// Without an HTLC yet.
    ///
    /// # Errors
    /// Carol does not answer.
    pub async fn new(
        name: &'static str,
        kind: Kind,
        world: &'a Inhabitants,
    ) -> Result<Delivery<'a>, Failure> {
        let before = incoming(&world.carol).await?.into_iter().map(|payment| payment.id).collect();
        let (begun, amount, parts) = (Instant::now(), Msat::ZERO, vec![]);
        Ok(Delivery { name, kind, world, begun, before, amount, parts })
    }

    /// Sends an HTLC of so much, with what makes it one of its kind.
    ///
    /// # Errors
    /// It does not leave.
    pub fn send(
        &mut self,
        way: Way,
        amount: Msat,
        hash: Hash,
        kind: impl Fn(&mut FinalPayload) + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let payload = Box::new(move |expiry| {
            let mut payload = FinalPayload::new(amount, expiry);
            kind(&mut payload);
            payload.encode()
        });
        let route = way.hops.clone();
        let sent =
            self.world.dave.send(RawHtlc { route, amount, final_delta: FINAL_DELTA, hash, payload })?;
        self.amount = self.amount.checked_add(amount).expect("small");
        self.parts.push((way, sent));
        Ok(())
    }

    /// Waits until carol's ledger says that the payment is in this state.
    ///
    /// # Errors
    /// It never is.
    pub async fn is(&self, state: State) -> Result<Payment, Failure> {
        until(&format!("carol's ledger says that it is {state}"), async || {
            let new = incoming(&self.world.carol).await?.into_iter();
            let mut new = new.filter(|payment| !self.before.contains(&payment.id));
            Ok(new.find(|payment| payment.kind == self.kind && payment.state == state))
        })
        .await
    }

    /// All of it must be paid.
    ///
    /// # Errors
    /// An HTLC does not end, or carol does not answer.
    pub async fn settled(self) -> Result<Step, Failure> {
        let mut wrong = None;
        for (_, sent) in &self.parts {
            match dave::end(sent).await? {
                Outcome::Settled(preimage) if preimage.payment_hash() == sent.hash => {}
                other => wrong = Some(format!("an HTLC ended otherwise: {other:?}")),
            }
        }
        self.ended(State::Settled, State::Settled, wrong).await
    }

    /// All of it must come back, refused by carol as if she had never heard of it (BOLT 4,
    /// `incorrect_or_unknown_payment_details`).
    ///
    /// # Errors
    /// As [`Delivery::settled`].
    pub async fn canceled(self) -> Result<Step, Failure> {
        let mut wrong = None;
        for (way, sent) in &self.parts {
            match dave::end(sent).await? {
                Outcome::Failed { hop, failure, .. }
                    if hop + 1 == way.hops.len()
                        && failure.code() == FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS => {}
                other => wrong = Some(format!("an HTLC ended otherwise: {other:?}")),
            }
        }
        self.ended(State::Failed, State::Canceled, wrong).await
    }

    /// What both ends say, dave by what became of his HTLCs.
    async fn ended(self, dave: State, carol: State, wrong: Option<String>) -> Result<Step, Failure> {
        let took = self.begun.elapsed();
        let received = match &wrong {
            None => Some(self.is(carol).await?),
            Some(_) => None,
        };
        let sender = wrong.is_none().then_some(dave);
        let ledgers = Ledgers { sender, receiver: received.as_ref().map(|payment| payment.state) };
        let amount = received.map(|payment| payment.amount_msat);
        let wrong = wrong
            .or((amount != Some(self.amount))
                .then(|| "carol's ledger has another amount than dave sent".into()));
        let fees = self.parts.iter().map(|(way, _)| way.fee().to_msat());
        let mut routes: Vec<_> = self.parts.iter().map(|(way, _)| way.names.clone()).collect();
        routes.dedup();
        Ok(Step {
            name: self.name,
            kind: self.kind,
            from: "dave",
            to: self.world.carol.name,
            amount_msat: self.amount.to_msat(),
            fee_msat: if dave == State::Settled { fees.sum() } else { 0 },
            parts: u32::try_from(self.parts.len()).map_err(|_| failed("too many parts"))?,
            outcome: ledgers.outcome(),
            latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            routes,
            ledgers,
            note: None,
            wrong,
        })
    }
}
