//! Openings, half of them with a push: 60 with a kill of either side in each, at random moments,
//! with slow commits, lost writes, and blocks mined at random; and one for each commit of either
//! side, which aborts before or after it.
//!
//! In the end every channel whose funding transaction was broadcast is usable at both ends, what
//! was answered to the caller is true, and after cooperative closes all money is back.
//! `SPONTE_CRASH_OPENINGS` sets another number.

use crate::checks;
use crate::long::TROUBLE;
use crate::node::{Started, client};
use crate::random::{Random, setting};
use crate::until::{GLANCE, Outcome, PATIENCE, until};
use crate::world::{ALICE, BOB, CAROL, World};
use bitcoin::OutPoint;
use sponte_api::{Channel, ChannelState, OpenChannelRequest};
use sponte_proto::{Msat, Sat, Txid};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The first channel's value; each next one's is a satoshi more, which tells its funding output.
const FIRST_SAT: u64 = 200_000;
/// What every other opener gives away: no whole number of satoshi.
const PUSH: Msat = Msat::new(50_000_123).expect("below the supply");
/// What lies so deep counts as final.
const DEEP: u32 = 6;
/// Commits count from the start of the process; an opening never takes so many.
const MOST: u64 = 100;
/// Blocks after which a closed channel whose funding was never seen is given up.
const GIVEN_UP: u32 = 2_016;
const DAY: u32 = 144;
const PAIRS: [(usize, usize); 4] = [(ALICE, BOB), (BOB, ALICE), (BOB, CAROL), (CAROL, BOB)];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes many minutes: run before a release, see main.rs"]
async fn sixty_openings_survive_a_kill_in_each() {
    let mut random = Random::from_environment("openings");
    let began = Instant::now();
    let mut world = World::funded(10).await.unwrap();
    let openings = setting("SPONTE_CRASH_OPENINGS", 60);
    let report = openings_with_kills(&mut world, &mut random, openings).await.unwrap();
    println!("{report:?} in {} s", began.elapsed().as_secs());
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run before a release, see main.rs"]
async fn the_opener_aborts_at_every_commit_of_an_opening() {
    every_commit(ALICE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run before a release, see main.rs"]
async fn the_fundee_aborts_at_every_commit_of_an_opening() {
    every_commit(BOB).await;
}

async fn every_commit(victim: usize) {
    let mut world = World::funded(10).await.unwrap();
    let report = every_commit_of(&mut world, victim).await.unwrap();
    println!("{report:?}");
    world.end();
}

/// What became of all of them.
#[derive(Debug, Default)]
struct Report {
    openings: u64,
    kills: u64,
    cut_bytes: u64,
    /// Callers who were told that their channel is on its way.
    promised: usize,
    /// Channels whose funding transaction confirmed: all usable at both ends.
    usable: usize,
}

/// One opening, from the caller's view.
struct Opening {
    value_sat: u64,
    opener: usize,
    fundee: usize,
    answer: JoinHandle<Option<Txid>>,
}

async fn openings_with_kills(world: &mut World, random: &mut Random, openings: u64) -> Outcome<Report> {
    for at in 0..world.nodes.len() {
        world.nodes[at].kill().await;
        world.restart(at, random.one_of(&TROUBLE)).await?;
    }
    let mut report = Report { openings, ..Report::default() };
    let mut all = vec![];
    for number in 0..openings {
        let (opener, fundee) = PAIRS[random.index(PAIRS.len())];
        // At times the last victims have not found each other again.
        if !random.one_in(4) {
            world.connect().await?;
        }
        all.push(begin(world, opener, fundee, number));
        strike(world, random, opener, fundee, &mut report).await?;
    }
    finish(world, all, &mut report).await?;
    Ok(report)
}

/// Until an opening goes through without reaching the failpoint.
async fn every_commit_of(world: &mut World, victim: usize) -> Outcome<Report> {
    let (mut report, mut all) = (Report::default(), vec![]);
    for point in ["abort-before", "abort-after"] {
        let mut fired = 0;
        for n in 1.. {
            assert!(n < MOST, "the failpoint always fires");
            let died = opening_with(world, victim, &format!("{point}={n}"), &mut all).await?;
            if !died {
                break;
            }
            fired += 1;
        }
        println!("{}: {fired} commits of a start and an opening with {point}", world.nodes[victim].name);
        assert!(fired > 3, "an opening takes more commits than that");
        report.kills += fired;
    }
    report.openings = all.len() as u64;
    world.nodes[victim].kill().await;
    world.restart(victim, "").await?;
    finish(world, all, &mut report).await?;
    Ok(report)
}

/// One opening by alice with the failpoint armed at the victim; answers whether it fired.
async fn opening_with(
    world: &mut World,
    victim: usize,
    failpoint: &str,
    all: &mut Vec<Opening>,
) -> Outcome<bool> {
    world.nodes[victim].kill().await;
    let started = world.nodes[victim].start_or_end(&world.chain, failpoint).await?;
    let died = match started {
        Started::Ended(_) => true,
        Started::Running => {
            // The victim may be dead by now.
            let _ = world.connect().await;
            let opening = begin(world, ALICE, BOB, all.len() as u64);
            let died = until_usable_or_dead(world, victim, opening.value_sat).await?;
            all.push(opening);
            died
        }
    };
    if died {
        world.restart(victim, "").await?;
        world.connect().await?;
    }
    Ok(died)
}

/// Mines until both can use the channel, and nothing more is to be written; answers whether the
/// victim died before.
async fn until_usable_or_dead(world: &mut World, victim: usize, value_sat: u64) -> Outcome<bool> {
    let deadline = Instant::now() + PATIENCE;
    let mut mined = Instant::now();
    while Instant::now() < deadline {
        if world.nodes[victim].end().is_some() {
            return Ok(true);
        }
        let mut usable = 0;
        for at in [ALICE, BOB] {
            let Ok(list) = listed(world, world.nodes[at].name).await else { continue };
            let so = |channel: &Channel| {
                channel.value_sat.to_sat() == value_sat && channel.state == ChannelState::Usable
            };
            usable += usize::from(list.iter().any(so));
        }
        if usable == 2 {
            return Ok(false);
        }
        if mined.elapsed() > 10 * GLANCE {
            world.mine(1);
            mined = Instant::now();
        }
        tokio::time::sleep(GLANCE).await;
    }
    Err(format!("the channel of {value_sat} sat is neither usable nor interrupted"))
}

/// Asks for a channel, every other one with a push; tells its funding if the node said that it is
/// on its way.
fn begin(world: &World, opener: usize, fundee: usize, number: u64) -> Opening {
    let value_sat = FIRST_SAT + number;
    let push = if number.is_multiple_of(2) { PUSH } else { Msat::ZERO };
    let request = OpenChannelRequest {
        peer: world.nodes[fundee].id(),
        address: None,
        value_sat: Sat::new(value_sat).expect("below the supply"),
        push_msat: push,
        announce: false,
    };
    let dir = world.nodes[opener].dir.clone();
    let answer = tokio::spawn(async move {
        let opened = client(&dir).ok()?.open_channel(&request).await;
        opened.ok().map(|opened| opened.funding_txid)
    });
    Opening { value_sat, opener, fundee, answer }
}

/// Kills one of the two or both at a random moment, with blocks before and after.
async fn strike(
    world: &mut World,
    random: &mut Random,
    opener: usize,
    fundee: usize,
    report: &mut Report,
) -> Outcome<()> {
    let victims = match random.index(6) {
        0 => vec![opener, fundee],
        1 | 2 => vec![opener],
        3 | 4 => vec![fundee],
        _ => vec![fundee, opener],
    };
    tokio::time::sleep(random.millis(600)).await;
    if random.one_in(3) {
        world.mine(1 + random.range(0..3) as u32);
        tokio::time::sleep(random.millis(60)).await;
    }
    for victim in &victims {
        if let Some(status) = world.nodes[*victim].kill().await {
            return Err(world.nodes[*victim].ended(status));
        }
        report.cut_bytes += world.cut(*victim, random)?;
        report.kills += 1;
    }
    if random.one_in(2) {
        world.mine(1 + random.range(0..8) as u32);
    }
    for victim in &victims {
        world.restart(*victim, random.one_of(&TROUBLE)).await?;
    }
    if random.one_in(3) {
        world.mine(1);
    }
    Ok(())
}

/// Everything confirms; then everything is closed; then nothing may be missing.
async fn finish(world: &mut World, all: Vec<Opening>, report: &mut Report) -> Outcome<()> {
    world.connect().await?;
    let mut promised = BTreeMap::new();
    for opening in all {
        let Opening { value_sat, opener, fundee, answer } = opening;
        // Of one that waits for a peer who is gone no answer comes.
        let told = tokio::time::timeout(Duration::from_secs(5), answer).await;
        let funding = told.ok().and_then(Result::ok).flatten();
        promised.insert(value_sat, (opener, fundee, funding));
    }
    report.promised = promised.values().filter(|(_, _, funding)| funding.is_some()).count();
    world.bury(DEEP).await?;
    report.usable = confirmed_are_usable(world, &promised).await?;
    close_all(world).await?;
    // The closing transaction, then the sweep of its output.
    world.bury(2 * DEEP).await?;
    for _ in 0..GIVEN_UP / DAY {
        world.mine(DAY);
        world.synced().await?;
    }
    let mut left_over = vec![];
    let gone = until("nothing of any channel is waited for", async || {
        left_over.clear();
        // What is given up is looked for with a block.
        world.mine(1);
        world.synced().await?;
        for node in &world.nodes {
            let list = listed(world, node.name).await?;
            left_over.extend(list.into_iter().map(|channel| format!("{}: {channel:?}", node.name)));
        }
        Ok(left_over.is_empty().then_some(()))
    });
    gone.await.map_err(|why| format!("{why}: {left_over:#?} of {report:?}"))?;
    for node in &world.nodes {
        checks::no_panic(node)?;
        checks::audited_or_closing(node).await?;
        free_coins(world, node.name).await?;
    }
    Ok(())
}

/// Every funding transaction in the chain belongs to a channel that both ends can use, and
/// every promise is in the chain.
async fn confirmed_are_usable(
    world: &World,
    promised: &BTreeMap<u64, (usize, usize, Option<Txid>)>,
) -> Outcome<usize> {
    let confirmed = world.outputs(FIRST_SAT..FIRST_SAT + promised.len() as u64);
    for (value_sat, (_, _, funding)) in promised {
        let known = confirmed.get(value_sat).map(|outpoint| outpoint.txid.to_string());
        if funding.is_some_and(|funding| known != Some(funding.to_string())) {
            return Err(format!(
                "the caller was promised {funding:?} of {value_sat} sat, the chain has {known:?}"
            ));
        }
    }
    let mut wrong = vec![];
    let deadline = Instant::now() + PATIENCE;
    loop {
        wrong.clear();
        for (value_sat, outpoint) in &confirmed {
            let (opener, fundee, _) = promised[value_sat];
            for end in [opener, fundee] {
                let state = state_at(world, end, outpoint).await?;
                if state != Some(ChannelState::Usable) {
                    let (opener, fundee) = (world.nodes[opener].name, world.nodes[fundee].name);
                    let end = world.nodes[end].name;
                    wrong.push(format!(
                        "{opener} to {fundee}, {value_sat} sat, {outpoint}: {state:?} at {end}"
                    ));
                }
            }
        }
        if wrong.is_empty() {
            return Ok(confirmed.len());
        }
        if Instant::now() > deadline {
            return Err(format!("funded, but not usable at both ends: {wrong:#?}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn state_at(world: &World, at: usize, funding: &OutPoint) -> Outcome<Option<ChannelState>> {
    let list = listed(world, world.nodes[at].name).await?;
    let found = list.into_iter().find(|channel| {
        channel.funding_txid.is_some_and(|txid| txid.to_string() == funding.txid.to_string())
            && channel.funding_output == Some(funding.vout)
    });
    Ok(found.map(|channel| channel.state))
}

async fn listed(world: &World, name: &str) -> Outcome<Vec<Channel>> {
    let node = world.nodes.iter().find(|node| node.name == name).expect("one of three");
    Ok(node.client()?.channels().await.map_err(|why| why.to_string())?.channels)
}

/// Closes what is usable, each channel by its opener, and waits until no node has an open one
/// that is funded.
async fn close_all(world: &World) -> Outcome<()> {
    for node in &world.nodes {
        for channel in listed(world, node.name).await? {
            if channel.outbound && channel.state == ChannelState::Usable {
                let closed = node.client()?.close_channel(channel.id, false).await;
                closed.map_err(|why| format!("{}: {why}", node.name))?;
            }
        }
    }
    for node in &world.nodes {
        until(&format!("{} has closed its channels", node.name), async || {
            let list = listed(world, node.name).await?;
            let open = [ChannelState::Usable, ChannelState::Offline, ChannelState::ShuttingDown];
            Ok(list.iter().all(|channel| !open.contains(&channel.state)).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// No coin of the wallet is held for a funding that will not be.
async fn free_coins(world: &World, name: &str) -> Outcome<()> {
    let node = world.nodes.iter().find(|node| node.name == name).expect("one of three");
    let what = format!("{name}'s coins are free");
    until(&what, async || {
        let balance = node.client()?.wallet_balance().await.map_err(|why| why.to_string())?;
        let kept = balance.spendable_sat.to_sat() + balance.reserve_sat.to_sat();
        let free = kept == balance.confirmed_sat.to_sat() && balance.unconfirmed_sat == Sat::ZERO;
        Ok(free.then_some(()))
    })
    .await
}
