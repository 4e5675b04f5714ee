//! The control that must fail: completions before the fsync, with slow commits. A harness that
//! does not see that damage would see no other.

use crate::checks;
use crate::long::{CHANNEL, Storm};
use crate::random::{Random, setting};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes many minutes: run before a release, see main.rs"]
async fn completion_before_the_fsync_is_noticed() {
    let mut random = Random::from_environment("control");
    let kills = setting("SPONTE_CRASH_KILLS", 100);
    let storm = Storm { kills, failpoints: &["early,slow-ms=40,mark-synced"], early: true };
    let mut world = World::connected(CHANNEL).await.unwrap();
    match storm.rage(&mut world, &mut random).await {
        Ok(report) => panic!("nobody noticed: {report:?}"),
        Err(symptom) => println!("noticed: {symptom}"),
    }
    let damage = checks::damage(&world).await;
    println!("damage: {damage:#?}");
    assert!(!damage.is_empty(), "the storm stopped, but nothing is broken");
    world.end();
}
