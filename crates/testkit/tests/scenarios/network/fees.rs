//! The limit on fees holds to the msat, over all parts and attempts.

use super::{EVERY, SPONTANEOUS, msat, pay, request, request_of};
use sponte_engine::commit::Kind;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_parts_together_keep_to_the_limit() {
    for kind in [Kind::Amp, Kind::MppKeysend] {
        let network = Network::start().await;
        let mut request = request(network.carol.id(), "1800000sat", Some(kind));
        let quote = network.alice.handle().quote(request.clone()).await.expect("a sound request");
        let cheapest: u64 = quote.expect("routes").routes.iter().map(|route| route.fee().to_msat()).sum();
        request.max_fee = Some(msat(cheapest - 1));
        let dear = pay(&network, request.clone()).await;
        assert_eq!((dear.assert_failed().0, dear.parts.len()), ("fee_limit_too_low", 0), "{kind:?}");
        request.key.push('+');
        request.max_fee = Some(msat(2 * cheapest));
        let told = pay(&network, request).await;
        told.assert_paid();
        let ever: u64 = told.settled().iter().map(|part| part.fee.to_msat()).sum();
        assert!(ever <= 2 * cheapest && told.settled().len() >= 3, "{kind:?}: {:#?}", told.parts);
        network.audited().await;
    }
}
