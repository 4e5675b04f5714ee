//! Seven keysend steps of the demo with 20 `kill -9` at seeded moments.

use crate::checks;
use crate::payers::Asked;
use crate::random::Random;
use crate::until::Outcome;
use crate::world::{ALICE, BOB, CAROL, World};
use sponte_api::{PaymentDetail, State};
use sponte_proto::{Msat, Sat};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

const CHANNEL: Sat = Sat::new(1_000_000).expect("below the supply");
const KILLS: usize = 20;
/// Name, from, to, amount, and whether it can go through.
type Step = (&'static str, usize, usize, u64, bool);
/// The demo's keysend steps but for the held one and the one that goes another way after a failure.
/// Most amounts are others, and the last step goes the other way round.
const STEPS: [Step; 7] = [
    ("direct", ALICE, BOB, 10_000, true),
    ("routed", ALICE, CAROL, 5_000, true),
    ("records", ALICE, CAROL, 21_000, true),
    ("too-much", ALICE, CAROL, 2_000_000, false),
    ("same-key", ALICE, CAROL, 7_000, true),
    ("restart", BOB, CAROL, 30_000, true),
    ("back", CAROL, ALICE, 3_000, true),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_steps_survive_twenty_kills() {
    let mut random = Random::from_environment("kills");
    let mut world = World::connected(CHANNEL).await.unwrap();
    twenty_kills(&mut world, &mut random).await.unwrap();
    world.end();
}

/// A step begins, then somebody is killed and started again, whatever is under way.
async fn twenty_kills(world: &mut World, random: &mut Random) -> Outcome<()> {
    let mut steps = JoinSet::new();
    for kill in 0..KILLS {
        let step = STEPS[kill % STEPS.len()];
        let ask = ask(world, step, kill);
        // An impatient finger: all must end as one payment.
        let times = if step.0 == "same-key" { 3 } else { 1 };
        for _ in 0..times {
            steps.spawn(perform(step, ask.clone()));
        }
        let (victim, moment) = (random.index(3), random.millis(400));
        tokio::time::sleep(moment).await;
        if let Some(status) = world.nodes[victim].kill().await {
            return Err(world.nodes[victim].ended(status));
        }
        world.restart(victim, "").await?;
    }
    let mut asked = BTreeMap::new();
    while let Some(step) = steps.join_next().await {
        let ask = step.map_err(|why| why.to_string())??;
        asked.insert(ask.key().to_owned(), ask);
    }
    let asked: Vec<Asked> = asked.into_values().collect();
    let counts = checks::all(world, &asked).await?;
    println!("{KILLS} kills, {} settled, {} failed", counts.settled, counts.failed);
    Ok(())
}

/// Asks until it has ended, as it should.
async fn perform(step: Step, ask: Asked) -> Outcome<Asked> {
    judge(step, &ask.ended().await?)?;
    Ok(ask)
}

fn ask(world: &World, step: Step, number: usize) -> Asked {
    let (name, from, to, amount_sat, _) = step;
    let amount = Msat::from_sat(amount_sat).expect("below the supply");
    let ask = Asked::new(world, from, to, amount, &format!("{name}/{number}"));
    match name {
        "routed" => ask.message("through bob"),
        "records" => ask.record(133_773_310, br#"{"sats":21}"#).record(7_629_169, b"podcast"),
        _ => ask,
    }
}

/// A kill may delay what can go through, but not make it fail; nor the other way round.
fn judge(step: Step, detail: &PaymentDetail) -> Outcome<()> {
    let expected = if step.4 { State::Settled } else { State::Failed };
    if detail.payment.state == expected {
        return Ok(());
    }
    Err(format!("{} should be {expected}: {:?}", step.0, detail.payment))
}
