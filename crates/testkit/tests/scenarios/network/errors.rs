//! Every word of the taxonomy, as a user of the API reads it.

use super::msat;
use sponte_api::{Client, Code, Kind, NewAmpInvoice, PayInvoiceRequest, PayRequest, PaymentDetail, State};
use sponte_engine::Receive;
use sponte_proto::{Msat, NodeId};
use sponte_testkit::{Forwards, Network, TestNode, until};
use std::time::Duration;
use tokio::net::TcpListener;

const TOKEN: &str = "5f0c";
const WAIT: Duration = Duration::from_secs(60);

/// The API of a node, for as long as the test runs.
async fn api(node: &TestNode) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let api = sponte_http::Api::new(TOKEN);
    api.node_runs(node.handle());
    tokio::spawn(async move { api.serve(listener, std::future::pending()).await });
    Client::new(&address, TOKEN).expect("a client")
}

fn keysend(to: NodeId, amount: Msat) -> PayRequest {
    PayRequest { kind: Some(Kind::Keysend), ..PayRequest::new(to, amount) }
}

fn sat(sat: u64) -> Msat {
    msat(1_000 * sat)
}

/// It failed with this word, and its line holds all of these.
fn assert_says(paid: &PaymentDetail, code: &str, words: &[&str]) {
    let payment = &paid.payment;
    assert_eq!(payment.state, State::Failed, "{paid:#?}");
    let failure = payment.failure.as_ref().expect("it failed for a reason");
    assert_eq!(failure.code, code, "{}", failure.message);
    for word in words {
        assert!(failure.message.contains(word), "`{word}` is not in: {}", failure.message);
    }
    assert!(failure.message.contains(": ") || failure.message.contains("; "), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_attempt_can_mend_is_told_at_once() {
    let network = Network::start().await;
    let (carol, ned) = (network.carol.id(), network.ned.id());
    let alice = api(&network.alice).await;

    let mut dear = keysend(carol, sat(20_000));
    dear.limits.max_fee_msat = Some(msat(Network::CHEAPEST_MSAT - 1));
    let paid = alice.pay(&dear, WAIT).await.expect("a sound request");
    assert_says(&paid, "fee_limit_too_low", &["costs 2000msat", "limit is 1999msat", "--max-fee"]);

    let paid = alice.pay(&keysend(ned, sat(500_000)), WAIT).await.expect("a sound request");
    assert_says(&paid, "no_route", &["500000sat", "try a smaller amount"]);

    let paid = alice.pay(&keysend(carol, sat(4_000_000)), WAIT).await.expect("a sound request");
    assert_says(&paid, "insufficient_balance", &["the channels can send", "not 4000000sat", "pay less"]);

    let paid = alice.pay(&keysend(network.dave.id(), sat(1_000)), WAIT).await.expect("a sound request");
    let dave = network.dave.id().to_string();
    assert_says(&paid, "unknown_destination", &[&dave, "--route-hint"]);
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_payment_is_refused_with_a_word_of_the_table() {
    let network = Network::start().await;
    let (alice, carol) = (api(&network.alice).await, api(&network.carol).await);
    let refused = alice.pay(&keysend(network.alice.id(), sat(1)), WAIT).await.expect_err("to oneself");
    assert_eq!(refused.code(), Code::SelfPayment, "{refused}");
    assert!(refused.to_string().contains("the destination is this node"), "{refused}");

    let mut once = keysend(network.carol.id(), sat(1_000));
    once.key = Some("rent".into());
    let paid = alice.pay(&once, WAIT).await.expect("a sound request");
    assert_eq!(paid.payment.state, State::Settled);
    once.amount_msat = sat(1_001);
    let refused = alice.pay(&once, WAIT).await.expect_err("another payment");
    assert_eq!(refused.code(), Code::KeyReused, "{refused}");
    assert!(refused.to_string().contains("use a new key"), "{refused}");

    let new =
        NewAmpInvoice { description: "tea".into(), expiry_seconds: Some(1), ..NewAmpInvoice::default() };
    let invoice = carol.create_amp_invoice(&new).await.expect("an invoice");
    let request =
        PayInvoiceRequest { amount_msat: Some(sat(1_000)), ..PayInvoiceRequest::new(invoice.bolt11) };
    until("the invoice to expire", async || {
        let quote = alice.quote_invoice(&request).await;
        quote.is_err_and(|error| error.code() == Code::Expired).then_some(())
    })
    .await;
    let refused = alice.pay_invoice(&request, WAIT).await.expect_err("too late");
    assert_eq!(refused.code(), Code::Expired, "{refused}");
    assert!(refused.to_string().contains("ask for a new one"), "{refused}");
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_destination_says_is_told() {
    let network = Network::start().await;
    let alice = api(&network.alice).await;
    let receive = Receive { min: sat(50_000), ..Receive::default() };
    network.carol.handle().set_receive(Some(receive)).await.expect("a sound policy");
    let paid = alice.pay(&keysend(network.carol.id(), sat(20_000)), WAIT).await.expect("a sound request");
    assert_says(
        &paid,
        "recipient_refused",
        &["refused keysend", "incorrect_or_unknown_payment_details", "hop 3"],
    );

    network.audited().await;
}

/// Ned's only neighbour knows no such peer. What LDK holds against their channel for good is nothing
/// of the kind: whoever is back is paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_offline_is_paid_once_it_is_back() {
    let network = Network::start().await;
    let alice = api(&network.alice).await;
    for forwards in [Forwards::FailForGood, Forwards::FailForNow, Forwards::FailForGood] {
        network.gus.choose(forwards);
        let mut request = keysend(network.ned.id(), sat(1_000));
        request.limits.timeout_ms = Some(1_500);
        let paid = alice.pay(&request, WAIT).await.expect("a sound request");
        assert_says(&paid, "recipient_offline", &["is probably offline", "try again later"]);
    }
    network.gus.choose(Forwards::Pass);
    let paid = alice.pay(&keysend(network.ned.id(), sat(1_000)), WAIT).await.expect("a sound request");
    assert_eq!(paid.payment.state, State::Settled, "{paid:#?}");
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_still_in_flight_and_then_out_of_time() {
    let network = Network::start().await;
    let alice = api(&network.alice).await;
    network.fay.choose(Forwards::Stall);
    let mut request = keysend(network.carol.id(), sat(20_000));
    request.limits.timeout_ms = Some(300);
    let paid = alice.pay(&request, Duration::from_millis(600)).await.expect("a sound request");
    assert!(paid.in_flight() && paid.in_flight_msat() == sat(20_000), "{paid:#?}");
    network.fay.choose(Forwards::FailForNow);
    let paid = alice.payment(paid.payment.id, WAIT).await.expect("it is there");
    assert_says(&paid, "timeout", &["no attempt succeeded in time", "--timeout"]);
    assert!(!paid.in_flight());
    network.audited().await;
}
