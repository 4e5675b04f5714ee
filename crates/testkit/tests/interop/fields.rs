//! The same payment as both ends recorded it.

use crate::world::{Told, received_with};
use sponte_engine::commit::{Kind, PartRow, PaymentRow, State};
use sponte_peers::{Lnd, LndAttempt, LndInvoice, LndInvoiceHtlc, LndPayment, until};
use sponte_proto::{KEYSEND_RECORD, Msat, PaymentHash, Record, Records};
use sponte_testkit::TestNode;

/// Records with these types and texts.
pub fn records(all: &[(u64, &str)]) -> Records {
    let mut records = Records::new();
    for (kind, text) in all {
        let record = Record::new(*kind, text.as_bytes().to_vec()).expect("a sender may set it");
        records.insert(record).expect("each once");
    }
    records
}

/// LDK's field of `update_add_htlc` that says whether an HTLC is accountable. LND shows the fields of that message
/// beside the records of the payload.
const ACCOUNTABLE: u64 = 106_823;

/// What LND shows of an HTLC's records, without that of the kind.
pub fn custom(records: &Records) -> Records {
    let own = records.iter().filter(|(kind, _)| ![KEYSEND_RECORD, ACCOUNTABLE].contains(kind));
    Records::from_received(own.map(|(kind, value)| (kind, value.to_vec())))
}

/// A keysend that sponte has paid, and the invoice that LND made for it.
pub async fn assert_same_keysend(told: &Told, lnd: &Lnd) {
    let [part] = told.settled()[..] else { panic!("one part: {told:#?}") };
    assert_eq!(told.row.kind, Kind::Keysend);
    let hash = told.row.hash.expect("a keysend has a hash");
    let invoice = settled(lnd, hash).await;
    assert!(invoice.is_keysend && !invoice.is_amp);
    assert_eq!(invoice.paid, told.row.amount);
    assert_eq!(Some(&invoice.preimage), told.row.preimage.as_ref());
    let [htlc] = &invoice.htlcs[..] else { panic!("one HTLC: {invoice:#?}") };
    assert_eq!((htlc.amount, custom(&htlc.records)), (part.amount, told.row.records.clone()));
    assert_eq!((part.claim.hash, &part.claim.preimage), (Some(hash), &Some(invoice.preimage.clone())));
}

/// A keysend of sponte that LND had, and gave back.
pub async fn assert_same_refused_keysend(told: &Told, lnd: &Lnd) {
    let [part] = told.failed()[..] else { panic!("one part: {told:#?}") };
    assert_eq!((told.row.kind, told.row.state), (Kind::Keysend, State::Failed));
    assert_eq!((&told.row.preimage, told.row.fee), (&None, Msat::ZERO), "nothing was paid: {told:#?}");
    let hash = told.row.hash.expect("a keysend has a hash");
    let invoice = until(&format!("{} to have canceled", lnd.name()), async || {
        lnd.invoice_with(hash).await.filter(|invoice| invoice.state == "CANCELED")
    })
    .await;
    // What it has held counts as paid, also when it was given back.
    assert_eq!((invoice.hash, invoice.paid), (hash, told.row.amount));
    let [htlc] = &invoice.htlcs[..] else { panic!("one HTLC: {invoice:#?}") };
    assert_eq!((htlc.state.as_str(), htlc.amount), ("CANCELED", part.amount));
    assert_eq!(custom(&htlc.records), told.row.records);
}

/// Waits until LND has settled what has come with a hash.
pub async fn settled(lnd: &Lnd, hash: PaymentHash) -> LndInvoice {
    until(&format!("{} to have settled", lnd.name()), async || {
        lnd.invoice_with(hash).await.filter(|invoice| invoice.state == "SETTLED")
    })
    .await
}

/// A keysend that LND has paid, and what sponte has got.
pub async fn assert_same_keysend_in(paid: &LndPayment, node: &TestNode, sent: &Records) -> PaymentRow {
    assert_eq!(paid.status, "SUCCEEDED", "{paid:#?}");
    let row = received_with(node, paid.payment_hash).await;
    assert_eq!((row.kind, row.state), (Kind::Keysend, State::Settled));
    assert_eq!((row.amount, row.hash), (paid.amount, Some(paid.payment_hash)));
    assert_eq!(row.preimage.as_ref(), Some(&paid.payment_preimage));
    assert_eq!(&row.records, sent);
    row
}

/// An AMP set that sponte has paid, and what LND has of each shard.
pub async fn assert_same_amp(told: &Told, lnd: &Lnd, shards: usize) -> LndInvoice {
    let parts = told.settled();
    assert_eq!(parts.len(), shards, "{told:#?}");
    let hashes: Vec<PaymentHash> = parts.iter().map(|part| hash_of(part)).collect();
    let invoice = settled_set(lnd, &hashes).await;
    for part in &parts {
        let htlc = shard_of(&invoice, hash_of(part)).expect("the shard");
        let shard = htlc.amp.as_ref().expect("it is one");
        assert_eq!((htlc.amount, custom(&htlc.records)), (part.amount, told.row.records.clone()));
        assert_eq!(Some(&shard.preimage), part.claim.preimage.as_ref());
    }
    invoice
}

/// Waits until LND has settled these shards of one set.
async fn settled_set(lnd: &Lnd, shards: &[PaymentHash]) -> LndInvoice {
    let invoice = until("LND to have settled a set", async || {
        let invoice = lnd.invoice_with(shards[0]).await?;
        let settled =
            |hash: &PaymentHash| shard_of(&invoice, *hash).is_some_and(|htlc| htlc.state == "SETTLED");
        shards.iter().all(settled).then_some(invoice)
    })
    .await;
    assert!(invoice.is_amp);
    invoice
}

/// The HTLC of that hash.
fn shard_of(invoice: &LndInvoice, hash: PaymentHash) -> Option<&LndInvoiceHtlc> {
    invoice.htlcs.iter().find(|htlc| htlc.amp.as_ref().is_some_and(|shard| shard.hash == hash))
}

fn hash_of(part: &PartRow) -> PaymentHash {
    part.claim.hash.expect("every part has a hash")
}

/// An AMP set that LND has paid, and what sponte has got.
pub async fn assert_same_amp_in(
    paid: &LndPayment,
    node: &TestNode,
    shards: usize,
    sent: &Records,
) -> PaymentRow {
    assert_eq!(paid.status, "SUCCEEDED", "{paid:#?}");
    let settled = succeeded(paid);
    assert_eq!(settled.len(), shards, "{paid:#?}");
    let first = settled[0].preimage.payment_hash();
    let row = received_with(node, first).await;
    assert_eq!((row.state, row.amount), (State::Settled, paid.amount));
    assert_eq!(&row.records, sent);
    assert_eq!(
        row.receipt.set_id.map(|id| id.to_bytes()),
        Some(paid.payment_hash.to_bytes()),
        "its name in both"
    );
    let parts = node.handle().ledger().parts(&row.id).expect("the ledger reads");
    assert_eq!(parts.len(), shards);
    for attempt in settled {
        let hash = attempt.preimage.payment_hash();
        let part = parts.iter().find(|part| part.claim.hash == Some(hash)).expect("the shard");
        assert_eq!(part.claim.preimage.as_ref(), Some(&attempt.preimage));
        assert_eq!(part.amount, attempt.amount());
    }
    row
}

/// The HTLCs that its payment consists of; their fees are the payment's.
fn succeeded(paid: &LndPayment) -> Vec<&LndAttempt> {
    let all: Vec<&LndAttempt> = paid.attempts.iter().filter(|one| one.status == "SUCCEEDED").collect();
    let sum = |of: fn(&LndAttempt) -> Msat| all.iter().map(|one| of(one).to_msat()).sum::<u64>();
    let told = (paid.amount.to_msat(), paid.fee.to_msat());
    assert_eq!((sum(LndAttempt::amount), sum(|one| one.route.fees)), told, "{paid:#?}");
    all
}

/// What one LND has paid another one, in HTLCs of one hash: a keysend, or an invoice of BOLT 11.
pub async fn assert_same_between_lnds(paid: &LndPayment, lnd: &Lnd, sent: &Records) -> LndInvoice {
    assert_eq!(paid.status, "SUCCEEDED", "{paid:#?}");
    let invoice = settled(lnd, paid.payment_hash).await;
    assert_eq!((invoice.hash, &invoice.preimage), (paid.payment_hash, &paid.payment_preimage));
    assert_eq!(invoice.paid, paid.amount);
    let mut amounts: Vec<Msat> = succeeded(paid).iter().map(|one| one.amount()).collect();
    let mut got: Vec<Msat> = invoice.htlcs.iter().map(|htlc| htlc.amount).collect();
    amounts.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, amounts);
    for htlc in &invoice.htlcs {
        assert_eq!((htlc.state.as_str(), &custom(&htlc.records)), ("SETTLED", sent));
    }
    invoice
}

/// An AMP set that one LND has paid another one.
pub async fn assert_same_amp_between_lnds(
    paid: &LndPayment,
    lnd: &Lnd,
    shards: usize,
    sent: &Records,
) -> LndInvoice {
    assert_eq!(paid.status, "SUCCEEDED", "{paid:#?}");
    let attempts = succeeded(paid);
    assert_eq!(attempts.len(), shards, "{paid:#?}");
    let hashes: Vec<PaymentHash> = attempts.iter().map(|one| one.preimage.payment_hash()).collect();
    let invoice = settled_set(lnd, &hashes).await;
    for (attempt, hash) in attempts.iter().zip(hashes) {
        let htlc = shard_of(&invoice, hash).expect("the shard");
        let shard = htlc.amp.as_ref().expect("it is one");
        assert_eq!((htlc.amount, &shard.preimage), (attempt.amount(), &attempt.preimage));
        assert_eq!(&custom(&htlc.records), sent);
        assert_eq!(shard.set_id(), paid.payment_hash.to_bytes(), "its name in both");
    }
    invoice
}

/// What one sponte has paid another one, by LND.
pub async fn assert_same_ours(told: &Told, to: &TestNode) -> PaymentRow {
    let parts = told.settled();
    let got = received_with(to, hash_of(parts[0])).await;
    assert_eq!((got.state, got.amount, &got.records), (State::Settled, told.row.amount, &told.row.records));
    assert_eq!((got.hash, &got.preimage), (told.row.hash, &told.row.preimage));
    let mut got_parts = to.handle().ledger().parts(&got.id).expect("the ledger reads");
    for part in parts {
        let same = |one: &PartRow| {
            (one.amount, one.claim.hash, &one.claim.preimage)
                == (part.amount, part.claim.hash, &part.claim.preimage)
        };
        let found = got_parts.iter().position(same);
        got_parts.swap_remove(found.unwrap_or_else(|| panic!("{part:#?} is not among {got_parts:#?}")));
    }
    assert!(got_parts.is_empty(), "more than was sent: {got_parts:#?}");
    got
}

/// What sponte's payments cost, HTLC by HTLC, and what LND, the one router on their way, says that it earned by them.
pub async fn assert_same_fees_through_lnd(lana: &Lnd, all: &[&Told]) {
    let parts = all.iter().flat_map(|told| told.settled());
    assert_forwarded(lana, parts.map(|part| (part.amount, part.fee)).collect()).await;
}

/// As [`assert_same_fees_through_lnd`], with what each HTLC brought to its destination, and cost.
pub async fn assert_forwarded(lana: &Lnd, cost: Vec<(Msat, Msat)>) {
    assert!(cost.iter().all(|(_, fee)| *fee > Msat::ZERO), "{cost:?}");
    // It writes them down every 15 seconds.
    until("LND to have booked what it forwarded", async || {
        let mut earned = lana.forwarded().await;
        let mut take = |one: &(Msat, Msat)| {
            earned.iter().position(|other| other == one).map(|found| earned.swap_remove(found)).is_some()
        };
        cost.iter().all(&mut take).then_some(())
    })
    .await;
}
