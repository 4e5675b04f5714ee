//! A hundred clients with one key pay once.

use super::{EVERY, Told, request_of};
use sponte_engine::commit::{Direction, State};
use sponte_store::PaymentsQuery;
use sponte_testkit::Network;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_with_one_key_pay_once() {
    let network = Network::start().await;
    let mut paid = 0;
    for kind in EVERY {
        let request = request_of(kind, &network.carol, "1000sat").await;
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (handle, request) = (network.alice.handle(), request.clone());
            clients.spawn(async move { handle.pay(request).await.expect("the same payment") });
        }
        let ids = clients.join_all().await;
        assert!(ids.iter().all(|id| *id == ids[0]), "{kind:?}: one payment");
        let told = Told::of(&network.alice, ids[0]).await;
        told.assert_paid();
        assert_eq!((told.row.kind, told.attempts.len(), told.parts.len()), (kind, 1, 1));
        paid += told.row.amount.to_msat();
    }
    network.audited().await;
    let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
    let rows = network.carol.handle().ledger().payments(query).expect("the ledger reads").rows;
    let got: u64 =
        rows.iter().filter(|row| row.state == State::Settled).map(|row| row.amount.to_msat()).sum();
    assert_eq!((rows.len(), got), (EVERY.len(), paid));
}
