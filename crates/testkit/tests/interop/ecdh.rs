//! ECDH, which LND does not speak: it forwards it as any other HTLC.

use crate::fields::{assert_same_fees_through_lnd, assert_same_ours};
use crate::table::{Way, begin};
use crate::world::{World, pay};
use sponte_engine::commit::{Kind, State};
use sponte_node::PaymentRequest;
use sponte_proto::failure::FailureCode;
use sponte_testkit::TestNode;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_forwards_it_and_refuses_it() {
    let world = World::start().await;
    let World { alice, lana, carol, .. } = &world;
    let ecdh = |to| PaymentRequest {
        kind: Some(Kind::Ecdh),
        fall_back: Some(false),
        ..TestNode::request_to(to, "25000sat")
    };
    let cell = begin("ECDH", Way::ThroughLnd);
    let told = pay(alice, ecdh(carol.id())).await;
    let [part] = told.settled()[..] else { panic!("one part: {told:#?}") };
    assert_eq!(part.route, [lana.id(), carol.id()]);
    assert_eq!(assert_same_ours(&told, carol).await.kind, Kind::Ecdh);
    assert_same_fees_through_lnd(lana, &[&told]).await;
    cell.passes();

    let cell = begin("ECDH", Way::ToLnd);
    let told = pay(alice, ecdh(lana.id())).await;
    assert_eq!(told.row.state, State::Failed);
    let failure = told.failed()[0].sent.failure.expect("it failed");
    assert_eq!(
        (failure.hop, failure.code),
        (Some(1), Some(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS))
    );
    assert!(lana.invoices().await.is_empty(), "nothing was taken");
    cell.limit("not spoken: INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
    world.audited().await;
}
