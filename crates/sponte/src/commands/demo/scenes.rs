//! The steps of the demo, each with what must come of it.

use super::kinds;
use super::payment::incoming;
use super::progress::Progress;
use super::report::{Outcome, Step};
use super::setup::CHANNEL;
use super::until::PATIENCE;
use super::ways;
use super::world::{Inhabitants, World};
use crate::failure::Failure;
use sponte_api::State;
use sponte_proto::Msat;
use std::time::{Duration, Instant};

/// A step of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    Direct,
    Message,
    Records,
    TooMuch,
    SameKey,
    MppKeysend,
    AmpInvoice,
    AmpInvoiceAgain,
    Ecdh,
    HeldAmp,
    HeldKeysend,
    Restart,
    AfterRestart,
    TooLargeForOne,
    AnotherWay,
}

impl Scene {
    /// All of them, in order.
    pub const ALL: [Scene; 15] = [
        Scene::Direct,
        Scene::Message,
        Scene::Records,
        Scene::TooMuch,
        Scene::SameKey,
        Scene::MppKeysend,
        Scene::AmpInvoice,
        Scene::AmpInvoiceAgain,
        Scene::Ecdh,
        Scene::HeldAmp,
        Scene::HeldKeysend,
        Scene::Restart,
        Scene::AfterRestart,
        Scene::TooLargeForOne,
        Scene::AnotherWay,
    ];

    /// Its name; also the payment's key.
    const fn name(self) -> &'static str {
        match self {
            Scene::Direct => "direct",
            Scene::Message => "through bob, with a message",
            Scene::Records => "with custom records",
            Scene::TooMuch => "more than can be sent",
            Scene::SameKey => "the same key twice",
            Scene::MppKeysend => "mpp-keysend",
            Scene::AmpInvoice => "amp-invoice",
            Scene::AmpInvoiceAgain => "the same amp-invoice again",
            Scene::Ecdh => "ecdh",
            Scene::HeldAmp => "amp, held and settled",
            Scene::HeldKeysend => "keysend, held and canceled",
            Scene::Restart => "carol killed and back",
            Scene::AfterRestart => "through bob again",
            Scene::TooLargeForOne => "too large for one path",
            Scene::AnotherWay => "another way after a failure",
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// A node does not do its part at all; what it does wrongly is told by the step.
    pub async fn make(self, world: &mut World, progress: &Progress) -> Result<Step, Failure> {
        let name = self.name();
        progress
            .step(name, async {
                match self {
                    Scene::Direct => direct(name, world.inhabitants()).await,
                    Scene::Message => message(name, world.inhabitants()).await,
                    Scene::Records => records(name, world.inhabitants()).await,
                    Scene::TooMuch => too_much(name, world.inhabitants()).await,
                    Scene::SameKey => same_key(name, world.inhabitants()).await,
                    Scene::MppKeysend => kinds::mpp_keysend(name, world.inhabitants()).await,
                    Scene::AmpInvoice | Scene::AmpInvoiceAgain => {
                        kinds::amp_invoice(name, world.inhabitants()).await
                    }
                    Scene::HeldAmp => kinds::held_amp(name, world.inhabitants()).await,
                    Scene::HeldKeysend => kinds::held_keysend(name, world.inhabitants()).await,
                    Scene::Ecdh => kinds::ecdh(name, world.inhabitants()).await,
                    Scene::Restart => restart(name, world).await,
                    Scene::AfterRestart => after_restart(name, world.inhabitants()).await,
                    Scene::TooLargeForOne => ways::too_large_for_one(name, world.inhabitants()).await,
                    Scene::AnotherWay => ways::another_way(name, world.inhabitants()).await,
                }
            })
            .await
    }
}

const fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("below the supply")
}

async fn direct(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let told = world.ask(name, &world.alice, &world.bob, sat(21_000)).settle().await?;
    Ok(told.step)
}

async fn message(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let ask = world.ask(name, &world.alice, &world.carol, sat(10_000)).message("No invoice, no problem ⚡");
    Ok(through_bob(ask.settle().await?.step))
}

/// An even type and an odd one; who does not know an even one must not take the payment, and
/// carol knows that she lists all.
async fn records(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let ask = world
        .ask(name, &world.alice, &world.carol, sat(5_000))
        .record(133_773_310, &[0x00, 0xff, 0x10, 0x80])
        .record(7_629_169, br#"{"podcast":"demo","action":"boost"}"#);
    Ok(through_bob(ask.settle().await?.step))
}

/// Ten channels' worth through one: it must fail, and say why.
async fn too_much(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let ask = world.ask(name, &world.alice, &world.carol, sat(10 * CHANNEL.to_sat()));
    let begun = Instant::now();
    let sent = ask.pay(PATIENCE).await?;
    let told = ask.look(sent, begun.elapsed()).await?;
    let mut step = told.step;
    let why = told.sent.payment.failure;
    step.wrong = match (&why, step.outcome) {
        (Some(why), Outcome::Failed) if why.code == "insufficient_balance" => None,
        (Some(why), Outcome::Failed) => Some(format!("it failed for another reason: {}", why.message)),
        _ => Some("it did not fail as it had to".into()),
    };
    step.note = why.map(|why| format!("{} ({})", why.message, why.code));
    Ok(step)
}

/// Paid once: one id, one payment at carol's end.
async fn same_key(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let carol = &world.carol;
    let before = incoming(carol).await?.len();
    let ask = world.ask(name, &world.alice, carol, sat(7_000));
    let begun = Instant::now();
    // Both at once, as by an impatient finger.
    let (first, second) = tokio::try_join!(ask.pay(PATIENCE), ask.pay(PATIENCE))?;
    let third = ask.pay(PATIENCE).await?;
    let took = begun.elapsed();
    let ids = [second.payment.id, third.payment.id];
    let one = ids.iter().all(|id| *id == first.payment.id);
    let mut step = through_bob(ask.settled(first, took).await?.step);
    let arrived = incoming(carol).await?.len() - before;
    if step.wrong.is_none() && (!one || arrived != 1) {
        step.wrong = Some(format!("one key, {arrived} payments at carol's end"));
    }
    Ok(step)
}

/// Bob pays carol while she is down: more than he could send elsewhere, so he has to wait for her.
async fn restart(name: &'static str, world: &mut World) -> Result<Step, Failure> {
    let amount = sat(200_000);
    let Inhabitants { bob, carol, .. } = world.inhabitants();
    let id = carol.id();
    carol.kill().await;
    bob.until("has noticed that carol is gone", |info| info.peers == 1).await?;
    let begun = Instant::now();
    let away = &*world.inhabitants();
    let asked = away.ask(name, &away.bob, &away.carol, amount).pay(Duration::ZERO).await?;

    world.restart_carol().await?;
    let back = &*world.inhabitants();
    let ask = back.ask(name, &back.bob, &back.carol, amount);
    // The same key: asking again is how a user learns the end.
    let paid = ask.pay(PATIENCE).await?;
    let same = paid.payment.id == asked.payment.id && back.carol.id() == id;
    let mut step = ask.settled(paid, begun.elapsed()).await?.step;
    if step.wrong.is_none() && (!same || asked.payment.state != State::Pending) {
        step.wrong = Some("the payment did not wait for carol's return".into());
    }
    Ok(step)
}

async fn after_restart(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let told = world.ask(name, &world.alice, &world.carol, sat(3_000)).settle().await?;
    Ok(through_bob(told.step))
}

/// The other way is dearer.
fn through_bob(mut step: Step) -> Step {
    if step.wrong.is_none() && step.routes != [["alice", "bob", "carol"]] {
        step.wrong = Some(format!("it did not go through bob but {}", step.routes.concat().join(", ")));
    }
    step
}
