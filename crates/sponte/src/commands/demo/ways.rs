//! The steps that show how a payment finds its ways: in parts where one path does not do, and by
//! another where the first fails.

use super::report::Step;
use super::until::failed;
use super::world::Inhabitants;
use crate::failure::Failure;
use sponte_api::{Kind, PaymentDetail, State};
use sponte_proto::Msat;

const fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("below the supply")
}

/// More than any path carries, and than any two of them: it goes out as AMP, over bob and over
/// dave. AMP is asked for, as alice may not have heard yet that carol takes it.
pub async fn too_large_for_one(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let ask = world.ask(name, &world.alice, &world.carol, sat(2_050_000)).kind(Kind::Amp);
    let told = ask.settle().await?;
    let mut step = told.step;
    let passed = |node| step.routes.iter().any(|route| route.contains(&node));
    if step.wrong.is_none() && (step.kind != Kind::Amp || step.parts < 3 || !passed("bob") || !passed("dave"))
    {
        step.wrong = Some(format!("it went as {} in {} parts, not as AMP over both", step.kind, step.parts));
    }
    step.note = told.sent.payment.reason;
    Ok(step)
}

/// Bob has sent nearly all that he had in his channel with alice, and nobody but the two knows: what
/// carol pays alice fails there, and goes through dave.
pub async fn another_way(name: &'static str, world: &Inhabitants) -> Result<Step, Failure> {
    let Inhabitants { alice, carol, .. } = world;
    let amount = sat(60_000);
    drain(world).await?;
    let told = world.ask(name, carol, alice, amount).settle().await?;
    let mut step = told.step;
    if step.wrong.is_none() && (step.routes != [["carol", "dave", "alice"]] || step.attempts < 2) {
        step.wrong = Some(format!("it took {} attempts, and went by {:?}", step.attempts, step.routes));
    }
    step.note = failures(world, &told.sent);
    Ok(step)
}

/// Bob pays alice all but little of what he has with her.
async fn drain(world: &Inhabitants) -> Result<(), Failure> {
    let Inhabitants { alice, bob, .. } = world;
    let channels = bob.client().channels().await.map_err(|error| bob.failure(error))?.channels;
    let with_alice = channels.iter().find(|channel| channel.peer == alice.id());
    let sendable = with_alice.ok_or_else(|| failed("bob has no channel with alice"))?.sendable_msat;
    let amount = sendable.saturating_sub(sat(20_000));
    let paid = world.ask("bob pays alice", bob, alice, amount).settle().await?;
    match paid.sent.payment.state {
        State::Settled => Ok(()),
        state => Err(failed(format!("bob's payment to alice is {state}"))),
    }
}

/// Who failed which attempt, and what it said.
fn failures(world: &Inhabitants, sent: &PaymentDetail) -> Option<String> {
    let parts = sent.attempts.iter().flat_map(|attempt| &attempt.parts);
    let told: Vec<String> = parts
        .filter_map(|part| {
            let failure = part.failure.as_ref()?;
            let who = failure.node.map_or("nobody knows who", |id| world.name_of(id));
            Some(format!("{who}: {}", failure.name.as_deref().unwrap_or("no reason")))
        })
        .collect();
    (!told.is_empty()).then(|| format!("what failed before: {}", told.join(", ")))
}
