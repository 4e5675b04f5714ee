//! Rows to write, and stores to write them to.

use sponte_engine::backend::RouteHint;
use sponte_engine::commit::*;
use sponte_proto::amp::{Root, SetId, Share};
use sponte_proto::failure::FailureCode;
use sponte_proto::*;
use sponte_store::{Commit, OpenError, Options, Store, StoreError};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer than any commit of these tests on any disk; reached by a failing test only.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Opens a folder of our own. A process that another test starts holds our files too until it is
/// another program, so a lock that was just given back may seem taken for a moment.
pub fn open(dir: &Path) -> Store {
    let end = Instant::now() + DEADLINE;
    loop {
        match Store::open(dir, Options { create: true, ..Options::default() }) {
            Err(OpenError::Locked { .. }) if Instant::now() < end => std::thread::yield_now(),
            opened => return opened.expect("a folder of our own"),
        }
    }
}

/// A connection around the store, for a look at the file, or damage to it.
pub fn raw(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("sponte.db")).expect("a database")
}

/// Writes, and waits for the end.
pub fn write(store: &Store, transaction: Transaction) -> Result<Commit, StoreError> {
    let (sender, receiver) = mpsc::channel();
    store.writer().submit(transaction, Box::new(move |end| sender.send(end).expect("awaited")));
    receiver.recv_timeout(DEADLINE).expect("every submission ends")
}

pub fn write_changes(store: &Store, changes: ChangeSet) -> Result<Commit, StoreError> {
    write(store, Transaction { changes, kv: KvBatch::default() })
}

pub fn put(namespace: &str, key: &str, value: &[u8]) -> Transaction {
    let mut transaction = Transaction::default();
    transaction.kv.put(namespace, key, value.to_vec());
    transaction
}

pub fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn bytes(tag: u8, number: u64) -> [u8; 32] {
    let mut bytes = [tag; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub fn id(number: u64) -> PaymentId {
    PaymentId::from_bytes(bytes(1, number))
}

pub fn hash(number: u64) -> PaymentHash {
    PaymentHash::from_bytes(bytes(2, number))
}

pub fn channel(number: u64) -> ChannelId {
    ChannelId::from_bytes(bytes(3, number))
}

pub fn node(number: u64) -> NodeId {
    let mut id = [2; 33];
    id[1..].copy_from_slice(&bytes(4, number));
    NodeId::from_bytes(id).expect("begins with 02")
}

/// An outgoing payment, everything set.
pub fn payment(number: u64, state: State) -> PaymentRow {
    PaymentRow {
        id: id(number),
        direction: Direction::Out,
        kind: Kind::Keysend,
        state,
        key: Some(format!("key-{number}")),
        destination: Some(node(number)),
        amount: msat(50_000),
        fee: msat(7),
        max_fee: msat(1_000),
        hash: Some(hash(number)),
        preimage: (state == State::Settled).then(|| Preimage::from_bytes(bytes(5, number))),
        records: Records::from_received([(TEXT_RECORD, b"ciao".to_vec()), (65_537, vec![])]),
        failure: (state == State::Failed)
            .then(|| Failure { code: "no_route".into(), message: "open a channel first".into() }),
        deadline: at(u64::MAX),
        attempts: 1,
        max_attempts: 5,
        created_at: at(1_000 + number),
        updated_at: at(2_000 + number),
        receipt: Receipt::default(),
        plan: plan(number),
    }
}

/// How a payment may be sent, everything set.
pub fn plan(number: u64) -> Plan {
    let hint = |hop: u64| RouteHint {
        node: node(number + hop),
        channel: ShortChannelId::new(number << 40 | hop),
        fee_base: msat(1_000 + hop),
        fee_ppm: u32::MAX,
        cltv_delta: CltvExpiryDelta::new(80),
    };
    let invoice = PaidInvoice {
        text: format!("lnbcrt{number}"),
        hash: Some(hash(number)),
        payment_addr: Some(PaymentSecret::from_bytes(bytes(6, number))),
        metadata: Some(vec![1, 2, 3]),
        offered: None,
    };
    Plan {
        asked: Some(Kind::MppKeysend),
        fall_back: true,
        max_parts: 16,
        final_cltv: CltvExpiryDelta::new(144),
        hints: vec![vec![hint(1)], vec![hint(2), hint(3)]],
        invoice: Some(Box::new(invoice)),
        tries: 3,
        canceled: true,
        reason: "too large for one path".into(),
    }
}

/// An incoming payment: no key, no destination, no fee.
pub fn received(number: u64, state: State) -> PaymentRow {
    PaymentRow {
        direction: Direction::In,
        key: None,
        destination: None,
        fee: Msat::ZERO,
        max_fee: Msat::ZERO,
        attempts: 0,
        plan: Plan::default(),
        ..payment(number, state)
    }
}

pub fn attempt(number: u64, of: u64, nth: u32, state: State) -> AttemptRow {
    AttemptRow {
        id: id(1_000_000 + number),
        payment: id(of),
        number: nth,
        kind: Kind::Keysend,
        hash: Some(hash(number)),
        set_id: None,
        state,
        fee: msat(7),
        failure: None,
        created_at: at(1_500),
        updated_at: at(1_600),
    }
}

pub fn part(of: u64, attempt: u32, nth: u32, amount_msat: u64, state: State) -> PartRow {
    PartRow {
        payment: id(of),
        attempt,
        number: nth,
        channel: channel(1),
        amount: msat(amount_msat),
        fee: Msat::ZERO,
        state,
        route: vec![node(1), node(2)],
        claim: PartClaim::default(),
        sent: PartSent::default(),
    }
}

/// A shard of an outgoing AMP payment, everything set; `number` is its own among all of them.
pub fn shard(number: u64, of: u64, attempt: u32, nth: u32, state: State) -> PartRow {
    let claim = PartClaim {
        id: Some(id(2_000_000 + number)),
        hash: Some(hash(number)),
        preimage: (state == State::Settled).then(|| Preimage::from_bytes(bytes(5, number))),
        expiry: None,
    };
    let failure = PartFailure {
        hop: Some(2),
        code: Some(FailureCode::new(0x1007)),
        channel: Some(ShortChannelId::new(number)),
    };
    let sent = PartSent {
        share: Some(Share::from_bytes(bytes(7, number))),
        failure: (state == State::Failed).then_some(failure),
    };
    PartRow { claim, sent, ..part(of, attempt, nth, 20_000, state) }
}

/// What an incoming AMP payment was paid to.
pub fn amp_receipt(number: u64) -> Receipt {
    Receipt {
        payment_addr: Some(PaymentSecret::from_bytes(bytes(8, number))),
        set_id: Some(SetId::from_bytes(bytes(9, number))),
        root: Some(Root::from_bytes(bytes(10, number))),
        ..Receipt::default()
    }
}

/// The one part of an incoming payment.
pub fn received_part(of: u64, state: State) -> PartRow {
    let claim = PartClaim {
        id: Some(id(of)),
        hash: Some(hash(of)),
        preimage: Some(Preimage::from_bytes(bytes(5, of))),
        expiry: Some(CltvExpiry::new(800_000)),
    };
    PartRow { route: vec![], claim, ..part(of, 0, 0, 50_000, state) }
}

pub fn transfer(key: &str, debit: Account, credit: Account, amount_msat: u64) -> TransferRow {
    TransferRow {
        key: key.into(),
        debit,
        credit,
        amount: msat(amount_msat),
        state: TransferState::Posted,
        payment: None,
        created_at: at(3_000),
    }
}

pub fn pending(transfer: TransferRow) -> TransferRow {
    TransferRow { state: TransferState::Pending, ..transfer }
}

pub fn of_payment(number: u64, transfer: TransferRow) -> TransferRow {
    TransferRow { payment: Some(id(number)), ..transfer }
}

pub fn end(key: &str, state: TransferState) -> Settlement {
    Settlement { key: key.into(), state }
}

pub fn event(kind: &'static str, of: Option<u64>) -> EventRow {
    EventRow {
        kind,
        payment: of.map(id),
        channel: None,
        amount: Some(msat(5)),
        detail: "a line".into(),
        created_at: at(4_000),
    }
}

/// A settled payment of 50,000 msat and a fee of 7 over channel 1, with books that agree.
pub fn settled(number: u64) -> ChangeSet {
    let world = transfer(&format!("{number}/world"), Account::InFlightOut, Account::World, 50_000);
    let fee = transfer(&format!("{number}/fee"), Account::InFlightOut, Account::FeesPaid, 7);
    let out = transfer(&format!("{number}/out"), Account::Channel(channel(1)), Account::InFlightOut, 50_007);
    ChangeSet {
        payments: vec![payment(number, State::Settled)],
        attempts: vec![attempt(number, number, 0, State::Settled)],
        parts: vec![
            part(number, 0, 0, 20_000, State::Settled),
            PartRow { fee: msat(7), ..part(number, 0, 1, 30_000, State::Settled) },
        ],
        transfers: [out, world, fee].map(|transfer| of_payment(number, transfer)).into(),
        events: vec![event("payment_sent", Some(number))],
        ..ChangeSet::default()
    }
}
