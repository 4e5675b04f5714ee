//! The steps that show every kind, and payments that somebody holds.

use super::node::Node;
use super::payment::Ask;
use super::report::{Outcome, Step};
use super::until::{PATIENCE, failed, until};
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::{AmpInvoice, Hold, Kind, NewAmpInvoice, PageQuery, Payment, PaymentDetail, Receive, State};
use sponte_proto::Msat;
use std::time::{Duration, Instant};

/// A record that carol looks at before she takes a payment; odd, so that nobody must know it.
const ORDER: u64 = 7_629_171;

const fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("below the supply")
}

/// One hash, one preimage, two parts (bLIP-3 with a payment secret): so much of a channel is not
/// taken as long as there are others.
pub async fn mpp_keysend(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let ask = world.ask(name, &world.alice, &world.carol, sat(400_000)).kind(Kind::MppKeysend);
    Ok(ask.settle().await?.step)
}

/// To an invoice of carol's, which takes any number of payments: this is one of them.
pub async fn amp_invoice(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let Inhabitants { alice, carol, .. } = world;
    let before = invoice(carol).await?;
    let mut step = world.ask(name, alice, carol, sat(3_000)).invoice(&before.bolt11).settle().await?.step;
    let after = invoice(carol).await?;
    if after.payment_count != before.payment_count + 1 {
        step.wrong = Some("carol's invoice does not count the payment".into());
    }
    step.note = Some(format!("the invoice has {} payments", after.payment_count));
    Ok(step)
}

/// The one that carol has, made for the first who asks.
async fn invoice(carol: &Node) -> Result<AmpInvoice, Failure> {
    let known = carol.client().amp_invoices(&PageQuery::default()).await;
    let known = known.map_err(|error| carol.failure(error))?.amp_invoices;
    if let Some(invoice) = known.into_iter().next() {
        return Ok(invoice);
    }
    let new =
        NewAmpInvoice { amount_msat: Some(sat(3_000)), description: "soup".into(), expiry_seconds: None };
    carol.client().create_amp_invoice(&new).await.map_err(|error| carol.failure(error))
}

/// No preimage travels: it follows from the secret that the onion shares with carol.
pub async fn ecdh(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let ask = world.ask(name, &world.alice, &world.carol, sat(2_000)).kind(Kind::Ecdh);
    Ok(ask.settle().await?.step)
}

/// Carol holds a set, looks at the record that came with it, and takes all.
pub async fn held_amp(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    hold(&world.carol, Hold::Records([ORDER].into())).await?;
    let ask = world
        .ask(name, &world.alice, &world.carol, sat(15_000))
        .kind(Kind::Amp)
        .record(ORDER, b"one soup, please");
    let (sent, took) = decided(&ask, &world.carol, true).await?;
    Ok(ask.settled(sent, took).await?.step)
}

/// Carol holds a keysend, and gives it back.
pub async fn held_keysend(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let (carol, amount) = (&world.carol, sat(9_000));
    hold(carol, Hold::From(amount)).await?;
    let ask = world.ask(name, &world.alice, carol, amount).kind(Kind::Keysend);
    let (sent, took) = decided(&ask, carol, false).await?;
    let told = ask.look(sent, took).await?;
    let mut step = told.step;
    let why = told.sent.payment.failure;
    step.wrong = match (&why, step.outcome) {
        (Some(why), Outcome::Canceled) if why.code == "recipient_refused" => None,
        _ => Some(format!("it was not canceled as it had to be: {why:?}")),
    };
    step.note = why.map(|why| format!("{} ({})", why.message, why.code));
    let reset = carol.client().reset_receive().await;
    reset.map_err(|error| carol.failure(error)).map(|_| step)
}

/// Pays, lets carol decide once she holds it, and waits for the sender's end.
async fn decided(ask: &Ask<'_>, carol: &Node, take: bool) -> Result<(PaymentDetail, Duration), Failure> {
    let begun = Instant::now();
    ask.pay(Duration::ZERO).await?;
    let held: Payment = until("carol holds it", async || {
        let all = super::payment::incoming(carol).await?;
        Ok(all.into_iter().find(|payment| payment.state == State::Held))
    })
    .await?;
    carol.client().decide(held.id, take).await.map_err(|error| carol.failure(error))?;
    let sent = ask.pay(PATIENCE).await?;
    if sent.payment.state == State::Pending {
        return Err(failed("the sender does not learn of carol's decision"));
    }
    Ok((sent, begun.elapsed()))
}

/// Carol holds these payments from now on.
async fn hold(carol: &Node, hold: Hold) -> Result<(), Failure> {
    let receive = carol.client().receive().await.map_err(|error| carol.failure(error))?.receive;
    let set = carol.client().set_receive(&Receive { hold, ..receive }).await;
    set.map_err(|error| carol.failure(error)).map(drop)
}
