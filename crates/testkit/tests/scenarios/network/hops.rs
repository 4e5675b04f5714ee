//! Each hop fails in turn: hop and code are told, and another route is taken.

use super::{EVERY, Told, pay, request_of};
use sponte_engine::commit::Kind;
use sponte_proto::failure::FailureCode;
use sponte_testkit::{Forwards, Network, RawNode};

/// A router of the cheapest route fails everything. The payment gets there all the same, and
/// whoever failed a part of it is told.
async fn fails(kind: Kind, hop: u32, forwards: Forwards, code: FailureCode) {
    let network = Network::start().await;
    let router: &RawNode = if hop == 1 { &network.fay } else { &network.gus };
    router.choose(forwards);
    let told = pay(&network, request_of(kind, &network.carol, "20000sat").await).await;
    told.assert_paid();
    assert!(!told.settled().iter().any(|part| part.route.contains(&router.id())));
    let first = told.failed()[0];
    let why = first.sent.failure.expect("it failed");
    assert_eq!((why.hop, why.code), (Some(hop), Some(code)), "{kind:?} {:#?}", told.parts);
    assert_eq!(first.route[hop as usize - 1], router.id());
    assert!(why.channel.is_some(), "the channel to avoid is told");
    one_after_the_other(kind, &told);
    network.audited().await;
}

/// The hash is new where the destination may know the old one, or the route decides.
fn one_after_the_other(kind: Kind, told: &Told) {
    let mut hashes: Vec<_> = told.parts.iter().filter_map(|part| part.claim.hash).collect();
    hashes.sort_by_key(|hash| hash.to_bytes());
    hashes.dedup();
    assert_eq!(hashes.len(), told.parts.len(), "{kind:?}: each part here is an attempt of its own");
    assert_eq!(told.attempts.len(), told.parts.len());
}

async fn each_router_fails(kind: Kind) {
    let (for_now, for_good) = (FailureCode::TEMPORARY_CHANNEL_FAILURE, FailureCode::UNKNOWN_NEXT_PEER);
    for hop in [1, 2] {
        fails(kind, hop, Forwards::FailForNow, for_now).await;
        fails(kind, hop, Forwards::FailForGood, for_good).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keysend() {
    each_router_fails(Kind::Keysend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mpp_keysend() {
    each_router_fails(Kind::MppKeysend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amp() {
    each_router_fails(Kind::Amp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amp_invoice() {
    each_router_fails(Kind::AmpInvoice).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ecdh() {
    each_router_fails(Kind::Ecdh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_lies_about_its_fee_is_found_out_and_avoided() {
    for kind in EVERY {
        let network = Network::start().await;
        network.fay.choose(Forwards::FailForNow);
        let told = pay(&network, request_of(kind, &network.carol, "20000sat").await).await;
        told.assert_paid();
        let lied = told.failed().into_iter().find(|part| part.route[0] == network.liz.id());
        let why = lied.and_then(|part| part.sent.failure).expect("liz was tried");
        assert_eq!((why.hop, why.code), (Some(1), Some(FailureCode::FEE_INSUFFICIENT)));
        assert_eq!(told.row.fee.to_msat(), Network::BY_SID_MSAT);
        network.audited().await;
    }
}
