//! A keysend over one channel.

use sponte_engine::commit::State;
use sponte_testkit::Net;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alice_pays_bob_directly() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let bob = net.node("bob").await;
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, true, &[&alice, &bob]).await;

    let sent = alice.pay(&bob, "50sat").await;

    assert_eq!((sent.state, sent.fee.to_msat()), (State::Settled, 0), "{sent:?}");
    let received = bob.received(&sent).await;
    assert_eq!((received.state, received.amount), (State::Settled, sent.amount));
    assert_eq!(received.preimage, sent.preimage);
    alice.audited().await;
    bob.audited().await;
}
