//! Rows of payments to us: parts that wait, AMP invoices, counters, settings.

use crate::rows::{at, channel, hash, id, msat, open, write_changes};
use sponte_engine::backend::{AmpShard, Claimable, Purpose};
use sponte_engine::commit::{
    AmpInvoiceRow, AmpReceived, ChangeSet, Counter, InvoiceState, Reason, SettingRow, WaitingPart,
};
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::ecdh::Version;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{BlockHeight, CltvExpiry, Msat, PaymentSecret, Preimage, Records, Timestamp};
use sponte_store::CounterKey;

fn waiting(number: u64, purpose: Purpose) -> WaitingPart {
    let claimable = Claimable {
        id: id(number),
        hash: hash(number),
        amount: msat(1_000 + number),
        channels: vec![channel(1), channel(2)],
        expiry: Some(CltvExpiry::new(800_039)),
        claim_deadline: Some(BlockHeight::new(800_000)),
        records: Records::from_received([(65_537, vec![1, 2])]),
        purpose,
    };
    let to_invoice = matches!(claimable.purpose, Purpose::Amp(_) | Purpose::Bolt11 { .. });
    WaitingPart { claimable, to_invoice, arrived_at: at(number) }
}

#[test]
fn parts_that_wait_come_back_as_they_were_until_they_wait_no_more() {
    let data = || PaymentData::new(PaymentSecret::from_bytes([7; 32]), msat(9_000));
    let record = AmpRecord {
        root_share: Share::from_bytes([1; 32]),
        set_id: SetId::from_bytes([2; 32]),
        child_index: u32::MAX,
    };
    let preimage = || Preimage::from_bytes([3; 32]);
    let rows = vec![
        waiting(1, Purpose::Amp(Box::new(AmpShard { payment_data: data(), record }))),
        waiting(2, Purpose::Keysend { preimage: preimage(), payment_data: Some(data()) }),
        waiting(3, Purpose::Keysend { preimage: preimage(), payment_data: None }),
        waiting(4, Purpose::Ecdh { version: Version::Ecdh1, preimage: preimage() }),
        waiting(5, Purpose::Ecdh { version: Version::Ecdh0, preimage: preimage() }),
        waiting(6, Purpose::Bolt11 { preimage: preimage() }),
    ];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    write_changes(&store, ChangeSet { waiting: rows.clone(), ..ChangeSet::default() }).expect("written");
    store.close().expect("nothing failed");
    let store = open(dir.path());
    assert_eq!(store.snapshot().expect("read").waiting, rows);
    let waited = vec![id(1), id(2), id(3)];
    write_changes(&store, ChangeSet { waited, ..ChangeSet::default() }).expect("written");
    assert_eq!(store.snapshot().expect("read").waiting, rows[3..]);
}

fn invoice(number: u8) -> AmpInvoiceRow {
    AmpInvoiceRow {
        payment_addr: PaymentSecret::from_bytes([number; 32]),
        bolt11: format!("lnbcrt{number}"),
        amount: (number > 1).then(|| msat(5_000)),
        description: "soup".into(),
        created_at: at(1),
        expires_at: at(2),
        state: InvoiceState::Open,
        payments: 0,
        received: Msat::ZERO,
    }
}

#[test]
fn what_an_invoice_received_adds_up_and_outlives_its_cancel() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let amp_invoices = (1..=3).map(invoice).collect();
    write_changes(&store, ChangeSet { amp_invoices, ..ChangeSet::default() }).expect("written");
    let received = |payments, amount| AmpReceived {
        payment_addr: PaymentSecret::from_bytes([2; 32]),
        payments,
        amount: msat(amount),
    };
    for amp_received in [vec![received(1, 6_000), received(1, 7_000)], vec![received(0, 500)]] {
        write_changes(&store, ChangeSet { amp_received, ..ChangeSet::default() }).expect("written");
    }
    let canceled = AmpInvoiceRow { state: InvoiceState::Canceled, ..invoice(2) };
    write_changes(&store, ChangeSet { amp_invoices: vec![canceled.clone()], ..ChangeSet::default() })
        .expect("written");
    let ledger = store.ledger();
    let row = ledger.amp_invoice(&canceled.payment_addr).expect("read").expect("there");
    assert_eq!(row, AmpInvoiceRow { payments: 2, received: msat(13_500), ..canceled });
    let page = ledger.amp_invoices(None, 2).expect("read");
    assert_eq!(page.rows[0], invoice(3));
    let rest = ledger.amp_invoices(page.next, 2).expect("read");
    assert_eq!((rest.rows, rest.next), (vec![invoice(1)], None));
}

#[test]
fn counters_add_up_and_are_read_page_by_page() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let counter = |channel_: u64, hour, reason, count| Counter {
        channel: channel(channel_),
        hour,
        reason,
        count,
        amount: Msat::MAX,
    };
    let keys = [
        (9, 1, Reason::Off),
        (9, 1, Reason::Timeout),
        (9, 2, Reason::Off),
        (8, 1, Reason::Timeout),
        (7, 3, Reason::Limit),
    ];
    for _ in 0..2 {
        let counters = keys.iter().rev().map(|(hour, channel, why)| counter(*channel, *hour, *why, 2));
        write_changes(&store, ChangeSet { counters: counters.collect(), ..ChangeSet::default() })
            .expect("written");
    }
    let (mut read, mut after) = (vec![], None);
    loop {
        let page = store.ledger().counters(after.as_ref(), 2).expect("read");
        let Some(last) = page.last() else { break };
        after = Some(CounterKey::of(last));
        read.extend(page);
    }
    // A sum stops at the money supply, so that nobody can make it more than a column holds.
    let expected = keys.map(|(hour, channel, why)| counter(channel, hour, why, 4));
    assert_eq!(read, expected);
}

#[test]
fn settings_are_replaced_and_go() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = open(dir.path());
    let put = |value: Option<&[u8]>| {
        let row = SettingRow { key: "receive".into(), value: value.map(<[u8]>::to_vec) };
        write_changes(&store, ChangeSet { settings: vec![row], ..ChangeSet::default() }).expect("written");
        let settings = store.snapshot().expect("read").settings;
        settings.into_iter().map(|row| row.value.expect("stored")).collect::<Vec<_>>()
    };
    assert_eq!(put(Some(&[1])), [vec![1]]);
    assert_eq!(put(Some(&[2, 3])), [vec![2, 3]]);
    assert!(put(None).is_empty());
    assert_eq!(at(0), Timestamp::default());
}
