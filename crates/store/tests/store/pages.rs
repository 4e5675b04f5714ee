//! Lists: every row once, newest first, whatever is written meanwhile.

use crate::rows::*;
use sponte_engine::commit::*;
use sponte_store::{PaymentsQuery, Store, TransfersQuery};

const STATES: [State; 3] = [State::Pending, State::Settled, State::Failed];

/// 60 payments of every direction and state, mixed.
fn mixed(store: &Store) -> Vec<PaymentRow> {
    let payments: Vec<PaymentRow> = (0..60)
        .map(|n| {
            let state = STATES[(n * 7 % 5 % 3) as usize];
            if n % 4 == 0 { payment(n, state) } else { received(n, state) }
        })
        .collect();
    let changes = ChangeSet { payments: payments.clone(), ..ChangeSet::default() };
    write_changes(store, changes).expect("written");
    payments
}

fn read_all(store: &Store, mut query: PaymentsQuery) -> Vec<PaymentRow> {
    let ledger = store.ledger();
    let mut rows = vec![];
    loop {
        let page = ledger.payments(query.clone()).expect("read");
        assert!(page.rows.len() as u32 <= query.limit);
        assert!(page.next.is_none() || page.rows.len() as u32 == query.limit);
        rows.extend(page.rows);
        match page.next {
            None => return rows,
            // As a caller of the API does it.
            Some(next) => query.before = Some(next.to_string().parse().expect("a cursor")),
        }
    }
}

#[test]
fn every_filter_and_every_page_size() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let mut payments = mixed(&store);
    payments.reverse();
    let directions = [None, Some(Direction::In), Some(Direction::Out)];
    let states = [None, Some(State::Pending), Some(State::Settled), Some(State::Failed)];
    for direction in directions {
        for state in states {
            let expected: Vec<PaymentRow> = payments
                .iter()
                .filter(|row| direction.is_none_or(|direction| row.direction == direction))
                .filter(|row| state.is_none_or(|state| row.state == state))
                .cloned()
                .collect();
            for limit in [1, 7, expected.len() as u32, 1000] {
                let query = PaymentsQuery { direction, state, before: None, limit };
                assert_eq!(read_all(&store, query.clone()), expected, "{query:?}");
            }
            let count = store.ledger().payments_count(direction, state).expect("read");
            assert_eq!(count, expected.len() as u64);
        }
    }
}

#[test]
fn rows_that_come_or_change_meanwhile_move_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let payments = mixed(&store);
    let query = PaymentsQuery { limit: 10, ..PaymentsQuery::default() };
    let first = store.ledger().payments(query.clone()).expect("read");
    let changes = ChangeSet {
        payments: vec![payment(100, State::Pending), PaymentRow { attempts: 9, ..payments[55].clone() }],
        ..ChangeSet::default()
    };
    write_changes(&store, changes).expect("written");
    let second = store.ledger().payments(PaymentsQuery { before: first.next, ..query }).expect("read");
    let ids: Vec<_> = second.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, (40..50).rev().map(id).collect::<Vec<_>>());
}

#[test]
fn a_page_holds_at_least_one_row() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    mixed(&store);
    let page = store.ledger().payments(PaymentsQuery { limit: 0, ..PaymentsQuery::default() }).expect("read");
    assert_eq!(page.rows.len(), 1);
    assert!(page.next.is_some());
}

#[test]
fn transfers_by_account_and_by_payment() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    for n in 1..=5 {
        write_changes(&store, settled(n)).expect("written");
    }
    let read = |account, payment| {
        let mut query = TransfersQuery { account, payment, before: None, limit: 2 };
        let mut keys = vec![];
        loop {
            let page = store.ledger().transfers(query.clone()).expect("read");
            keys.extend(page.rows.into_iter().map(|row| row.key));
            match page.next {
                None => return keys,
                next => query.before = next,
            }
        }
    };
    assert_eq!(read(None, None).len(), 15);
    assert_eq!(read(Some(Account::World), None), ["5/world", "4/world", "3/world", "2/world", "1/world"]);
    assert_eq!(read(Some(Account::InFlightOut), None).len(), 15);
    assert_eq!(read(None, Some(id(3))), ["3/fee", "3/world", "3/out"]);
    assert_eq!(read(Some(Account::Channel(channel(1))), Some(id(3))), ["3/out"]);
    assert_eq!(read(Some(Account::OnChain), None), [""; 0]);
    assert_eq!(read(None, Some(id(9))), [""; 0]);
}

#[test]
fn a_hash_is_known_once_received() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let payments = vec![
        received(1, State::Pending),
        received(2, State::Settled),
        received(3, State::Failed),
        payment(4, State::Settled),
    ];
    let states = [State::Pending, State::Settled, State::Failed];
    let mut parts: Vec<_> = (1..).zip(states).map(|(n, state)| received_part(n, state)).collect();
    // Whoever sends may be paid with the same hash: that is another HTLC.
    parts.push(shard(4, 4, 0, 0, State::Settled));
    let sent = parts[3].claim.id.expect("set");
    write_changes(&store, ChangeSet { payments, parts, ..ChangeSet::default() }).expect("written");
    let ledger = store.ledger();
    let known = |claim| -> Vec<u64> {
        (0..6).filter(|n| ledger.received_before(&hash(*n), &claim).expect("read")).collect()
    };
    assert_eq!(known(id(9)), [1, 2]);
    assert_eq!(known(sent), [1, 2]);
    assert_eq!(known(id(3)), [0, 1, 2, 3, 4, 5], "a claim id is for one payment, whatever became of it");
    assert_eq!(ledger.payment_of_claim(&id(3)).expect("read"), Some(id(3)));
    assert_eq!(ledger.payment_of_claim(&id(4)).expect("read"), None);
    assert_eq!(ledger.payment_of_claim(&sent).expect("read"), None);
}
