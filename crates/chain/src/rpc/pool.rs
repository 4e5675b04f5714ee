//! The mempool.

use serde_json::{Map, Value, json};

use super::error::{INVALID_PARAMETER, NOT_FOUND, RpcError};
use super::node::btc_per_kvb;
use super::{Call, btc};
use crate::chain::Chain;
use crate::mempool::MempoolEntry;

/// bitcoind's default limit, which this mempool does not need to enforce.
const MAX_MEMPOOL_BYTES: u64 = 300_000_000;

pub(super) fn getrawmempool(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let verbose = call.args.flag(0, false)?;
    let with_sequence = call.args.flag(1, false)?;
    let chain = call.regtest.chain();
    if verbose {
        if with_sequence {
            let message = "Verbose results cannot contain mempool sequence values.";
            return Err(RpcError::new(INVALID_PARAMETER, message));
        }
        let entries: Map<String, Value> =
            chain.mempool_entries().map(|entry| (entry.txid.to_string(), entry_json(chain, entry))).collect();
        return Ok(Value::Object(entries));
    }
    let txids: Value = chain.mempool_entries().map(|entry| entry.txid.to_string()).collect();
    Ok(if with_sequence {
        json!({ "txids": txids, "mempool_sequence": chain.mempool_sequence() })
    } else {
        txids
    })
}

pub(super) fn getmempoolentry(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let txid = call.args.txid(0, "parameter 1")?;
    let chain = call.regtest.chain();
    let entry = chain.mempool_entry(&txid);
    let entry = entry.ok_or_else(|| RpcError::new(NOT_FOUND, "Transaction not in mempool"))?;
    Ok(entry_json(chain, entry))
}

pub(super) fn getmempoolinfo(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let chain = call.regtest.chain();
    let total = chain.mempool_total();
    let policy = chain.policy();
    Ok(json!({
        "loaded": true,
        "size": total.count,
        "bytes": total.vsize_vb,
        "usage": total.vsize_vb,
        "total_fee": btc(total.fee),
        "maxmempool": MAX_MEMPOOL_BYTES,
        "mempoolminfee": btc_per_kvb(policy.min_relay_fee),
        "minrelaytxfee": btc_per_kvb(policy.min_relay_fee),
        "incrementalrelayfee": btc_per_kvb(policy.incremental_relay_fee),
        "unbroadcastcount": 0,
        "fullrbf": true,
    }))
}

fn entry_json(chain: &Chain, entry: &MempoolEntry) -> Value {
    let ancestors = chain.ancestors(entry);
    let descendants = chain.descendants(entry);
    let depends: Vec<String> = entry.parents().map(|txid| txid.to_string()).collect();
    let spent_by: Vec<String> = entry.children().map(|txid| txid.to_string()).collect();
    json!({
        "vsize": entry.vsize_vb,
        "weight": entry.tx.weight().to_wu(),
        "time": entry.time.as_secs(),
        "height": entry.height,
        "descendantcount": descendants.count,
        "descendantsize": descendants.vsize_vb,
        "ancestorcount": ancestors.count,
        "ancestorsize": ancestors.vsize_vb,
        "wtxid": entry.wtxid.to_string(),
        "fees": {
            "base": btc(entry.fee),
            "modified": btc(entry.fee),
            "ancestor": btc(ancestors.fee),
            "descendant": btc(descendants.fee),
        },
        "depends": depends,
        "spentby": spent_by,
        "bip125-replaceable": entry.tx.is_explicitly_rbf(),
        "unbroadcast": false,
    })
}
