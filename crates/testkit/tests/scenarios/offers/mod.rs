//! Offers (BOLT 12) of a plain LDK node, paid by ours.

mod asking;
mod paying;
mod restart;

use sponte_engine::backend::{Admin, Payable, ReadOffer};
use sponte_engine::commit::{Kind, PaymentRow, State};
use sponte_node::PaymentRequest;
use sponte_proto::{Msat, PaymentId};
use sponte_testkit::{Net, RawNode, TestNode, until};

pub fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("in supply")
}

/// A channel between the two, whose money is all at ours.
pub async fn funded_by(net: &Net, raw: &RawNode, ours: &TestNode) {
    raw.connect(ours.id(), &ours.info().await.listening.expect("it listens")).await;
    raw.open(net, ours.id(), 1_000_000, sat(900_000)).await;
    net.synced(&[ours]).await;
    until("the channel to be usable", async || {
        let channels = ours.channels().await;
        channels
            .iter()
            .any(|c| TestNode::usable(c) && c.peer == raw.id() && c.sendable > sat(800_000))
            .then_some(())
    })
    .await;
}

/// Alice is ours, bob and carol are plain LDK: channels that nobody announces, from alice to bob and
/// from bob to carol. Alice and carol do not know each other.
pub struct Line {
    /// Lives as long as they do.
    _net: Net,
    pub alice: TestNode,
    pub bob: RawNode,
    pub carol: RawNode,
}

impl Line {
    pub async fn start() -> Line {
        let net = Net::start().await;
        let alice = net.node("alice").await;
        let (bob, carol) = (RawNode::start(&net, "bob").await, RawNode::start(&net, "carol").await);
        funded_by(&net, &bob, &alice).await;
        bob.connect(carol.id(), &carol.address()).await;
        bob.open(&net, carol.id(), 1_000_000, Msat::ZERO).await;
        bob.can_send(&carol.id(), sat(500_000)).await;
        net.synced(&[&alice]).await;
        until("carol to use her channel", async || carol.is_usable(&bob.id()).then_some(())).await;
        Line { _net: net, alice, bob, carol }
    }
}

async fn payable(node: &TestNode, text: &str) -> Payable {
    let text = format!("lightning:{}", text.to_uppercase());
    node.handle().admin(move |reply| Admin::ReadPayable(text, reply)).await.expect("it can be paid")
}

/// What paying an invoice asks for, under its own key.
pub async fn invoice_request(node: &TestNode, text: &str, amount: Option<Msat>) -> PaymentRequest {
    let Payable::Invoice(invoice) = payable(node, text).await else { panic!("{text} is no invoice") };
    let amount = invoice.amount_to_pay(amount).expect("an amount");
    let key = invoice.key().expect("it is paid once");
    let request = TestNode::request_to(invoice.destination, &amount.to_string());
    PaymentRequest { key, ..request }.for_invoice(*invoice)
}

async fn read(node: &TestNode, text: &str) -> ReadOffer {
    match payable(node, text).await {
        Payable::Offer(offer) => *offer,
        Payable::Invoice(_) => panic!("{text} is no offer"),
    }
}

/// What paying an offer asks for, under a key of its own each time.
async fn request(node: &TestNode, text: &str, amount: Option<Msat>) -> PaymentRequest {
    let offer = read(node, text).await;
    let amount = offer.amount_to_pay(amount, None).expect("an amount");
    TestNode::request_to(offer.issuer, &amount.to_string()).for_offer(offer, None, Some("hello".into()))
}

async fn paid(node: &TestNode, id: PaymentId) -> PaymentRow {
    let row = node.ended(id).await;
    assert_eq!((row.state, row.kind), (State::Settled, Kind::Bolt12), "{row:?}");
    let proof = row.preimage.as_ref().expect("the proof");
    assert_eq!(Some(proof.payment_hash()), row.hash);
    row
}

async fn pay(node: &TestNode, text: &str, amount: Option<Msat>) -> PaymentRow {
    let id = node.begin(request(node, text, amount).await).await.expect("an invoice");
    paid(node, id).await
}
