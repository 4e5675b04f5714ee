//! Payments that wait for a decision, here and there.

use crate::fields::{
    assert_same_amp_in, assert_same_between_lnds, assert_same_fees_through_lnd, assert_same_keysend,
    assert_same_keysend_in, assert_same_ours, assert_same_refused_keysend, custom, records,
};
use crate::table::{Way, begin};
use crate::world::{World, ended, msat, received};
use sponte_engine::commit::{Kind, PaymentRow, State};
use sponte_engine::{Decision, Hold, Receive};
use sponte_node::PaymentRequest;
use sponte_peers::{Lnd, LndConfig, LndPay, LndPayment, until};
use sponte_proto::failure::FailureCode;
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records};
use sponte_testkit::TestNode;
use std::time::Duration;

const AMOUNT: Msat = Msat::new(60_000_000).unwrap();

fn some() -> Records {
    records(&[(70_001, "odd"), (70_002, "even")])
}

/// Begins a keysend that is to be held, and waits until it has left.
pub async fn begin_keysend(from: &TestNode, to: NodeId) -> PaymentId {
    let request = PaymentRequest {
        kind: Some(Kind::Keysend),
        records: some(),
        final_cltv: Some(CltvExpiryDelta::new(144)),
        ..TestNode::request_to(to, "60000sat")
    };
    from.begin(request).await.expect("a sound request")
}

pub async fn row_of(node: &TestNode, id: PaymentId) -> PaymentRow {
    until("the payment", async || node.handle().ledger().payment(&id).expect("the ledger reads")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_holds_a_keysend_and_settles_or_cancels_it() {
    let hold = Some(Duration::from_secs(3_600));
    let world = World::with(LndConfig { hold, ..LndConfig::default() }).await;
    let World { alice, lana, lutz, .. } = &world;
    let cell = begin("keysend held by LND", Way::ToLnd);
    // lutz behind lana and carol, too.
    for to in [lana, lutz] {
        let id = begin_keysend(alice, to.id()).await;
        let hash = row_of(alice, id).await.hash.expect("a keysend has a hash");
        let preimage = is_held(to, hash).await;
        assert_eq!(row_of(alice, id).await.state, State::Pending);
        to.settle(preimage.clone()).await;
        let told = ended(alice, id).await;
        assert_eq!((told.row.amount, told.row.preimage.as_ref()), (AMOUNT, Some(&preimage)));
        assert_same_keysend(&told, to).await;

        let id = begin_keysend(alice, to.id()).await;
        let hash = row_of(alice, id).await.hash.expect("a keysend has a hash");
        is_held(to, hash).await;
        to.cancel(hash).await;
        let told = ended(alice, id).await;
        assert_same_refused_keysend(&told, to).await;
        assert_eq!(
            told.row.failure.as_ref().map(|why| why.code.as_str()),
            Some("recipient_refused"),
            "{told:#?}"
        );
        let code = told.parts[0].sent.failure.and_then(|failure| failure.code);
        assert_eq!(code, Some(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
    }
    cell.passes();

    let cell = begin("keysend held by LND", Way::ThroughSponte);
    let ask = |byte| {
        let preimage = Preimage::from_bytes([byte; 32]);
        (LndPay::keysend(lutz.id(), AMOUNT, preimage.clone(), &some()), preimage.payment_hash())
    };
    let (pay, hash) = ask(1);
    let earned = world.earned();
    let (paid, ()) = tokio::join!(lana.pay(pay), async { lutz.settle(is_held(lutz, hash).await).await });
    let paid = paid.expect("it begins");
    assert!(assert_same_between_lnds(&paid, lutz, &some()).await.is_keysend);
    world.earned_since(earned, paid.fee).await;
    let (pay, hash) = ask(2);
    let cancel = async {
        is_held(lutz, hash).await;
        lutz.cancel(hash).await;
    };
    let earned = world.earned();
    assert_refused(&tokio::join!(lana.pay(pay), cancel).0.expect("it begins"));
    assert_eq!(
        (lutz.invoice_with(hash).await.map(|invoice| invoice.state), world.earned()),
        (Some("CANCELED".into()), earned)
    );
    cell.passes();
    world.audited().await;
}

/// Waits until LND holds it as it was sent; its preimage.
async fn is_held(lnd: &Lnd, hash: PaymentHash) -> Preimage {
    let invoice = lnd.holds(hash).await;
    assert_eq!((custom(&invoice.htlcs[0].records), invoice.htlcs[0].amount), (some(), AMOUNT));
    invoice.preimage
}

pub async fn hold_all(node: &TestNode) {
    let all = Receive { hold: Hold::All, ..Receive::default() };
    node.handle().set_receive(Some(all)).await.expect("it makes sense");
}

/// Waits until one is held.
pub async fn held(node: &TestNode) -> PaymentRow {
    until("a held payment", async || received(node).into_iter().find(|row| row.state == State::Held)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn sponte_holds_what_lnd_pays() {
    let world = World::start().await;
    let World { alice, lana, carol, lutz, .. } = &world;
    hold_all(alice).await;
    hold_all(carol).await;
    let mut number = 0;
    let mut keysend = |to: &TestNode| {
        number += 1;
        LndPay::keysend(to.id(), AMOUNT, Preimage::from_bytes([number; 32]), &some()).final_delta(144)
    };
    let amp = |to: &TestNode| {
        LndPay::amp(to.id(), AMOUNT, &some()).parts(16).shards_of(msat(20_000_000)).final_delta(144)
    };
    // lutz pays alice by carol and lana.
    let plan = [
        ("keysend held by sponte", lana, carol, keysend(carol), keysend(carol)),
        ("keysend held by sponte", lutz, alice, keysend(alice), keysend(alice)),
        ("AMP held by sponte", lana, carol, amp(carol), amp(carol)),
    ];
    for (row, from, to, first, second) in plan {
        let cell = begin(row, Way::FromLnd);
        let (paid, id) = tokio::join!(from.pay(first), decide(to, Decision::Settle));
        let paid = paid.expect("it begins");
        let got = match row_of(to, id).await.kind {
            Kind::Amp => assert_same_amp_in(&paid, to, 3, &some()).await,
            _ => assert_same_keysend_in(&paid, to, &some()).await,
        };
        assert_eq!((got.id, got.amount), (id, AMOUNT));
        let (paid, id) = tokio::join!(from.pay(second), decide(to, Decision::Cancel));
        let paid = paid.expect("it begins");
        assert_refused(&paid);
        let got = ended(to, id).await;
        assert_eq!((got.row.state, got.row.amount), (State::Canceled, paid.amount));
        let name =
            got.row.receipt.set_id.map(|id| id.to_bytes()).or(got.row.hash.map(|hash| hash.to_bytes()));
        assert_eq!((name, got.row.records), (Some(paid.payment_hash.to_bytes()), some()));
        cell.passes();
    }

    let cell = begin("keysend held by sponte", Way::ThroughLnd);
    let id = begin_keysend(alice, carol.id()).await;
    let held = decide(carol, Decision::Settle).await;
    let told = ended(alice, id).await;
    assert_eq!(assert_same_ours(&told, carol).await.id, held);
    assert_same_fees_through_lnd(lana, &[&told]).await;
    let id = begin_keysend(alice, carol.id()).await;
    let held = decide(carol, Decision::Cancel).await;
    let (told, got) = (ended(alice, id).await, ended(carol, held).await);
    assert_eq!((told.row.state, got.row.state), (State::Failed, State::Canceled));
    assert_eq!((told.row.hash, told.row.amount, told.row.fee), (got.row.hash, got.row.amount, Msat::ZERO));
    assert_eq!((&told.row.records, &told.row.preimage), (&got.row.records, &None));
    cell.passes();
    world.audited().await;
}

/// Waits until something is held as it was sent, and decides.
async fn decide(node: &TestNode, decision: Decision) -> PaymentId {
    let row = held(node).await;
    assert_eq!((row.amount, &row.records), (AMOUNT, &some()));
    node.handle().decide(row.id, decision).await.expect("it is held");
    row.id
}

fn assert_refused(paid: &LndPayment) {
    assert_eq!(paid.failure_reason, "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", "{paid:#?}");
    let codes = paid.attempts.iter().map(|one| one.failure.as_ref().map(|failure| failure.code.as_str()));
    assert!(codes.into_iter().all(|code| code == Some("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")), "{paid:#?}");
}
