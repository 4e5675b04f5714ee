//! Payments to the node over the API: what is taken and held, decisions, AMP invoices.

mod common;

use common::Served;
use sponte_api::{
    ClientError, Code, Hold, InvoiceState, NewAmpInvoice, NewInvoice, PageQuery, Receive, ReceiveKind, Short,
    State,
};
use sponte_proto::{Msat, PaymentId, Records, TEXT_RECORD};
use std::time::{Duration, Instant};

/// Longer than anything here takes; a test that needs it has failed.
const LONG: Duration = Duration::from_secs(30);

fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

#[track_caller]
fn refused(error: ClientError) -> Code {
    match error {
        ClientError::Refused(error) => error.code,
        other => panic!("not refused: {other}"),
    }
}

async fn held(served: &Served) -> sponte_api::HeldPage {
    let deadline = Instant::now() + LONG;
    loop {
        let page = served.client().held(&PageQuery::default()).await.expect("listed");
        if !page.held.is_empty() {
            return page;
        }
        assert!(Instant::now() < deadline, "nothing is held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_taken_is_shown_replaced_and_reset() {
    let served = Served::start().await;
    let client = served.client();
    let first = client.receive().await.expect("shown");
    assert!(!first.replaced && first.receive.kinds.contains(&ReceiveKind::Keysend), "{first:?}");
    let other = Receive {
        kinds: vec![ReceiveKind::Amp],
        max_msat: Some(msat(5_000)),
        hold: Hold::From(msat(7)),
        hold_short: Short::Accept,
        ..first.receive.clone()
    };
    let set = client.set_receive(&other).await.expect("sound");
    assert!(set.replaced && set.receive == other, "{set:?}");
    assert_eq!(client.receive().await.expect("shown"), set);
    let nothing = Receive { min_msat: msat(6_000), ..other };
    assert_eq!(refused(client.set_receive(&nothing).await.expect_err("nothing")), Code::InvalidRequest);
    assert_eq!(client.reset_receive().await.expect("reset"), first);
}

#[tokio::test]
async fn a_held_payment_is_listed_and_decided_once() {
    let served = Served::start().await;
    let client = served.client();
    let receive = client.receive().await.expect("shown").receive;
    client.set_receive(&Receive { hold: Hold::All, ..receive }).await.expect("sound");
    served.receive(msat(9_000), Records::from_received([(TEXT_RECORD, b"take it?".to_vec())]));
    let page = held(&served).await;
    let held = &page.held[0];
    assert_eq!((page.height, held.left_blocks), (101, None), "its expiry is not known");
    assert!((3_500_000..=3_600_000).contains(&held.left_ms), "{held:?}");
    assert_eq!(held.payment.state, State::Held);
    assert_eq!(held.payment.message(), Some("take it?"));
    assert!(held.payment.preimage_hex.is_none(), "whoever sees it could claim");
    let detail = client.decide(held.payment.id, true).await.expect("it is held");
    assert_ne!(detail.payment.state, State::Held);
    let settled = client.payment(held.payment.id, LONG).await.expect("there");
    assert_eq!(settled.payment.state, State::Settled);
    assert_eq!(refused(client.decide(held.payment.id, false).await.expect_err("too late")), Code::Conflict);
    let unknown = client.decide(PaymentId::from_bytes([77; 32]), true).await;
    assert_eq!(refused(unknown.expect_err("unknown")), Code::NotFound);
    assert!(client.held(&PageQuery::default()).await.expect("listed").held.is_empty());
    let wrong = PageQuery { before: Some("x".into()), limit: None };
    assert_eq!(refused(client.held(&wrong).await.expect_err("no cursor")), Code::InvalidRequest);
}

#[tokio::test]
async fn a_held_payment_is_given_back() {
    let served = Served::start().await;
    let client = served.client();
    let receive = client.receive().await.expect("shown").receive;
    client
        .set_receive(&Receive { hold: Hold::Records([TEXT_RECORD].into()), ..receive })
        .await
        .expect("sound");
    served.receive(msat(9_000), Records::from_received([(TEXT_RECORD, b"no".to_vec())]));
    let id = held(&served).await.held[0].payment.id;
    let detail = client.decide(id, false).await.expect("it is held");
    assert_eq!(detail.payment.state, State::Canceled);
    assert_eq!(detail.payment.failure.expect("told").code, "canceled");
}

#[tokio::test]
async fn an_amp_invoice_is_made_listed_and_canceled() {
    let served = Served::start().await;
    let client = served.client();
    let new = NewAmpInvoice {
        amount_msat: Some(msat(1_000)),
        description: "soup".into(),
        expiry_seconds: Some(3_600),
    };
    let made = client.create_amp_invoice(&new).await.expect("made");
    assert_eq!(
        (made.state, made.payment_count, made.bolt11.as_str()),
        (InvoiceState::Open, 0, "lnbcrt1signed")
    );
    assert_eq!(made.expires_at_ms.millis_since(made.created_at_ms), 3_600_000);
    let any = client.create_amp_invoice(&NewAmpInvoice::default()).await.expect("made");
    let page = client.amp_invoices(&PageQuery { before: None, limit: Some(1) }).await.expect("listed");
    assert_eq!(page.amp_invoices, [any]);
    let older = client.amp_invoices(&PageQuery { before: page.next, limit: None }).await.expect("listed");
    assert_eq!(older.amp_invoices, std::slice::from_ref(&made));
    client.cancel_amp_invoice(&made.payment_addr).await.expect("it is open");
    let detail = client.amp_invoice(&made.payment_addr).await.expect("there");
    assert_eq!((detail.invoice.state, detail.payments.len()), (InvoiceState::Canceled, 0));
    let again = client.cancel_amp_invoice(&made.payment_addr).await;
    assert_eq!(refused(again.expect_err("canceled already")), Code::Conflict);
    assert_eq!(refused(client.amp_invoice(&"ab".repeat(32)).await.expect_err("unknown")), Code::NotFound);
    assert_eq!(refused(client.amp_invoice("ab").await.expect_err("no address")), Code::InvalidRequest);

    for wrong in [
        NewAmpInvoice { amount_msat: Some(msat(0)), ..new.clone() },
        NewAmpInvoice { description: "x".repeat(640), ..new.clone() },
        NewAmpInvoice { expiry_seconds: Some(0), ..new.clone() },
    ] {
        assert_eq!(
            refused(client.create_amp_invoice(&wrong).await.expect_err("wrong")),
            Code::InvalidRequest
        );
    }
    let receive = client.receive().await.expect("shown").receive;
    let kinds = vec![ReceiveKind::Keysend];
    client.set_receive(&Receive { kinds, ..receive }).await.expect("sound");
    assert_eq!(refused(client.create_amp_invoice(&new).await.expect_err("off")), Code::Conflict);
}

#[tokio::test]
async fn an_invoice_is_made_whatever_kinds_are_on() {
    let served = Served::start().await;
    let client = served.client();
    let receive = client.receive().await.expect("shown").receive;
    client.set_receive(&Receive { kinds: vec![], min_msat: msat(9_000), ..receive }).await.expect("sound");
    let new =
        NewInvoice { amount_msat: Some(msat(1_000)), description: "soup".into(), expiry_seconds: Some(60) };
    let made = client.create_invoice(&new).await.expect("made");
    assert_eq!((made.bolt11.as_str(), made.hash.to_bytes()), ("lnbcrt1made", [9; 32]));
    assert_eq!((made.amount_msat, made.description.as_str()), (Some(msat(1_000)), "soup"));
    assert_eq!(made.expires_at_ms.millis_since(made.created_at_ms), 60_000);
    let any = client.create_invoice(&NewInvoice::default()).await.expect("made");
    assert_eq!((any.amount_msat, any.description.as_str()), (None, ""));
    assert_eq!(any.expires_at_ms.millis_since(any.created_at_ms), 3_600_000, "an hour, as BOLT 11 has it");
    for wrong in [
        NewInvoice { amount_msat: Some(msat(0)), ..new.clone() },
        NewInvoice { description: "x".repeat(640), ..new.clone() },
        NewInvoice { expiry_seconds: Some(0), ..new.clone() },
    ] {
        assert_eq!(refused(client.create_invoice(&wrong).await.expect_err("wrong")), Code::InvalidRequest);
    }
}

#[tokio::test]
async fn what_is_refused_is_counted() {
    let served = Served::start().await;
    let client = served.client();
    assert!(client.refused(&PageQuery::default()).await.expect("listed").refused.is_empty());
    let receive = client.receive().await.expect("shown").receive;
    client.set_receive(&Receive { min_msat: msat(10_000), ..receive }).await.expect("sound");
    served.receive(msat(9_000), Records::new());
    let deadline = Instant::now() + LONG;
    let page = loop {
        let page = client.refused(&PageQuery { before: None, limit: Some(1) }).await.expect("listed");
        if !page.refused.is_empty() {
            break page;
        }
        assert!(Instant::now() < deadline, "nothing is counted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let row = &page.refused[0];
    assert_eq!((row.reason.as_str(), row.count, row.amount_msat), ("amount", 1, msat(9_000)));
    let rest = client.refused(&PageQuery { before: page.next, limit: None }).await.expect("listed");
    assert!(rest.refused.is_empty());
    let wrong = PageQuery { before: Some("9".into()), limit: None };
    assert_eq!(refused(client.refused(&wrong).await.expect_err("no cursor")), Code::InvalidRequest);
}
