//! The limit on fees holds to the msat, over all parts and attempts.

use super::{EVERY, SPONTANEOUS, msat, pay, request, request_of};
use sponte_engine::commit::Kind;
use sponte_node::PaymentRequest;
use sponte_testkit::{Forwards, Network};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cheapest_routes_fee_is_enough_and_one_msat_less_is_not() {
    let network = Network::start().await;
    for kind in EVERY {
        let mut request = request_of(kind, &network.carol, "20000sat").await;
        request.max_fee = Some(msat(Network::CHEAPEST_MSAT - 1));
        let dear = pay(&network, request.clone()).await;
        let (code, message) = dear.assert_failed();
        assert_eq!((code, dear.parts.len()), ("fee_limit_too_low", 0), "{kind:?}: {message}");
        assert!(message.contains("2000msat") && message.contains("1999msat"), "{kind:?}: {message}");

        request.key.push('+');
        request.max_fee = Some(msat(Network::CHEAPEST_MSAT));
        let told = pay(&network, request).await;
        told.assert_paid();
        assert_eq!(told.row.fee.to_msat(), Network::CHEAPEST_MSAT, "{kind:?}");
    }
    network.audited().await;
}

/// Fay failed a payment before: the router trusts sid more, who costs more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cheapest_route_is_told_though_another_is_preferred() {
    let network = Network::start().await;
    network.fay.choose(Forwards::FailForNow);
    let lesson = pay(&network, request(network.carol.id(), "20000sat", Some(Kind::Keysend))).await;
    lesson.assert_paid();
    assert_eq!(lesson.row.fee.to_msat(), Network::BY_SID_MSAT);
    network.fay.choose(Forwards::Pass);
    for kind in [Kind::Keysend, Kind::Amp] {
        let mut request = request(network.carol.id(), "20000sat", Some(kind));
        request.max_fee = Some(msat(Network::CHEAPEST_MSAT - 1));
        let dear = pay(&network, request.clone()).await;
        let (code, message) = dear.assert_failed();
        assert_eq!((code, dear.parts.len()), ("fee_limit_too_low", 0), "{kind:?}: {message}");
        assert!(message.contains("costs 2000msat"), "{kind:?}: {message}");

        request.key.push('+');
        request.max_fee = Some(msat(Network::CHEAPEST_MSAT));
        let told = pay(&network, request).await;
        told.assert_paid();
        assert_eq!(told.row.fee.to_msat(), Network::CHEAPEST_MSAT, "{kind:?}");
    }
    network.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_liar_and_a_failing_router_cost_in_attempts_costs_no_msat() {
    for kind in SPONTANEOUS {
        for (limit, is_enough) in [(Network::BY_SID_MSAT - 1, false), (Network::BY_SID_MSAT, true)] {
            let network = Network::start().await;
            network.fay.choose(Forwards::FailForNow);
            let mut request = request(network.carol.id(), "20000sat", Some(kind));
            request.max_fee = Some(msat(limit));
            // Routes that failed are looked at again until then: the word comes with the last look.
            request.timeout_ms = if is_enough { 60_000 } else { 15_000 };
            request.fall_back = Some(false);
            let told = pay(&network, request).await;
            assert!(told.parts.len() > 1, "fay and liz were tried: {:#?}", told.parts);
            if is_enough {
                told.assert_paid();
                assert_eq!(told.row.fee.to_msat(), limit, "{kind:?}");
            } else {
                assert_eq!(told.assert_failed().0, "fee_limit_too_low", "{kind:?} {:#?}", told.parts);
            }
            network.audited().await;
        }
    }
}

/// What a payment would cost, msat, or else what the cheapest routes cost.
async fn quoted(network: &Network, request: &PaymentRequest) -> Result<u64, u64> {
    match network.alice.handle().quote(request.clone()).await.expect("a sound request") {
        Ok(quoted) => Ok(quoted.routes.iter().map(|route| route.fee().to_msat()).sum()),
        Err(failure) => {
            let said = failure.message.split_once("costs ").and_then(|(_, rest)| rest.split_once("msat"));
            let cheapest = said.unwrap_or_else(|| panic!("{failure:?}")).0;
            Err(cheapest.parse().expect("an amount"))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_parts_together_keep_to_the_limit() {
    for kind in [Kind::Amp, Kind::MppKeysend] {
        let network = Network::start().await;
        let mut request = request(network.carol.id(), "1800000sat", Some(kind));
        let preferred = quoted(&network, &request).await.expect("routes");
        // LDK prefers other routes than the cheapest.
        request.max_fee = Some(msat(1));
        let cheapest = quoted(&network, &request).await.expect_err("too dear");
        assert!(cheapest < preferred, "{cheapest} of {preferred}");
        request.max_fee = Some(msat(cheapest - 1));
        let dear = pay(&network, request.clone()).await;
        assert_eq!((dear.assert_failed().0, dear.parts.len()), ("fee_limit_too_low", 0), "{kind:?}");
        request.max_fee = Some(msat(cheapest));
        assert_eq!(quoted(&network, &request).await, Ok(cheapest), "{kind:?}");
        request.key.push('+');
        request.max_fee = Some(msat(2 * preferred));
        let told = pay(&network, request).await;
        told.assert_paid();
        let ever: u64 = told.settled().iter().map(|part| part.fee.to_msat()).sum();
        assert!(ever <= 2 * preferred && told.settled().len() >= 3, "{kind:?}: {:#?}", told.parts);
        network.audited().await;
    }
}
