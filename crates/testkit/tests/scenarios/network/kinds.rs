//! Each kind finds its way, to a node that the network knows and to one that it does not.

use super::{EVERY, Told, pay, request_of};
use sponte_engine::commit::{Direction, Kind};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Network, TestNode};

/// What a node was paid in all, whoever paid.
fn received(node: &TestNode) -> u64 {
    let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
    let page = node.handle().ledger().payments(query).expect("the ledger reads");
    page.rows.iter().map(|row| row.amount.to_msat()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_takes_the_cheapest_route() {
    let network = Network::start().await;
    for kind in EVERY {
        let told = pay(&network, request_of(kind, &network.carol, "20000sat").await).await;
        told.assert_paid();
        assert_eq!((told.row.kind, told.attempts.len()), (kind, 1));
        assert_eq!(told.row.fee.to_msat(), Network::CHEAPEST_MSAT, "{:#?}", told.parts);
        assert_eq!(told.parts[0].route, [network.fay.id(), network.gus.id(), network.carol.id()]);
    }
    network.audited().await;
    assert_eq!(received(&network.carol), 100_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_reaches_a_node_behind_a_hint_and_no_other_way() {
    let network = Network::start().await;
    for kind in EVERY {
        let mut request = request_of(kind, &network.dave, "20000sat").await;
        let lost = pay(&network, request.clone()).await;
        let (code, message) = lost.assert_failed();
        assert_eq!((code, lost.parts.len()), ("unknown_destination", 0), "{message}");
        assert!(
            message.contains(&network.dave.id().to_string()) && message.contains("--route-hint"),
            "{message}"
        );

        request.key.push('+');
        request.hints = vec![network.hint_to_dave()];
        let told = pay(&network, request).await;
        told.assert_paid();
        assert_eq!(*through(&told), [network.sid.id(), network.hal.id(), network.dave.id()], "{kind:?}");
        assert_eq!(told.row.fee.to_msat(), Network::BY_SID_MSAT, "{kind:?}");
    }
    network.audited().await;
    assert_eq!(received(&network.dave), 100_000_000);
}

fn through(told: &Told) -> &Vec<sponte_proto::NodeId> {
    &told.settled()[0].route
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_asked_for_is_chosen_and_the_reason_told() {
    let network = Network::start().await;
    let told = pay(&network, super::request(network.carol.id(), "20000sat", None)).await;
    told.assert_paid();
    assert_eq!(told.row.kind, Kind::Keysend);
    assert!(told.row.plan.reason.contains("one path carries the amount"), "{}", told.row.plan.reason);
    let asked = pay(&network, super::request(network.ned.id(), "1000sat", Some(Kind::Amp))).await;
    assert!(asked.row.plan.reason.contains("warning"), "{}", asked.row.plan.reason);
    network.audited().await;
}
