//! Requests as strangers, typists and fuzzers send them: one shape of error, the right status.

mod common;

use common::{Served, TOKEN, friend, sat};
use proptest::prelude::*;
use reqwest::{Method, StatusCode};
use sponte_api::{ClientError, Code, ErrorBody, OpenChannelRequest, WalletSendRequest};
use sponte_http::Api;
use sponte_proto::{ChannelId, Msat, PaymentId};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

async fn send(
    served: &Served,
    method: Method,
    path: &str,
    body: Option<(&str, Vec<u8>)>,
) -> (StatusCode, ErrorBody) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = client.request(method, served.url(path)).bearer_auth(TOKEN);
    if let Some((kind, body)) = body {
        request = request.header("content-type", kind).body(body);
    }
    let answer = request.send().await.expect("answered");
    let (status, body) = (answer.status(), answer.bytes().await.expect("whole"));
    let text = String::from_utf8_lossy(&body).into_owned();
    (status, serde_json::from_slice(&body).unwrap_or_else(|why| panic!("{status}: {why}: {text}")))
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let served = Served::start().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for path in ["/v1/info", "/v1/nothing", "/"] {
        for token in [None, Some("wrong"), Some("")] {
            let request = client.get(served.url(path));
            let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
            let answer = request.send().await.expect("answered");
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            let body: ErrorBody = answer.json().await.expect("the one shape");
            assert_eq!(body.error.code, Code::Unauthorized);
        }
    }
}

/// Nobody hangs on a node that waits for bitcoind.
#[tokio::test]
async fn a_node_that_starts_says_so() {
    let served = Served::start().await;
    let (api, listener) =
        (Arc::new(Api::new(TOKEN)), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let url = format!("http://{}/v1/info", listener.local_addr().expect("bound"));
    let serving = api.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = async |token| client.get(&url).bearer_auth(token).send().await.expect("answered");

    assert_eq!(ask("wrong").await.status(), 401);
    let answer = ask(TOKEN).await;
    assert_eq!(answer.status(), 503);
    let body: ErrorBody = answer.json().await.expect("the one shape");
    assert_eq!(body.error.code, Code::Busy);
    assert!(body.error.message.contains("starting"), "{}", body.error.message);
    // The same connection.
    api.node_runs(served.node.handle());
    assert_eq!(ask(TOKEN).await.status(), 200);
    assert_eq!(ask("wrong").await.status(), 401);
}

#[tokio::test]
async fn every_mistake_has_the_one_shape() {
    let served = Served::start().await;
    let json = |text: &str| Some(("application/json", text.as_bytes().to_vec()));
    let unknown = format!("/v1/payments/{}", "0".repeat(64));
    let long = format!("{{\"key\":\"{}\"}}", "x".repeat(70_000));
    for (method, path, body, code) in [
        (Method::GET, "/v1/nothing", None, Code::NotFound),
        (Method::GET, "/v2/info", None, Code::NotFound),
        (Method::GET, unknown.as_str(), None, Code::NotFound),
        (Method::POST, "/v1/info", None, Code::MethodNotAllowed),
        (Method::GET, "/v1/pay", None, Code::MethodNotAllowed),
        (Method::GET, "/v1/payments/xyz", None, Code::InvalidRequest),
        (Method::GET, "/v1/payments/%ff", None, Code::InvalidRequest),
        (Method::GET, "/v1/payments?limit=x", None, Code::InvalidRequest),
        (Method::GET, "/v1/payments?limt=1", None, Code::InvalidRequest),
        (Method::GET, "/v1/payments?direction=up", None, Code::InvalidRequest),
        (Method::GET, "/v1/events?after=-1", None, Code::InvalidRequest),
        (Method::DELETE, "/v1/peers/02", None, Code::InvalidRequest),
        (Method::POST, "/v1/pay", None, Code::UnsupportedMediaType),
        (Method::POST, "/v1/pay", Some(("text/plain", b"{}".to_vec())), Code::UnsupportedMediaType),
        (Method::POST, "/v1/pay", json(""), Code::InvalidRequest),
        (Method::POST, "/v1/pay", json("{"), Code::InvalidRequest),
        (Method::POST, "/v1/pay", json("{}"), Code::Unprocessable),
        (Method::POST, "/v1/pay", json("[1]"), Code::Unprocessable),
        (Method::POST, "/v1/pay?wait_ms=x", json("{}"), Code::InvalidRequest),
        (Method::GET, "/v1/pay/quote", None, Code::MethodNotAllowed),
        (Method::POST, "/v1/pay-invoice", json("{}"), Code::Unprocessable),
        (Method::POST, "/v1/pay-invoice", json(r#"{"invoice":"x","kind":"amp"}"#), Code::Unprocessable),
        (Method::POST, "/v1/pay-invoice/read", json(r#"{"invoice":""}"#), Code::InvalidRequest),
        (Method::POST, "/v1/payments/xyz/cancel", None, Code::InvalidRequest),
        (Method::POST, "/v1/pay", json(&long), Code::TooLarge),
        (Method::POST, "/v1/wallet/send", json(r#"{"address":"a"}"#), Code::InvalidRequest),
        (
            Method::POST,
            "/v1/wallet/send",
            json(r#"{"address":"a","amount_sat":1,"all":true}"#),
            Code::InvalidRequest,
        ),
    ] {
        let (status, body) = send(&served, method.clone(), path, body).await;
        assert_eq!(body.error.code, code, "{method} {path}: {}", body.error.message);
        assert_eq!(Some(status.as_u16()), code.http_status(), "{method} {path}");
        assert!(!body.error.message.contains('\n'), "{}", body.error.message);
    }
}

/// A library's words say neither what nor where, and nothing of what to do.
#[tokio::test]
async fn a_bad_body_is_told_what_to_be() {
    let served = Served::start().await;
    let json = "application/json";
    let long = format!("{{\"key\":\"{}\"}}", "x".repeat(70_000));
    for (kind, body, said) in [
        ("text/plain", "{}", "`Content-Type: application/json`"),
        (json, "{", "the body cannot be read as JSON: EOF while parsing an object at line 1 column 1;"),
        (json, "{}", "missing field `destination` at line 1 column 2; see the API's documentation"),
        (json, long.as_str(), "more than 65536 bytes"),
    ] {
        let (_, refused) = send(&served, Method::POST, "/v1/pay", Some((kind, body.into()))).await;
        let message = refused.error.message;
        assert!(message.contains(said), "{said}: {message}");
        assert!(!message.contains("target type") && !message.contains("buffer"), "{message}");
    }
}

#[tokio::test]
async fn what_the_backend_refuses_has_its_status() {
    let served = Served::start().await;
    let client = served.client();
    let code = |error: ClientError| match error {
        ClientError::Refused(error) => error.code,
        other => panic!("not refused: {other}"),
    };
    let unreachable = client.connect_peer(friend(), "127.0.0.1:1").await.expect_err("nobody there");
    assert_eq!(code(unreachable), Code::Unavailable);
    assert_eq!(code(client.disconnect_peer(friend()).await.expect_err("no peer")), Code::NotFound);
    let channel = ChannelId::from_bytes([1; 32]);
    assert_eq!(code(client.close_channel(channel, true).await.expect_err("no channel")), Code::NotFound);
    let mut open = OpenChannelRequest {
        peer: friend(),
        address: None,
        value_sat: sat(2_000_000),
        push_msat: Msat::ZERO,
        announce: false,
    };
    assert_eq!(code(client.open_channel(&open).await.expect_err("too poor")), Code::Conflict);
    open.value_sat = sat(1_000);
    assert_eq!(client.open_channel(&open).await.expect("open").channel, ChannelId::from_bytes([8; 32]));
    let unknown = PaymentId::from_bytes([0; 32]);
    let waited = client.payment(unknown, Duration::from_secs(30)).await.expect_err("no payment");
    assert_eq!(code(waited), Code::NotFound);
}

#[tokio::test]
async fn what_is_asked_is_done() {
    let served = Served::start().await;
    let client = served.client();
    client.connect_peer(friend(), "127.0.0.1:9735").await.expect("connected");
    assert_eq!(client.peers().await.expect("listed").peers[0].id, friend());
    client.disconnect_peer(friend()).await.expect("disconnected");
    assert!(client.peers().await.expect("listed").peers.is_empty());
    assert_eq!(client.wallet_address().await.expect("an address").address, "bcrt1q");
    let all = WalletSendRequest { address: "a".into(), amount_sat: None, all: true, fee_sat_per_kvb: None };
    assert_eq!(client.wallet_send(&all).await.expect("sent").amount_sat, sat(77));
    assert!(client.channels().await.expect("listed").channels.is_empty());
    assert_eq!(client.wallet_balance().await.expect("told").spendable_sat, sat(0));
    let info = client.info().await.expect("told");
    assert_eq!((info.alias.as_str(), info.height), ("played", 101));
    assert_eq!(info.warnings[0].code, "no_inbound_liquidity");
    let audit = client.audit().await.expect("audited");
    assert!(audit.clean, "{audit:?}");
}

/// One node for all cases: a body that broke it would break those that follow.
#[test]
fn no_body_breaks_the_node() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let served = runtime.block_on(Served::start());
    let paths =
        ["/v1/pay", "/v1/pay/quote", "/v1/pay-invoice", "/v1/wallet/send", "/v1/channels", "/v1/peers"];
    let json_like = r#"[{}\[\]":,a-z0-9_.eE\\ -]{0,60}"#;
    let bodies = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        json_like.prop_map(String::into_bytes),
        any::<(u64, String)>().prop_map(|(number, text)| {
            serde_json::json!({"destination": text, "invoice": text, "amount_msat": number, "key": text})
                .to_string()
                .into_bytes()
        }),
    ];
    proptest!(ProptestConfig::with_cases(128), |(path in 0..paths.len(), body in bodies)| {
        let (status, _) = runtime.block_on(send(
            &served,
            Method::POST,
            paths[path],
            Some(("application/json", body)),
        ));
        prop_assert!(status.is_client_error(), "{status}");
    });
    runtime.block_on(served.client().info()).expect("the node still answers");
    runtime.block_on(served.stop());
}
