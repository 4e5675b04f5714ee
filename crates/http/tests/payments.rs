//! Payments over the API: paying, repeating, waiting, failing, receiving.

mod common;

use common::sending::{HUB, UNKNOWN};
use common::{REFUSING, SILENT, Served, friend, node_id};
use sponte_api::{
    ClientError, Code, Direction, EventsQuery, Kind, Limits, PayRequest, PaymentsQuery, RecordInput, State,
};
use sponte_proto::{Msat, NodeId, Records};
use std::time::Duration;

/// Longer than anything here takes; a test that needs it has failed.
const LONG: Duration = Duration::from_secs(30);

fn request(destination: NodeId, key: &str) -> PayRequest {
    let amount = Msat::from_sat(50).expect("small");
    PayRequest { key: Some(key.into()), ..PayRequest::new(destination, amount) }
}

#[track_caller]
fn refused(error: ClientError) -> (Code, String) {
    match error {
        ClientError::Refused(error) => (error.code, error.message),
        other => panic!("not refused: {other}"),
    }
}

#[tokio::test]
async fn a_payment_is_paid_and_told_as_a_tree() {
    let served = Served::start().await;
    let client = served.client();
    let mut request = request(friend(), "coffee");
    request.message = Some("hi".into());
    request.records = vec![RecordInput::bytes(70_001, &[0, 1])];
    let detail = client.pay(&request, LONG).await.expect("answered");
    assert_eq!(detail.payment.state, State::Settled);
    assert_eq!(detail.payment.message(), Some("hi"));
    assert_eq!(detail.payment.max_fee_msat, Msat::new(5_500));
    assert!(detail.payment.preimage_hex.is_some());
    assert_eq!(detail.payment.reason.as_deref(), Some("one path carries the amount"));
    assert_eq!((detail.payment.tries, detail.payment.max_attempts), (Some(1), Some(30)));
    assert_eq!((detail.payment.max_parts, detail.payment.canceled), (Some(16), Some(false)));
    assert_eq!(detail.attempts.len(), 1);
    assert_eq!((detail.attempts[0].kind, detail.attempts[0].hash), (Kind::Keysend, detail.payment.hash));
    assert_eq!(detail.attempts[0].parts[0].preimage_hex, detail.payment.preimage_hex);
    assert_eq!(detail.attempts[0].parts[0].route, [friend()]);
    assert_eq!(client.payment(detail.payment.id, LONG).await.expect("there"), detail);
}

#[tokio::test]
async fn one_key_is_one_payment() {
    let served = Served::start().await;
    let client = served.client();
    let first = client.pay(&request(friend(), "k"), LONG).await.expect("paid");
    let again = client.pay(&request(friend(), "k"), LONG).await.expect("found");
    assert_eq!(first, again);
    let mut other = request(friend(), "k");
    other.amount_msat = Msat::from_sat(51).expect("small");
    let (code, message) = refused(client.pay(&other, LONG).await.expect_err("another payment"));
    assert_eq!(code, Code::KeyReused, "{message}");
    let mut query = PaymentsQuery { key: Some("k".into()), ..PaymentsQuery::default() };
    assert_eq!(client.payments(&query).await.expect("listed").payments, [first.payment]);
    query.key = Some("unknown".into());
    assert!(client.payments(&query).await.expect("listed").payments.is_empty());
}

#[tokio::test]
async fn without_a_key_each_request_is_a_payment() {
    let served = Served::start().await;
    let client = served.client();
    let request = PayRequest { key: None, ..request(friend(), "") };
    let one = client.pay(&request, LONG).await.expect("paid");
    let two = client.pay(&request, LONG).await.expect("paid");
    assert_ne!(one.payment.id, two.payment.id);
    assert!(one.payment.key.is_some());
}

#[tokio::test]
async fn a_failure_is_a_payment_that_says_why() {
    let served = Served::start().await;
    let client = served.client();
    for (byte, code) in [(REFUSING, Code::RecipientRefused), (UNKNOWN, Code::UnknownDestination)] {
        let detail = client.pay(&request(node_id(byte), &byte.to_string()), LONG).await.expect("answered");
        assert_eq!(detail.payment.state, State::Failed);
        let failure = detail.payment.failure.expect("a reason");
        assert_eq!(failure.code, code.as_str());
        assert!(!failure.message.contains('\n'), "{failure:?}");
        assert_eq!(detail.payment.preimage_hex, None, "a preimage that nobody has paid for stays secret");
    }
}

#[tokio::test]
async fn a_part_says_who_failed_it_and_what_that_means() {
    let served = Served::start().await;
    let detail = served.client().pay(&request(node_id(REFUSING), "k"), LONG).await.expect("answered");
    let part = &detail.attempts[0].parts[0];
    assert_eq!(part.route, [node_id(HUB), node_id(REFUSING)]);
    let failure = part.failure.as_ref().expect("decoded");
    assert_eq!((failure.hop, failure.node, failure.code), (Some(2), Some(node_id(REFUSING)), Some(0x400f)));
    assert_eq!(failure.name.as_deref(), Some("incorrect_or_unknown_payment_details"));
    assert!(failure.meaning.contains("refuses it"), "{failure:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let served = Served::start().await;
    let client = served.client();
    let sat = |sat| Msat::from_sat(sat).expect("small");
    let limited = |limits, key| PayRequest { limits, ..request(friend(), key) };
    let none = Limits::default;
    for (request, expected) in [
        (PayRequest { amount_msat: Msat::ZERO, ..request(friend(), "a") }, Code::InvalidRequest),
        (request(node_id(2), "b"), Code::SelfPayment),
        (request(friend(), ""), Code::InvalidRequest),
        (limited(Limits { timeout_ms: Some(u64::MAX), ..none() }, "c"), Code::InvalidRequest),
        (limited(Limits { max_attempts: Some(0), ..none() }, "d"), Code::InvalidRequest),
        (limited(Limits { max_parts: Some(101), ..none() }, "e"), Code::InvalidRequest),
        (limited(Limits { final_cltv: Some(41), ..none() }, "f"), Code::InvalidRequest),
        (limited(Limits { route_hints: vec![vec![]], ..none() }, "g"), Code::InvalidRequest),
        (
            limited(Limits { max_fee_msat: Some(sat(1)), max_fee_ppm: Some(1), ..none() }, "h"),
            Code::InvalidRequest,
        ),
        (PayRequest { kind: Some(Kind::Bolt11), ..request(friend(), "i") }, Code::InvalidRequest),
        (
            PayRequest { records: vec![RecordInput::bytes(8, b"")], ..request(friend(), "j") },
            Code::InvalidRequest,
        ),
        (PayRequest { message: Some("x".repeat(1_400)), ..request(friend(), "k") }, Code::RecordsTooLarge),
        (
            PayRequest {
                message: Some("x".into()),
                records: vec![RecordInput::bytes(34_349_334, b"y")],
                ..request(friend(), "l")
            },
            Code::InvalidRequest,
        ),
    ] {
        let (code, message) = refused(client.pay(&request, LONG).await.expect_err("no sense"));
        assert_eq!(code, expected, "{message}");
        assert!(!message.contains('\n') && message.contains([':', ';']), "{message}");
        let (code, _) = refused(client.quote(&request).await.expect_err("no sense"));
        assert_eq!(code, expected, "a quote is refused as a payment is");
    }
    assert!(client.payments(&PaymentsQuery::default()).await.expect("listed").payments.is_empty());
}

#[tokio::test]
async fn an_answer_waits_for_the_end() {
    let served = Served::start().await;
    let client = served.client();
    let begun = client.pay(&request(node_id(SILENT), "k"), Duration::ZERO).await.expect("begun");
    assert_eq!(begun.payment.state, State::Pending);
    let id = begun.payment.id;
    let under_way = client.payment(id, Duration::from_millis(1)).await.expect("there");
    assert_eq!(under_way.payment.state, State::Pending);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.payment(id, LONG).await }
    });
    served.answer_silent();
    let ended = waiting.await.expect("no panic").expect("answered");
    assert_eq!(ended.payment.state, State::Settled);
}

#[tokio::test]
async fn a_received_payment_lists_all_its_records() {
    let served = Served::start().await;
    let client = served.client();
    let amount = Msat::from_sat(7).expect("small");
    let after = EventsQuery { wait_ms: 30_000, ..EventsQuery::default() };
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.events(&after).await }
    });
    let records = [(34_349_334, b"hi".to_vec()), (7_629_169, br#"{"a":1}"#.to_vec()), (70_000, vec![0, 255])];
    served.receive(amount, Records::from_received(records));
    let mut events = waiting.await.expect("no panic").expect("answered").events;
    while !events.iter().any(|event| event.kind == "payment_received") {
        let after = events.last().map_or(0, |event| event.seq);
        let query = EventsQuery { after, wait_ms: 30_000, limit: None };
        events = client.events(&query).await.expect("answered").events;
        assert!(!events.is_empty(), "no event `payment_received` within half a minute");
    }
    let query = PaymentsQuery {
        direction: Some(Direction::In),
        state: Some(State::Settled),
        ..PaymentsQuery::default()
    };
    let listed = client.payments(&query).await.expect("listed").payments;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].amount_msat, amount);
    let texts: Vec<_> =
        listed[0].records.iter().map(|record| (record.kind, record.text.as_deref())).collect();
    assert_eq!(texts, [(70_000, None), (7_629_169, Some(r#"{"a":1}"#)), (34_349_334, Some("hi"))]);
    let detail = client.payment(listed[0].id, Duration::ZERO).await.expect("there");
    assert_eq!(detail.parts.len(), 1);
    assert!(detail.attempts.is_empty());
}

#[tokio::test]
async fn pages_follow_each_other() {
    let served = Served::start().await;
    let client = served.client();
    for number in 0..5 {
        client.pay(&request(friend(), &number.to_string()), LONG).await.expect("paid");
    }
    let mut keys = vec![];
    let mut query = PaymentsQuery { limit: Some(2), ..PaymentsQuery::default() };
    loop {
        let page = client.payments(&query).await.expect("listed");
        assert!(page.payments.len() <= 2);
        keys.extend(page.payments.into_iter().filter_map(|payment| payment.key));
        query.before = page.next;
        if query.before.is_none() {
            break;
        }
    }
    assert_eq!(keys, ["4", "3", "2", "1", "0"]);
    query.before = Some("nonsense".into());
    let (code, _) = refused(client.payments(&query).await.expect_err("no cursor"));
    assert_eq!(code, Code::InvalidRequest);
}

#[tokio::test]
async fn what_waits_is_told_when_the_server_stops() {
    let served = Served::start().await;
    let client = served.client();
    let begun = client.pay(&request(node_id(SILENT), "k"), Duration::ZERO).await.expect("begun");
    let id = begun.payment.id;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.payment(id, LONG).await }
    });
    // The wait has begun, or is refused with the connection: it must not outlive the server.
    tokio::time::timeout(LONG, served.stop()).await.expect("the server stops before the wait is over");
    match waiting.await.expect("no panic").expect_err("no end") {
        ClientError::Refused(error) => assert_eq!(error.code, Code::Busy),
        ClientError::NoNode { .. } | ClientError::Broken { .. } => {}
        other => panic!("{other}"),
    }
}
