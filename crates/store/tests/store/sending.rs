//! Rows of payments from us: plans, attempts of every kind, parts and how they failed.

use crate::rows::*;
use proptest::prelude::*;
use sponte_engine::backend::{BackendEvent, Command, Recovered, SendFailed};
use sponte_engine::commit::*;
use sponte_engine::{Config, Engine, Fact, Input, NodeSecret, Output};
use sponte_proto::amp::{SetId, Share};
use sponte_proto::failure::FailureCode;
use sponte_proto::{CltvExpiryDelta, PaymentSecret, Preimage, ShortChannelId};
use sponte_store::{PaymentsQuery, StoreError};

const KINDS: [Kind; 7] =
    [Kind::Keysend, Kind::MppKeysend, Kind::Amp, Kind::AmpInvoice, Kind::Ecdh, Kind::Bolt11, Kind::Bolt12];

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(&KINDS[..])
}

fn invoice() -> impl Strategy<Value = PaidInvoice> {
    let number = prop::option::of(0u64..9);
    let offered = prop::option::of((any::<Vec<u8>>(), any::<Option<u32>>(), any::<Option<String>>()));
    let rest = (any::<Option<[u8; 32]>>(), any::<Option<Vec<u8>>>(), offered);
    (".{0,9}", number, rest).prop_map(|(text, n, (addr, metadata, offered))| PaidInvoice {
        text,
        hash: n.map(hash),
        payment_addr: addr.map(PaymentSecret::from_bytes),
        metadata,
        offered: offered.map(|(invoice, quantity, note)| Offered { invoice, quantity, note }),
    })
}

prop_compose! {
    fn any_plan()(
        asked in prop::option::of(kind()),
        flags: (bool, bool),
        numbers: (u32, u32),
        final_cltv: u16,
        hints in prop::collection::vec(0usize..4, 0..4),
        invoice in prop::option::of(invoice()),
        reason in ".{0,20}",
    ) -> Plan {
        let hop = plan(7).hints[0][0];
        Plan {
            asked,
            fall_back: flags.0,
            max_parts: numbers.0,
            final_cltv: CltvExpiryDelta::new(final_cltv),
            hints: hints.into_iter().map(|hops| vec![hop; hops]).collect(),
            invoice: invoice.map(Box::new),
            tries: numbers.1,
            canceled: flags.1,
            reason,
        }
    }
}

prop_compose! {
    fn any_part(nth: u32)(
        ids in prop::option::of(0u64..1_000),
        preimage: Option<[u8; 32]>,
        share: Option<[u8; 32]>,
        failure in prop::option::of(any::<(Option<u32>, Option<u16>, Option<u64>)>()),
        state in prop::sample::select(&[State::Pending, State::Settled, State::Failed][..]),
    ) -> PartRow {
        let claim = PartClaim {
            id: ids.map(|n| id(n << 32 | u64::from(nth))),
            hash: ids.map(hash),
            preimage: preimage.map(Preimage::from_bytes),
            expiry: None,
        };
        let failure = failure.map(|(hop, code, channel)| PartFailure {
            hop,
            code: code.map(FailureCode::new),
            channel: channel.map(ShortChannelId::new),
        });
        let sent = PartSent { share: share.map(Share::from_bytes), failure };
        PartRow { claim, sent, ..part(1, 0, nth, 1, state) }
    }
}

prop_compose! {
    fn any_attempt()(kind in kind(), number in prop::option::of(0u64..9), set: Option<[u8; 32]>) -> AttemptRow {
        let set_id = set.map(SetId::from_bytes);
        AttemptRow { kind, hash: number.map(hash), set_id, ..attempt(1, 1, 0, State::Pending) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The second time over the rows of the first: each column is replaced, too.
    #[test]
    fn rows_come_back_as_they_were(
        plans in prop::array::uniform2(any_plan()),
        attempts in prop::array::uniform2(any_attempt()),
        parts in prop::array::uniform2((any_part(0), any_part(1), any_part(2))),
    ) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = open(dir.path());
        for ((plan, attempt), (a, b, c)) in plans.into_iter().zip(attempts).zip(parts) {
            let row = PaymentRow { plan, ..payment(1, State::Pending) };
            let parts = vec![a, b, c];
            let changes = ChangeSet {
                payments: vec![row.clone()],
                attempts: vec![attempt.clone()],
                parts: parts.clone(),
                ..ChangeSet::default()
            };
            write_changes(&store, changes).expect("written");
            let ledger = store.ledger();
            prop_assert_eq!(ledger.payment(&row.id).expect("read"), Some(row.clone()));
            prop_assert_eq!(ledger.payments(PaymentsQuery::default()).expect("read").rows, vec![row.clone()]);
            prop_assert_eq!(ledger.attempts(&row.id).expect("read"), vec![attempt.clone()]);
            prop_assert_eq!(&ledger.parts(&row.id).expect("read"), &parts);
            let snapshot = store.snapshot().expect("read");
            prop_assert_eq!((snapshot.payments, snapshot.attempts), (vec![row], vec![attempt]));
            prop_assert_eq!(snapshot.parts, parts);
        }
    }
}

/// An AMP payment: a first attempt that failed, and a second one of three shards, one sent again.
fn amp(of: u64) -> ChangeSet {
    let set = |number, nth, state| AttemptRow {
        kind: Kind::Amp,
        hash: None,
        set_id: Some(SetId::from_bytes(bytes(8, number))),
        ..attempt(number, of, nth, state)
    };
    let shard = |nth, attempt, number, state| shard(of * 10 + nth, of, attempt, number, state);
    ChangeSet {
        payments: vec![PaymentRow { kind: Kind::Amp, hash: None, ..payment(of, State::Pending) }],
        attempts: vec![set(of * 10, 0, State::Failed), set(of * 10 + 1, 1, State::Pending)],
        parts: vec![
            shard(0, 0, 0, State::Failed),
            shard(1, 1, 0, State::Settled),
            shard(2, 1, 1, State::Failed),
            shard(3, 1, 2, State::Pending),
        ],
        ..ChangeSet::default()
    }
}

#[test]
fn a_start_reads_all_parts_of_the_attempts_that_go_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    write_changes(&store, settled(1)).expect("written");
    let rows = amp(2);
    write_changes(&store, rows.clone()).expect("written");
    store.close().expect("nothing failed");
    let snapshot = open(dir.path()).snapshot().expect("read");
    assert_eq!(snapshot.payments, rows.payments);
    assert_eq!(snapshot.attempts, rows.attempts[1..]);
    assert_eq!(snapshot.parts, rows.parts[1..]);
}

/// A payment whose first attempt was taken for failed, and then proven, while the second was on its way.
fn proven_late() -> ChangeSet {
    let mut rows = amp(1);
    let payment = &mut rows.payments[0];
    (payment.preimage, payment.plan.canceled, payment.attempts) = (None, false, 2);
    rows.attempts[0].state = State::Settled;
    rows.parts = vec![shard(10, 1, 0, 0, State::Settled), shard(11, 1, 1, 0, State::Pending)];
    let key = format!("out/{}/0", rows.attempts[1].id);
    let on_its_way = transfer(&key, Account::Channel(channel(1)), Account::InFlightOut, 20_000);
    rows.transfers = vec![of_payment(1, pending(on_its_way))];
    rows
}

#[test]
fn a_start_reads_that_an_attempt_before_is_paid() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let rows = proven_late();
    write_changes(&store, rows.clone()).expect("written");
    store.close().expect("nothing failed");
    let store = open(dir.path());
    let snapshot = store.snapshot().expect("read");
    assert_eq!((&snapshot.attempts, &snapshot.parts[..]), (&rows.attempts, &rows.parts[1..]));

    // AMP has no proof in the payment's row: nothing else tells that it is paid.
    let config = Config::new(node(9), NodeSecret::new([7; 32]));
    let mut engine = Engine::new(config, snapshot);
    let part = rows.parts[1].claim.id.expect("set");
    let recovered = Recovered { parts: vec![part], ..Recovered::default() };
    engine.handle_input(Input::Recovered(recovered), at(5_000));
    let why = PartFailure { hop: Some(1), ..PartFailure::default() };
    let failed = BackendEvent::PartFailed(SendFailed { part, why });
    engine.handle_input(Input::Backend(failed, Fact::None), at(5_001));
    while let Some(output) = engine.poll_output() {
        match output {
            Output::Persist(changes) => drop(write_changes(&store, *changes).expect("written")),
            Output::Backend(Command::Route(_) | Command::Send(_)) => panic!("it would be paid twice"),
            _ => {}
        }
    }
    let row = store.ledger().payment(&id(1)).expect("read").expect("there");
    assert_eq!(row.state, State::Settled);
}

#[test]
fn a_start_reads_which_kinds_were_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let mut rows = amp(1);
    for (attempt, code) in rows.attempts.iter_mut().zip([Failure::REFUSED, "on_the_way"]) {
        attempt.state = State::Failed;
        attempt.failure = Some(Failure { code: code.into(), message: "a line".into() });
    }
    write_changes(&store, rows.clone()).expect("written");
    store.close().expect("nothing failed");
    let snapshot = open(dir.path()).snapshot().expect("read");
    assert_eq!((&snapshot.attempts[..], &snapshot.parts[..]), (&rows.attempts[..1], &[][..]));
}

#[test]
fn a_part_is_found_by_the_id_that_the_backend_knows() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let mut changes = amp(1);
    changes.extend(amp(2));
    changes.payments.push(received(3, State::Settled));
    changes.parts.push(received_part(3, State::Settled));
    write_changes(&store, changes).expect("written");
    let (ledger, rows) = (store.ledger(), amp(2));
    for part in &rows.parts {
        let claim = part.claim.id.expect("set");
        assert_eq!(ledger.sent_part(&claim).expect("read"), Some((id(2), part.attempt)));
    }
    assert_eq!(ledger.sent_part(&id(3)).expect("read"), None, "that one is a part to us");
    assert_eq!(ledger.sent_part(&id(99)).expect("read"), None);

    assert_eq!(ledger.attempt(&id(2), 1).expect("read").as_ref(), Some(&rows.attempts[1]));
    assert_eq!(ledger.attempt(&id(2), 2).expect("read"), None);
    assert_eq!(ledger.attempt_parts(&id(2), 0).expect("read"), rows.parts[..1]);
    assert_eq!(ledger.attempt_parts(&id(2), 1).expect("read"), rows.parts[1..]);
}

/// What the file may say after damage, and the program never wrote.
#[test]
fn damaged_rows_are_errors() {
    for damage in [
        "UPDATE payments SET asked = 'pigeon'",
        "UPDATE payments SET hints = x'00000001'",
        "UPDATE payments SET final_cltv = 65536",
        "UPDATE payments SET max_parts = -1",
        "UPDATE payments SET tries = 4294967296",
        "UPDATE payments SET invoice_payment_addr = x'00'",
        "UPDATE payments SET invoice_hash = x'00'",
        "UPDATE attempts SET kind = ''",
        "UPDATE attempts SET set_id = x'00'",
        "UPDATE parts SET share = x'00'",
        "UPDATE parts SET failed = 1, failed_hop = -1",
        "UPDATE parts SET failed = 1, failed_code = 65536",
        "UPDATE parts SET failed = 1, failed_channel = x'00'",
    ] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = open(dir.path());
        write_changes(&store, amp(1)).expect("written");
        raw(dir.path()).execute_batch(damage).expect("no constraint forbids it");
        let read = store.snapshot().expect_err(damage);
        assert!(matches!(read, StoreError::Damaged(_)), "{damage}: {read}");
    }
}
