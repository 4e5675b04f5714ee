//! What the node says of itself.

use bitcoin::FeeRate;
use serde_json::{Value, json};

use super::error::{INVALID_PARAMETER, RpcError};
use super::{Call, btc};

/// The bitcoind whose answers these are.
const VERSION: u32 = 290_100;
const PROTOCOL_VERSION: u32 = 70_016;
const MAX_CONF_TARGET: i32 = 1008;

pub(super) fn getblockchaininfo(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let tip = call.regtest.chain().tip();
    Ok(json!({
        "chain": "regtest",
        "blocks": tip.height,
        "headers": tip.height,
        "bestblockhash": tip.hash.to_string(),
        "bits": format!("{:08x}", tip.header().bits.to_consensus()),
        "target": format!("{:064x}", tip.header().target()),
        "difficulty": tip.header().difficulty_float(),
        "time": tip.header().time,
        "mediantime": tip.median_time_secs,
        "verificationprogress": 1.0,
        "initialblockdownload": false,
        "chainwork": format!("{:064x}", tip.chainwork),
        "size_on_disk": 0,
        "pruned": false,
        "warnings": [],
    }))
}

pub(super) fn getnetworkinfo(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let policy = call.regtest.chain().policy();
    Ok(json!({
        "version": VERSION,
        "subversion": "/Satoshi:29.1.0(sponte-chain)/",
        "protocolversion": PROTOCOL_VERSION,
        "localservices": "0000000000000409",
        "localservicesnames": ["NETWORK", "WITNESS", "NETWORK_LIMITED"],
        "localrelay": true,
        "timeoffset": 0,
        "connections": 0,
        "connections_in": 0,
        "connections_out": 0,
        "networkactive": true,
        "networks": [],
        "relayfee": btc_per_kvb(policy.min_relay_fee),
        "incrementalfee": btc_per_kvb(policy.incremental_relay_fee),
        "localaddresses": [],
        "warnings": [],
    }))
}

pub(super) fn estimatesmartfee(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let target: i32 = call.args.int(0)?;
    if !(1..=MAX_CONF_TARGET).contains(&target) {
        let message = format!("Invalid conf_target, must be between 1 and {MAX_CONF_TARGET}");
        return Err(RpcError::new(INVALID_PARAMETER, message));
    }
    if call.args.value(1).is_some() {
        let mode = call.args.text(1)?.to_lowercase();
        if !["unset", "economical", "conservative"].contains(&mode.as_str()) {
            let message = "Invalid estimate_mode parameter, must be one of: \
                           \"unset\", \"economical\", \"conservative\"";
            return Err(RpcError::new(INVALID_PARAMETER, message));
        }
    }
    // bitcoind never looks at the very next block.
    let blocks = target.max(2);
    Ok(match call.regtest.chain().policy().estimated_fee {
        Some(rate) => json!({ "feerate": btc_per_kvb(rate), "blocks": blocks }),
        None => json!({
            "errors": ["Insufficient data or no feerate found"],
            "blocks": 0,
        }),
    })
}

/// A feerate as bitcoind writes it.
pub(super) fn btc_per_kvb(rate: FeeRate) -> Value {
    btc(rate.fee_vb(1000).unwrap_or(bitcoin::Amount::MAX_MONEY))
}
