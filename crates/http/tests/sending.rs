//! Kinds, limits, quotes, invoices and canceling over the API.

mod common;

use common::sending::{self, CUT_OFF, DEAR, FAR, HUB, LONELY, PARTED, RICH, UNKNOWN};
use common::{REFUSING, SILENT, Served, friend, node_id};
use sponte_api::{
    ClientError, Code, Kind, Limits, PayInvoiceRequest, PayRequest, PaymentDetail, PaymentsQuery, RouteHint,
    State,
};
use sponte_proto::{Msat, NodeId, PaymentId, ShortChannelId, hex};
use std::time::Duration;

/// Longer than anything here takes; a test that needs it has failed.
const LONG: Duration = Duration::from_secs(30);

fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("small")
}

fn request(destination: NodeId, key: &str) -> PayRequest {
    PayRequest { key: Some(key.into()), ..PayRequest::new(destination, sat(50)) }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (Code, String) {
    match answer.expect_err("it must be refused") {
        ClientError::Refused(error) => (error.code, error.message),
        other => panic!("not refused: {other}"),
    }
}

async fn pays(served: &Served, kind: Kind) -> PaymentDetail {
    let request = PayRequest { kind: Some(kind), ..request(friend(), kind.as_str()) };
    served.client().pay(&request, LONG).await.expect("answered")
}

#[tokio::test]
async fn each_kind_is_sent_as_asked_for() {
    let served = Served::start().await;
    for kind in [Kind::Keysend, Kind::MppKeysend, Kind::Amp] {
        let PaymentDetail { payment, attempts, .. } = pays(&served, kind).await;
        assert_eq!((payment.state, payment.kind, payment.asked_kind), (State::Settled, kind, Some(kind)));
        let attempt = &attempts[0];
        assert_eq!((attempt.kind, attempt.hash.is_none()), (kind, kind == Kind::Amp));
        assert_eq!(attempt.set_id.is_some(), kind == Kind::Amp);
        assert!(attempt.parts[0].preimage_hex.is_some() && attempt.parts[0].id.is_some());
    }
}

#[tokio::test]
async fn a_quote_tells_kind_and_routes_and_writes_nothing() {
    let served = Served::start().await;
    let client = served.client();
    let one = client.quote(&PayRequest::new(node_id(SILENT), sat(50))).await.expect("there is a route");
    assert_eq!((one.kind, one.reason.as_str()), (Kind::Keysend, "one path carries the amount"));
    assert_eq!(
        (one.amount_msat, one.fee_msat, one.max_fee_msat),
        (sat(50), sat(1), Msat::new(5_500).expect("small"))
    );
    let hops: Vec<_> =
        one.routes[0].hops.iter().map(|hop| (hop.node, hop.fee_msat, hop.cltv_delta)).collect();
    assert_eq!(hops, [(node_id(HUB), sat(1), 40), (node_id(SILENT), sat(0), 144)]);
    assert_eq!(one.routes[0].hops[0].short_channel_id.to_string(), "1x0x0");

    let parted = client.quote(&PayRequest::new(node_id(PARTED), sat(50))).await.expect("there are routes");
    assert_eq!((parted.kind, parted.routes.len(), parted.fee_msat), (Kind::Amp, 2, sat(2)));
    assert!(parted.reason.contains("no single path"), "{}", parted.reason);
    let amounts: Vec<_> = parted.routes.iter().map(|route| route.amount_msat).collect();
    assert_eq!(amounts, [sat(25), sat(25)]);
    assert!(client.payments(&PaymentsQuery::default()).await.expect("listed").payments.is_empty());
}

#[tokio::test]
async fn a_quote_fails_as_the_payment_would() {
    let served = Served::start().await;
    let client = served.client();
    for (byte, code) in [
        (UNKNOWN, Code::UnknownDestination),
        (CUT_OFF, Code::NoRoute),
        (DEAR, Code::FeeLimitTooLow),
        (RICH, Code::InsufficientBalance),
        (FAR, Code::RecordsTooLarge),
        (LONELY, Code::PeersOffline),
    ] {
        let mut request = request(node_id(byte), &byte.to_string());
        request.limits.timeout_ms = Some(50);
        let (quoted, message) = refused(client.quote(&request).await);
        assert_eq!(quoted, code, "{message}");
        let detail = client.pay(&request, LONG).await.expect("a payment that fails is none");
        let failure = detail.payment.failure.expect("a reason");
        assert_eq!((failure.code.as_str(), failure.message), (code.as_str(), message));
    }
}

#[tokio::test]
async fn limits_reach_the_node() {
    let served = Served::start().await;
    let client = served.client();
    let limits =
        Limits { max_fee_ppm: Some(20_000), max_parts: Some(3), max_attempts: Some(4), ..Limits::default() };
    let detail = client.pay(&PayRequest { limits, ..request(friend(), "a") }, LONG).await.expect("paid");
    assert_eq!(detail.payment.max_fee_msat, Some(sat(1)), "2% of 50 sat");
    assert_eq!((detail.payment.max_parts, detail.payment.max_attempts), (Some(3), Some(4)));

    let limits = Limits { max_fee_msat: Msat::new(999), ..Limits::default() };
    let (code, _) = refused(client.quote(&PayRequest { limits, ..request(node_id(SILENT), "b") }).await);
    assert_eq!(code, Code::NoRoute, "the route costs 1 sat, the backend was told less");

    let hint = RouteHint {
        node: node_id(HUB),
        short_channel_id: ShortChannelId::new(7),
        fee_base_msat: Msat::ZERO,
        fee_ppm: 0,
        cltv_delta: 9,
    };
    let limits = Limits { final_cltv: Some(500), route_hints: vec![vec![hint]], ..Limits::default() };
    let hinted = PayRequest { limits, ..request(node_id(UNKNOWN), "c") };
    let quote = client.quote(&hinted).await.expect("a route by the hint");
    assert_eq!(quote.routes[0].hops[1].cltv_delta, 500);
}

#[tokio::test]
async fn another_kind_is_tried_only_if_that_is_wanted() {
    let served = Served::start().await;
    let client = served.client();
    for (fall_back, kinds) in [(None, &[Kind::Amp][..]), (Some(true), &[Kind::Amp, Kind::Keysend])] {
        let key = format!("{fall_back:?}");
        let request =
            PayRequest { kind: Some(Kind::Amp), fall_back, ..request(node_id(REFUSING), key.as_str()) };
        let detail = client.pay(&request, LONG).await.expect("answered");
        let tried: Vec<Kind> = detail.attempts.iter().map(|attempt| attempt.kind).collect();
        assert_eq!((tried.as_slice(), detail.payment.asked_kind), (kinds, Some(Kind::Amp)));
        assert_eq!(detail.payment.failure.expect("a reason").code, Code::RecipientRefused.as_str());
    }
}

#[tokio::test]
async fn an_invoice_is_paid_once_without_a_key() {
    let served = Served::start().await;
    let client = served.client();
    let request = PayInvoiceRequest::new("once-03");
    let first = client.pay_invoice(&request, LONG).await.expect("paid");
    let payment = &first.payment;
    assert_eq!((payment.state, payment.kind), (State::Settled, Kind::Bolt11));
    assert_eq!((payment.amount_msat, payment.destination), (sat(60), Some(friend())));
    assert_eq!(payment.preimage_hex, Some(hex(&sending::proof().to_bytes())));
    assert_eq!(payment.key, Some(format!("bolt11:{}", sending::proof().payment_hash())));
    assert_eq!(
        (payment.reason.as_deref(), payment.invoice.as_deref()),
        (Some("the invoice asks for it"), Some("once-03"))
    );
    assert_eq!(client.pay_invoice(&request, LONG).await.expect("found"), first, "the same payment");
    let other =
        PayInvoiceRequest { limits: Limits { max_fee_msat: Some(sat(9)), ..Limits::default() }, ..request };
    let (code, _) = refused(client.pay_invoice(&other, LONG).await);
    assert_eq!(code, Code::KeyReused);
}

#[tokio::test]
async fn an_amp_invoice_is_paid_any_number_of_times() {
    let served = Served::start().await;
    let client = served.client();
    let request = PayInvoiceRequest { message: Some("hi".into()), ..PayInvoiceRequest::new("amp-03") };
    let one = client.pay_invoice(&request, LONG).await.expect("paid").payment;
    let two = client.pay_invoice(&request, LONG).await.expect("paid").payment;
    assert_ne!(one.id, two.id);
    assert_eq!((one.state, two.state, one.kind), (State::Settled, State::Settled, Kind::AmpInvoice));
    assert_eq!((one.hash, one.message()), (None, Some("hi")));
    let keyed = PayInvoiceRequest { key: Some("soup".into()), ..request };
    let one = client.pay_invoice(&keyed, LONG).await.expect("paid");
    assert_eq!(client.pay_invoice(&keyed, LONG).await.expect("found"), one);
}

#[tokio::test]
async fn an_offer_is_paid_any_number_of_times() {
    let served = Served::start().await;
    let client = served.client();
    let request = PayInvoiceRequest { note: Some("from bob".into()), ..PayInvoiceRequest::new("lno-03") };
    let one = client.pay_invoice(&request, LONG).await.expect("paid").payment;
    let two = client.pay_invoice(&request, LONG).await.expect("paid").payment;
    assert_eq!((one.state, two.state, one.kind), (State::Settled, State::Settled, Kind::Bolt12));
    assert!(one.id != two.id && one.hash != two.hash, "each by an invoice of its own");
    assert_eq!((one.amount_msat, one.destination), (sat(60), Some(friend())));
    assert_eq!((one.invoice.as_deref(), one.note.as_deref()), (Some("lno-03"), Some("from bob")));
    assert_eq!(one.reason.as_deref(), Some("the offer asks for it"));
    let more = PayInvoiceRequest { amount_msat: Some(sat(61)), ..request.clone() };
    assert_eq!(client.pay_invoice(&more, LONG).await.expect("paid").payment.amount_msat, sat(61));

    let keyed = PayInvoiceRequest { key: Some("soup".into()), ..request };
    let one = client.pay_invoice(&keyed, LONG).await.expect("paid");
    assert_eq!(client.pay_invoice(&keyed, LONG).await.expect("found"), one);
    let changes: [fn(&mut PayInvoiceRequest); 3] = [
        |request| request.note = Some("from carol".into()),
        |request| request.amount_msat = Some(sat(61)),
        |request| request.invoice = "lnoany-03".into(),
    ];
    for change in changes {
        let mut other = PayInvoiceRequest { amount_msat: Some(sat(60)), ..keyed.clone() };
        change(&mut other);
        assert_eq!(refused(client.pay_invoice(&other, LONG).await).0, Code::KeyReused, "{other:?}");
    }
}

#[tokio::test]
async fn an_offer_of_several_things_is_paid_by_their_number() {
    let served = Served::start().await;
    let client = served.client();
    let with = |quantity| PayInvoiceRequest { quantity, ..PayInvoiceRequest::new("lnomany-03") };
    let two = client.pay_invoice(&with(Some(2)), LONG).await.expect("paid").payment;
    assert_eq!((two.amount_msat, two.quantity), (sat(120), Some(2)));
    for (quantity, said) in [(None, "--quantity"), (Some(0), "1 to 3"), (Some(4), "1 to 3")] {
        let (code, message) = refused(client.pay_invoice(&with(quantity), LONG).await);
        assert!(code == Code::InvalidRequest && message.contains(said), "{message}");
    }
    let read = client.read_invoice("lnomany-03").await.expect("read");
    assert_eq!((read.kind, read.asks_quantity, read.key), (Kind::Bolt12, true, None));
    assert_eq!((read.description.as_str(), read.expires_at_ms), ("a soup", None));
}

#[tokio::test]
async fn an_offer_that_cannot_be_paid_is_refused() {
    let served = Served::start().await;
    let client = served.client();
    let new =
        |text| PayInvoiceRequest { key: Some(format!("key of {text}")), ..PayInvoiceRequest::new(text) };
    let message = PayInvoiceRequest { message: Some("hi".into()), ..new("lno-03") };
    let long = PayInvoiceRequest { note: Some("n".repeat(513)), ..new("lno-03") };
    let less = PayInvoiceRequest { amount_msat: Some(sat(59)), ..new("lno-03") };
    let counted = PayInvoiceRequest { quantity: Some(1), ..new("lno-03") };
    for (request, code, said) in [
        (new("lnoold-03"), Code::Expired, "expired"),
        (new("lnoany-03"), Code::InvalidRequest, "names no amount"),
        (new("lno-02"), Code::SelfPayment, "this node"),
        (new("lnosilent-03"), Code::IssuerUnreachable, "did not answer"),
        (new("lnorude-03"), Code::IssuerRefused, "gives no invoice"),
        (message, Code::InvalidRequest, "--note"),
        (long, Code::InvalidRequest, "shorten it"),
        (less, Code::InvalidRequest, "at least 60sat"),
        (counted, Code::InvalidRequest, "without --quantity"),
        (
            PayInvoiceRequest { note: Some("hi".into()), ..new("once-03") },
            Code::InvalidRequest,
            "only an offer",
        ),
    ] {
        let (refused_as, message) = refused(client.pay_invoice(&request, LONG).await);
        assert!(refused_as == code && message.contains(said), "{refused_as}: {message}");
        assert_eq!(refused(client.quote_invoice(&request).await), (refused_as, message));
    }
    let page = client.payments(&PaymentsQuery::default()).await.expect("answered");
    assert!(page.payments.is_empty(), "nothing was written");
    let quote = client.quote_invoice(&new("lno-03")).await.expect("a route");
    assert_eq!((quote.kind, quote.amount_msat), (Kind::Bolt12, sat(60)));
}

#[tokio::test]
async fn an_invoice_is_quoted_and_read() {
    let served = Served::start().await;
    let client = served.client();
    let quote = client.quote_invoice(&PayInvoiceRequest::new("once-33")).await.expect("a route");
    assert_eq!((quote.kind, quote.amount_msat, quote.fee_msat), (Kind::Bolt11, sat(60), sat(1)));
    assert_eq!(quote.routes[0].hops[1].cltv_delta, 83, "what the invoice asks for, and some");
    let once = client.read_invoice("once-03").await.expect("read");
    assert_eq!((once.kind, once.destination, once.amount_msat), (Kind::Bolt11, friend(), Some(sat(60))));
    assert_eq!((once.hash, once.description.as_str()), (Some(sending::proof().payment_hash()), "a soup"));
    assert_eq!(once.key, once.hash.map(|hash| format!("bolt11:{hash}")));
    let amp = client.read_invoice("amp-03").await.expect("read");
    assert_eq!((amp.kind, amp.hash, amp.key), (Kind::AmpInvoice, None, None));
}

#[tokio::test]
async fn an_invoice_that_cannot_be_paid_is_refused() {
    let served = Served::start().await;
    let client = served.client();
    let with = |invoice, amount_msat| PayInvoiceRequest { amount_msat, ..PayInvoiceRequest::new(invoice) };
    for (request, code, said) in [
        (with("soup", None), Code::InvalidRequest, "no invoice"),
        (with("old-03", None), Code::Expired, "expired"),
        (with("any-03", None), Code::InvalidRequest, "names no amount"),
        (with("once-03", Some(sat(61))), Code::InvalidRequest, "asks for 60sat"),
        (with("once-02", None), Code::SelfPayment, "this node"),
    ] {
        let (refused_as, message) = refused(client.pay_invoice(&request, LONG).await);
        assert!(refused_as == code && message.contains(said), "{refused_as}: {message}");
        assert_eq!(refused(client.quote_invoice(&request).await), (refused_as, message));
    }
    assert_eq!(refused(client.read_invoice("soup").await).0, Code::InvalidRequest);
    let any = client.pay_invoice(&with("any-03", Some(sat(7))), LONG).await.expect("paid");
    assert_eq!(any.payment.amount_msat, sat(7));
}

#[tokio::test]
async fn a_payment_is_canceled_but_not_what_is_on_its_way() {
    let served = Served::start().await;
    let client = served.client();
    let begun = client.pay(&request(node_id(PARTED), "k"), Duration::ZERO).await.expect("begun");
    let canceled = client.cancel_payment(begun.payment.id).await.expect("it has not ended");
    assert_eq!((canceled.payment.state, canceled.payment.canceled), (State::Pending, Some(true)));
    assert!(canceled.in_flight());
    assert_eq!(canceled.in_flight_msat(), sat(50));

    let waits = client.pay(&request(node_id(LONELY), "l"), Duration::ZERO).await.expect("begun");
    let canceled = client.cancel_payment(waits.payment.id).await.expect("it waits");
    assert_eq!(canceled.payment.state, State::Failed);
    assert_eq!(canceled.payment.failure.expect("a reason").code, Code::Canceled.as_str());
    let (code, message) = refused(client.cancel_payment(waits.payment.id).await);
    assert!(code == Code::Conflict && message.contains("failed already"), "{code}: {message}");
    assert_eq!(refused(client.cancel_payment(PaymentId::from_bytes([1; 32])).await).0, Code::NotFound);
}
