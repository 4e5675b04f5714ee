//! Every commit of a routed payment, on each node: the process aborts before it, or after it and
//! before anybody is told.

use crate::checks;
use crate::node::Started;
use crate::payers::Asked;
use crate::until::{GLANCE, Outcome, PATIENCE};
use crate::world::{ALICE, BOB, CAROL, World};
use sponte_api::{NewInvoice, State};
use sponte_proto::{Msat, Sat};
use std::time::Instant;

const CHANNEL: Sat = Sat::new(1_000_000).expect("below the supply");
const AMOUNT: Msat = Msat::new(1_000_000).expect("below the supply");
/// Commits count from the start of the process; a payment never takes so many.
const MOST: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn alice_aborts_at_every_commit() {
    every_commit(ALICE, What::Keysend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bob_aborts_at_every_commit() {
    every_commit(BOB, What::Keysend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carol_aborts_at_every_commit() {
    every_commit(CAROL, What::Keysend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carol_aborts_at_every_commit_of_an_invoice() {
    every_commit(CAROL, What::Invoice).await;
}

/// What Carol is paid with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Keysend,
    Invoice,
}

/// Until a payment goes through without reaching the failpoint.
async fn every_commit(victim: usize, what: What) {
    let mut world = World::connected(CHANNEL).await.unwrap();
    every_commit_of(&mut world, victim, what).await.unwrap();
    world.end();
}

async fn every_commit_of(world: &mut World, victim: usize, what: What) -> Outcome<()> {
    let mut asked = vec![];
    for point in ["abort-before", "abort-after"] {
        let mut fired = 0;
        for n in 1.. {
            assert!(n < MOST, "the failpoint always fires");
            let failpoint = format!("{point}={n}");
            let ask = asked_for(world, what, &failpoint).await?;
            asked.push(ask.clone());
            let died = one(world, victim, &failpoint, ask).await;
            let died = died.map_err(|why| format!("{} {failpoint}: {why}", world.nodes[victim].name))?;
            checks::all(world, &asked).await.map_err(|why| format!("after {failpoint}: {why}"))?;
            if !died {
                break;
            }
            fired += 1;
        }
        println!("{}: {fired} commits of a start and a payment with {point}", world.nodes[victim].name);
        assert!(fired > 3, "a payment takes more commits than that");
    }
    Ok(())
}

async fn asked_for(world: &World, what: What, key: &str) -> Outcome<Asked> {
    let ask = Asked::new(world, ALICE, CAROL, AMOUNT, key);
    if what == What::Keysend {
        return Ok(ask);
    }
    let new = NewInvoice { amount_msat: Some(AMOUNT), ..NewInvoice::default() };
    let made = world.nodes[CAROL].client()?.create_invoice(&new).await.map_err(|why| why.to_string())?;
    Ok(ask.invoice(&made.bolt11))
}

/// One payment with the failpoint armed; answers whether it fired.
async fn one(world: &mut World, victim: usize, failpoint: &str, ask: Asked) -> Outcome<bool> {
    world.nodes[victim].kill().await;
    let died = match world.nodes[victim].start_or_end(&world.chain, failpoint).await? {
        Started::Ended(_) => true,
        Started::Running => connect_or_die(world, victim).await? || pay_or_die(world, victim, &ask).await?,
    };
    // One that lived has its failpoint still: the scorer's next write would reach it.
    let died = died || world.nodes[victim].kill().await.is_some();
    world.restart(victim, "").await?;
    // Asked once more, as by a client that was told nothing.
    let detail = ask.ended().await?;
    match detail.payment.state {
        State::Settled => Ok(died),
        _ => Err(format!("a crash made it fail: {:?}", detail.payment)),
    }
}

/// Waits until everybody has found the victim again, or it is dead.
async fn connect_or_die(world: &mut World, victim: usize) -> Outcome<bool> {
    world.call_back(victim).await;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if world.nodes[victim].end().is_some() {
            return Ok(true);
        }
        if world.is_connected().await {
            return Ok(false);
        }
        tokio::time::sleep(GLANCE).await;
    }
    Err("the nodes do not find each other".into())
}

/// Asks until the victim dies, or the payment has ended and nothing of it is under way: its last
/// commits come after its end.
async fn pay_or_die(world: &mut World, victim: usize, ask: &Asked) -> Outcome<bool> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let ended = ask.ask(GLANCE).await?;
        let quiet = ended.is_some() && checks::is_settled_down(world).await;
        if world.nodes[victim].end().is_some() {
            return Ok(true);
        }
        match ended {
            Some(detail) if quiet && detail.payment.state == State::Settled => return Ok(false),
            Some(detail) if quiet => return Err(format!("it failed, and nobody died: {:?}", detail.payment)),
            _ => {}
        }
    }
    Err("the payment neither ends nor is interrupted".into())
}
