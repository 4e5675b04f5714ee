//! 300 kills under 60 open payments, with slow commits and lost writes.
//!
//! `SPONTE_CRASH_KILLS` sets another number.

use crate::checks;
use crate::payers::Asked;
use crate::random::{Random, setting};
use crate::until::Outcome;
use crate::world::World;
use sponte_proto::{Msat, Sat};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

/// Of both channels.
pub const CHANNEL: Sat = Sat::new(20_000_000).expect("below the supply");
/// Each has one payment open at any time.
const PAYERS: usize = 60;
/// Of each payment: small ones are dust on the chain, large ones are not.
const MOST_MSAT: u64 = 20_000_000;
/// Disks that tell what was synced. Under the slow one much waits for a commit; under the fast one
/// a kill often falls between the write and its sync, and there is something to cut.
pub const TROUBLE: [&str; 2] = ["slow-ms=40,mark-synced", "mark-synced"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes many minutes: run before a release, see main.rs"]
async fn sixty_open_payments_survive_three_hundred_kills() {
    let mut random = Random::from_environment("payments");
    let storm = Storm { kills: setting("SPONTE_CRASH_KILLS", 300), failpoints: &TROUBLE, early: false };
    let began = Instant::now();
    let mut world = World::connected(CHANNEL).await.unwrap();
    let report = storm.rage(&mut world, &mut random).await.unwrap();
    world.end();
    println!("{report:?} in {} s", began.elapsed().as_secs());
}

/// Kills under load.
pub struct Storm {
    pub kills: u64,
    /// Of every node: one of them at every start.
    pub failpoints: &'static [&'static str],
    /// They break the first law.
    pub early: bool,
}

/// What a storm was.
#[derive(Debug)]
#[expect(dead_code, reason = "it is printed")]
pub struct Report {
    kills: u64,
    cut_bytes: u64,
    settled: usize,
    failed: usize,
}

impl Storm {
    /// All of it, and the checks; an error is what was damaged.
    pub async fn rage(&self, world: &mut World, random: &mut Random) -> Outcome<Report> {
        for at in 0..world.nodes.len() {
            world.nodes[at].kill().await;
            world.restart(at, random.one_of(self.failpoints)).await?;
        }
        world.usable().await?;
        let enough = Arc::new(AtomicBool::new(false));
        let mut payers = self.pay_on(world, random, &enough);
        let mut cut_bytes = 0;
        let mut killed = 0;
        while killed < self.kills {
            tokio::time::sleep(random.millis(1_000)).await;
            if random.one_in(5) {
                world.mine(1);
            }
            let (deaths, bytes) = self.strike(world, random).await?;
            killed += deaths;
            cut_bytes += bytes;
            if let Some(ended) = payers.try_join_next() {
                ended.map_err(|why| why.to_string())??;
                return Err("a payer stopped by itself".into());
            }
        }
        world.usable().await?;
        enough.store(true, Ordering::Relaxed);
        let mut asked = vec![];
        while let Some(ended) = payers.join_next().await {
            asked.extend(ended.map_err(|why| why.to_string())??);
        }
        let counts = checks::all(world, &asked).await?;
        Ok(Report { kills: killed, cut_bytes, settled: counts.settled, failed: counts.failed })
    }

    /// Kills one, at times two, cuts what was not synced, starts again; answers deaths and bytes.
    async fn strike(&self, world: &mut World, random: &mut Random) -> Outcome<(u64, u64)> {
        let first = random.index(world.nodes.len());
        let mut victims = vec![first];
        if random.one_in(6) {
            victims.push((first + 1) % world.nodes.len());
        }
        let mut bytes = 0;
        for victim in &victims {
            if let Some(status) = world.nodes[*victim].kill().await {
                return Err(world.nodes[*victim].ended(status));
            }
            bytes += world.cut(*victim, random)?;
        }
        for victim in &victims {
            world.restart(*victim, random.one_of(self.failpoints)).await?;
        }
        // Sometimes the next blow comes before they have found each other.
        if !random.one_in(4) {
            world.usable().await?;
        }
        Ok((victims.len() as u64, bytes))
    }

    /// Payments in all directions, one after the other by each payer, until it is enough.
    fn pay_on(
        &self,
        world: &World,
        random: &mut Random,
        enough: &Arc<AtomicBool>,
    ) -> JoinSet<Outcome<Vec<Asked>>> {
        let mut payers = JoinSet::new();
        for payer in 0..PAYERS {
            // Six directions, equally many of each.
            let (from, step) = (payer % 3, 1 + payer / 3 % 2);
            let to = (from + step) % 3;
            let model = Asked::new(world, from, to, Msat::ZERO, "").patient(self.early);
            let (mut random, enough) = (random.branch(), Arc::clone(enough));
            payers.spawn(async move {
                let mut asked = vec![];
                while !enough.load(Ordering::Relaxed) {
                    let below = if random.one_in(2) { 300_000 } else { MOST_MSAT };
                    let mut ask = model.clone();
                    ask.request.amount_msat =
                        Msat::new(random.range(1_000..below)).expect("below the supply");
                    ask.request.key = Some(format!("{payer}/{}", asked.len()));
                    ask.ended().await?;
                    asked.push(ask);
                }
                Ok(asked)
            });
        }
        payers
    }
}
