//! Keysend, direct and routed, with records, and to a receiver that has it switched off.

use crate::fields::{
    assert_same_between_lnds, assert_same_fees_through_lnd, assert_same_keysend, assert_same_keysend_in,
    assert_same_ours, records,
};
use crate::table::{Way, begin};
use crate::world::{World, msat, pay, received};
use sponte_engine::commit::Kind;
use sponte_node::PaymentRequest;
use sponte_peers::{LndConfig, LndPay};
use sponte_proto::failure::FailureCode;
use sponte_proto::{Msat, NodeId, Preimage, Records};
use sponte_testkit::TestNode;

const AMOUNT: Msat = Msat::new(50_000_000).unwrap();

fn keysend(to: NodeId, sent: &Records) -> PaymentRequest {
    PaymentRequest {
        kind: Some(Kind::Keysend),
        fall_back: Some(false),
        records: sent.clone(),
        ..TestNode::request_to(to, "50000sat")
    }
}

fn preimage(byte: u8) -> Preimage {
    Preimage::from_bytes([byte; 32])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn keysend_each_way_with_records_odd_and_even() {
    let world = World::start().await;
    let World { alice, lana, carol, lutz, .. } = &world;
    let with =
        records(&[(70_001, "odd"), (70_002, "even"), (7_629_169, "{\"boost\":1}"), (34_349_334, "hello")]);
    let mut through = vec![];
    for (row, number, sent) in
        [("keysend", 1, Records::new()), ("keysend with records, odd and even", 2, with)]
    {
        let cell = begin(row, Way::ToLnd);
        assert_same_keysend(&pay(alice, keysend(lana.id(), &sent)).await, lana).await;
        // The channel that LND has opened, too.
        assert_same_keysend(&pay(carol, keysend(lana.id(), &sent)).await, lana).await;
        cell.passes();

        let cell = begin(row, Way::FromLnd);
        for (to, number) in [(alice, number), (carol, number + 10)] {
            let paid =
                lana.pay(LndPay::keysend(to.id(), AMOUNT, preimage(number), &sent)).await.expect("it begins");
            assert_same_keysend_in(&paid, to, &sent).await;
            assert_eq!(paid.fee, Msat::ZERO);
        }
        cell.passes();

        let cell = begin(row, Way::ThroughLnd);
        let told = pay(alice, keysend(carol.id(), &sent)).await;
        let [part] = told.settled()[..] else { panic!("one part: {told:#?}") };
        assert_eq!(part.route, [lana.id(), carol.id()]);
        let got = assert_same_ours(&told, carol).await;
        assert_eq!((got.kind, got.amount, &got.records), (Kind::Keysend, AMOUNT, &sent));
        through.push((cell, told));

        let cell = begin(row, Way::ThroughSponte);
        let earned = world.earned();
        let paid = lana
            .pay(LndPay::keysend(lutz.id(), AMOUNT, preimage(number + 20), &sent))
            .await
            .expect("it begins");
        assert!(assert_same_between_lnds(&paid, lutz, &sent).await.is_keysend);
        // A base of 1 sat, and 100 millionths.
        assert_eq!(paid.fee, msat(1_000 + 5_000));
        world.earned_since(earned, paid.fee).await;
        cell.passes();
    }
    assert_same_fees_through_lnd(lana, &through.iter().map(|(_, told)| told).collect::<Vec<_>>()).await;
    through.into_iter().for_each(|(cell, _)| cell.passes());
    // Two LNDs on the way: alice to lutz, by lana and by carol.
    assert_same_keysend(&pay(alice, keysend(lutz.id(), &Records::new())).await, lutz).await;
    world.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn keysend_to_a_receiver_that_has_it_switched_off() {
    let world = World::with(LndConfig { keysend: false, ..LndConfig::default() }).await;
    let World { alice, lana, carol, lutz, .. } = &world;
    let row = "keysend to a receiver that has it off";

    let cell = begin(row, Way::ToLnd);
    let told = pay(alice, keysend(lana.id(), &Records::new())).await;
    let [part] = told.failed()[..] else { panic!("one part: {told:#?}") };
    let failure = part.sent.failure.expect("it failed");
    assert_eq!(
        (failure.hop, failure.code),
        (Some(1), Some(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS))
    );
    assert_eq!(
        told.row.failure.as_ref().map(|why| why.code.as_str()),
        Some("recipient_refused"),
        "{told:#?}"
    );
    assert!(lana.invoices().await.is_empty(), "nothing was taken");
    cell.passes();

    let cell = begin(row, Way::ThroughSponte);
    let paid =
        lana.pay(LndPay::keysend(lutz.id(), AMOUNT, preimage(1), &Records::new())).await.expect("it begins");
    assert_eq!(paid.failure_reason, "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", "{paid:#?}");
    let failure = paid.attempts[0].failure.as_ref().expect("it failed");
    assert_eq!(
        (failure.code.as_str(), failure.failure_source_index),
        ("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", 2)
    );
    assert!(lutz.invoices().await.is_empty() && world.earned() == 0, "nothing was taken");
    cell.passes();

    for node in [alice, carol] {
        world.switch_off(node).await;
    }
    let cell = begin(row, Way::FromLnd);
    let paid =
        lana.pay(LndPay::keysend(carol.id(), AMOUNT, preimage(2), &Records::new())).await.expect("it begins");
    assert_eq!(paid.failure_reason, "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", "{paid:#?}");
    let failure = paid.attempts[0].failure.as_ref().expect("it failed");
    assert_eq!(failure.failure_source_index, 1);
    assert!(received(carol).is_empty(), "nothing was taken");
    cell.passes();

    let cell = begin(row, Way::ThroughLnd);
    let told = pay(alice, keysend(carol.id(), &Records::new())).await;
    let [part] = told.failed()[..] else { panic!("one part: {told:#?}") };
    assert_eq!(part.sent.failure.and_then(|failure| failure.hop), Some(2));
    assert_eq!(
        told.row.failure.as_ref().map(|why| why.code.as_str()),
        Some("recipient_refused"),
        "{told:#?}"
    );
    assert!(received(carol).is_empty() && lana.forwarded().await.is_empty(), "nothing was taken");
    cell.passes();
    world.audited().await;
}
