//! BOLT 11 invoices, of LND and of ours, each paid once.

use crate::fields::{assert_same_between_lnds, assert_same_fees_through_lnd, assert_same_ours, settled};
use crate::table::{Way, begin};
use crate::world::{World, msat, pay, received, received_with};
use sponte_engine::backend::MadeInvoice;
use sponte_engine::commit::{Kind, State};
use sponte_peers::{LndPay, LndPayment};
use sponte_proto::{Msat, Records};
use sponte_testkit::TestNode;

const AMOUNT: Msat = Msat::new(40_000_000).unwrap();
const ROW: &str = "BOLT 11";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn invoices_of_lnd_are_paid_once() {
    let world = World::start().await;
    let World { alice, lana, lutz, .. } = &world;
    let cell = begin(ROW, Way::ToLnd);
    for (amount, by_payer) in [(Some(AMOUNT), None), (None, Some(AMOUNT))] {
        let text = lana.invoice(amount, false).await;
        let told = pay(alice, alice.request_for(&text, by_payer).await).await;
        assert_eq!(told.row.kind, Kind::Bolt11);
        let [part] = told.settled()[..] else { panic!("one part: {told:#?}") };
        let invoice = settled(lana, told.row.hash.expect("its hash")).await;
        assert_eq!((invoice.payment_request.as_str(), invoice.paid), (text.as_str(), AMOUNT));
        assert_eq!((told.row.amount, told.row.fee, Some(invoice.hash)), (AMOUNT, Msat::ZERO, told.row.hash));
        assert_eq!(Some(&invoice.preimage), told.row.preimage.as_ref());
        let [htlc] = &invoice.htlcs[..] else { panic!("one HTLC: {invoice:#?}") };
        assert_eq!(htlc.amount, part.amount);
    }
    cell.passes();

    let cell = begin(ROW, Way::ThroughSponte);
    let earned = world.earned();
    let text = lutz.invoice(Some(AMOUNT), false).await;
    let paid = lana.pay(LndPay::invoice(&text)).await.expect("it begins");
    let invoice = assert_same_between_lnds(&paid, lutz, &Records::new()).await;
    assert_eq!((&invoice.payment_request, paid.amount), (&text, AMOUNT));
    assert_eq!(paid.fee, msat(1_000 + 4_000));
    world.earned_since(earned, paid.fee).await;
    cell.passes();
    world.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn invoices_of_ours_are_paid_once() {
    let world = World::start().await;
    let World { alice, lana, carol, lutz, .. } = &world;
    let cell = begin(ROW, Way::FromLnd);
    for (amount, by_payer) in [(Some(AMOUNT), None), (None, Some(AMOUNT))] {
        for (to, parts) in [(alice, 1), (carol, 1), (carol, 4)] {
            let invoice = to.invoice(amount).await;
            let paid = lana.pay(in_parts(&invoice, by_payer, parts)).await.expect("it begins");
            assert_same_in(&paid, &invoice, to, parts).await;
        }
    }
    // LND pays no invoice twice by itself; another one does not know.
    let invoice = carol.invoice(Some(AMOUNT)).await;
    let paid = lana.pay(LndPay::invoice(&invoice.bolt11)).await.expect("it begins");
    assert_same_in(&paid, &invoice, carol, 1).await;
    let again = lutz.pay(LndPay::invoice(&invoice.bolt11)).await.expect("it begins");
    assert_eq!(again.failure_reason, "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", "{again:#?}");
    let failure = again.attempts[0].failure.as_ref().expect("it failed");
    let code = "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS";
    assert_eq!((failure.code.as_str(), failure.failure_source_index), (code, 1));
    assert_eq!((received(alice).len(), received(carol).len()), (2, 5));
    cell.passes();

    let cell = begin(ROW, Way::ThroughLnd);
    let invoice = carol.invoice(Some(AMOUNT)).await;
    let told = pay(alice, alice.request_for(&invoice.bolt11, None).await).await;
    let [part] = told.settled()[..] else { panic!("one part: {told:#?}") };
    assert_eq!(part.route, [lana.id(), carol.id()]);
    assert_eq!((told.row.kind, told.row.hash), (Kind::Bolt11, Some(invoice.hash)));
    let got = assert_same_ours(&told, carol).await;
    assert_eq!((got.kind, got.amount), (Kind::Bolt11, AMOUNT));
    assert_same_fees_through_lnd(lana, &[&told]).await;
    cell.passes();
    world.audited().await;
}

fn in_parts(invoice: &MadeInvoice, by_payer: Option<Msat>, parts: usize) -> LndPay {
    let mut ask = LndPay::invoice(&invoice.bolt11);
    if let Some(amount) = by_payer {
        ask = ask.amount(amount);
    }
    if parts > 1 {
        ask = ask.parts(16).shards_of(msat(AMOUNT.to_msat() / parts as u64));
    }
    ask
}

/// An invoice of ours that LND has paid, and what sponte has got.
async fn assert_same_in(paid: &LndPayment, invoice: &MadeInvoice, to: &TestNode, parts: usize) {
    assert_eq!(paid.status, "SUCCEEDED", "{paid:#?}");
    assert_eq!(paid.payment_hash, invoice.hash);
    let row = received_with(to, invoice.hash).await;
    assert_eq!((row.kind, row.state), (Kind::Bolt11, State::Settled));
    assert_eq!((row.amount, row.hash), (paid.amount, Some(invoice.hash)));
    assert_eq!(row.preimage.as_ref(), Some(&paid.payment_preimage));
    let all = to.handle().ledger().parts(&row.id).expect("the ledger reads");
    let mut got: Vec<Msat> = all.iter().map(|part| part.amount).collect();
    let mut sent: Vec<Msat> =
        paid.attempts.iter().filter(|one| one.status == "SUCCEEDED").map(|one| one.amount()).collect();
    got.sort_unstable();
    sent.sort_unstable();
    assert_eq!((got.len(), &got), (parts, &sent));
}
