//! Payments that wait for a decision.

use super::{AMOUNT, DELTA, Payer, Set, UNKNOWN, in_state, msat, payments};
use sponte_engine::commit::{Kind, PaymentRow, State};
use sponte_engine::{Decision, Hold, Receive};
use sponte_proto::ecdh::Version;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{PaymentSecret, Preimage};
use sponte_testkit::{Net, Outcome, Sent, TestNode, until};

async fn holding(net: &Net) -> (TestNode, Payer) {
    let carol = net.node("carol").await;
    let payer = Payer::direct(net, &carol).await;
    hold_all(&carol).await;
    (carol, payer)
}

pub(super) async fn hold_all(node: &TestNode) {
    let all = Receive { hold: Hold::All, ..Receive::default() };
    node.handle().set_receive(Some(all)).await.expect("it makes sense");
}

pub(super) async fn held(node: &TestNode, kind: Kind) -> PaymentRow {
    in_state(node, kind, State::Held).await
}

fn assert_none_ended(sent: &[Sent]) {
    assert!(sent.iter().all(|sent| sent.outcome().is_none()), "what is held has not ended");
}

/// One of each kind.
fn one_of_each(payer: &Payer, number: u8) -> [(Kind, Vec<Sent>); 4] {
    let preimage = |byte| Preimage::from_bytes([byte; 32]);
    let total = msat(2 * AMOUNT.to_msat());
    let data = PaymentData::new(PaymentSecret::from_bytes([number; 32]), total);
    let part = || payer.keysend(&preimage(number + 1), Some(data.clone()));
    [
        (Kind::Keysend, vec![payer.keysend(&preimage(number), None)]),
        (Kind::MppKeysend, vec![part(), part()]),
        (Kind::Ecdh, vec![payer.ecdh(Version::Ecdh1)]),
        (Kind::Amp, payer.shards(&Set::new(number + 10))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_is_settled_or_canceled_whole_and_never_paid_twice() {
    let net = Net::start().await;
    let (carol, payer) = holding(&net).await;
    for (kind, sent) in one_of_each(&payer, 20) {
        let row = held(&carol, kind).await;
        assert_none_ended(&sent);
        carol.handle().decide(row.id, Decision::Settle).await.expect("it is held");
        for sent in &sent {
            assert!(matches!(sent.ended().await, Outcome::Settled(_)), "{kind:?}");
        }
        in_state(&carol, kind, State::Settled).await;
        assert!(carol.handle().decide(row.id, Decision::Cancel).await.is_err(), "it has ended");
    }
    for (kind, sent) in one_of_each(&payer, 60) {
        let row = held(&carol, kind).await;
        assert_none_ended(&sent);
        carol.handle().decide(row.id, Decision::Cancel).await.expect("it is held");
        payer.assert_all_refused(&sent, UNKNOWN).await;
        in_state(&carol, kind, State::Canceled).await;
    }
    assert_eq!(payments(&carol).len(), 8);
    carol.audited().await;

    // What was settled is never taken again, nor what was canceled.
    for number in [20, 60] {
        payer.assert_refused(&payer.keysend(&Preimage::from_bytes([number; 32]), None), UNKNOWN).await;
        payer.assert_all_refused(&payer.shards(&Set::new(number + 10)), UNKNOWN).await;
    }
    assert_eq!(payments(&carol).len(), 8);
    carol.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_payments_survive_a_restart() {
    let net = Net::start().await;
    let (mut carol, payer) = holding(&net).await;
    let set = Set::new(20);
    let (amp, keysend) = (payer.shards(&set), payer.keysend(&Preimage::from_bytes([1; 32]), None));
    let rows = [held(&carol, Kind::Amp).await, held(&carol, Kind::Keysend).await];
    carol.stop().await;
    carol.run().await;
    payer.raw.connect(carol.id(), &carol.info().await.listening.expect("it listens")).await;
    assert_none_ended(&amp);
    assert_eq!(keysend.outcome(), None);
    assert_eq!([held(&carol, Kind::Amp).await, held(&carol, Kind::Keysend).await], rows);
    carol.handle().decide(rows[0].id, Decision::Settle).await.expect("it is held");
    carol.handle().decide(rows[1].id, Decision::Cancel).await.expect("it is held");
    set.assert_settled(&amp).await;
    payer.assert_refused(&keysend, UNKNOWN).await;
    carol.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_decides_and_it_is_canceled_before_the_deadline() {
    let net = Net::start().await;
    let (carol, payer) = holding(&net).await;
    let sent = payer.shards(&Set::new(20));
    let row = held(&carol, Kind::Amp).await;
    let last = row.receipt.deadline_height.expect("its deadline is known").to_u32();
    let height = carol.info().await.height;
    assert_eq!(last - height.to_u32(), u32::from(DELTA) + 1 - 39 - 3);
    net.mine_and_sync(last - 1 - height.to_u32(), &[&carol]).await;
    assert_eq!(held(&carol, Kind::Amp).await, row);
    assert_none_ended(&sent);
    net.mine_and_sync(1, &[&carol]).await;
    payer.assert_all_refused(&sent, UNKNOWN).await;
    in_state(&carol, Kind::Amp, State::Canceled).await;
    carol.audited().await;
}

/// The channel is closed by force while its shards are held; they are claimed on the chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_shards_of_a_closed_channel_are_claimed_on_the_chain() {
    let net = Net::start().await;
    let (carol, mut payer) = holding(&net).await;
    net.fund(&carol, 200_000).await;
    // Worth an output each.
    payer.amount = msat(50_000_000);
    let total = msat(150_000_000);
    let set = Set::worth(total, PaymentSecret::from_bytes([1; 32]), 20);
    let sent = payer.shards(&set);
    let row = held(&carol, Kind::Amp).await;
    assert_none_ended(&sent);
    let channel = carol.channels().await[0].id;
    carol.close(channel, true).await.expect("it closes");
    net.mempool_holds(1).await;
    net.mine_and_sync(1, &[&carol]).await;
    carol.handle().decide(row.id, Decision::Settle).await.expect("it is held");
    until("everything to come home", async || {
        net.mine_and_sync(1, &[&carol]).await;
        carol.channels().await.is_empty().then_some(())
    })
    .await;
    let settled = in_state(&carol, Kind::Amp, State::Settled).await;
    assert_eq!(settled.amount, total);
    let coins = carol.balance().await.confirmed.to_sat();
    // Fees: the closing, a claim and a sweep for each shard.
    assert!((330_000..350_000).contains(&coins), "{coins}");
    carol.audited().await;
}
