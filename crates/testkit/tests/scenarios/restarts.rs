//! Nodes that stop in the middle.

use sponte_engine::commit::{Direction, PaymentRow, State};
use sponte_engine::{Decision, Hold, Receive};
use sponte_proto::PaymentId;
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, TestNode, until};
use std::cell::RefCell;

/// What is worth as much is held where [`hold_large`] says so.
const LARGE: &str = "2000sat";
/// How many of them are held over a stop.
const HELD: u32 = 3;

async fn hold_large(node: &TestNode) {
    let least = LARGE.parse().expect("an amount");
    let policy = Receive { hold: Hold::From(least), ..Receive::default() };
    node.handle().set_receive(Some(policy)).await.expect("it makes sense");
}

/// All payments of a direction, or those in a state.
fn payments(node: &TestNode, direction: Direction, state: Option<State>) -> Vec<PaymentRow> {
    let query = PaymentsQuery { direction: Some(direction), state, limit: 1_000, ..PaymentsQuery::default() };
    node.handle().ledger().payments(query).expect("the ledger reads").rows
}

fn state_of(node: &TestNode, id: PaymentId) -> State {
    node.handle().ledger().payment(&id).expect("the ledger reads").expect("it is there").state
}

fn attempts(node: &TestNode, id: PaymentId) -> usize {
    node.handle().ledger().attempts(&id).expect("the ledger reads").len()
}

/// What it has in its channels.
async fn in_channels(node: &TestNode) -> u64 {
    node.channels().await.iter().filter_map(|c| c.balance).map(|b| b.to_msat()).sum()
}

/// Neither end takes them for ended.
fn assert_in_flight(from: &TestNode, sent: &[PaymentId], to: &TestNode, held: &[PaymentRow]) {
    for id in sent {
        assert_eq!(state_of(from, *id), State::Pending);
    }
    assert_eq!(payments(to, Direction::In, Some(State::Held)), held);
}

/// Stops one of the three while large payments are held at the receiver, and small ones are
/// anywhere on their way. All are paid once, and both ends say so.
async fn stop_in_flight(who: usize) {
    let net = Net::start().await;
    let mut nodes = net.line(5_000_000).await;
    hold_large(&nodes[2]).await;
    let mut large = vec![];
    for _ in 0..HELD {
        let request = TestNode::request(&nodes[2], LARGE);
        large.push(nodes[0].begin(request).await.expect("a sound request"));
    }
    let held = until("carol to hold the large ones", async || {
        let held = payments(&nodes[2], Direction::In, Some(State::Held));
        (held.len() == large.len()).then_some(held)
    })
    .await;

    let small = RefCell::new(Vec::<PaymentId>::new());
    let begin = async || {
        let request = TestNode::request(&nodes[2], "1000sat");
        let id = nodes[0].begin(request).await.expect("a sound request");
        small.borrow_mut().push(id);
    };
    for _ in 0..20 {
        begin().await;
    }
    // Each look begins another one, so that there is something to see however fast they end.
    until("small HTLCs at the one that stops", async || {
        begin().await;
        let sending = payments(&nodes[0], Direction::Out, Some(State::Pending));
        let channels = nodes[who].channels().await;
        (sending.len() > large.len() && channels.iter().any(|channel| channel.htlcs > HELD)).then_some(())
    })
    .await;
    let small = small.into_inner();

    nodes[who].stop().await;
    nodes[who].run().await;
    let channels = nodes[who].channels().await;
    assert!(channels.iter().any(|channel| channel.htlcs >= HELD), "{channels:?}");
    assert_in_flight(&nodes[0], &large, &nodes[2], &held);
    nodes[0].connect(&nodes[1]).await;
    nodes[1].connect(&nodes[2]).await;

    let mut sent = vec![];
    for id in small {
        let row = nodes[0].ended(id).await;
        assert_eq!(row.state, State::Settled, "{row:?}");
        assert_eq!(nodes[2].received(&row).await.state, State::Settled);
        sent.push(row);
    }
    // The channels work again, and nothing has become of what is held.
    assert_in_flight(&nodes[0], &large, &nodes[2], &held);
    for row in &held {
        nodes[2].handle().decide(row.id, Decision::Settle).await.expect("it is held");
    }
    for id in large {
        let row = nodes[0].ended(id).await;
        assert_eq!(row.state, State::Settled, "{row:?}");
        assert_eq!(attempts(&nodes[0], id), 1, "it was never sent again");
        sent.push(row);
    }
    until("carol to have them all", async || {
        (payments(&nodes[2], Direction::In, Some(State::Settled)).len() == sent.len()).then_some(())
    })
    .await;
    for node in &nodes {
        node.audited().await;
        assert!(node.channels().await.iter().all(TestNode::usable), "no channel was closed");
    }
    assert_eq!(payments(&nodes[2], Direction::In, None).len(), sent.len(), "each came once");
    let worth: u64 = sent.iter().map(|row| row.amount.to_msat()).sum();
    assert_eq!(in_channels(&nodes[2]).await, worth, "each was paid once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_restarts() {
    stop_in_flight(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_router_restarts() {
    stop_in_flight(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_restarts() {
    stop_in_flight(2).await;
}

/// Alice and Bob, with a channel whose money is all alice's.
async fn pair(net: &Net) -> (TestNode, TestNode) {
    let (alice, bob) = (net.node("alice").await, net.node("bob").await);
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    (alice, bob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_means_one_payment_across_a_restart() {
    let net = Net::start().await;
    let (mut alice, bob) = pair(&net).await;
    let request = TestNode::request(&bob, "50sat");
    let first = alice.begin(request.clone()).await.expect("a sound request");
    let sent = alice.ended(first).await;

    alice.stop().await;
    alice.run().await;

    assert_eq!(alice.begin(request.clone()).await.expect("the same request"), first);
    let mut other = request;
    other.amount = "51sat".parse().expect("an amount");
    assert!(alice.begin(other).await.is_err(), "the key stands for another payment");
    assert_eq!(alice.ended(first).await, sent);
    alice.audited().await;
    bob.audited().await;
    assert_eq!(in_channels(&bob).await, 50_000, "paid once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_means_one_payment_across_a_restart_while_it_is_held() {
    let net = Net::start().await;
    let (mut alice, bob) = pair(&net).await;
    hold_large(&bob).await;
    let request = TestNode::request(&bob, LARGE);
    let first = alice.begin(request.clone()).await.expect("a sound request");
    let held = until("bob to hold it", async || payments(&bob, Direction::In, Some(State::Held)).pop()).await;

    alice.stop().await;
    alice.run().await;

    assert_eq!(state_of(&alice, first), State::Pending);
    assert_eq!(alice.begin(request.clone()).await.expect("the same request"), first);
    alice.connect(&bob).await;
    until("the channel to be usable", async || {
        alice.channels().await.iter().all(TestNode::usable).then_some(())
    })
    .await;
    assert_eq!(alice.begin(request.clone()).await.expect("the same request"), first);
    let mut other = request;
    other.amount = "2001sat".parse().expect("an amount");
    assert!(alice.begin(other).await.is_err(), "the key stands for another payment");
    // What is begun now is sent after whatever the key has begun.
    assert_eq!(alice.pay(&bob, "50sat").await.state, State::Settled);
    assert_eq!(state_of(&alice, first), State::Pending);
    assert_eq!(payments(&bob, Direction::In, Some(State::Held)), std::slice::from_ref(&held));

    bob.handle().decide(held.id, Decision::Settle).await.expect("it is held");
    let sent = alice.ended(first).await;
    assert_eq!(sent.state, State::Settled, "{sent:?}");
    until("bob to have both", async || {
        (payments(&bob, Direction::In, Some(State::Settled)).len() == 2).then_some(())
    })
    .await;
    alice.audited().await;
    bob.audited().await;
    assert_eq!(attempts(&alice, first), 1);
    assert_eq!(payments(&alice, Direction::Out, None).len(), 2);
    assert_eq!(payments(&bob, Direction::In, None).len(), 2);
    assert_eq!(in_channels(&bob).await, 2_050_000, "paid once");
}
