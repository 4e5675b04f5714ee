//! The writer: what goes together, in which order it ends, what happens after a failure.

use crate::rows::*;
use sponte_engine::commit::Transaction;
use sponte_store::{Commit, Failpoints, Options, Store, StoreError};
use std::fs;
use std::path::Path;
use std::sync::mpsc;

fn open_with(dir: &Path, failpoints: &str) -> Store {
    let failpoints = Failpoints::parse(failpoints).expect("words that are known");
    Store::open(dir, Options { create: true, failpoints }).expect("a folder of our own")
}

/// Submits all while the writer is held in a completion, so that all of them wait together.
fn write_together(store: &Store, transactions: Vec<Transaction>) -> Vec<(usize, Result<Commit, StoreError>)> {
    let (go, wait) = mpsc::channel::<()>();
    let (held, is_held) = mpsc::channel();
    let writer = store.writer();
    let hold = move |_| {
        held.send(()).expect("awaited");
        wait.recv_timeout(DEADLINE).expect("told to go on");
    };
    writer.submit(Transaction::default(), Box::new(hold));
    is_held.recv_timeout(DEADLINE).expect("the writer holds");
    let (sender, receiver) = mpsc::channel();
    for (at, transaction) in transactions.into_iter().enumerate() {
        let sender = sender.clone();
        writer.submit(transaction, Box::new(move |end| sender.send((at, end)).expect("awaited")));
    }
    drop(sender);
    go.send(()).expect("the writer waits");
    receiver.iter().collect()
}

#[test]
fn what_waits_goes_into_one_commit_and_ends_in_order() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let transactions = (0..200).map(|n| put("test", &format!("{n:03}"), &[n as u8])).collect();
    let ends = write_together(&store, transactions);
    for (expected, (at, end)) in ends.iter().enumerate() {
        assert_eq!(*at, expected);
        assert_eq!(end.as_ref().expect("written").number, 1);
    }
    assert_eq!(store.kv("test").expect("read").len(), 200);
}

#[test]
fn of_the_writes_to_a_key_the_last_stays() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let delete = |key: &str| {
        let mut transaction = Transaction::default();
        transaction.kv.delete("test", key);
        transaction
    };
    let transactions = vec![
        put("test", "kept", b"old"),
        put("test", "deleted", b"old"),
        delete("kept"),
        delete("missing"),
        put("test", "kept", b"new"),
        delete("deleted"),
        put("other", "kept", b"another's"),
    ];
    for (_, end) in write_together(&store, transactions) {
        end.expect("written");
    }
    assert_eq!(store.kv("test").expect("read"), [("kept".to_owned(), b"new".to_vec())]);
    assert_eq!(store.kv("other").expect("read"), [("kept".to_owned(), b"another's".to_vec())]);
}

#[test]
fn events_count_on_and_each_submission_learns_its_own() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let events = |count: usize| {
        let mut transaction = Transaction::default();
        transaction.changes.events = vec![event("test", None); count];
        transaction
    };
    let ends = write_together(&store, vec![events(2), put("a", "b", b"c"), events(1)]);
    let seqs: Vec<_> = ends.into_iter().map(|(_, end)| end.expect("written").last_event_seq).collect();
    assert_eq!(seqs, [Some(2), None, Some(3)]);
    store.close().expect("nothing failed");
    let store = open(dir.path());
    assert_eq!(write(&store, events(1)).expect("written").last_event_seq, Some(4));
    assert_eq!(store.ledger().last_event_seq().expect("read"), 4);
    let seqs: Vec<_> = store.ledger().events(2, 1).expect("read").iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [3]);
}

#[test]
fn after_a_failed_commit_nothing_is_written() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open_with(dir.path(), "fail=2");
    write(&store, put("test", "1", b"")).expect("written");
    let ends = write_together(&store, vec![put("test", "2", b""), put("test", "3", b"")]);
    for (_, end) in &ends {
        assert!(matches!(end, Err(StoreError::DiskFull)), "{end:?}");
    }
    assert_eq!(ends.len(), 2);
    let later = write(&store, put("test", "4", b"")).expect_err("stopped");
    assert!(matches!(&later, StoreError::Stopped(why) if why.contains("disk is full")), "{later}");
    assert!(matches!(store.close(), Err(StoreError::DiskFull)));
    assert_eq!(open(dir.path()).kv("test").expect("read"), [("1".to_owned(), vec![])]);
}

/// The rollback is SQLite's own: in the middle of a batch that finds no room for a page.
#[test]
fn a_disk_that_is_full_takes_a_batch_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open_with(dir.path(), "full=2");
    let with_value = |n, bytes: usize| {
        let kv = put("test", &format!("{n}"), &vec![n as u8; bytes]).kv;
        Transaction { changes: settled(n), kv }
    };
    write(&store, with_value(1, 10)).expect("there is room");
    let full = write(&store, with_value(2, 100_000)).expect_err("there is none");
    assert!(matches!(full, StoreError::DiskFull), "{full}");
    let after = write(&store, with_value(3, 1)).expect_err("nothing more is written");
    assert!(matches!(after, StoreError::Stopped(_)), "{after}");
    assert!(matches!(store.close(), Err(StoreError::DiskFull)));

    let store = open(dir.path());
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
    assert!(store.ledger().payment(&id(1)).expect("read").is_some());
    assert!(store.ledger().payment(&id(2)).expect("read").is_none());
    assert_eq!(store.kv("test").expect("read").len(), 1);
    write(&store, with_value(2, 100_000)).expect("there is room again");
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
}

#[test]
fn rows_that_cannot_be_true_stop_the_writer() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let mut twice = settled(2);
    twice.payments[0].key = settled(1).payments[0].key.clone();
    write_changes(&store, settled(1)).expect("written");
    let refused = write_changes(&store, twice).expect_err("one key, two payments");
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert!(write(&store, put("test", "1", b"")).is_err());
    assert_eq!(store.ledger().payment(&id(2)).expect("read"), None);
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
}

/// The control that crash tests must catch: an answer before the commit, and then no commit.
#[test]
fn early_completions_are_premature() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open_with(dir.path(), "early,fail=1");
    write(&store, put("test", "1", b"")).expect("told too early");
    drop(store);
    assert_eq!(open(dir.path()).kv("test").expect("read"), []);
}

#[test]
fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let writer = store.writer();
    let (sender, receiver) = mpsc::channel();
    for n in 0..50 {
        let sender = sender.clone();
        writer.submit(
            put("test", &n.to_string(), b""),
            Box::new(move |end| sender.send(end).expect("awaited")),
        );
    }
    store.close().expect("nothing failed");
    writer.submit(put("test", "late", b""), Box::new(move |end| sender.send(end).expect("awaited")));
    let ends: Vec<_> = receiver.iter().collect();
    assert!(ends[..50].iter().all(Result::is_ok));
    assert!(matches!(ends[50], Err(StoreError::Closed)));
    assert_eq!(open(dir.path()).kv("test").expect("read").len(), 50);
}

#[test]
fn an_empty_submission_ends_without_a_commit() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open_with(dir.path(), "fail=1");
    assert_eq!(write(&store, Transaction::default()).expect("nothing to write"), Commit::default());
}

#[test]
fn the_log_stays_short() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let log = || fs::metadata(dir.path().join("sponte.db-wal")).expect("there").len();
    let mut longest = 0;
    for n in 0..100 {
        write(&store, put("test", "big", &vec![n; 512 << 10])).expect("written");
        longest = longest.max(log());
    }
    assert!(longest < 8 << 20, "{longest}");
    store.close().expect("nothing failed");
    let left = fs::metadata(dir.path().join("sponte.db-wal")).map_or(0, |log| log.len());
    assert_eq!(left, 0);
}

#[test]
fn a_reader_keeps_its_moment_and_blocks_nobody() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    write(&store, put("test", "0", b"")).expect("written");
    let other = raw(dir.path());
    let count = || other.query_row("SELECT count(*) FROM kv", [], |row| row.get::<_, i64>(0)).expect("read");
    other.execute_batch("BEGIN").expect("begun");
    assert_eq!(count(), 1);
    for n in 1..=20 {
        write(&store, put("test", &n.to_string(), &vec![0; 512 << 10])).expect("written");
    }
    assert_eq!(count(), 1);
    other.execute_batch("COMMIT").expect("ended");
    assert_eq!(count(), 21);
    assert_eq!(store.kv("test").expect("read").len(), 21);
}

#[test]
fn slow_commits_end_too() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open_with(dir.path(), "slow-ms=2,mark-synced");
    for n in 0..5 {
        write(&store, put("test", &n.to_string(), b"")).expect("written");
    }
    let mark = fs::read_to_string(dir.path().join("synced")).expect("marked");
    let log = fs::metadata(dir.path().join("sponte.db-wal")).expect("there").len();
    let (_salts, offset) = mark.split_once(' ').expect("salts and offset");
    assert_eq!(offset, log.to_string());
}
