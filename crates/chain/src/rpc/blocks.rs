//! Blocks and headers.

use bitcoin::consensus::encode::serialize_hex;
use serde_json::{Value, json};

use super::error::{INVALID_PARAMETER, NOT_FOUND, RpcError};
use super::{Call, btc, tx_json};
use crate::block_tree::BlockNode;
use crate::chain::Chain;

pub(super) fn getblockcount(call: &mut Call<'_>) -> Result<Value, RpcError> {
    Ok(json!(call.regtest.chain().height()))
}

pub(super) fn getbestblockhash(call: &mut Call<'_>) -> Result<Value, RpcError> {
    Ok(json!(call.regtest.chain().tip().hash.to_string()))
}

pub(super) fn getblockhash(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let height: i32 = call.args.int(0)?;
    let hash = u32::try_from(height).ok().and_then(|h| call.regtest.chain().block_hash_at(h));
    match hash {
        Some(hash) => Ok(json!(hash.to_string())),
        None => Err(RpcError::new(INVALID_PARAMETER, "Block height out of range")),
    }
}

pub(super) fn getblockheader(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let verbose = call.args.flag(1, true)?;
    let node = find_block(call, "hash")?;
    if !verbose {
        return Ok(json!(serialize_hex(node.header())));
    }
    Ok(header_json(call.regtest.chain(), node))
}

pub(super) fn getblock(call: &mut Call<'_>) -> Result<Value, RpcError> {
    let verbosity = call.args.verbosity(1, 1)?;
    let node = find_block(call, "blockhash")?;
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(node.block.as_ref())));
    }
    let chain = call.regtest.chain();
    let mut json = header_json(chain, node);
    let weight = node.block.weight().to_wu();
    let size = node.block.total_size() as u64;
    // Weight is three times the stripped size and once the whole.
    json["strippedsize"] = json!((weight - size) / 3);
    json["size"] = json!(size);
    json["weight"] = json!(weight);
    json["tx"] = if verbosity == 1 {
        node.block.txdata.iter().map(|tx| tx.compute_txid().to_string()).collect()
    } else {
        whole_transactions(chain, node)
    };
    Ok(json)
}

/// The block that the first argument names.
fn find_block<'a>(call: &'a Call<'_>, called: &str) -> Result<&'a BlockNode, RpcError> {
    let hash = call.args.block_hash(0, called)?;
    let node = call.regtest.chain().block(&hash);
    node.ok_or_else(|| RpcError::new(NOT_FOUND, "Block not found"))
}

/// How deep a block is: 1 for the tip, -1 off the active branch.
pub(super) fn confirmations(chain: &Chain, node: &BlockNode) -> i64 {
    if chain.is_active(node) { i64::from(chain.height()) - i64::from(node.height) + 1 } else { -1 }
}

fn header_json(chain: &Chain, node: &BlockNode) -> Value {
    let header = node.header();
    let mut json = json!({
        "hash": node.hash.to_string(),
        "confirmations": confirmations(chain, node),
        "height": node.height,
        "version": header.version.to_consensus(),
        "versionHex": format!("{:08x}", header.version.to_consensus()),
        "merkleroot": header.merkle_root.to_string(),
        "time": header.time,
        "mediantime": node.median_time_secs,
        "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.to_consensus()),
        "target": format!("{:064x}", header.target()),
        "difficulty": header.difficulty_float(),
        "chainwork": format!("{:064x}", node.chainwork),
        "nTx": node.block.txdata.len(),
    });
    if node.height > 0 {
        json["previousblockhash"] = json!(header.prev_blockhash.to_string());
    }
    let next = chain.block_hash_at(node.height + 1);
    if let Some(next) = next.filter(|_| chain.is_active(node)) {
        json["nextblockhash"] = json!(next.to_string());
    }
    json
}

/// The transactions in full, with fees where the block is active and its spends are known.
fn whole_transactions(chain: &Chain, node: &BlockNode) -> Value {
    let spent = chain.spent_by_block(&node.hash);
    let transactions = node.block.txdata.iter().enumerate().map(|(place, tx)| {
        let mut json = tx_json::transaction(tx);
        let coins = place.checked_sub(1).and_then(|index| spent?.get(index));
        if let Some(coins) = coins {
            let value_in: bitcoin::Amount = coins.iter().map(|coin| coin.output.value).sum();
            let value_out: bitcoin::Amount = tx.output.iter().map(|output| output.value).sum();
            json["fee"] = btc(value_in - value_out);
        }
        json
    });
    transactions.collect()
}
