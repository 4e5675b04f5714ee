//! Issuers are asked, wherever they are; and what is told if they do not answer.

use super::{Line, funded_by, pay, read, request, sat};
use sponte_engine::PayError as Refused;
use sponte_engine::backend::RefusalKind;
use sponte_engine::commit::{Kind, State};
use sponte_node::{AdminError, PayError, PaymentRequest};
use sponte_testkit::{Net, RawNode, TestNode, until};

fn no_invoice(answer: Result<sponte_proto::PaymentId, PayError>) -> (RefusalKind, String) {
    match answer {
        Err(PayError::NoInvoice(AdminError::Refused(refusal))) => (refusal.kind, refusal.message),
        other => panic!("{other:?}"),
    }
}

/// Alice knows carol from gossip alone, and bob leads to her.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announced_issuer_is_reached_at_its_address() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let (bob, carol) = (RawNode::start(&net, "bob").await, RawNode::start(&net, "carol").await);
    bob.connect(alice.id(), &alice.info().await.listening.expect("it listens")).await;
    bob.connect(carol.id(), &carol.address()).await;
    bob.begin_open(alice.id(), 1_000_000, sat(900_000)).await;
    bob.begin_open(carol.id(), 1_000_000, sat(0)).await;
    net.mine_and_sync(6, &[&alice]).await;
    bob.can_send(&carol.id(), sat(500_000)).await;
    until("everybody to know everybody", async || {
        for raw in [&bob, &carol] {
            raw.announce();
            raw.retell();
        }
        let info = alice.info().await;
        (info.graph_channels == 2 && info.graph_nodes == 3 && carol.known_directions() == 4).then_some(())
    })
    .await;
    let offer = carol.offer(Some(sat(500)));
    until("carol's address to be known", async || {
        assert!(!carol.connected(&alice.id()), "nobody has asked");
        let known = alice.begin(request(&alice, &offer, None).await).await;
        match known {
            Ok(id) => Some(id),
            Err(PayError::NoInvoice(_)) => None,
            Err(other) => panic!("{other}"),
        }
    })
    .await;
    pay(&alice, &offer, None).await;
    until("alice to hang up", async || (!carol.connected(&alice.id())).then_some(())).await;
    alice.audited().await;
}

/// Bob has a channel with alice, and she knows his address from gossip alone. Whoever is asked and has a
/// channel stays connected, as HTLCs go over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_was_away_stays_once_it_was_asked() {
    let net = Net::start().await;
    let (alice, bob) = (net.node("alice").await, RawNode::start(&net, "bob").await);
    bob.connect(alice.id(), &alice.info().await.listening.expect("it listens")).await;
    bob.begin_open(alice.id(), 1_000_000, sat(900_000)).await;
    net.mine_and_sync(6, &[&alice]).await;
    let keysend = PaymentRequest { kind: Some(Kind::Keysend), ..TestNode::request_to(bob.id(), "1sat") };
    until("alice to have heard bob's announcement", async || {
        bob.announce();
        bob.retell();
        let quoted = alice.handle().quote(keysend.clone()).await.expect("a sound request").ok()?;
        (!quoted.reason.contains("warning")).then_some(())
    })
    .await;
    let offer = bob.offer(Some(sat(500)));
    bob.disconnect(&alice.id()).await;
    until("alice to miss bob", async || (!TestNode::usable(&alice.channels().await[0])).then_some(())).await;
    let row = pay(&alice, &offer, None).await;
    assert_eq!(row.state, State::Settled);
    assert!(bob.connected(&alice.id()));
    alice.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_little_is_refused_before_anybody_is_asked() {
    let net = Net::start().await;
    let (alice, carol) = (net.node("alice").await, RawNode::start(&net, "carol").await);
    funded_by(&net, &carol, &alice).await;
    let offer = read(&alice, &carol.offer(Some(sat(500)))).await;
    assert_eq!(offer.amount_to_pay(Some(sat(499)), None), Err(Refused::OfferAsksMore(sat(500))));
    assert_eq!((offer.amount, offer.description.as_str()), (Some(sat(500)), "soup"));
    assert_eq!(carol.asked(), 0);
    alice.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_does_not_answer_is_told() {
    let line = Line::start().await;
    let offer = line.carol.offer(Some(sat(500)));
    line.carol.keep_silent(true);
    let request = request(&line.alice, &offer, None).await;
    let impatient = PaymentRequest { timeout_ms: 7_000, ..request.clone() };
    let (kind, message) = no_invoice(line.alice.begin(impatient.clone()).await);
    assert!(kind == RefusalKind::Unavailable && message.contains("did not answer"), "{message}");
    assert!(line.carol.asked() > 1, "the question is repeated");
    line.carol.keep_silent(false);
    let id = line.alice.begin(impatient).await.expect("the key is free");
    super::paid(&line.alice, id).await;
    line.alice.audited().await;

    // Once nobody leads to her the question has no way.
    line.bob.disconnect(&line.alice.id()).await;
    until("alice to notice", async || (line.alice.info().await.peers == 0).then_some(())).await;
    let other = super::request(&line.alice, &offer, None).await;
    let (kind, message) = no_invoice(line.alice.begin(other).await);
    assert!(kind == RefusalKind::Unavailable && message.contains("cannot be reached"), "{message}");
}
