//! Methods that make things happen: mining, reorgs, money.

use bitcoin::{FeeRate, Weight};
use serde_json::{Value, json};

use super::Call;
use super::args::Param::{self, Plain, Text};
use super::error::{INSUFFICIENT_FUNDS, INVALID_PARAMETER, MISC, NOT_FOUND, RpcError, WRONG_TYPE};
use crate::faucet::FaucetError;

pub(super) const SENDTOADDRESS_PARAMS: &[Param] = &[
    Text("address"),
    Plain("amount"),
    Text("comment"),
    Text("comment_to"),
    Plain("subtractfeefromamount"),
    Plain("replaceable"),
    Plain("conf_target"),
    Text("estimate_mode"),
    Plain("avoid_reuse"),
    Plain("fee_rate"),
    Plain("verbose"),
];
const SUBTRACT_FEE: usize = 4;
const FEE_RATE: usize = 9;
const VERBOSE: usize = 10;

pub(super) fn generatetoaddress(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let count = u32::try_from(call.args.int::<i32>(0)?).unwrap_or(0);
    let address = call.args.address(1, "Error: Invalid address")?;
    let script = address.script_pubkey();
    let hashes = call
        .regtest
        .chain_mut()
        .mine(count, &script, call.now)
        .map_err(|rejected| RpcError::new(MISC, format!("block not accepted: {rejected}")))?;
    Ok(hashes.iter().map(ToString::to_string).collect())
}

pub(super) fn invalidateblock(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let hash = call.args.block_hash(0, "blockhash")?;
    match call.regtest.chain_mut().invalidate_block(&hash, call.now) {
        Ok(()) => Ok(Value::Null),
        Err(_) => Err(RpcError::new(NOT_FOUND, "Block not found")),
    }
}

pub(super) fn reconsiderblock(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let hash = call.args.block_hash(0, "blockhash")?;
    match call.regtest.chain_mut().reconsider_block(&hash, call.now) {
        Ok(()) => Ok(Value::Null),
        Err(_) => Err(RpcError::new(NOT_FOUND, "Block not found")),
    }
}

/// From the faucet. Every transaction of it can be replaced; the other options of bitcoind's
/// wallet are accepted where they change nothing.
pub(super) fn sendtoaddress(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let complaint = format!("Invalid Bitcoin address: {}", call.args.text(0)?);
    let address = call.args.address(0, &complaint)?;
    let amount = call.args.btc(1)?;
    if call.args.flag(SUBTRACT_FEE, false)? {
        let message = "subtractfeefromamount is not supported by the faucet";
        return Err(RpcError::new(INVALID_PARAMETER, message));
    }
    let rate = fee_rate(call)?;
    let verbose = call.args.flag(VERBOSE, false)?;
    let txid = call.regtest.send(address.script_pubkey(), amount, rate, call.now);
    match txid {
        Ok(txid) if verbose => Ok(json!({ "txid": txid.to_string(), "fee_reason": "Fallback fee" })),
        Ok(txid) => Ok(json!(txid.to_string())),
        Err(error @ (FaucetError::InsufficientFunds | FaucetError::AmountTooSmall)) => {
            Err(RpcError::new(INSUFFICIENT_FUNDS, error.to_string()))
        }
        Err(FaucetError::Rejected(rejected)) => Err(rejected.into()),
    }
}

/// The feerate in sat/vB, if one is given.
fn fee_rate(call: &Call<'_>) -> Result<Option<FeeRate>, RpcError> {
    let Some(value) = call.args.value(FEE_RATE) else { return Ok(None) };
    let rate = match value {
        Value::String(text) => text.parse::<f64>().ok(),
        number => number.as_f64(),
    };
    let rate = rate
        .filter(|rate| (0.0..=1_000_000.0).contains(rate))
        .ok_or_else(|| RpcError::new(WRONG_TYPE, "Invalid amount"))?;
    let sat_per_kwu = (rate * Weight::from_kwu(1).expect("1 fits").to_wu() as f64 / 4.0).round();
    Ok(Some(FeeRate::from_sat_per_kwu(sat_per_kwu as u64)))
}
