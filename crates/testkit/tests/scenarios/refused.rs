//! Payments that cannot be, and what is said of them.

use sponte_engine::backend::{Admin, SendCoins};
use sponte_engine::commit::{PaymentRow, State};
use sponte_proto::{Msat, Record, Sat};
use sponte_testkit::{Net, TestNode, until};

fn code(row: &PaymentRow) -> &str {
    assert_eq!(row.state, State::Failed, "{row:?}");
    row.failure.as_ref().map_or("", |failure| failure.code.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_fee_limit_and_balance_are_told_apart() {
    let net = Net::start().await;
    let [alice, bob, carol] = net.line(1_000_000).await;
    let (dave, erin) = (net.node("dave").await, net.node("erin").await);
    assert_eq!(code(&alice.pay(&dave, "50sat").await), "unknown_destination");
    // Two nodes that everybody knows and no channel leads to.
    net.fund(&dave, 1_000_000).await;
    alice.connect(&dave).await;
    net.open(&dave, &erin, 500_000, true, &[&alice, &bob, &carol, &dave, &erin]).await;
    assert_eq!(code(&alice.pay(&erin, "50sat").await), "no_route");
    let too_much = alice.pay(&carol, "2000000sat").await;
    assert_eq!(code(&too_much), "insufficient_balance");
    assert!(too_much.failure.expect("it failed").message.contains("sat"));

    let mut request = TestNode::request(&carol, "100000sat");
    request.max_fee = Msat::new(10_999);
    let id = alice.begin(request.clone()).await.expect("a sound request");
    let dear = alice.ended(id).await;
    assert_eq!(code(&dear), "fee_limit_too_low");
    assert!(
        dear.failure.expect("it failed").message.contains("11000msat"),
        "the cheapest route's fee is told"
    );

    request.key.push('+');
    request.max_fee = Msat::new(11_000);
    let id = alice.begin(request).await.expect("a sound request");
    assert_eq!(alice.ended(id).await.state, State::Settled, "the limit itself is enough");

    // All that the channel holds: the payment fits, its fee does not.
    let channels = alice.channels().await;
    let sendable = channels.iter().map(|channel| channel.sendable).max().expect("a channel");
    let no_fee = alice.pay(&carol, &format!("{}msat", sendable.to_msat())).await;
    assert_eq!(code(&no_fee), "insufficient_balance");

    // Room for them is in the onion of a direct payment, not in that of a routed one.
    let mut request = TestNode::request(&carol, "1sat");
    request.records.insert(Record::new(70_001, vec![7; 1_190]).expect("custom")).expect("the first");
    let id = alice.begin(request).await.expect("a sound request");
    assert_eq!(code(&alice.ended(id).await), "records_too_large");

    assert!(alice.begin(TestNode::request(&alice, "50sat")).await.is_err(), "oneself is not paid");
    assert!(alice.begin(TestNode::request(&bob, "0sat")).await.is_err(), "nothing is not paid");
    for node in [&alice, &bob, &carol, &dave, &erin] {
        node.audited().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offline_peer_is_waited_for_and_told() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    let mut bob = net.node("bob").await;
    net.fund(&alice, 2_000_000).await;
    net.open(&alice, &bob, 1_000_000, false, &[&alice, &bob]).await;
    bob.stop().await;
    until("alice to notice", async || {
        alice.channels().await.iter().all(|channel| !TestNode::usable(channel)).then_some(())
    })
    .await;

    let mut request = TestNode::request(&bob, "50sat");
    request.timeout_ms = 500;
    let id = alice.begin(request).await.expect("a sound request");
    let given_up = alice.ended(id).await;
    assert_eq!(code(&given_up), "peers_offline");

    let id = alice.begin(TestNode::request(&bob, "51sat")).await.expect("a sound request");
    bob.run().await;
    alice.connect(&bob).await;
    assert_eq!(alice.ended(id).await.state, State::Settled, "it waited for the peer");
    alice.audited().await;
    bob.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_opens_so_many_channels_and_no_more() {
    let net = Net::start().await;
    let (alice, mut bob) = (net.node("alice").await, net.node("bob").await);
    bob.stop().await;
    bob.config_mut().max_channels_per_peer = 1;
    bob.run().await;
    net.fund(&alice, 2_000_000).await;
    alice.connect(&bob).await;
    alice.open(&bob, 500_000, false).await.expect("the first is welcome");
    let refused = alice.open(&bob, 500_000, false).await.expect_err("the second is one too many");
    assert!(format!("{refused:?}").contains("accepts 1 channels of a peer"), "{refused:?}");
    alice.audited().await;
    bob.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_that_nobody_would_relay_keeps_its_coins() {
    let net = Net::start().await;
    let alice = net.node("alice").await;
    net.fund(&alice, 1_000_000).await;
    let before = alice.balance().await;
    let address = alice.address().await;
    let send = async |rate| {
        let (address, fee_per_kvb) = (address.clone(), Sat::new(rate));
        let coins = SendCoins { address, amount: Sat::new(50_000), fee_per_kvb };
        alice.handle().admin(move |reply| Admin::SendCoins(coins, reply)).await
    };
    let refusal = send(996).await.expect_err("below the mempool's minimum");
    assert!(refusal.to_string().contains("below 1 sat per vbyte"), "{refusal}");
    assert_eq!(alice.balance().await, before);
    send(1_000).await.expect("at the mempool's minimum");
    net.mempool_holds(1).await;
    alice.audited().await;
}

/// Whoever waits for a connection is told that another caller gave it up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_given_up_is_told_as_that() {
    let net = Net::start().await;
    let (alice, bob) = (net.node("alice").await, net.node("bob").await);
    // It takes connections, and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (id, address) = (bob.id(), mute.local_addr().expect("bound").to_string());
    let (connecting, giving_up) = (alice.handle(), alice.handle());
    let connect = connecting.admin(move |reply| Admin::Connect(id, address, reply));
    let give_up = async {
        let (_stream, _) = mute.accept().await.expect("she connects");
        giving_up.admin(move |reply| Admin::Disconnect(id, reply)).await.expect("she knows it");
    };
    let (connected, ()) = tokio::join!(connect, give_up);
    let refused = connected.expect_err("nobody is there").to_string();
    assert!(refused.contains("disconnected meanwhile: connect again"), "{refused}");
    alice.audited().await;
    bob.audited().await;
}
