//! Destinations that do not take a kind: another one is tried where that is wanted, and nobody on
//! the way is blamed.

use super::{SPONTANEOUS, Told, pay, request};
use sponte_engine::Receive;
use sponte_engine::commit::{Kind, State};
use sponte_proto::failure::FailureCode;
use sponte_testkit::{Network, Receives, TestNode};

async fn takes(node: &TestNode, change: impl FnOnce(&mut Receive)) {
    let mut receive = Receive::default();
    change(&mut receive);
    node.handle().set_receive(Some(receive)).await.expect("a sound policy");
}

/// The attempts' kinds, and whether each was paid.
fn attempts(told: &Told) -> Vec<(Kind, bool)> {
    told.attempts.iter().map(|attempt| (attempt.kind, attempt.state == State::Settled)).collect()
}

fn refused(told: &Told, hop: u32) -> FailureCode {
    let why = told.failed().last().and_then(|part| part.sent.failure).expect("a part failed");
    assert_eq!(why.hop, Some(hop), "{:#?}", told.parts);
    why.code.expect("the destination said why")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mpp_keysend_falls_back_to_a_single_part_with_a_new_hash() {
    let network = Network::start().await;
    network.ned.receive(Receives::WithoutSecret);
    let told = pay(&network, request(network.ned.id(), "1000sat", Some(Kind::MppKeysend))).await;
    told.assert_paid();
    assert_eq!(attempts(&told), [(Kind::MppKeysend, false), (Kind::Keysend, true)]);
    assert_ne!(told.attempts[0].hash, told.attempts[1].hash);
    assert_eq!(told.attempts[0].failure.as_ref().expect("refused").code, "recipient_refused");
    assert_eq!(refused(&told, 3), FailureCode::REQUIRED_NODE_FEATURE_MISSING);
    network.audited().await;
}

/// What was refused in parts and fits into no single one has no other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mpp_keysend_that_fits_into_no_single_part_stays_refused() {
    let network = Network::start().await;
    takes(&network.carol, |receive| receive.kinds.mpp_keysend = false).await;
    let told = pay(&network, request(network.carol.id(), "1400000sat", Some(Kind::MppKeysend))).await;
    let (code, message) = told.assert_failed();
    assert_eq!((code, attempts(&told)), ("recipient_refused", vec![(Kind::MppKeysend, false)]), "{message}");
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amp_falls_back_only_if_that_is_wanted() {
    let network = Network::start().await;
    takes(&network.carol, |receive| receive.kinds.amp = false).await;
    let plain = request(network.carol.id(), "20000sat", Some(Kind::Amp));
    let told = pay(&network, plain.clone()).await;
    let (code, message) = told.assert_failed();
    assert_eq!((code, attempts(&told)), ("recipient_refused", vec![(Kind::Amp, false)]), "{message}");
    assert!(message.contains("hop 3") && message.contains("amp"), "{message}");

    let mut willing = request(network.carol.id(), "20000sat", Some(Kind::Amp));
    willing.fall_back = Some(true);
    let told = pay(&network, willing).await;
    told.assert_paid();
    assert_eq!(attempts(&told), [(Kind::Amp, false), (Kind::Keysend, true)]);
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_destination_is_the_hop_that_refuses_every_kind() {
    let network = Network::start().await;
    takes(&network.carol, |receive| receive.min = super::msat(50_000_000)).await;
    for kind in SPONTANEOUS {
        let mut request = request(network.carol.id(), "20000sat", Some(kind));
        request.fall_back = Some(false);
        let told = pay(&network, request).await;
        assert_eq!(told.assert_failed().0, "recipient_refused", "{kind:?}");
        assert_eq!(refused(&told, 3), FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, "{kind:?}");
        assert_eq!(told.parts.len(), 1, "{kind:?}: what is refused is not sent again");
    }
    network.audited().await;
}

/// Ned is plain LDK: he knows neither AMP nor ECDH, and here no payment secrets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_speak_a_kind_stays_in_the_graph() {
    let network = Network::start().await;
    network.ned.receive(Receives::WithoutSecret);
    for kind in [Kind::Amp, Kind::Ecdh, Kind::MppKeysend] {
        let mut request = request(network.ned.id(), "1000sat", Some(kind));
        request.fall_back = Some(false);
        let told = pay(&network, request).await;
        assert_eq!(told.assert_failed().0, "recipient_refused", "{kind:?} {:#?}", told.parts);
        let permanent = refused(&told, 3).to_u16() & 0x4000 != 0;
        assert!(permanent, "{kind:?}: LDK would take it for the end of a channel or node");

        let next = pay(&network, super::request(network.ned.id(), "1000sat", Some(Kind::Keysend))).await;
        next.assert_paid();
        assert_eq!(next.parts[0].route, told.parts[0].route, "{kind:?}: over the same nodes");
    }
    network.audited().await;
}
