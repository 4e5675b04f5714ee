//! The mempool.

use super::both::{Answers, Both};
use super::coin::Coin;
use serde_json::json;

const NOWHERE: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

pub async fn compare(both: &mut Both) {
    both.ask("getrawmempool", json!([])).await;
    both.sent("parent", |side| side.coin().spend(1_000)).await;
    both.sent("child", |side| Coin::of(&side.transaction("parent"), 0).spend(500)).await;
    both.sent("grandchild", |side| Coin::of(&side.transaction("child"), 0).spend(2_000)).await;
    for tx in ["$parent.id", "$child.id", "$grandchild.id"] {
        // bitcoind waits for a peer to tell it to.
        let answers = both.ask_but("getmempoolentry", json!([tx]), &["unbroadcast"]).await;
        let kin = answers.results(tx).map(|entry| {
            let count = |field: &str| entry[field].as_array().map(Vec::len);
            Ok(json!([count("depends"), count("spentby")]))
        });
        both.compared(&format!("the kin of {tx}"), &Answers(kin), &[]);
    }
    for params in [json!([NOWHERE]), json!(["$split.id"]), json!(["ff"]), json!([1]), json!([])] {
        both.ask("getmempoolentry", params).await;
    }
    both.ask("getrawmempool", json!([false])).await;
    both.ask("getrawmempool", json!([false, true])).await;
    both.ask("getrawmempool", json!([true, true])).await;
    both.ask("getrawmempool", json!(["x"])).await;
    verbose(both).await;
    both.ask_but("getmempoolinfo", json!([]), &["usage", "unbroadcastcount"]).await;
    both.mine(1).await;
    both.ask("getrawmempool", json!([true])).await;
}

/// Keyed by ids, so entry by entry.
async fn verbose(both: &mut Both) {
    for name in ["parent.id", "child.id", "grandchild.id"] {
        let mut entries = vec![];
        for side in both.sides() {
            let mut all = side.rpc.call("getrawmempool", json!([true])).await.expect("a list");
            assert_eq!(all.as_object().map(|all| all.len()), Some(3));
            entries.push(Ok(all[side.named(name)].take()));
        }
        let entries = Answers(entries.try_into().expect("two sides"));
        both.compared(&format!("getrawmempool [true], {name}"), &entries, &["unbroadcast"]);
    }
}
