//! Balances follow from transfers, each written and settled once.

use crate::rows::*;
use sponte_engine::commit::*;
use sponte_store::{AccountBalance, BooksError, Store, StoreError};

fn balance(store: &Store, account: Account) -> (i64, i64, i64) {
    let accounts = store.ledger().accounts().expect("read");
    let found = accounts.into_iter().find(|balance| balance.account == account).expect("an account");
    let AccountBalance { posted_msat, pending_in_msat, pending_out_msat, .. } = found;
    (posted_msat, pending_in_msat, pending_out_msat)
}

fn transfers(transfers: Vec<TransferRow>) -> ChangeSet {
    ChangeSet { transfers, ..ChangeSet::default() }
}

fn settlements(settlements: Vec<Settlement>) -> ChangeSet {
    ChangeSet { settlements, ..ChangeSet::default() }
}

fn books_error(store: &Store, changes: ChangeSet) -> BooksError {
    match write_changes(store, changes).expect_err("refused") {
        StoreError::Books(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transfer_is_written_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let row = transfer("a", Account::World, Account::OnChain, 10);
    write_changes(&store, transfers(vec![row.clone(), row.clone()])).expect("written");
    write_changes(&store, transfers(vec![row.clone()])).expect("left alone");
    drop(store);
    let store = open(dir.path());
    write_changes(&store, transfers(vec![pending(row)])).expect("left alone");
    assert_eq!(balance(&store, Account::OnChain), (10, 0, 0));
    assert_eq!(balance(&store, Account::World), (-10, 0, 0));
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
}

#[test]
fn a_settlement_happens_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let row = |key| pending(transfer(key, Account::OnChain, Account::World, 10));
    write_changes(&store, transfers(vec![row("posted"), row("void"), row("open")])).expect("written");
    assert_eq!(balance(&store, Account::OnChain), (0, 0, 30));
    assert_eq!(balance(&store, Account::World), (0, 30, 0));
    let ends = vec![
        end("posted", TransferState::Posted),
        end("void", TransferState::Void),
        // Too late, the other way round.
        end("posted", TransferState::Void),
        end("void", TransferState::Posted),
    ];
    write_changes(&store, settlements(ends.clone())).expect("written");
    drop(store);
    let store = open(dir.path());
    write_changes(&store, settlements(ends)).expect("left alone");
    write_changes(&store, transfers(vec![row("posted"), row("void")])).expect("left alone");
    assert_eq!(balance(&store, Account::OnChain), (-10, 0, 10));
    assert_eq!(balance(&store, Account::World), (10, 10, 0));
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
}

#[test]
fn begun_and_ended_in_one_commit() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let changes = ChangeSet {
        transfers: vec![pending(transfer("a", Account::OnChain, Account::World, 10))],
        settlements: vec![end("a", TransferState::Posted)],
        ..ChangeSet::default()
    };
    write_changes(&store, changes).expect("written");
    assert_eq!(balance(&store, Account::OnChain), (-10, 0, 0));
}

#[test]
fn an_account_may_pay_itself() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let account = Account::Channel(channel(1));
    write_changes(&store, transfers(vec![pending(transfer("a", account, account, 10))])).expect("written");
    assert_eq!(balance(&store, account), (0, 10, 10));
    write_changes(&store, settlements(vec![end("a", TransferState::Posted)])).expect("written");
    assert_eq!(balance(&store, account), (0, 0, 0));
    assert_eq!(store.ledger().check().expect("read"), [""; 0]);
}

#[test]
fn a_key_with_two_meanings_is_refused() {
    let first = transfer("a", Account::World, Account::OnChain, 10);
    let others = [
        transfer("a", Account::World, Account::OnChain, 11),
        transfer("a", Account::World, Account::Opening, 10),
        transfer("a", Account::Opening, Account::OnChain, 10),
    ];
    for other in others {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = open(dir.path());
        write_changes(&store, transfers(vec![first.clone()])).expect("written");
        assert_eq!(books_error(&store, transfers(vec![other])), BooksError::Conflict("a".into()));
        assert_eq!(balance(&store, Account::OnChain), (10, 0, 0));
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let row = transfer("a", Account::World, Account::OnChain, 10);
    let cases = [
        (transfers(vec![TransferRow { amount: msat(0), ..row.clone() }]), BooksError::Zero("a".into())),
        (
            transfers(vec![TransferRow { state: TransferState::Void, ..row.clone() }]),
            BooksError::State("a".into()),
        ),
        (settlements(vec![end("a", TransferState::Pending)]), BooksError::State("a".into())),
        (settlements(vec![end("a", TransferState::Void)]), BooksError::Unknown("a".into())),
    ];
    for (changes, expected) in cases {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = open(dir.path());
        assert_eq!(books_error(&store, changes), expected);
    }
}

#[test]
fn a_balance_never_wraps() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let supply = sponte_proto::Msat::MAX.to_msat();
    let all = |key: u32| transfer(&key.to_string(), Account::World, Account::OnChain, supply);
    write_changes(&store, transfers((0..4).map(all).collect())).expect("within the range");
    let error = books_error(&store, transfers(vec![all(4)]));
    assert!(matches!(error, BooksError::Overflow(_)), "{error}");
    assert_eq!(balance(&store, Account::OnChain).0, 4 * supply as i64);
}
