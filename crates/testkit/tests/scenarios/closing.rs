//! Channels that end, and the money that comes back.

use sponte_engine::backend::{Admin, ChannelState, OpenChannel};
use sponte_engine::commit::{Account, State};
use sponte_proto::{ChannelId, Sat};
use sponte_testkit::{Net, TestNode, until};

/// Alice and Bob with a channel, both with money in it.
async fn pair(net: &Net) -> (TestNode, TestNode) {
    let alice = net.node("alice").await;
    let bob = net.node("bob").await;
    net.fund(&alice, 2_000_000).await;
    net.fund(&bob, 200_000).await;
    net.open(&alice, &bob, 1_000_000, true, &[&alice, &bob]).await;
    assert_eq!(alice.pay(&bob, "300000sat").await.state, State::Settled);
    alice.audited().await;
    (alice, bob)
}

/// Mines until neither has anything to come, then looks at wallets and books.
async fn money_is_home(net: &Net, alice: &TestNode, bob: &TestNode) {
    until("everything to come home", async || {
        net.mine_and_sync(1, &[alice, bob]).await;
        let all = [alice.channels().await, bob.channels().await];
        all.iter().all(Vec::is_empty).then_some(())
    })
    .await;
    let (a, b) = (alice.balance().await, bob.balance().await);
    // Fees: the funding, the closing, each side's sweep.
    assert!((1_690_000..1_700_000).contains(&a.confirmed.to_sat()), "{a:?}");
    assert!((490_000..=500_000).contains(&b.confirmed.to_sat()), "{b:?}");
    for node in [alice, bob] {
        node.audited().await;
        for account in node.handle().ledger().accounts().expect("the ledger reads") {
            if let Account::Channel(id) = account.account {
                assert_eq!(account.posted_msat, 0, "{}'s account of {id}", node.name());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cooperative_close_brings_the_money_home() {
    let net = Net::start().await;
    let (alice, bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    bob.close(channel, false).await.expect("it closes");
    net.mempool_holds(1).await;
    money_is_home(&net, &alice, &bob).await;
}

/// Pays until the channel takes no more.
async fn pays_on(from: &TestNode, to: &TestNode) {
    while from.pay(to, "100sat").await.state == State::Settled {}
}

/// Waits until both have closed it together, and nothing is left.
async fn closed_together(net: &Net, alice: &TestNode, bob: &TestNode, channel: ChannelId) {
    net.mempool_holds(1).await;
    until("both to have closed it together", async || {
        let both = [alice.channel(channel).await?, bob.channel(channel).await?];
        let together = |why: &String| why.contains("closed cooperatively");
        both.iter().all(|channel| channel.waiting_for.as_ref().is_some_and(together)).then_some(())
    })
    .await;
    until("everything to come home", async || {
        net.mine_and_sync(1, &[alice, bob]).await;
        (alice.channels().await.is_empty() && bob.channels().await.is_empty()).then_some(())
    })
    .await;
    alice.audited().await;
    bob.audited().await;
}

/// LDK begins no closing while an HTLC is on its way to the peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_closes_together_right_after_a_payment_was_begun() {
    let net = Net::start().await;
    let (alice, bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    let id = alice.begin(TestNode::request(&bob, "1000sat")).await.expect("a sound request");
    alice.close(channel, false).await.expect("it closes");
    // It is paid, or refused by bob, if he hears of the closing before he claims it.
    let sent = alice.ended(id).await;
    if sent.state == State::Settled {
        assert_eq!(bob.received(&sent).await.state, State::Settled);
    }
    closed_together(&net, &alice, &bob, channel).await;
}

/// No HTLC of the other one leaves after its `shutdown`, which would be a reason to close by force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_channel_closes_together() {
    let net = Net::start().await;
    let (alice, bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    let closed = async {
        until("the channel to be busy", async || {
            alice.channel(channel).await.filter(|channel| channel.htlcs > 3)
        })
        .await;
        alice.close(channel, false).await
    };
    let (closed, ..) = tokio::join!(
        closed,
        pays_on(&alice, &bob),
        pays_on(&alice, &bob),
        pays_on(&alice, &bob),
        pays_on(&alice, &bob),
        pays_on(&bob, &alice),
        pays_on(&bob, &alice),
        pays_on(&bob, &alice),
        pays_on(&bob, &alice),
    );
    closed.expect("it closes");
    let again = alice.close(channel, false).await.expect_err("once is enough");
    let said = ["closing already", "no open channel"];
    assert!(said.iter().any(|said| again.to_string().contains(said)), "{again}");
    closed_together(&net, &alice, &bob, channel).await;
}

async fn both_are_closing(alice: &TestNode, bob: &TestNode, channel: ChannelId) {
    until("both to be closing", async || {
        let both = [alice.channel(channel).await?, bob.channel(channel).await?];
        both.iter().all(|channel| channel.state == ChannelState::Closing).then_some(())
    })
    .await;
}

/// Nor does it become a forced one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cooperative_close_survives_a_restart_of_everybody() {
    let net = Net::start().await;
    // Just above what commitments pay at most: a forced close would need a coin.
    let rate = bitcoin::FeeRate::from_sat_per_kwu(2_700);
    net.chain().estimate_fee(rate).await;
    let (mut alice, mut bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    bob.close(channel, false).await.expect("it closes");
    net.mempool_holds(1).await;
    let closing = net.chain().mempool_txids().await;
    both_are_closing(&alice, &bob, channel).await;
    let coins = alice.balance().await.confirmed;
    alice.stop().await;
    bob.stop().await;
    net.chain().forget_mempool().await;
    alice.run().await;
    net.mempool_holds(1).await;
    assert_eq!(net.chain().mempool_txids().await, closing);
    // A block that it misses.
    net.chain().forget_mempool().await;
    net.mine_and_sync(1, &[&alice]).await;
    net.mempool_holds(1).await;
    assert_eq!(net.chain().mempool_txids().await, closing);
    assert_eq!(alice.balance().await.confirmed, coins, "no coin of hers is lent");
    bob.run().await;
    money_is_home(&net, &alice, &bob).await;
}

/// Its fee cannot be raised, that of a commitment transaction can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cooperative_close_that_does_not_confirm_becomes_a_forced_one() {
    let net = Net::start().await;
    let (alice, bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    bob.close(channel, false).await.expect("it closes");
    net.mempool_holds(1).await;
    both_are_closing(&alice, &bob, channel).await;
    net.chain().forget_mempool().await;
    // Longer than it is announced, and too fast for it to be announced meanwhile.
    net.mine_and_sync(146, &[&alice, &bob]).await;
    money_is_home(&net, &alice, &bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_close_brings_the_money_home() {
    let net = Net::start().await;
    let (alice, bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    alice.close(channel, true).await.expect("it closes");
    let closing = until("the channel to be closing", async || {
        alice.channel(channel).await.filter(|channel| channel.state == ChannelState::Closing)
    })
    .await;
    assert!(closing.waiting_for.is_some() && closing.to_come.to_sat() > 0, "{closing:?}");
    net.mempool_holds(1).await;
    money_is_home(&net, &alice, &bob).await;
}

/// Who was away is told which transaction closed the channel, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_that_was_slept_through_is_listed_with_its_transaction() {
    let net = Net::start().await;
    let (alice, mut bob) = pair(&net).await;
    let channel = alice.channels().await[0].id;
    bob.stop().await;
    alice.close(channel, true).await.expect("it closes");
    net.mempool_holds(1).await;
    net.mine_and_sync(2, &[&alice]).await;
    let closed_by = &alice.channel(channel).await.expect("it is closing").closing_txids;
    assert_eq!(closed_by.len(), 1);
    bob.run().await;
    let closing = bob.channel(channel).await.expect("it is closing");
    assert_eq!((closing.state, &closing.closing_txids), (ChannelState::Closing, closed_by));
    bob.stop().await;
    bob.run().await;
    let closing = bob.channel(channel).await.expect("it is closing");
    assert_eq!(&closing.closing_txids, closed_by, "once");
    money_is_home(&net, &alice, &bob).await;
}

/// Both force-close at once, so one of the two children can never exist. Whoever made it has the
/// coin back, the one who slept through it too.
async fn both_force_close(restart: bool) {
    let net = Net::start().await;
    // Just above what commitments pay at most: so each needs a child.
    let rate = bitcoin::FeeRate::from_sat_per_kwu(2_700);
    net.chain().estimate_fee(rate).await;
    let (alice, mut bob) = pair(&net).await;
    let (channel, id) = (alice.channels().await[0].id, bob.id());
    alice.handle().admin(move |reply| Admin::Disconnect(id, reply)).await.expect("it disconnects");
    alice.close(channel, true).await.expect("it closes");
    net.mempool_holds(2).await;
    bob.close(channel, true).await.expect("it closes");
    until("bob's coin to be lent", async || (bob.balance().await.confirmed == Sat::ZERO).then_some(())).await;
    if restart {
        bob.stop().await;
        net.mine_and_sync(3, &[&alice]).await;
        bob.run().await;
    }
    money_is_home(&net, &alice, &bob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bump_that_comes_too_late_gives_its_coin_back() {
    both_force_close(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bump_that_came_too_late_gives_its_coin_back_after_a_restart() {
    both_force_close(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peers_channel_reserves_coins_only_once_it_is_funded() {
    let net = Net::start().await;
    let (alice, bob) = (net.node("alice").await, net.node("bob").await);
    net.fund(&alice, 2_000_000).await;
    net.fund(&bob, 200_000).await;
    alice.connect(&bob).await;
    let id = bob.id();
    let pushed = |peer| OpenChannel {
        peer,
        address: None,
        value: Sat::new(100_000).expect("in supply"),
        push: "30000sat".parse().expect("an amount"),
        announce: false,
    };
    let opened = alice.handle().admin(move |reply| Admin::OpenChannel(pushed(id), reply)).await;
    let channel = opened.expect("it opens").channel;
    until("bob to have it", async || bob.channel(channel).await).await;
    assert_eq!(bob.balance().await.reserve, Sat::ZERO, "its funding is not in the chain");
    net.mempool_holds(1).await;
    net.mine_and_sync(6, &[&alice, &bob]).await;
    until("bob's reserve for it", async || (bob.balance().await.reserve > Sat::ZERO).then_some(())).await;

    let reserve = bob.balance().await.reserve;
    let opened = alice.handle().admin(move |reply| Admin::OpenChannel(pushed(id), reply)).await;
    let unfunded = opened.expect("it opens").channel;
    until("bob to have it", async || bob.channel(unfunded).await).await;
    alice.close(unfunded, true).await.expect("it closes");
    until("it to be closing", async || {
        bob.channel(unfunded).await.filter(|channel| channel.state == ChannelState::Closing)
    })
    .await;
    assert_eq!(bob.balance().await.reserve, reserve, "its funding is not in the chain");
    alice.audited().await;
    bob.audited().await;
}
