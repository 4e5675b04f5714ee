//! AMP invoices, each paid three times.

use crate::fields::{
    assert_same_amp, assert_same_amp_between_lnds, assert_same_amp_in, assert_same_fees_through_lnd,
    assert_same_ours,
};
use crate::table::{Way, begin};
use crate::world::{World, msat, pay};
use sponte_engine::commit::Kind;
use sponte_node::NewInvoice;
use sponte_peers::LndPay;
use sponte_proto::{Msat, Records};
use sponte_testkit::TestNode;

const AMOUNT: Msat = Msat::new(30_000_000).unwrap();
const ROW: &str = "AMP invoice, paid three times";

async fn invoice_of(node: &TestNode, amount: Option<Msat>) -> String {
    let new = NewInvoice { amount, description: "coffee".into(), expiry_ms: 3_600_000 };
    node.handle().create_amp_invoice(new).await.expect("an invoice").bolt11
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn each_is_paid_three_times() {
    let world = World::start().await;
    let World { alice, lana, carol, lutz, .. } = &world;
    for amount in [Some(AMOUNT), None] {
        let by_payer = amount.is_none().then_some(AMOUNT);
        let (of_lana, of_carol) = (lana.invoice(amount, true).await, invoice_of(carol, amount).await);

        let cell = begin(ROW, Way::ToLnd);
        for _ in 0..3 {
            let told = pay(alice, alice.request_for(&of_lana, by_payer).await).await;
            assert_eq!(told.row.kind, Kind::AmpInvoice);
            let invoice = assert_same_amp(&told, lana, 1).await;
            assert_eq!(invoice.payment_request, of_lana);
        }
        let invoice = lana.invoice_of(&of_lana).await;
        assert_eq!((invoice.amp_invoice_state.len(), invoice.paid), (3, msat(3 * AMOUNT.to_msat())));
        cell.passes();

        let cell = begin(ROW, Way::FromLnd);
        for _ in 0..3 {
            let mut ask = LndPay::amp_invoice(&of_carol);
            if let Some(amount) = by_payer {
                ask = ask.amount(amount);
            }
            let paid = lana.pay(ask).await.expect("it begins");
            let row = assert_same_amp_in(&paid, carol, 1, &Records::new()).await;
            assert_eq!(row.kind, Kind::AmpInvoice);
        }
        cell.passes();

        let cell = begin(ROW, Way::ThroughLnd);
        let mut all = vec![];
        for _ in 0..3 {
            let told = pay(alice, alice.request_for(&of_carol, by_payer).await).await;
            assert_eq!((told.parts.len(), told.row.amount), (1, AMOUNT), "{told:#?}");
            assert_eq!(assert_same_ours(&told, carol).await.kind, Kind::AmpInvoice);
            all.push(told);
        }
        assert_same_fees_through_lnd(lana, &all.iter().collect::<Vec<_>>()).await;
        cell.passes();

        let cell = begin(ROW, Way::ThroughSponte);
        let of_lutz = lutz.invoice(amount, true).await;
        for _ in 0..3 {
            let mut ask = LndPay::amp_invoice(&of_lutz);
            if let Some(amount) = by_payer {
                ask = ask.amount(amount);
            }
            let earned = world.earned();
            let paid = lana.pay(ask).await.expect("it begins");
            let invoice = assert_same_amp_between_lnds(&paid, lutz, 1, &Records::new()).await;
            assert_eq!((&invoice.payment_request, paid.amount), (&of_lutz, AMOUNT));
            world.earned_since(earned, paid.fee).await;
        }
        assert_eq!(lutz.invoice_of(&of_lutz).await.paid, msat(3 * AMOUNT.to_msat()));
        cell.passes();
    }
    world.audited().await;
}
