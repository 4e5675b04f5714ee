//! Messages that come again.

use super::{AMOUNT, Payer, Set, msat, payments};
use sponte_engine::backend::Admin;
use sponte_engine::commit::State;
use sponte_proto::Preimage;
use sponte_testkit::{Net, Outcome, TestNode, until};

async fn disconnect(payer: &Payer, from: &TestNode) {
    let id = payer.raw.id();
    let _ = from.handle().admin(move |reply| Admin::Disconnect(id, reply)).await;
}

/// Whoever has not noticed that a connection has ended takes a new one for a second, and refuses it.
async fn connect(payer: &Payer, to: &TestNode) {
    let id = payer.raw.id();
    until("the end of a connection", async || (!to.is_connected(id).await).then_some(())).await;
    payer.raw.connect(to.id(), &to.info().await.listening.expect("it listens")).await;
    payer.raw.can_send(&to.id(), AMOUNT).await;
}

/// Wherever the connection ends between an HTLC's first message and its last, the payer sends again
/// what was not answered, and it is one payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn htlcs_that_are_sent_again_are_paid_once() {
    let net = Net::start().await;
    let mut carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    let sets: u8 = 6;
    for number in 0..sets {
        let set = Set::new(10 * (number + 1));
        let mut sent = vec![];
        for shard in &set.shards {
            sent.push(payer.shard(shard, set.data.clone(), set.id));
            if number % 3 == 2 {
                // It forgets what it has not written.
                carol.stop().await;
                carol.run().await;
            } else {
                disconnect(&payer, &carol).await;
            }
            connect(&payer, &carol).await;
        }
        set.assert_settled(&sent).await;
        let preimage = Preimage::from_bytes([100 + number; 32]);
        let keysend = payer.keysend(&preimage, None);
        disconnect(&payer, &carol).await;
        connect(&payer, &carol).await;
        assert_eq!(keysend.ended().await, Outcome::Settled(preimage));
    }
    carol.audited().await;
    let rows = payments(&carol);
    assert!(rows.len() == 2 * usize::from(sets) && rows.iter().all(|row| row.state == State::Settled));
    let received = rows.iter().map(|row| row.amount.to_msat()).sum();
    assert_eq!(msat(received), msat(4 * u64::from(sets) * AMOUNT.to_msat()));
}

/// The peer forgets HTLCs that it has not committed to, and gets the same messages again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_htlc_that_is_offered_twice_is_taken_once() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    let set = Set::new(10);
    let mut sent = vec![];
    for shard in &set.shards {
        payer.raw.stutter();
        let shard = payer.shard(shard, set.data.clone(), set.id);
        until("the shard to leave", async || (shard.offers() == 1).then_some(())).await;
        payer.raw.disconnect(&carol.id()).await;
        connect(&payer, &carol).await;
        until("the shard to leave again", async || (shard.offers() == 2).then_some(())).await;
        sent.push(shard);
    }
    set.assert_settled(&sent).await;
    let rows = payments(&carol);
    assert_eq!((rows.len(), rows[0].amount), (1, set.data.total()));
    carol.audited().await;
}
