//! Transactions and their outputs.

use super::both::Both;
use super::coin;
use bitcoin::ScriptBuf;
use serde_json::json;

const NOWHERE: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

pub async fn compare(both: &mut Both) {
    both.sent("confirmed", |side| coin::spend(&[side.coin()], one_of_each_script())).await;
    both.mine(1).await;
    both.each(|side| {
        let tip = side.named("tip").to_owned();
        side.name("block", tip);
    });
    both.mine(2).await;
    both.sent("waiting", |side| side.coin().spend(300)).await;
    for verbosity in [json!(0), json!(1), json!(true), json!(false), json!(null), json!("1")] {
        both.ask("getrawtransaction", json!(["$confirmed.id", verbosity])).await;
        both.ask("getrawtransaction", json!(["$waiting.id", verbosity])).await;
    }
    for params in [
        json!(["$confirmed.id"]),
        json!(["$confirmed.id", 1, "$block"]),
        json!(["$confirmed.id", 0, "$block"]),
        json!(["$confirmed.id", 1, "$tip"]),
        json!(["$confirmed.id", 1, NOWHERE]),
        json!(["$confirmed.id", 1, "ff"]),
        json!(["$waiting.id", 1, "$tip"]),
        json!([NOWHERE]),
        json!([NOWHERE, true]),
        json!(["ff"]),
        json!([1]),
        json!([]),
        json!(["4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"]),
    ] {
        both.ask("getrawtransaction", params).await;
    }
    outputs(both).await;
    both.mine(1).await;
}

async fn outputs(both: &mut Both) {
    for vout in 0..one_of_each_script().len() {
        both.ask("gettxout", json!(["$confirmed.id", vout])).await;
    }
    for params in [
        json!(["$confirmed.id", 0, false]),
        json!(["$confirmed.id", 99]),
        json!(["$confirmed.id", -1]),
        json!(["$confirmed.id", u32::MAX]),
        json!(["$confirmed.id", u64::from(u32::MAX) + 1]),
        json!(["$confirmed.id", "0"]),
        json!(["$confirmed.id"]),
        json!(["$waiting.id", 0]),
        json!(["$waiting.id", 0, true]),
        json!(["$waiting.id", 0, false]),
        json!([NOWHERE, 0]),
        json!(["ff", 0]),
    ] {
        both.ask("gettxout", params).await;
    }
    // What the mempool spends.
    both.each(|side| {
        let spent = side.transaction("waiting").input[0].previous_output;
        side.name("spent", spent.txid.to_string());
        side.name("vout", spent.vout.to_string());
    });
    let vout = both.sides()[0].named("vout").parse::<u32>().expect("a number");
    both.ask("gettxout", json!(["$spent", vout])).await;
    both.ask("gettxout", json!(["$spent", vout, false])).await;
}

/// Of 34 bytes at most: Bitcoin Knots takes no longer ones.
fn one_of_each_script() -> Vec<bitcoin::TxOut> {
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let hash20 = "00".repeat(20);
    let hash32 = "11".repeat(32);
    [
        format!("0014{hash20}"),
        format!("0020{hash32}"),
        format!("5120{}", &key[2..]),
        format!("76a914{hash20}88ac"),
        format!("a914{hash20}87"),
        "51024e73".into(),
        format!("5220{hash32}"),
    ]
    .into_iter()
    .map(|hex| coin::output_to(10_000, ScriptBuf::from_hex(&hex).expect("hex")))
    .chain([coin::output_to(0, ScriptBuf::from_hex("6a0568656c6c6f").expect("hex"))])
    .collect()
}
