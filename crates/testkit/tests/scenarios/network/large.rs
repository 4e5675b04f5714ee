//! A payment that no single path can carry.

use super::{Told, msat, pay, request};
use sponte_engine::commit::{Kind, State};
use sponte_testkit::{Network, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_as_amp_in_three_parts_or_more() {
    let network = Network::start().await;
    let request = request(network.carol.id(), "1800000sat", None);
    // As soon as carol's announcement says that she takes it.
    until("AMP to be chosen", async || {
        let quote = network.alice.handle().quote(request.clone()).await.expect("a sound request");
        quote.is_ok_and(|quoted| quoted.kind == Kind::Amp).then_some(())
    })
    .await;
    let told = pay(&network, request).await;
    told.assert_paid();
    assert_eq!(told.row.kind, Kind::Amp, "{}", told.row.plan.reason);
    assert!(told.row.plan.reason.contains("no single path"), "{}", told.row.plan.reason);
    assert!(told.settled().len() >= 3, "{:#?}", told.parts);
    distinct(&told);
    assert!(told.row.fee <= msat(1_800_000_000 / 100 + 5_000));
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_as_mpp_keysend_with_one_hash() {
    let network = Network::start().await;
    let told = pay(&network, request(network.carol.id(), "1800000sat", Some(Kind::MppKeysend))).await;
    told.assert_paid();
    assert!(told.settled().len() >= 3, "{:#?}", told.parts);
    let hash = told.row.hash.expect("it has one");
    assert!(told.settled().iter().all(|part| part.claim.hash == Some(hash)));
    network.audited().await;
}

/// Every shard has a hash of its own, and its share of the root.
fn distinct(told: &Told) {
    let mut hashes: Vec<_> = told.parts.iter().filter_map(|part| part.claim.hash).collect();
    hashes.sort_by_key(|hash| hash.to_bytes());
    hashes.dedup();
    assert_eq!(hashes.len(), told.parts.len());
    let settled = told.parts.iter().filter(|part| part.state == State::Settled);
    assert!(settled.into_iter().all(|part| part.sent.share.is_some() && part.claim.preimage.is_some()));
}
