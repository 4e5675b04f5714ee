//! The check finds each kind of damage, and nothing where there is none.

use crate::rows::*;
use sponte_engine::commit::*;
use std::fs;
use std::path::Path;

/// A ledger in which something of every kind is open and ended.
fn sound(dir: &Path) {
    let store = open(dir);
    let credit = Account::Channel(channel(1));
    let incoming = ChangeSet {
        payments: vec![received(2, State::Settled), received(3, State::Pending), payment(4, State::Failed)],
        parts: vec![part(2, 0, 0, 50_000, State::Settled)],
        transfers: vec![
            of_payment(2, transfer("2/held", Account::World, Account::HeldIn, 50_000)),
            of_payment(2, transfer("2/in", Account::HeldIn, credit, 50_000)),
            of_payment(3, pending(transfer("3/held", Account::World, Account::HeldIn, 50_000))),
            of_payment(4, pending(transfer("4/out", credit, Account::World, 50_000))),
        ],
        settlements: vec![end("4/out", TransferState::Void)],
        ..ChangeSet::default()
    };
    write_changes(&store, settled(1)).expect("written");
    write_changes(&store, incoming).expect("written");
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
}

/// What the check says after `sql` went over the file.
fn after(sql: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    sound(dir.path());
    let conn = raw(dir.path());
    conn.pragma_update(None, "foreign_keys", false).expect("allowed");
    conn.execute_batch(sql).expect("damage");
    assert!(conn.changes() > 0, "{sql} changed nothing");
    drop(conn);
    open(dir.path()).ledger().check().expect("read")
}

fn assert_says(deviations: &[String], expected: &str) {
    assert!(deviations.iter().any(|line| line.contains(expected)), "{expected}: {deviations:#?}");
    assert!(deviations.iter().all(|line| line.lines().count() == 1), "{deviations:#?}");
}

#[test]
fn a_kept_balance_that_its_transfers_do_not_make() {
    let found = after("UPDATE accounts SET posted_msat = posted_msat + 1 WHERE name = 'world'");
    assert_says(&found, "account world: posted is 1 msat, its transfers say 0");
    assert_says(&found, "posted balances sum to 1 msat");
    assert_eq!(found.len(), 2, "{found:#?}");
    let found = after("UPDATE accounts SET pending_in_msat = pending_in_msat + 1 WHERE name = 'held_in'");
    assert_says(&found, "account held_in: pending in is 50001 msat, its transfers say 50000");
    assert_says(&found, "pending balances sum to 1 msat");
    let found = after("UPDATE accounts SET pending_out_msat = 0 WHERE name = 'world'");
    assert_says(&found, "account world: pending out is 0 msat, its transfers say 50000");
}

#[test]
fn a_transfer_that_went_or_changed() {
    let found = after("DELETE FROM transfers WHERE key = '1/fee'");
    assert_says(&found, "account fees_paid: posted is 7 msat, its transfers say 0");
    assert_says(&found, "settled for 50000 msat and a fee of 7 msat, its transfers say 50000 and 0");
    let found = after("UPDATE transfers SET state = 'void' WHERE key = '2/held'");
    assert_says(&found, "settled for 50000 msat and a fee of 0 msat, its transfers say 0 and 0");
}

#[test]
fn a_payment_whose_amount_is_not_its_transfers() {
    let found = after("UPDATE payments SET amount_msat = 50001 WHERE key = 'key-1'");
    assert_says(&found, "settled for 50001 msat and a fee of 7 msat, its transfers say 50000 and 7");
    assert_says(&found, "settled for 50001 msat and a fee of 7 msat, its parts sum to 50000 and 7");
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn a_failed_payment_that_moved_money() {
    let found = after("UPDATE payments SET state = 'failed' WHERE key = 'key-1'");
    assert_says(&found, "failed, its transfers moved 50000 msat and a fee of 7 msat");
}

#[test]
fn a_pending_transfer_of_an_ended_payment() {
    let found = after("UPDATE payments SET state = 'failed' WHERE state = 'pending'");
    assert_says(&found, "failed, but transfer `3/held` is pending");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn an_attempt_that_a_start_would_forget() {
    let found = after("UPDATE attempts SET state = 'pending'");
    assert_says(&found, "settled, but its attempt 0 is pending");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn a_part_that_a_start_would_forget() {
    let found = after("UPDATE parts SET state = 'pending' WHERE number = 1");
    assert_says(&found, "attempt 0 settled, but its part 1 is pending");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn two_parts_under_one_id() {
    let found = after("UPDATE parts SET claim = zeroblob(32)");
    assert_says(&found, "2 parts were sent under the id 0000");
    assert_eq!(found.len(), 1, "HTLCs to us may share one: {found:#?}");
}

#[test]
fn parts_that_are_not_the_payment() {
    let found = after("UPDATE parts SET amount_msat = 1 WHERE number = 1");
    assert_says(&found, "its parts sum to 20001 and 7");
    let found = after("UPDATE parts SET state = 'failed' WHERE number = 0 AND amount_msat = 20000");
    assert_says(&found, "its parts sum to 30000 and 7");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn parts_that_bring_more_than_the_amount_at_the_cost_of_the_fee() {
    let found = after("UPDATE parts SET amount_msat = 30002, fee_msat = 5 WHERE number = 1");
    assert_eq!(found, [""; 0]);
    let found = after("UPDATE parts SET amount_msat = 29999, fee_msat = 8 WHERE number = 1");
    assert_says(&found, "its parts sum to 49999 and 8");
}

#[test]
fn a_row_without_its_parent() {
    let found = after("DELETE FROM payments WHERE key = 'key-1'");
    assert_says(&found, "a row belongs to one of payments that is not there");
}

#[test]
fn a_page_that_is_no_page() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    sound(dir.path());
    let page = |sql| raw(dir.path()).query_row(sql, [], |row| row.get::<_, u64>(0)).expect("readable");
    let size = page("PRAGMA page_size");
    let number = page("SELECT rootpage FROM sqlite_schema WHERE name = 'events'");
    let file = dir.path().join("sponte.db");
    let mut bytes = fs::read(&file).expect("there");
    bytes[((number - 1) * size) as usize..][..100].fill(0xff);
    fs::write(&file, bytes).expect("written");
    let found = open(dir.path()).ledger().check().expect("read");
    assert_says(&found, "file: ");
}

#[test]
fn a_transfer_of_less_than_nothing() {
    let found = after(
        "PRAGMA ignore_check_constraints = on;
         UPDATE transfers SET amount_msat = -7 WHERE key = '1/fee';",
    );
    assert_says(&found, "account fees_paid: posted is 7 msat, its transfers say -7");
}
