//! Each kind is taken, whatever stands in the middle.

use super::{AMOUNT, Payer, Set, msat, payments, received};
use sponte_engine::commit::{Kind, State};
use sponte_node::NewInvoice;
use sponte_proto::ecdh::Version;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{PaymentSecret, Preimage};
use sponte_testkit::{Net, Outcome, TestNode, until};

/// Two sets at once, their shards one after the other in turn.
async fn two_sets(payer: &Payer, sets: [Set; 2]) {
    let mut sent = [vec![], vec![]];
    for number in 0..3 {
        for (set, sent) in sets.iter().zip(&mut sent) {
            sent.push(payer.shard(&set.shards[number], set.data.clone(), set.id));
        }
    }
    for (set, sent) in sets.iter().zip(&sent) {
        set.assert_settled(sent).await;
    }
}

async fn amp(payer: &Payer, to: &TestNode) {
    let set = Set::new(10);
    set.assert_settled(&payer.shards(&set)).await;
    let row = received(to, Kind::Amp).await;
    assert_eq!(row.amount, set.data.total());
    assert_eq!(row.records.value(70_002), Some(&b"even"[..]));
    two_sets(payer, [Set::new(100), Set::new(110)]).await;
}

/// One invoice, paid by two sets at once.
async fn amp_invoice(payer: &Payer, to: &TestNode) {
    let amount = Some(msat(3 * AMOUNT.to_msat()));
    let new = NewInvoice { amount, description: "coffee".into(), expiry_ms: 3_600_000 };
    let addr = to.handle().create_amp_invoice(new).await.expect("an invoice").payment_addr;
    two_sets(payer, [Set::to(addr.clone(), 120), Set::to(addr.clone(), 130)]).await;
    let row = until("the invoice to count both", async || {
        let row = to.handle().ledger().amp_invoice(&addr).expect("the ledger reads").expect("a row");
        (row.payments == 2).then_some(row)
    })
    .await;
    assert_eq!(row.received.to_msat(), 6 * AMOUNT.to_msat());
    let under = to.handle().ledger().amp_payments(&addr).expect("the ledger reads");
    assert!(under.len() == 2 && under.iter().all(|row| row.kind == Kind::AmpInvoice), "{under:?}");
}

async fn ecdh(payer: &Payer, to: &TestNode) {
    assert!(matches!(payer.ecdh(Version::Ecdh1).ended().await, Outcome::Settled(_)));
    assert_eq!(received(to, Kind::Ecdh).await.amount, AMOUNT);
}

async fn keysend(payer: &Payer, to: &TestNode) {
    let secret = |byte| PaymentSecret::from_bytes([byte; 32]);
    let (plain, with_secret) = (Preimage::from_bytes([3; 32]), Preimage::from_bytes([4; 32]));
    let data = PaymentData::new(secret(5), AMOUNT);
    let sent = [payer.keysend(&plain, None), payer.keysend(&with_secret, Some(data))];
    for (sent, preimage) in sent.iter().zip([plain, with_secret]) {
        assert_eq!(sent.ended().await, Outcome::Settled(preimage));
    }
    until("both keysends", async || {
        let rows = payments(to).into_iter();
        let both = rows.filter(|row| row.kind == Kind::Keysend && row.state == State::Settled).count();
        (both == 2).then_some(())
    })
    .await;

    // Two sets in two parts each, in turn.
    let total = msat(2 * AMOUNT.to_msat());
    let sets = [(6, 7), (8, 9)].map(|(preimage, addr)| {
        (Preimage::from_bytes([preimage; 32]), PaymentData::new(secret(addr), total))
    });
    let sent: Vec<_> = [&sets[0], &sets[1], &sets[0], &sets[1]]
        .into_iter()
        .map(|(preimage, data)| (preimage, payer.keysend(preimage, Some(data.clone()))))
        .collect();
    for (preimage, sent) in sent {
        assert_eq!(sent.ended().await, Outcome::Settled(preimage.clone()));
    }
    assert_eq!(received(to, Kind::MppKeysend).await.amount, total);
}

async fn every_kind(payer: &Payer, to: &TestNode) {
    amp(payer, to).await;
    amp_invoice(payer, to).await;
    ecdh(payer, to).await;
    keysend(payer, to).await;
    to.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directly() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    every_kind(&payer, &carol).await;
    until("the rows of HTLCs that are gone to go", async || {
        carol.stored_keys("ldk.htlc").is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_plain_ldk() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::through_plain_ldk(&net, &carol).await;
    every_kind(&payer, &carol).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_node_of_ours() {
    let net = Net::start().await;
    let (bob, carol) = (net.node("bob").await, net.node("carol").await);
    let payer = Payer::through(&net, &bob, &carol).await;
    every_kind(&payer, &carol).await;
    bob.audited().await;
    assert!(payments(&bob).is_empty(), "what bob forwards is not his");
}
