//! The same payment as both ends recorded it.

use crate::world::{Told, World, received_with};
use sponte_engine::commit::{Kind, PartRow, PaymentRow, State};
use sponte_peers::{Lnd, LndAttempt, LndInvoice, LndPayment, until};
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
    let first = hash_of(parts[0]);
    let invoice = until("LND to have settled a set", async || {
        let invoice = lnd.invoice_with(first).await?;
        let mine = |htlc: &&sponte_peers::LndInvoiceHtlc| {
            htlc.amp.as_ref().is_some_and(|shard| parts.iter().any(|part| hash_of(part) == shard.hash))
        };
        let settled = invoice.htlcs.iter().filter(mine).filter(|htlc| htlc.state == "SETTLED").count();
        (settled == shards).then_some(invoice)
    })
    .await;
    assert!(invoice.is_amp);
    for part in &parts {
        let hash = hash_of(part);
        let of =
            |htlc: &&sponte_peers::LndInvoiceHtlc| htlc.amp.as_ref().is_some_and(|shard| shard.hash == hash);
        let htlc = invoice.htlcs.iter().find(of).expect("the shard");
        let shard = htlc.amp.as_ref().expect("it is one");
        assert_eq!((htlc.amount, custom(&htlc.records)), (part.amount, told.row.records.clone()));
        assert_eq!(Some(&shard.preimage), part.claim.preimage.as_ref());
    }
    let sum: u64 = parts.iter().map(|part| part.amount.to_msat()).sum();
    assert_eq!(sum, told.row.amount.to_msat());
    invoice
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
    let settled: Vec<&LndAttempt> = paid.attempts.iter().filter(|one| one.status == "SUCCEEDED").collect();
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

/// What sponte's payment cost, and what LND between the two says that it earned by it.
pub async fn assert_same_fee_through_lnd(world: &World, fee: Msat, amount: Msat) {
    until("LND to have booked what it forwarded", async || {
        let all = world.lana.forwarded().await;
        all.iter().any(|(out, earned)| (*out, *earned) == (amount, fee)).then_some(())
    })
    .await;
}
