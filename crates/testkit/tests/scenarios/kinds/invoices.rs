//! Payments to an ordinary invoice that are not what it asks for, then the one that is.

use super::held::{held, hold_all};
use super::{AMOUNT, Payer, Set, UNKNOWN, in_state, msat, payments, received};
use sponte_engine::Decision;
use sponte_engine::backend::{Admin, Kinds, MadeInvoice, Payable};
use sponte_engine::commit::{Kind, State};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{Msat, PaymentSecret, Preimage};
use sponte_testkit::{Net, Outcome, RawHtlc, Sent, TestNode};

/// What a payer reads in an invoice: the secret that goes with its hash.
async fn secret_of(node: &TestNode, invoice: &MadeInvoice) -> PaymentSecret {
    let text = invoice.bolt11.clone();
    let read = node.handle().admin(move |reply| Admin::ReadPayable(text, reply)).await.expect("it reads");
    let Payable::Invoice(read) = read else { panic!("an invoice, and no offer") };
    assert!(read.metadata.is_none());
    read.payment_addr
}

/// An HTLC to the invoice, perhaps with a `payment_metadata`.
fn pay(
    payer: &Payer,
    invoice: &MadeInvoice,
    secret: &PaymentSecret,
    total: Msat,
    metadata: Option<Vec<u8>>,
) -> Sent {
    let data = PaymentData::new(secret.clone(), total);
    payer.send(RawHtlc::of_hash(invoice.hash), move |payload| {
        payload.payment_data = Some(data.clone());
        payload.payment_metadata.clone_from(&metadata);
    })
}

/// A shard's facts, as translation writes them, and LDK's nonce behind.
fn facts() -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend([7; 3 * 32 + 4]);
    bytes.extend(AMOUNT.to_msat().to_be_bytes());
    bytes.extend([9; 16]);
    bytes
}

async fn forgeries(payer: &Payer, invoice: &MadeInvoice, secret: &PaymentSecret) {
    let mut wrong = *secret.as_bytes();
    wrong[31] ^= 1;
    let wrong = PaymentSecret::from_bytes(wrong);
    let less = msat(AMOUNT.to_msat() - 1);
    for sent in [
        pay(payer, invoice, &wrong, AMOUNT, None),
        pay(payer, invoice, secret, less, None),
        pay(payer, invoice, secret, AMOUNT, Some(vec![])),
        pay(payer, invoice, secret, AMOUNT, Some(facts())),
        payer.send(RawHtlc::of_hash(invoice.hash), |_| {}),
    ] {
        payer.assert_refused(&sent, UNKNOWN).await;
    }
    // As a shard to the invoice's secret: a set whose preimage it is not.
    let set = Set::to(secret.clone(), 30);
    let data = PaymentData::new(secret.clone(), AMOUNT);
    let shard = payer.amp(invoice.hash, Some(data), set.shards[0].record(set.id));
    payer.assert_refused(&shard, UNKNOWN).await;
    // As a keysend, with a preimage that somebody made up.
    let made_up = Preimage::from_bytes([3; 32]);
    let keysend = payer.send(RawHtlc::of_hash(invoice.hash), move |payload| {
        payload.keysend = Some(made_up.clone());
    });
    payer.assert_refused(&keysend, UNKNOWN).await;
}

async fn assert_taken_once(payer: &Payer, to: &TestNode) {
    let invoice = to.invoice(Some(AMOUNT)).await;
    let secret = secret_of(to, &invoice).await;
    forgeries(payer, &invoice, &secret).await;
    assert!(payments(to).is_empty(), "what is refused leaves no row");

    let Outcome::Settled(preimage) = pay(payer, &invoice, &secret, AMOUNT, None).ended().await else {
        panic!("it is what the invoice asks for")
    };
    assert!(preimage.opens(&invoice.hash));
    let row = received(to, Kind::Bolt11).await;
    assert_eq!((row.amount, row.hash, row.preimage.as_ref()), (AMOUNT, Some(invoice.hash), Some(&preimage)));
    // The payer now knows the preimage, and so does whoever forwarded it.
    for again in [pay(payer, &invoice, &secret, AMOUNT, None), payer.keysend(&preimage, None)] {
        payer.assert_refused(&again, UNKNOWN).await;
    }
    assert_eq!(payments(to).len(), 1);
    to.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_what_the_invoice_asks_for_is_taken_once() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::through_plain_ldk(&net, &carol).await;
    assert_taken_once(&payer, &carol).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_is_paid_where_no_kind_is_on_and_held() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    hold_all(&carol).await;
    let (mut policy, _) = carol.handle().receive().await.expect("it runs");
    policy.kinds = Kinds {
        keysend: false,
        mpp_keysend: false,
        amp: false,
        amp_invoice: false,
        ecdh1: false,
        ecdh0: false,
    };
    policy.min = msat(2 * AMOUNT.to_msat());
    carol.handle().set_receive(Some(policy)).await.expect("it makes sense");

    for decision in [Decision::Settle, Decision::Cancel] {
        let invoice = carol.invoice(None).await;
        let secret = secret_of(&carol, &invoice).await;
        let sent = pay(&payer, &invoice, &secret, AMOUNT, None);
        let row = held(&carol, Kind::Bolt11).await;
        // While it is held another one of its hash changes nothing.
        payer.assert_refused(&pay(&payer, &invoice, &secret, AMOUNT, None), UNKNOWN).await;
        assert_eq!(sent.outcome(), None);
        carol.handle().decide(row.id, decision).await.expect("it is held");
        let state = match decision {
            Decision::Settle => {
                assert!(matches!(sent.ended().await, Outcome::Settled(_)));
                State::Settled
            }
            Decision::Cancel => {
                payer.assert_refused(&sent, UNKNOWN).await;
                State::Canceled
            }
        };
        in_state(&carol, Kind::Bolt11, state).await;
        payer.assert_refused(&pay(&payer, &invoice, &secret, AMOUNT, None), UNKNOWN).await;
    }
    assert_eq!(payments(&carol).len(), 2);
    carol.audited().await;
}
