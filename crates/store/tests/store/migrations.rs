//! A file of each older version is brought up to date, and nothing of it is lost.

use crate::rows::{amp_receipt, bytes, id, msat, node, open, raw};
use rusqlite::{Connection, params};
use sponte_engine::commit::{
    AttemptRow, Direction, Kind, PaidInvoice, PartRow, PaymentRow, Plan, Receipt, State,
};
use sponte_proto::{CltvExpiryDelta, PaymentHash, PaymentId, PaymentSecret, Preimage};
use sponte_store::{Ledger, PaymentsQuery};
use std::path::Path;

const MIGRATIONS: [&str; 4] = [
    include_str!("../../src/migrations/0001_ledger.sql"),
    include_str!("../../src/migrations/0002_receive.sql"),
    include_str!("../../src/migrations/0003_counters.sql"),
    include_str!("../../src/migrations/0004_send.sql"),
];

/// Since the fourth version attempts stand otherwise: its rows are those of the third, brought up to date.
const ROWS_OF: usize = 3;

/// One payment of each fate. Not before the second version: a held one, of an AMP set.
const PAYMENTS: [(u8, &str, &str); 7] = [
    (1, "out", "settled"),
    (2, "in", "settled"),
    (3, "out", "pending"),
    (4, "in", "pending"),
    (5, "out", "failed"),
    (6, "out", "pending"),
    (7, "in", "held"),
];

/// Attempts and, under the same number, their only parts: of which payment, which, how it ended. The
/// sixth payment is between two of them.
const ATTEMPTS: [(u8, u8, &str); 6] = [
    (1, 0, "failed"),
    (1, 1, "settled"),
    (3, 0, "failed"),
    (3, 1, "pending"),
    (5, 0, "failed"),
    (6, 0, "failed"),
];

/// What that version wrote.
fn of_version(dir: &Path, version: usize) {
    let conn = raw(dir);
    conn.pragma_update(None, "journal_mode", "wal").expect("an empty database");
    for sql in &MIGRATIONS[..version.min(ROWS_OF)] {
        conn.execute_batch(sql).expect("the schema of then");
    }
    conn.pragma_update(None, "application_id", 0x7370_6e74).expect("ours");
    conn.pragma_update(None, "user_version", version as u32).expect("the version of then");
    for (number, direction, state) in PAYMENTS {
        if state != "held" {
            payment(&conn, number, direction, state);
        } else if version > 1 {
            held_set(&conn, number);
        }
    }
    for (of, nth, state) in ATTEMPTS {
        attempt(&conn, of, nth, state);
        part(&conn, of, nth, state, &node(1).to_bytes());
    }
    part(&conn, 2, 0, "settled", &[]);
    if version > 1 {
        part(&conn, 4, 0, "pending", &[]);
        let of_claims = "UPDATE parts SET claim = payment, hash = p.hash, preimage = p.preimage
                         FROM payments p WHERE p.id = payment AND p.id IN (?1, ?2)";
        conn.execute(of_claims, (id_of(2), id_of(4))).expect("parts to us of the second version");
    }
    books(&conn);
    for sql in &MIGRATIONS[version.min(ROWS_OF)..version] {
        conn.execute_batch(sql).expect("the schema of then");
    }
}

fn id_of(number: u8) -> [u8; 32] {
    id(number.into()).to_bytes()
}

fn attempt_id(of: u8, nth: u8) -> PaymentId {
    PaymentId::from_bytes(bytes(6, u64::from(of) << 8 | u64::from(nth)))
}

fn hash_of(of: u8, nth: u8) -> [u8; 32] {
    bytes(4, u64::from(of) << 8 | u64::from(nth))
}

fn preimage_of(number: u8) -> [u8; 32] {
    bytes(5, number.into())
}

fn payment(conn: &Connection, number: u8, direction: &str, state: &str) {
    let out = direction == "out";
    let tried = ATTEMPTS.iter().filter(|(of, ..)| *of == number).count() as u8;
    let failed = state == "failed";
    conn.execute(
        "INSERT INTO payments (seq, id, direction, kind, state, key, destination, amount_msat, fee_msat,
            max_fee_msat, hash, preimage, records, failure_code, failure_message, deadline_ms, attempts,
            max_attempts, created_at_ms, updated_at_ms)
         VALUES (?1, ?2, ?3, 'keysend', ?4, ?5, ?6, 50000, ?7, 1000, ?8, ?9, x'', ?10, ?11, 9000, ?12, 5, 1000,
            2000)",
        params![
            number,
            id_of(number),
            direction,
            state,
            out.then(|| format!("key-{number}")),
            out.then(|| node(1).to_bytes()),
            if out && state == "settled" { 7 } else { 0 },
            hash_of(number, tried.saturating_sub(1)),
            (!out || state == "settled").then(|| preimage_of(number)),
            failed.then_some("no_route"),
            failed.then_some("open a channel first"),
            tried,
        ],
    )
    .expect("a payment of then");
}

fn held_set(conn: &Connection, number: u8) {
    payment(conn, number, "in", "held");
    let Receipt { payment_addr, set_id, root, .. } = amp_receipt(number.into());
    conn.execute(
        "UPDATE payments SET kind = 'amp', hash = NULL, preimage = NULL, payment_addr = ?2, set_id = ?3,
            root = ?4 WHERE id = ?1",
        params![
            id_of(number),
            payment_addr.map(|addr| *addr.as_bytes()),
            set_id.map(|set| set.to_bytes()),
            root.map(|root| *root.as_bytes()),
        ],
    )
    .expect("a set of the second version");
    for (nth, state) in [(0, "held"), (1, "held")] {
        part(conn, number, 0, state, &[]);
        conn.execute(
            "UPDATE parts SET number = ?2, amount_msat = 25000, claim = ?3, hash = ?3, preimage = ?3, expiry = 9
             WHERE payment = ?1 AND claim IS NULL",
            params![id_of(number), 1 - nth, hash_of(number, nth)],
        )
        .expect("a shard of the second version");
    }
}

fn attempt(conn: &Connection, of: u8, nth: u8, state: &str) {
    conn.execute(
        "INSERT INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, 7, ?6, ?7, 1500, 1600)",
        params![
            attempt_id(of, nth).to_bytes(),
            id_of(of),
            nth,
            hash_of(of, nth),
            state,
            (state == "failed").then_some("no_route"),
            (state == "failed").then_some("a node on the way failed it"),
        ],
    )
    .expect("an attempt of then");
}

fn part(conn: &Connection, of: u8, nth: u8, state: &str, route: &[u8]) {
    let fee = if route.is_empty() { 0 } else { 7 };
    conn.execute(
        "INSERT INTO parts (payment, attempt, number, channel, amount_msat, fee_msat, state, route)
         VALUES (?1, ?2, 0, ?3, 50000, ?4, ?5, ?6)",
        params![id_of(of), nth, [9u8; 32], fee, state, route],
    )
    .expect("a part of then");
}

/// What moved and what is on its way, so that the books agree.
fn books(conn: &Connection) {
    let channel = format!("channel/{}", "09".repeat(32));
    let accounts =
        [("world", 0, 0), ("fees_paid", 7, 0), (channel.as_str(), -7, 50_007), ("in_flight_out", 0, 0)];
    for (account, posted, out) in accounts {
        conn.execute(
            "INSERT INTO accounts (name, posted_msat, pending_in_msat, pending_out_msat)
             VALUES (?1, ?2, ?3, ?4)",
            params![account, posted, if account == "in_flight_out" { 50_007 } else { 0 }, out],
        )
        .expect("an account");
    }
    let move_ = |key: &str, debit: &str, credit: &str, amount: u32, state: &str, payment: u8| {
        conn.execute(
            "INSERT INTO transfers (key, debit, credit, amount_msat, state, payment, created_at_ms)
             SELECT ?1, d.id, c.id, ?4, ?5, ?6, 3000 FROM accounts d, accounts c
             WHERE d.name = ?2 AND c.name = ?3",
            params![key, debit, credit, amount, state, id_of(payment)],
        )
        .expect("a transfer of then");
    };
    move_("out/1", &channel, "world", 50_000, "posted", 1);
    move_("out/1/fee", &channel, "fees_paid", 7, "posted", 1);
    move_("in/2", "world", &channel, 50_000, "posted", 2);
    move_("out/3", &channel, "in_flight_out", 50_007, "pending", 3);
}

/// Opens a file of each version.
fn each_version(look: impl Fn(usize, &sponte_store::Store, &Ledger)) {
    for version in 1..=MIGRATIONS.len() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        of_version(dir.path(), version);
        let store = open(dir.path());
        look(version, &store, &store.ledger());
        assert_eq!(store.ledger().check().expect("read"), [""; 0], "version {version}");
    }
}

#[test]
fn every_payment_comes_along() {
    each_version(|version, _, ledger| {
        let rows = ledger.payments(PaymentsQuery::default()).expect("read").rows;
        let told: Vec<_> = rows.iter().rev().map(|row| (row.id, row.direction, row.state)).collect();
        let expected = PAYMENTS.iter().filter(|(_, _, state)| version > 1 || *state != "held");
        let word = |direction, state| (Direction::from_word(direction), State::from_word(state));
        let expected = expected.map(|(number, direction, state)| {
            let (direction, state) = word(direction, state);
            (id((*number).into()), direction.expect("known"), state.expect("known"))
        });
        assert_eq!(told, expected.collect::<Vec<_>>());
        for PaymentRow { direction, plan, attempts, amount, fee, state, .. } in rows {
            let sent = Plan {
                asked: None,
                max_parts: 1,
                final_cltv: CltvExpiryDelta::new(144),
                tries: attempts,
                ..Plan::default()
            };
            assert_eq!(plan, if direction == Direction::Out { sent } else { Plan::default() });
            let cost = if (direction, state) == (Direction::Out, State::Settled) { 7 } else { 0 };
            assert_eq!((amount, fee), (msat(50_000), msat(cost)));
        }
        if version > 1 {
            let held = ledger.payment(&id(7)).expect("read").expect("there");
            assert_eq!((held.kind, held.hash, held.receipt), (Kind::Amp, None, amp_receipt(7)));
        }
    });
}

#[test]
fn an_invoice_comes_along() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    of_version(dir.path(), 4);
    let changed = raw(dir.path()).execute(
        "UPDATE payments SET invoice = 'lnbcrt1', invoice_hash = ?2, invoice_payment_addr = ?3,
             invoice_metadata = x'09'
         WHERE id = ?1",
        (id_of(3), [4; 32], [5; 32]),
    );
    assert_eq!(changed, Ok(1));
    let row = open(dir.path()).ledger().payment(&id(3)).expect("read").expect("there");
    let invoice = PaidInvoice {
        text: "lnbcrt1".into(),
        hash: Some(PaymentHash::from_bytes([4; 32])),
        payment_addr: Some(PaymentSecret::from_bytes([5; 32])),
        metadata: Some(vec![9]),
        offered: None,
    };
    assert_eq!(row.plan.invoice.as_deref(), Some(&invoice));
}

#[test]
fn a_sent_part_is_known_by_what_the_backend_knows() {
    each_version(|_, _, ledger| {
        for (of, nth, state) in ATTEMPTS {
            let (payment, nth_) = (id(of.into()), u32::from(nth));
            let claim = attempt_id(of, nth);
            assert_eq!(ledger.sent_part(&claim).expect("read"), Some((payment, nth_)));
            let attempt = ledger.attempt(&payment, nth_).expect("read").expect("there");
            let AttemptRow { id, kind, hash, set_id, failure, .. } = attempt;
            assert_eq!((id, kind, set_id), (claim, Kind::Keysend, None));
            assert_eq!(hash.map(|hash| hash.to_bytes()), Some(hash_of(of, nth)));
            assert_eq!(failure.is_some(), state == "failed");

            let parts = ledger.attempt_parts(&payment, nth_).expect("read");
            let [PartRow { claim, sent, state: is, route, .. }] = &parts[..] else { panic!("{parts:?}") };
            assert_eq!((claim.id, claim.hash, claim.expiry), (Some(id), hash, None));
            assert_eq!(claim.preimage, (state == "settled").then(|| Preimage::from_bytes(preimage_of(of))));
            assert_eq!((sent.share.as_ref(), sent.failure, is.as_str()), (None, None, state));
            assert_eq!(route, &[node(1)]);
        }
        assert_eq!(ledger.sent_part(&id(2)).expect("read"), None, "that one came to us");
    });
}

#[test]
fn incoming_ones_can_be_claimed() {
    each_version(|version, _, ledger| {
        // The first version wrote no part before it was claimed; its claim goes on.
        for (number, state) in [(2, State::Settled), (4, State::Pending)] {
            let parts = ledger.parts(&id(number.into())).expect("read");
            let [PartRow { claim, sent, state: is, .. }] = &parts[..] else { panic!("{parts:?}") };
            assert_eq!((*is, claim.id), (state, Some(id(number.into()))));
            assert_eq!(claim.preimage, Some(Preimage::from_bytes(preimage_of(number))));
            assert_eq!((sent.share.as_ref(), sent.failure), (None, None));
            assert!(ledger.received_before(&claim.hash.expect("known"), &id(99)).expect("read"));
        }
        if version > 1 {
            let parts = ledger.parts(&id(7)).expect("read");
            let known: Vec<_> =
                parts.iter().map(|part| part.claim.hash.map(|hash| hash.to_bytes())).collect();
            assert_eq!(known, [Some(hash_of(7, 1)), Some(hash_of(7, 0))]);
        }
    });
}

#[test]
fn a_start_finds_all_that_has_not_ended() {
    each_version(|version, store, _| {
        let snapshot = store.snapshot().expect("read");
        let held = if version > 1 { 2 } else { 0 };
        let open: Vec<_> = snapshot.payments.iter().map(|row| row.id).collect();
        assert_eq!(open, [id(3), id(4), id(6), id(7)][..if version > 1 { 4 } else { 3 }]);
        let attempts: Vec<_> = snapshot.attempts.iter().map(|row| row.id).collect();
        assert_eq!(attempts, [attempt_id(3, 1)]);
        assert_eq!(snapshot.parts.len(), 2 + held);
        assert_eq!(snapshot.parts[0].claim.id, Some(attempt_id(3, 1)));
    });
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
    let new = tempfile::tempdir().expect("a folder");
    open(new.path()).close().expect("nothing failed");
    for version in 1..=MIGRATIONS.len() {
        let old = tempfile::tempdir().expect("a folder");
        of_version(old.path(), version);
        open(old.path()).close().expect("nothing failed");
        assert_eq!(schema(old.path()), schema(new.path()));
        let conn = raw(old.path());
        let broken: u32 = conn
            .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .expect("read");
        assert_eq!(broken, 0);
    }
}
