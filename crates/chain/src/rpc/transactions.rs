//! Transactions and their outputs.

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Amount, FeeRate, OutPoint, Transaction, TxOut};
use serde_json::{Value, json};

use super::blocks::confirmations;
use super::error::{DESERIALIZATION, INVALID_PARAMETER, NOT_FOUND, RpcError, VERIFY};
use super::{Call, btc, script_json, tx_json};
use crate::block_tree::BlockNode;
use crate::coins::is_unspendable;
use crate::reject::TxRejected;

/// The feerate above which bitcoind takes a transaction for a mistake: 0.10 BTC/kvB.
const DEFAULT_MAX_FEERATE: Amount = Amount::from_sat(10_000_000);

pub(super) fn getrawtransaction(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let txid = call.args.txid(0, "parameter 1")?;
    let verbosity = call.args.verbosity(1, 0)?;
    let chain = call.regtest.chain();
    let genesis = chain.block_hash_at(0).and_then(|hash| chain.block(&hash));
    if genesis.is_some_and(|node| node.block.txdata[0].compute_txid() == txid) {
        let message = "The genesis block coinbase is not considered an ordinary transaction and \
                       cannot be retrieved";
        return Err(RpcError::new(NOT_FOUND, message));
    }
    let (tx, node) = match call.args.value(2) {
        Some(_) => find_in_block(call, txid)?,
        None => find_anywhere(call, txid)?,
    };
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(tx)));
    }
    let mut json = tx_json::transaction(tx);
    if let Some(node) = node {
        if call.args.value(2).is_some() {
            json["in_active_chain"] = json!(chain.is_active(node));
        }
        json["blockhash"] = json!(node.hash.to_string());
        if chain.is_active(node) {
            json["confirmations"] = json!(confirmations(chain, node));
            json["time"] = json!(node.header().time);
            json["blocktime"] = json!(node.header().time);
        } else {
            json["confirmations"] = json!(0);
        }
    }
    Ok(json)
}

type Found<'a> = (&'a Transaction, Option<&'a BlockNode>);

fn find_anywhere<'a>(call: &'a Call<'_>, txid: bitcoin::Txid) -> Result<Found<'a>, RpcError> {
    let chain = call.regtest.chain();
    if let Some(entry) = chain.mempool_entry(&txid) {
        return Ok((&entry.tx, None));
    }
    let tx = chain.confirmed_transaction(&txid).ok_or_else(|| {
        let message = "No such mempool or blockchain transaction. Use gettransaction for wallet \
                       transactions.";
        RpcError::new(NOT_FOUND, message)
    })?;
    Ok((tx, chain.confirmed_in(&txid)))
}

fn find_in_block<'a>(call: &'a Call<'_>, txid: bitcoin::Txid) -> Result<Found<'a>, RpcError> {
    let hash = call.args.block_hash(2, "parameter 3")?;
    let node = call.regtest.chain().block(&hash);
    let node = node.ok_or_else(|| RpcError::new(NOT_FOUND, "Block hash not found"))?;
    let tx = node.block.txdata.iter().find(|tx| tx.compute_txid() == txid);
    let tx = tx.ok_or_else(|| {
        let message = "No such transaction found in the provided block. Use gettransaction for \
                       wallet transactions.";
        RpcError::new(NOT_FOUND, message)
    })?;
    Ok((tx, Some(node)))
}

pub(super) fn gettxout(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let txid = call.args.txid(0, "txid")?;
    let vout: u32 = call.args.int(1)?;
    let include_mempool = call.args.flag(2, true)?;
    let chain = call.regtest.chain();
    let outpoint = OutPoint { txid, vout };
    if include_mempool && chain.spender(&outpoint).is_some() {
        return Ok(Value::Null);
    }
    let waiting = chain.mempool_entry(&txid).filter(|_| include_mempool);
    let (output, confirmations, coinbase): (&TxOut, u32, bool) = match chain.coin(&outpoint) {
        Some(coin) => (&coin.output, chain.height() - coin.height + 1, coin.coinbase),
        None => match waiting.and_then(|entry| entry.tx.output.get(vout as usize)) {
            Some(output) if !is_unspendable(&output.script_pubkey) => (output, 0, false),
            _ => return Ok(Value::Null),
        },
    };
    Ok(json!({
        "bestblock": chain.tip().hash.to_string(),
        "confirmations": confirmations,
        "value": btc(output.value),
        "scriptPubKey": script_json::script_pubkey(&output.script_pubkey),
        "coinbase": coinbase,
    }))
}

pub(super) fn sendrawtransaction(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let tx: Transaction = deserialize_hex(call.args.text(0)?).map_err(|_| {
        let message = "TX decode failed. Make sure the tx has at least one input.";
        RpcError::new(DESERIALIZATION, message)
    })?;
    let max_feerate = max_feerate(call)?;
    check_burn(call, &tx)?;
    let txid = tx.compute_txid();
    let chain = call.regtest.chain_mut();
    // What waits already is only announced again, also when its witness differs.
    if chain.mempool_entry(&txid).is_some() {
        return Ok(json!(txid.to_string()));
    }
    if chain.coins.has_output_of(txid, &tx) {
        return Err(TxRejected::AlreadyInChain.into());
    }
    let acceptance = chain.check_acceptance(tx)?;
    if let Some(rate) = max_feerate {
        let most = rate.fee_vb(acceptance.vsize_vb()).unwrap_or(Amount::MAX_MONEY);
        if acceptance.fee() > most {
            let message = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
            return Err(RpcError::new(VERIFY, message));
        }
    }
    chain.admit(acceptance, call.now);
    Ok(json!(txid.to_string()))
}

/// The highest feerate the caller allows; `None` is any.
fn max_feerate(call: &Call<'_>) -> Result<Option<FeeRate>, RpcError> {
    let per_kvb = match call.args.value(1) {
        Some(_) => call.args.btc(1)?,
        None => DEFAULT_MAX_FEERATE,
    };
    if per_kvb >= Amount::ONE_BTC {
        let message = "Fee rates larger than or equal to 1BTC/kvB are not accepted";
        return Err(RpcError::new(INVALID_PARAMETER, message));
    }
    Ok((per_kvb > Amount::ZERO).then(|| FeeRate::from_sat_per_kwu(per_kvb.to_sat() / 4)))
}

fn check_burn(call: &Call<'_>, tx: &Transaction) -> Result<(), RpcError> {
    let most = match call.args.value(2) {
        Some(_) => call.args.btc(2)?,
        None => Amount::ZERO,
    };
    let burns = |output: &TxOut| is_unspendable(&output.script_pubkey) && output.value > most;
    if tx.output.iter().any(burns) {
        let message = "Unspendable output exceeds maximum configured by user (maxburnamount)";
        return Err(RpcError::new(VERIFY, message));
    }
    Ok(())
}
