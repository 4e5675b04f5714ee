//! What the node says of itself.

use super::both::Both;
use bitcoin::FeeRate;
use serde_json::json;

pub async fn compare(both: &mut Both) {
    both.ask_but("getblockchaininfo", json!([]), &["size_on_disk", "verificationprogress"]).await;
    let whose = ["version", "subversion", "localservices", "localservicesnames", "networks"];
    both.ask_but("getnetworkinfo", json!([]), &whose).await;
    both.ask_but("getmempoolinfo", json!([]), &["usage"]).await;
    for params in [json!([6]), json!([1]), json!([1008, "ECONOMICAL"]), json!([2, "conservative"])] {
        // As far as bitcoind has looked.
        both.ask_but("estimatesmartfee", params, &["blocks"]).await;
    }
    for params in
        [json!([0]), json!([1009]), json!([-1]), json!(["6"]), json!([]), json!([6, "bad"]), json!([6, 1])]
    {
        both.ask("estimatesmartfee", params).await;
    }
    both.ask("getblockchaininfo", json!([1])).await;
    both.ask("getnetworkinfo", json!(["x"])).await;
    both.ask("getblockcount", json!([null])).await;
}

/// Last, as bitcoind's chain grows by it.
pub async fn compare_estimates(both: &mut Both) {
    both.estimate(FeeRate::from_sat_per_vb_u32(7)).await;
    for blocks in [1, 2] {
        both.ask("estimatesmartfee", json!([blocks])).await;
    }
}
