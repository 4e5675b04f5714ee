//! What a folder holds after its process died: by failpoints, by a kill, by a loss of power.

use crate::rows::*;
use sponte_engine::commit::Transaction;
use sponte_store::{Failpoints, Options, Store, cut_unsynced};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

const FOLDER: &str = "SPONTE_STORE_TEST_FOLDER";
const FAILPOINTS: &str = "SPONTE_STORE_TEST_FAILPOINTS";
const PIPELINE: &str = "SPONTE_STORE_TEST_PIPELINE";
/// More submissions than any test lets through.
const SUBMISSIONS: u64 = 100_000;

/// The other process; does nothing unless it is started by a test below. Writes one submission
/// after the other, so many ahead of their ends, and says which have ended.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let setting = |name| std::env::var(name).expect("set with the folder");
    let failpoints = Failpoints::parse(&setting(FAILPOINTS)).expect("known words");
    let pipeline: u64 = setting(PIPELINE).parse().expect("a number");
    let store = Store::open(Path::new(&folder), Options { create: true, failpoints }).expect("a free folder");
    let writer = store.writer();
    let (sender, ended) = mpsc::channel();
    for n in 0..SUBMISSIONS {
        let sender = sender.clone();
        let end = Box::new(move |end: Result<_, _>| {
            end.expect("written");
            // One write, so that a kill leaves whole lines.
            std::io::stderr().write_all(format!("ended {n}\n").as_bytes()).expect("the parent reads");
            sender.send(()).expect("awaited");
        });
        writer.submit(nth(n), end);
        if n + 1 >= pipeline {
            ended.recv_timeout(DEADLINE).expect("every submission ends");
        }
    }
}

/// A settled payment and a value of a size that fills pages.
fn nth(n: u64) -> Transaction {
    let value = vec![n as u8; 100 + (n as usize * 977) % 20_000];
    let kv = put("test", &format!("{n:06}"), &value).kv;
    Transaction { changes: settled(n + 1), kv }
}

fn spawn(folder: &Path, failpoints: &str, pipeline: u64) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["crash::child", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(FAILPOINTS, failpoints)
        .env(PIPELINE, pipeline.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test starts again")
}

/// Reads which submissions have ended; kills the child once so many have. Answers how many it
/// was told of before it was gone.
fn run(folder: &Path, failpoints: &str, pipeline: u64, kill_after: Option<u64>) -> u64 {
    let mut child = spawn(folder, failpoints, pipeline);
    let stderr = child.stderr.take().expect("piped");
    let mut told = 0;
    for line in BufReader::new(stderr).lines() {
        let line = line.expect("text");
        if let Some(n) = line.strip_prefix("ended ") {
            assert_eq!(n.parse(), Ok(told), "in order");
            told += 1;
            if Some(told) == kill_after {
                child.kill().expect("ours");
            }
        }
    }
    let status = child.wait().expect("ours");
    assert!(!status.success(), "it was to die");
    told
}

/// How many submissions are there, after checking that each is there as a whole, and none
/// behind one that is missing.
fn survivors(folder: &Path) -> u64 {
    let store = open(folder);
    let ledger = store.ledger();
    assert_eq!(ledger.check().expect("read"), [""; 0]);
    let kv = store.kv("test").expect("read");
    for (n, (key, value)) in kv.iter().enumerate() {
        let Transaction { changes, kv } = nth(n as u64);
        assert_eq!((key, Some(value)), (&kv.entries[0].key, kv.entries[0].value.as_ref()));
        assert_eq!(ledger.payment(&changes.payments[0].id).expect("read").as_ref(), changes.payments.first());
    }
    let count = kv.len() as u64;
    assert_eq!(ledger.payments_count(None, None).expect("read"), count);
    assert_eq!(ledger.last_event_seq().expect("read"), count);
    // It goes on.
    write(&store, put("other", "after", b"")).expect("written");
    count
}

#[test]
fn dead_before_and_after_each_commit() {
    for n in 1..=4 {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let told = run(dir.path(), &format!("abort-before={n}"), 1, None);
        assert_eq!((told, survivors(dir.path())), (n - 1, n - 1));

        let dir = tempfile::tempdir().expect("a temporary folder");
        let told = run(dir.path(), &format!("abort-after={n}"), 1, None);
        assert_eq!((told, survivors(dir.path())), (n - 1, n));
    }
}

/// The control: who is told before the commit is told of what is lost.
#[test]
fn the_control_is_caught() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let told = run(dir.path(), "early,abort-before=3", 1, None);
    assert_eq!((told, survivors(dir.path())), (3, 2));
}

#[test]
fn killed_while_many_wait() {
    for seed in 1..=8u64 {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let failpoints = if seed % 2 == 0 { "slow-ms=3,mark-synced" } else { "mark-synced" };
        let told = run(dir.path(), failpoints, 1 + seed * 5, Some(seed * 23));
        let cut = cut_unsynced(dir.path(), mix(seed)).expect("nobody has it open");
        let there = survivors(dir.path());
        assert!(there >= told, "seed {seed}: {told} told, {there} there, {cut} bytes cut");
    }
}

/// A process that died between the commit and the mark: the commit was told to nobody, and any
/// cut into it takes all of it.
#[test]
fn a_loss_of_power_takes_what_was_not_synced_and_no_more() {
    for seed in 1..=6 {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let told = run(dir.path(), "mark-synced,abort-after=4", 1, None);
        let cut = cut_unsynced(dir.path(), mix(seed)).expect("nobody has it open");
        assert!(cut > 0, "seed {seed}");
        assert_eq!((told, survivors(dir.path())), (3, 3), "seed {seed}, {cut} bytes cut");
    }
}

#[test]
fn a_loss_of_power_catches_the_control() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let told = run(dir.path(), "early,mark-synced,abort-after=4", 1, None);
    assert!(cut_unsynced(dir.path(), mix(1)).expect("nobody has it open") > 0);
    assert_eq!((told, survivors(dir.path())), (4, 3));
}

/// The log starts anew many times, and is longer than what is valid in it.
#[test]
fn a_cut_after_checkpoints_takes_nothing_that_was_told() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let told = run(dir.path(), "mark-synced,abort-after=120", 1, None);
    cut_unsynced(dir.path(), mix(1)).expect("nobody has it open");
    assert_eq!(told, 119);
    assert!(survivors(dir.path()) >= told);
}

fn mix(seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}
