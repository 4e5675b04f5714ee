//! Invoices (BOLT 11) of a plain LDK node, paid by ours.

use crate::offers::{Line, funded_by, invoice_request, sat};
use sponte_engine::PayError as Refused;
use sponte_engine::commit::{Kind, State};
use sponte_node::PayError;
use sponte_testkit::{Net, RawNode};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_of_a_peer_is_paid_once() {
    let net = Net::start().await;
    let (alice, carol) = (net.node("alice").await, RawNode::start(&net, "carol").await);
    funded_by(&net, &carol, &alice).await;
    for amount in [Some(sat(500)), None] {
        let request = invoice_request(&alice, &carol.invoice(amount), Some(sat(500))).await;
        let id = alice.begin(request.clone()).await.expect("a sound request");
        let row = alice.ended(id).await;
        assert_eq!((row.state, row.kind, row.fee.to_msat()), (State::Settled, Kind::Bolt11, 0), "{row:?}");
        let hash = request.invoice_hash().expect("it has one");
        assert_eq!(row.preimage.expect("the proof").payment_hash(), hash);
        assert_eq!(alice.begin(request.clone()).await.expect("the same payment"), id);
        let other = sponte_node::PaymentRequest { key: "another".into(), ..request };
        let refused = alice.begin(other).await;
        assert!(matches!(refused, Err(PayError::Refused(Refused::InvoicePaid(paid))) if paid == id));
    }
    alice.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_is_paid_over_its_hint() {
    let line = Line::start().await;
    let request = invoice_request(&line.alice, &line.carol.invoice(Some(sat(500))), None).await;
    let id = line.alice.begin(request).await.expect("a sound request");
    let row = line.alice.ended(id).await;
    assert_eq!((row.state, row.kind), (State::Settled, Kind::Bolt11), "{row:?}");
    assert_eq!(row.fee, RawNode::FEE);
    let parts = line.alice.handle().ledger().parts(&id).expect("the ledger reads");
    assert_eq!(parts[0].route, [line.bob.id(), line.carol.id()]);
    line.alice.audited().await;
}
