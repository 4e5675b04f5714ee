//! Invoices of our nodes, paid by our nodes.

use sponte_engine::PayError as Refused;
use sponte_engine::backend::MadeInvoice;
use sponte_engine::commit::{Direction, Kind, PartRow, PaymentRow, State};
use sponte_node::PayError;
use sponte_proto::failure::FailureCode;
use sponte_proto::{Msat, PaymentId};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, TestNode};

const AMOUNT: Msat = Msat::new(20_000_000).unwrap();

fn received(node: &TestNode) -> Vec<PaymentRow> {
    let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
    node.handle().ledger().payments(query).expect("the ledger reads").rows
}

fn parts(node: &TestNode, id: PaymentId) -> Vec<PartRow> {
    node.handle().ledger().parts(&id).expect("the ledger reads")
}

/// Pays an invoice, and waits for the end.
async fn pay(from: &TestNode, invoice: &MadeInvoice, amount: Option<Msat>) -> PaymentRow {
    let request = from.request_for(&invoice.bolt11, amount).await;
    let id = from.begin(request).await.expect("a sound request");
    from.ended(id).await
}

/// Both ends say the same of a payment.
async fn assert_paid(sent: &PaymentRow, to: &TestNode, invoice: &MadeInvoice) -> PaymentRow {
    assert_eq!((sent.state, sent.kind), (State::Settled, Kind::Bolt11), "{sent:#?}");
    assert_eq!(sent.hash, Some(invoice.hash));
    let got = to.received(sent).await;
    assert_eq!((got.state, got.kind, got.amount), (State::Settled, Kind::Bolt11, AMOUNT), "{got:#?}");
    assert_eq!((got.hash, &got.preimage), (sent.hash, &sent.preimage));
    assert!(got.preimage.as_ref().expect("the proof").opens(&invoice.hash));
    got
}

/// The payee itself refuses, as a hash that nobody knows.
async fn assert_refused(from: &TestNode, invoice: &MadeInvoice) {
    let row = pay(from, invoice, Some(AMOUNT)).await;
    assert_eq!(row.state, State::Failed, "{row:#?}");
    let parts = parts(from, row.id);
    assert!(!parts.is_empty(), "{row:#?}");
    for part in parts {
        let failed = part.sent.failure.expect("it failed");
        let at = u32::try_from(part.route.len()).ok();
        assert_eq!((failed.hop, failed.code), (at, Some(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_is_paid_once_directly_and_over_another_node() {
    let net = Net::start().await;
    let [alice, bob, carol] = net.line(1_000_000).await;
    for amount in [Some(AMOUNT), None] {
        for (payer, other) in [(&alice, &bob), (&bob, &alice)] {
            let invoice = carol.invoice(amount).await;
            let by_payer = amount.is_none().then_some(AMOUNT);
            let sent = pay(payer, &invoice, by_payer).await;
            assert_paid(&sent, &carol, &invoice).await;

            let again = payer.begin(payer.request_for(&invoice.bolt11, by_payer).await).await;
            assert!(matches!(again, Err(PayError::Refused(Refused::InvoicePaid(id))) if id == sent.id));
            assert_refused(other, &invoice).await;
        }
    }
    assert_eq!(received(&carol).len(), 4);
    for node in [&alice, &bob, &carol] {
        node.audited().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_outlives_a_restart_and_so_does_its_payment() {
    let net = Net::start().await;
    let [alice, bob, mut carol] = net.line(1_000_000).await;
    let [invoice, unpaid] = [carol.invoice(Some(AMOUNT)).await, carol.invoice(Some(AMOUNT)).await];
    restart(&net, &mut carol, &bob).await;
    assert_paid(&pay(&alice, &invoice, None).await, &carol, &invoice).await;
    restart(&net, &mut carol, &bob).await;
    assert_refused(&bob, &invoice).await;
    assert_paid(&pay(&bob, &unpaid, None).await, &carol, &unpaid).await;
    assert_eq!(received(&carol).len(), 2);
    carol.audited().await;
}

async fn restart(net: &Net, node: &mut TestNode, peer: &TestNode) {
    node.stop().await;
    node.run().await;
    peer.connect(node).await;
    net.synced(&[node]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_is_paid_in_parts_to_a_node_that_nobody_knows() {
    let net = Net::start().await;
    let (alice, dave) = (net.node("alice").await, net.node("dave").await);
    net.fund(&alice, 200_000).await;
    for _ in 0..2 {
        // Each holds less than the amount.
        net.open(&alice, &dave, 30_000, false, &[&alice, &dave]).await;
    }
    let amount = Msat::new(2 * AMOUNT.to_msat()).expect("in supply");
    let invoice = dave.invoice(Some(amount)).await;
    let sent = pay(&alice, &invoice, None).await;
    assert_eq!(sent.state, State::Settled, "{sent:#?}");
    let got = dave.received(&sent).await;
    assert_eq!((got.kind, got.amount, got.state), (Kind::Bolt11, amount, State::Settled));
    let parts = parts(&dave, got.id);
    let mut channels: Vec<_> = parts.iter().map(|part| part.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    assert_eq!(channels.len(), 2, "{parts:#?}");
    assert!(parts.iter().all(|part| part.state == State::Settled && part.claim.hash == Some(invoice.hash)));
    alice.audited().await;
    dave.audited().await;
}

/// Carol's only channel is private: alice learns of the way by the invoice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_says_the_way_over_a_private_channel() {
    let net = Net::start().await;
    let [alice, bob, carol] = [net.node("alice").await, net.node("bob").await, net.node("carol").await];
    for node in [&alice, &bob] {
        net.fund(node, 2_000_000).await;
    }
    net.open(&alice, &bob, 1_000_000, true, &[&alice, &bob]).await;
    net.open(&bob, &carol, 1_000_000, false, &[&alice, &bob, &carol]).await;
    let invoice = carol.invoice(Some(AMOUNT)).await;
    let sent = pay(&alice, &invoice, None).await;
    assert_paid(&sent, &carol, &invoice).await;
    assert_eq!(parts(&alice, sent.id)[0].route, [bob.id(), carol.id()]);
    for node in [&alice, &bob, &carol] {
        node.audited().await;
    }
}
