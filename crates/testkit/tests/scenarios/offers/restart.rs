//! A payment of an offer outlives its node's stop.

use super::{Line, paid, request, sat};
use sponte_engine::commit::State;
use sponte_testkit::{Forwards, until};

async fn stopped_in_flight(line: &mut Line) -> sponte_proto::PaymentId {
    line.bob.choose(Forwards::Stall);
    let request = request(&line.alice, &line.carol.offer(Some(sat(500))), None).await;
    let id = line.alice.begin(request.clone()).await.expect("an invoice");
    line.bob.keeps(1).await;
    line.alice.stop().await;
    line.alice.run().await;
    line.bob.connect(line.alice.id(), &line.alice.info().await.listening.expect("it listens")).await;
    let known = line.alice.handle().ledger().payment(&id).expect("read").expect("there");
    assert_eq!(known.state, State::Pending);
    let asked = line.carol.asked();
    assert_eq!(line.alice.begin(request).await.expect("the same payment"), id);
    assert_eq!(line.carol.asked(), asked);
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_on_its_way_is_paid() {
    let mut line = Line::start().await;
    let id = stopped_in_flight(&mut line).await;
    line.bob.choose(Forwards::Pass);
    paid(&line.alice, id).await;
    assert_eq!(line.alice.handle().ledger().attempts(&id).expect("read").len(), 1);
    line.alice.audited().await;
}

/// The invoice is in the ledger: what failed is sent again by what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_tried_again_with_the_same_invoice() {
    let mut line = Line::start().await;
    let id = stopped_in_flight(&mut line).await;
    line.bob.choose(Forwards::FailForNow);
    until("bob to fail it", async || {
        let attempts = line.alice.handle().ledger().attempts(&id).expect("read");
        attempts.iter().any(|attempt| attempt.state == State::Failed).then_some(())
    })
    .await;
    line.bob.choose(Forwards::Pass);
    paid(&line.alice, id).await;
    assert!(line.alice.handle().ledger().attempts(&id).expect("read").len() > 1);
    line.alice.audited().await;
}
