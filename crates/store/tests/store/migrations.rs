//! A file of the first version is brought up to date, and nothing of it is lost.

use crate::rows::{id, open, raw};
use rusqlite::Connection;
use sponte_engine::commit::State;
use sponte_store::PaymentsQuery;
use std::path::Path;

const FIRST: &str = include_str!("../../src/migrations/0001_ledger.sql");

/// What the first version wrote: a payment each way, settled, and one each way under way.
fn first_version(dir: &Path) {
    let conn = raw(dir);
    conn.pragma_update(None, "journal_mode", "wal").expect("an empty database");
    conn.execute_batch(FIRST).expect("the first schema");
    conn.pragma_update(None, "application_id", 0x7370_6e74).expect("ours");
    conn.pragma_update(None, "user_version", 1).expect("the first version");
    for (number, direction, state) in
        [(1u8, "out", "settled"), (2, "in", "settled"), (3, "out", "pending"), (4, "in", "pending")]
    {
        payment(&conn, number, direction, state);
    }
    for (number, state) in [(1u8, "settled"), (3, "pending")] {
        attempt(&conn, number, state);
        part(&conn, number, state, &[2; 33]);
    }
    part(&conn, 2, "settled", &[]);
    settled_transfers(&conn);
}

fn blob(kind: u8, number: u8) -> Vec<u8> {
    let mut bytes = vec![kind; 32];
    bytes[..8].copy_from_slice(&u64::from(number).to_be_bytes());
    bytes
}

fn payment(conn: &Connection, number: u8, direction: &str, state: &str) {
    let out = direction == "out";
    conn.execute(
        "INSERT INTO payments VALUES (?1, ?2, ?3, 'keysend', ?4, ?5, ?6, 50000, ?7, 1000, ?8, ?9, x'', NULL,
            NULL, 9000, ?10, 5, 1000, 2000)",
        rusqlite::params![
            number,
            id_of(number),
            direction,
            state,
            out.then(|| format!("key-{number}")),
            out.then(|| vec![2u8; 33]),
            if out && state == "settled" { 7 } else { 0 },
            blob(4, number),
            (!out || state == "settled").then(|| blob(5, number)),
            u8::from(out),
        ],
    )
    .expect("a payment of the first version");
}

fn id_of(number: u8) -> Vec<u8> {
    id(number.into()).to_bytes().to_vec()
}

fn attempt(conn: &Connection, number: u8, state: &str) {
    conn.execute(
        "INSERT INTO attempts VALUES (?1, ?2, 0, ?3, ?4, 7, NULL, NULL, 1500, 1600)",
        rusqlite::params![blob(6, number), id_of(number), blob(4, number), state],
    )
    .expect("an attempt of the first version");
}

fn part(conn: &Connection, number: u8, state: &str, route: &[u8]) {
    let fee = if route.is_empty() { 0 } else { 7 };
    conn.execute(
        "INSERT INTO parts VALUES (?1, 0, 0, ?2, 50000, ?3, ?4, ?5)",
        rusqlite::params![id_of(number), vec![9u8; 32], fee, state, route],
    )
    .expect("a part of the first version");
}

/// What the settled ones moved, so that the books agree.
fn settled_transfers(conn: &Connection) {
    let channel = format!("channel/{}", "09".repeat(32));
    for (account, posted) in [("world", 0i64), ("fees_paid", 7), (channel.as_str(), -7)] {
        conn.execute("INSERT INTO accounts (name, posted_msat, pending_in_msat, pending_out_msat) VALUES (?1, ?2, 0, 0)", (account, posted)).expect("an account");
    }
    let move_ = |key: &str, debit: &str, credit: &str, amount: u32, payment: u8| {
        conn.execute(
            "INSERT INTO transfers (key, debit, credit, amount_msat, state, payment, created_at_ms)
             SELECT ?1, d.id, c.id, ?4, 'posted', ?5, 3000 FROM accounts d, accounts c
             WHERE d.name = ?2 AND c.name = ?3",
            rusqlite::params![key, debit, credit, amount, id_of(payment)],
        )
        .expect("a transfer of the first version");
    };
    move_("out/1", &channel, "world", 50_000, 1);
    move_("out/1/fee", &channel, "fees_paid", 7, 1);
    move_("in/2", "world", &channel, 50_000, 2);
}

#[test]
fn every_row_comes_along_and_incoming_ones_can_be_claimed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    first_version(dir.path());
    let store = open(dir.path());
    let ledger = store.ledger();
    let rows = ledger.payments(PaymentsQuery::default()).expect("read").rows;
    let told: Vec<_> = rows.iter().rev().map(|row| (row.id, row.state, row.fee.to_msat())).collect();
    let (settled, pending) = (State::Settled, State::Pending);
    assert_eq!(told, [(id(1), settled, 7), (id(2), settled, 0), (id(3), pending, 0), (id(4), pending, 0)]);
    assert_eq!(ledger.attempts(&id(1)).expect("read").len(), 1);
    assert_eq!(ledger.parts(&id(1)).expect("read").len(), 1);

    // An incoming one had no part before it was claimed; its claim goes on with hash and preimage.
    for (number, state) in [(2, settled), (4, pending)] {
        let parts = ledger.parts(&id(number)).expect("read");
        let claim = &parts[0].claim;
        assert_eq!((parts.len(), parts[0].state, claim.id), (1, state, Some(id(number))));
        assert!(claim.preimage.as_ref().expect("known").to_bytes()[..] == blob(5, number as u8)[..]);
        assert!(ledger.received_before(&claim.hash.expect("known"), &id(99)).expect("read"));
    }
    let snapshot = store.snapshot().expect("read");
    let open: Vec<_> = snapshot.payments.iter().map(|row| row.id).collect();
    assert_eq!(open, [id(3), id(4)]);
    assert_eq!((snapshot.attempts.len(), snapshot.parts.len()), (1, 2));
    assert_eq!(ledger.check().expect("read"), Vec::<String>::new());
}

#[test]
fn an_older_file_ends_with_the_schema_of_a_new_one() {
    let schema = |dir: &Path| {
        let conn = raw(dir);
        let mut select = conn
            .prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
            .expect("sound");
        let rows = select.query_map([], |row| {
            let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((kind, name, sql))
        });
        rows.expect("read").collect::<Result<Vec<_>, _>>().expect("read")
    };
    let (old, new) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    first_version(old.path());
    open(old.path()).close().expect("nothing failed");
    open(new.path()).close().expect("nothing failed");
    assert_eq!(schema(old.path()), schema(new.path()));
    let conn = raw(old.path());
    let broken: u32 =
        conn.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).expect("read");
    assert_eq!(broken, 0);
}
