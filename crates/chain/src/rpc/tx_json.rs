//! A transaction in full, as `getrawtransaction` shows it.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use bitcoin::{Transaction, TxIn};
use serde_json::{Value, json};

use super::{btc, script_json};

pub(super) fn transaction(tx: &Transaction) -> Value {
    let inputs: Vec<Value> = tx.input.iter().map(|input| input_json(tx, input)).collect();
    let outputs: Vec<Value> = tx
        .output
        .iter()
        .enumerate()
        .map(|(n, output)| {
            json!({
                "value": btc(output.value),
                "n": n,
                "scriptPubKey": script_json::script_pubkey(&output.script_pubkey),
            })
        })
        .collect();
    json!({
        "txid": tx.compute_txid().to_string(),
        "hash": tx.compute_wtxid().to_string(),
        "version": tx.version.0 as u32,
        "size": tx.total_size(),
        "vsize": tx.vsize(),
        "weight": tx.weight().to_wu(),
        "locktime": tx.lock_time.to_consensus_u32(),
        "vin": inputs,
        "vout": outputs,
        "hex": serialize_hex(tx),
    })
}

fn input_json(tx: &Transaction, input: &TxIn) -> Value {
    let mut json = if tx.is_coinbase() {
        json!({ "coinbase": input.script_sig.to_hex_string() })
    } else {
        json!({
            "txid": input.previous_output.txid.to_string(),
            "vout": input.previous_output.vout,
            "scriptSig": {
                "asm": script_json::asm(&input.script_sig),
                "hex": input.script_sig.to_hex_string(),
            },
        })
    };
    if !input.witness.is_empty() {
        json["txinwitness"] = input.witness.iter().map(|item| item.to_lower_hex_string()).collect();
    }
    json["sequence"] = json!(input.sequence.0);
    json
}
