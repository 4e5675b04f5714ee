//! MPP keysend, which LND refuses.

use crate::fields::{assert_same_fees_through_lnd, assert_same_ours, custom, records, settled};
use crate::table::{Way, begin};
use crate::world::{World, pay};
use sponte_engine::commit::{Kind, State};
use sponte_node::PaymentRequest;
use sponte_proto::Msat;
use sponte_proto::failure::FailureCode;
use sponte_testkit::TestNode;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn it_is_refused_and_a_keysend_takes_its_place() {
    let world = World::start().await;
    let World { alice, lana, carol, .. } = &world;
    let sent = records(&[(70_001, "odd")]);
    let ask = |to, fall_back| PaymentRequest {
        kind: Some(Kind::MppKeysend),
        fall_back: Some(fall_back),
        records: sent.clone(),
        ..TestNode::request_to(to, "25000sat")
    };
    let cell = begin("MPP keysend", Way::ToLnd);
    let told = pay(alice, ask(lana.id(), false)).await;
    assert_eq!(told.row.state, State::Failed);
    let failure = told.failed()[0].sent.failure.expect("it failed");
    assert_eq!(
        (failure.hop, failure.code),
        (Some(1), Some(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS))
    );
    assert_eq!(told.row.failure.as_ref().map(|why| why.code.as_str()), Some("recipient_refused"));
    assert!(lana.invoices().await.is_empty(), "nothing was taken");
    cell.limit("not spoken: INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");

    let cell = begin("MPP keysend, then the fallback", Way::ToLnd);
    let told = pay(alice, ask(lana.id(), true)).await;
    let [part] = told.settled()[..] else { panic!("one part: {told:#?}") };
    let kinds: Vec<Kind> = told.attempts.iter().map(|attempt| attempt.kind).collect();
    assert_eq!(kinds, [Kind::MppKeysend, Kind::Keysend]);
    let hashes: Vec<_> = told.parts.iter().map(|part| part.claim.hash).collect();
    assert_ne!(hashes[0], hashes[1], "a new hash");
    let invoice = settled(lana, told.row.hash.expect("a hash")).await;
    let [htlc] = &invoice.htlcs[..] else { panic!("one HTLC: {invoice:#?}") };
    assert_eq!(
        (invoice.paid, htlc.amount, custom(&htlc.records)),
        (told.row.amount, part.amount, sent.clone())
    );
    assert_eq!((Some(&invoice.preimage), told.row.fee), (told.row.preimage.as_ref(), Msat::ZERO));
    assert!(lana.invoice_with(hashes[0].expect("a hash")).await.is_none(), "nothing was taken for the first");
    cell.passes();

    let cell = begin("MPP keysend", Way::ThroughLnd);
    let told = pay(alice, ask(carol.id(), false)).await;
    // In one part it is a keysend with a payment secret.
    assert_eq!(assert_same_ours(&told, carol).await.kind, Kind::Keysend);
    assert_same_fees_through_lnd(lana, &[&told]).await;
    cell.passes();
    world.audited().await;
}
