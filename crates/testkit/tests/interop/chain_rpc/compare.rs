//! What two answers to one call must have in common.

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid};
use serde_json::Value;
use sponte_peers::RpcError;

/// What the clock and the search for a block decide: both must have it, and need not agree.
const OF_ITS_OWN: [&str; 5] = ["nonce", "time", "mediantime", "blocktime", "mempool_sequence"];
/// A number of 32 bytes, not a hash.
const WORK: &str = "chainwork";

/// Says how an answer of the private chain differs from bitcoind's, if it does. `varying` are fields
/// that need not agree in this call.
pub fn difference(
    bitcoind: &Result<Value, RpcError>,
    private: &Result<Value, RpcError>,
    varying: &[&str],
) -> Option<String> {
    match (bitcoind, private) {
        (Ok(theirs), Ok(ours)) => of_values("", theirs, ours, varying),
        (Err(theirs), Err(ours)) => {
            let (theirs, ours) = (words(theirs), words(ours));
            (theirs != ours).then(|| format!("bitcoind refuses: {theirs}\n    ours refuses: {ours}"))
        }
        (Ok(theirs), Err(ours)) => Some(format!("bitcoind answers: {theirs}\n    ours refuses: {ours}")),
        (Err(theirs), Ok(ours)) => Some(format!("bitcoind refuses: {theirs}\n    ours answers: {ours}")),
    }
}

/// The first line, without what is a hash: the rest is the text of a help.
fn words(error: &RpcError) -> String {
    let RpcError::Refused { code, message } = error else { return error.to_string() };
    let wrong_type = message.starts_with("Wrong type passed");
    let lines = if wrong_type { message } else { message.lines().next().unwrap_or_default() };
    format!("{code} {}", without_hashes(lines))
}

/// Nor what is not known to the private chain, which is why a script fails.
fn without_hashes(text: &str) -> String {
    let text = match (text.find("verify-flag-failed ("), text.find("), input ")) {
        (Some(start), Some(end)) if start < end => format!("{} {}", &text[..start], &text[end..]),
        _ => text.to_owned(),
    };
    let words = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| is_hash(word));
    words.fold(text.clone(), |text, word| text.replace(word, "<hash>"))
}

fn of_values(at: &str, theirs: &Value, ours: &Value, varying: &[&str]) -> Option<String> {
    if kind(theirs) != kind(ours) {
        return Some(format!("{at}: bitcoind has {theirs}, ours {ours}"));
    }
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => ours.iter().find_map(|(field, ours)| {
            let at = format!("{at}.{field}");
            match theirs.get(field) {
                None => Some(format!("{at}: bitcoind has no such field")),
                Some(theirs) => of_field(&at, field, theirs, ours, varying),
            }
        }),
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            theirs.iter().zip(ours).enumerate().find_map(|(index, (theirs, ours))| {
                of_values(&format!("{at}[{index}]"), theirs, ours, varying)
            })
        }
        (Value::String(theirs), Value::String(ours)) if alike(theirs, ours) => None,
        _ => (theirs != ours).then(|| format!("{at}: bitcoind has {theirs}, ours {ours}")),
    }
}

fn of_field(at: &str, field: &str, theirs: &Value, ours: &Value, varying: &[&str]) -> Option<String> {
    if kind(theirs) != kind(ours) {
        return Some(format!("{at}: bitcoind has {theirs}, ours {ours}"));
    }
    if OF_ITS_OWN.contains(&field) || varying.contains(&field) {
        return None;
    }
    if field == WORK && theirs != ours {
        return Some(format!("{at}: bitcoind has {theirs}, ours {ours}"));
    }
    of_values(at, theirs, ours, varying)
}

/// Hashes, or transactions that differ in what they spend.
fn alike(theirs: &str, ours: &str) -> bool {
    let both = [theirs, ours];
    both.iter().all(|text| is_hash(text)) || matches!(both.map(of_no_coin), [Some(a), Some(b)] if a == b)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn of_no_coin(hex: &str) -> Option<Transaction> {
    let mut tx: Transaction = deserialize_hex(hex).ok()?;
    tx.input.iter_mut().for_each(|input| input.previous_output.txid = Txid::all_zeros());
    Some(tx)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
