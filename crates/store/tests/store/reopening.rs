//! What a folder gives back, and which folders are refused.

use crate::rows::*;
use sponte_engine::commit::*;
use sponte_store::{OpenError, Options, Store, TransfersQuery};
use std::fs;
use std::path::Path;

fn refusal(dir: &Path) -> OpenError {
    Store::open(dir, Options::default()).expect_err("refused")
}

#[test]
fn what_was_written_is_read_after_reopening() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut changes = settled(1);
    changes.extend(ChangeSet {
        payments: vec![payment(2, State::Pending), received(3, State::Failed)],
        ..ChangeSet::default()
    });
    let store = open(dir.path());
    write(&store, Transaction { changes: changes.clone(), kv: put("ldk", "manager", b"bytes").kv })
        .expect("written");
    store.close().expect("nothing failed");

    let store = open(dir.path());
    let ledger = store.ledger();
    for row in &changes.payments {
        assert_eq!(ledger.payment(&row.id).expect("read").as_ref(), Some(row));
    }
    assert_eq!(ledger.payment_by_key("key-2").expect("read"), Some(payment(2, State::Pending)));
    assert_eq!(ledger.payment_by_key("key-3").expect("read"), None);
    assert_eq!(ledger.attempts(&id(1)).expect("read"), changes.attempts);
    assert_eq!(ledger.parts(&id(1)).expect("read"), changes.parts);
    let query = TransfersQuery { payment: Some(id(1)), ..TransfersQuery::default() };
    let mut transfers = ledger.transfers(query).expect("read").rows;
    transfers.reverse();
    assert_eq!(transfers, changes.transfers);
    let events = ledger.events(0, 10).expect("read");
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].seq, events[0].kind.as_str(), events[0].payment), (1, "payment_sent", Some(id(1))));
    assert_eq!(store.kv("ldk").expect("read"), [("manager".to_owned(), b"bytes".to_vec())]);
    assert_eq!(ledger.check().expect("read"), [""; 0]);
}

#[test]
fn a_snapshot_holds_what_is_pending() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    write_changes(&store, settled(1)).expect("written");
    let pending = ChangeSet {
        payments: vec![payment(2, State::Pending), received(3, State::Pending), received(4, State::Failed)],
        attempts: vec![attempt(2, 2, 0, State::Failed), attempt(3, 2, 1, State::Pending)],
        parts: vec![
            part(2, 0, 0, 50_000, State::Failed),
            part(2, 1, 0, 50_000, State::Pending),
            part(3, 0, 0, 50_000, State::Pending),
            part(4, 0, 0, 50_000, State::Failed),
        ],
        transfers: vec![
            transfer("a", Account::World, Account::Channel(channel(2)), 5),
            transfer("b", Account::World, Account::Channel(channel(3)), 5),
            transfer("c", Account::Channel(channel(3)), Account::World, 5),
        ],
        ..ChangeSet::default()
    };
    write_changes(&store, pending.clone()).expect("written");
    let snapshot = store.snapshot().expect("read");
    assert_eq!(snapshot.payments, pending.payments[..2]);
    assert_eq!(snapshot.attempts, pending.attempts[1..]);
    assert_eq!(snapshot.parts, pending.parts[1..3]);
    assert_eq!(snapshot.channel_balances_msat, [(channel(1), -50_007), (channel(2), 5)]);
}

#[test]
fn a_second_store_on_the_folder_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let refusal = refusal(dir.path());
    assert!(matches!(refusal, OpenError::Locked { .. }), "{refusal}");
    assert!(refusal.to_string().contains("another sponte runs on"), "{refusal}");
    drop(store);
    open(dir.path());
}

#[test]
fn a_newer_file_is_refused_and_stays() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    open(dir.path()).close().expect("nothing failed");
    raw(dir.path()).pragma_update(None, "user_version", 99).expect("ours");
    let refusal = refusal(dir.path());
    assert!(matches!(refusal, OpenError::Newer { found: 99, .. }), "{refusal}");
    let version: i32 =
        raw(dir.path()).query_row("PRAGMA user_version", [], |row| row.get(0)).expect("readable");
    assert_eq!(version, 99);
}

#[test]
fn foreign_files_are_refused_and_stay() {
    let sqlite = |conn: rusqlite::Connection| conn.execute_batch("CREATE TABLE theirs (a)").expect("made");
    let marked = |conn: rusqlite::Connection| conn.pragma_update(None, "application_id", 7).expect("made");
    let text = |dir: &Path| fs::write(dir.join("sponte.db"), "not a database, ".repeat(100)).expect("made");
    let makers: [&dyn Fn(&Path); 3] = [&|dir| sqlite(raw(dir)), &|dir| marked(raw(dir)), &text];
    for make in makers {
        let dir = tempfile::tempdir().expect("a temporary folder");
        make(dir.path());
        let before = fs::read(dir.path().join("sponte.db")).expect("there");
        let refusal = refusal(dir.path());
        assert!(matches!(refusal, OpenError::Unreadable { .. }), "{refusal}");
        assert_eq!(fs::read(dir.path().join("sponte.db")).expect("there"), before);
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    open(dir.path()).close().expect("nothing failed");
    let file = dir.path().join("sponte.db");
    let mut bytes = fs::read(&file).expect("there");
    // The schema's page, behind the file's header.
    bytes[100..400].fill(0xff);
    fs::write(&file, bytes).expect("written");
    let refusal = refusal(dir.path());
    assert!(matches!(refusal, OpenError::Unreadable { .. }), "{refusal}");
}

/// A start that takes an absent database for a new one forgets the channels.
#[test]
fn a_database_that_is_gone_is_not_made_anew() {
    let missing = |dir: &Path| {
        let refusal = refusal(dir);
        assert!(matches!(refusal, OpenError::Missing { .. }), "{refusal}");
        assert!(refusal.to_string().contains("sponte.db"), "{refusal}");
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("sponte.db");
    missing(dir.path());
    assert!(!file.exists());

    let store = open(dir.path());
    write_changes(&store, settled(1)).expect("written");
    store.close().expect("nothing failed");
    fs::write(&file, b"").expect("written");
    // What is left may be needed to repair the file.
    let log = dir.path().join("sponte.db-wal");
    fs::write(&log, b"the last commits").expect("written");
    missing(dir.path());
    assert_eq!(fs::read(&log).expect("there"), b"the last commits");

    let dir = tempfile::tempdir().expect("a temporary folder");
    raw(dir.path()).pragma_update(None, "journal_mode", "wal").expect("an empty database");
    missing(dir.path());
}

#[test]
fn a_creation_that_was_cut_short_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("sponte.db"), b"").expect("written");
    open(dir.path()).close().expect("nothing failed");

    let dir = tempfile::tempdir().expect("a temporary folder");
    raw(dir.path()).pragma_update(None, "journal_mode", "wal").expect("an empty database");
    let store = open(dir.path());
    write_changes(&store, settled(1)).expect("written");
}
