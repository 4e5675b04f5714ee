//! What is not taken, and the code that its sender reads.

use super::{AMOUNT, DELTA, Payer, Set, UNKNOWN, msat, payments, received};
use sponte_engine::Receive;
use sponte_engine::backend::Kinds;
use sponte_engine::commit::Kind;
use sponte_node::NewInvoice;
use sponte_proto::amp::AmpRecord;
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentHash, PaymentSecret, Preimage, Records};
use sponte_testkit::{Net, Outcome, RawHtlc, Sent, TestNode};

async fn receive(node: &TestNode, change: impl FnOnce(&mut Receive)) {
    let mut receive = Receive::default();
    change(&mut receive);
    node.handle().set_receive(Some(receive)).await.expect("it makes sense");
}

async fn invoice(node: &TestNode, amount: Msat, expiry_ms: u64) -> PaymentSecret {
    let new = NewInvoice { amount: Some(amount), description: String::new(), expiry_ms };
    node.handle().create_amp_invoice(new).await.expect("an invoice").payment_addr
}

/// One HTLC of a keysend whose preimage is made of this byte.
fn keysend(payer: &Payer, byte: u8) -> Sent {
    payer.keysend(&Preimage::from_bytes([byte; 32]), None)
}

async fn htlcs(payer: &Payer) {
    let stranger = || RawHtlc::of_hash(PaymentHash::from_bytes([1; 32]));
    // A hash that nobody knows: as of an invoice, as of a keysend, as of none of the kinds.
    let data = PaymentData::new(PaymentSecret::from_bytes([1; 32]), AMOUNT);
    let invoice = payer.send(stranger(), move |payload| payload.payment_data = Some(data.clone()));
    payer.assert_refused(&invoice, UNKNOWN).await;
    let wrong = Preimage::from_bytes([2; 32]);
    let wrong = payer.send(stranger(), move |payload| payload.keysend = Some(wrong.clone()));
    payer.assert_refused(&wrong, UNKNOWN).await;
    payer.assert_refused(&payer.send(stranger(), |_| {}), UNKNOWN).await;
    // Less than the payload promises, and sooner.
    let less = payer.send(stranger(), |payload| payload.amt_to_forward = msat(AMOUNT.to_msat() + 1));
    payer.assert_refused(&less, FailureCode::FINAL_INCORRECT_HTLC_AMOUNT).await;
    let sooner = payer.send_bytes(stranger(), |expiry| {
        FinalPayload::new(AMOUNT, CltvExpiry::new(expiry.to_u32() + 1)).encode()
    });
    payer.assert_refused(&sooner, FailureCode::FINAL_INCORRECT_CLTV_EXPIRY).await;
}

async fn ecdh(payer: &Payer, to: &TestNode) {
    payer.assert_refused(&payer.ecdh(Version::Ecdh0), UNKNOWN).await;
    // The marker of one and the hash of the other; a marker of the future.
    for marker in [[1], [2]] {
        let wrong = payer.send(RawHtlc::of_ecdh(Version::Ecdh0), move |payload| {
            payload.custom_records = Records::from_received([(ECDH_RECORD.to_u64(), marker.to_vec())]);
        });
        payer.assert_refused(&wrong, UNKNOWN).await;
    }
    receive(to, |receive| receive.kinds.ecdh0 = true).await;
    assert!(matches!(payer.ecdh(Version::Ecdh0).ended().await, Outcome::Settled(_)));
    to.handle().set_receive(None).await.expect("it makes sense");
}

async fn shards(payer: &Payer) {
    let Set { shards, data, id } = Set::new(30);
    // A shard without a payment address.
    let without_data = payer.amp(shards[0].payment_hash(), None, shards[0].record(id));
    payer.assert_refused(&without_data, UNKNOWN).await;
    // A wrong share: the set, and no other.
    let wrong = AmpRecord { child_index: 77, ..shards[2].record(id) };
    let (other, mut others) = (Set::new(40), vec![]);
    others.push(payer.shard(&other.shards[0], other.data.clone(), other.id));
    let sent = [
        payer.shard(&shards[0], data.clone(), id),
        payer.shard(&shards[1], data.clone(), id),
        payer.amp(shards[2].payment_hash(), Some(data), wrong),
    ];
    payer.assert_all_refused(&sent, UNKNOWN).await;
    // Another total than that of the set: this shard alone.
    let less = PaymentData::new(other.data.payment_secret().clone(), msat(2 * AMOUNT.to_msat()));
    payer.assert_refused(&payer.shard(&other.shards[1], less, other.id), UNKNOWN).await;
    for shard in &other.shards[1..] {
        others.push(payer.shard(shard, other.data.clone(), other.id));
    }
    other.assert_settled(&others).await;
    // A shard too many, and another set to the same address.
    let late = &Set::new(60).shards[0];
    payer.assert_refused(&payer.shard(late, other.data.clone(), other.id), UNKNOWN).await;
    let again = Set::to(other.data.payment_secret().clone(), 70);
    payer.assert_all_refused(&payer.shards(&again), UNKNOWN).await;
}

async fn invoices(payer: &Payer, to: &TestNode) {
    let total = 3 * AMOUNT.to_msat();
    let dear = invoice(to, msat(total + 1), 3_600_000).await;
    payer.assert_all_refused(&payer.shards(&Set::to(dear, 80)), UNKNOWN).await;
    let expired = invoice(to, msat(total), 1).await;
    payer.assert_all_refused(&payer.shards(&Set::to(expired, 90)), UNKNOWN).await;
    let canceled = invoice(to, msat(total), 3_600_000).await;
    to.handle().cancel_amp_invoice(canceled.clone()).await.expect("it is open");
    payer.assert_all_refused(&payer.shards(&Set::to(canceled, 100)), UNKNOWN).await;
}

async fn policies(payer: &Payer, to: &TestNode) {
    receive(to, |receive| receive.min = msat(AMOUNT.to_msat() + 1)).await;
    payer.assert_refused(&keysend(payer, 110), UNKNOWN).await;
    receive(to, |receive| receive.max = Some(msat(AMOUNT.to_msat() - 1))).await;
    payer.assert_refused(&keysend(payer, 111), UNKNOWN).await;
    receive(to, |receive| receive.max_records_bytes = 4).await;
    payer.assert_all_refused(&payer.shards(&Set::new(120)), UNKNOWN).await;
    // All off: as on plain LDK, for which the record of AMP is an even one that it does not know.
    let off = Kinds {
        keysend: false,
        mpp_keysend: false,
        amp: false,
        amp_invoice: false,
        ecdh1: false,
        ecdh0: false,
    };
    receive(to, |receive| receive.kinds = off).await;
    payer.assert_refused(&keysend(payer, 112), UNKNOWN).await;
    payer.assert_all_refused(&payer.shards(&Set::new(130)), FailureCode::INVALID_ONION_PAYLOAD).await;
    to.handle().set_receive(None).await.expect("it makes sense");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_names_the_destination_and_a_code() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::through_plain_ldk(&net, &carol).await;
    htlcs(&payer).await;
    shards(&payer).await;
    ecdh(&payer, &carol).await;
    invoices(&payer, &carol).await;
    policies(&payer, &carol).await;
    assert_eq!(payments(&carol).len(), 2, "what is refused makes no rows");
    carol.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_soon_too_large_and_too_much() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let mut payer = Payer::direct(&net, &carol).await;
    // LDK wants to have 42 blocks left.
    payer.delta = 30;
    payer.assert_refused(&keysend(&payer, 1), UNKNOWN).await;
    payer.assert_all_refused(&payer.shards(&Set::new(10)), UNKNOWN).await;
    payer.delta = DELTA;

    // There is room for the payload, and none for what LDK must be told instead.
    let Set { shards, data, id } = Set::new(20);
    let (total, record) = (data.clone(), shards[0].record(id));
    let large = payer.send(RawHtlc::of_hash(shards[0].payment_hash()), move |payload| {
        payload.payment_data = Some(total.clone());
        payload.amp = Some(record.clone());
        payload.custom_records = Records::from_received([(70_001, vec![7; 1_130])]);
    });
    payer.assert_refused(&large, UNKNOWN).await;

    // More than was asked for is taken.
    let more = Set::worth(msat(2 * AMOUNT.to_msat() + 1), PaymentSecret::from_bytes([33; 32]), 30);
    more.assert_settled(&payer.shards(&more)).await;
    assert_eq!(received(&carol, Kind::Amp).await.amount.to_msat(), 3 * AMOUNT.to_msat());
    carol.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_is_paid_once() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    assert!(matches!(keysend(&payer, 1).ended().await, Outcome::Settled(_)));
    received(&carol, Kind::Keysend).await;
    payer.assert_refused(&keysend(&payer, 1), UNKNOWN).await;
    let set = Set::new(10);
    set.assert_settled(&payer.shards(&set)).await;
    received(&carol, Kind::Amp).await;
    payer.assert_all_refused(&payer.shards(&set), UNKNOWN).await;
    assert_eq!(payments(&carol).len(), 2);
    carol.audited().await;
}
