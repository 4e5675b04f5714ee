//! BOLT 11 invoices of LND.

use crate::fields::settled;
use crate::table::{Way, begin};
use crate::world::{World, msat, pay};
use sponte_engine::commit::Kind;
use sponte_peers::LndPay;
use sponte_proto::Msat;

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
        told.settled();
        let invoice = settled(lana, told.row.hash.expect("its hash")).await;
        assert_eq!((invoice.payment_request.as_str(), invoice.paid), (text.as_str(), AMOUNT));
        assert_eq!(Some(&invoice.preimage), told.row.preimage.as_ref());
    }
    cell.passes();

    let cell = begin(ROW, Way::ThroughSponte);
    let earned = world.earned();
    let text = lutz.invoice(Some(AMOUNT), false).await;
    let paid = lana.pay(LndPay::invoice(&text)).await.expect("it begins");
    assert_eq!((paid.status.as_str(), paid.fee), ("SUCCEEDED", msat(1_000 + 4_000)), "{paid:#?}");
    world.earned_since(earned, paid.fee).await;
    assert_eq!(lutz.invoice_of(&text).await.paid, AMOUNT);
    cell.passes();
    world.audited().await;
}
