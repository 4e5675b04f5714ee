//! Blocks and headers.

use super::both::{Answers, Both};
use bitcoin::Block;
use bitcoin::consensus::encode::deserialize_hex;
use serde_json::{Value, json};

/// What the coinbase decides, in whose script bitcoind puts less.
const OF_COINBASE: [&str; 3] = ["size", "strippedsize", "weight"];
const NOWHERE: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

pub async fn compare(both: &mut Both) {
    both.ask("getblockcount", json!([])).await;
    both.ask("getbestblockhash", json!([])).await;
    for height in
        [json!(0), json!(122), json!(123), json!(1_000), json!(-1), json!("1"), json!(1.5), json!(null)]
    {
        both.ask("getblockhash", json!([height])).await;
    }
    both.ask("getblockhash", json!([])).await;
    both.ask("getblockhash", json!([1, 2])).await;
    name(both, "genesis", 0).await;
    name(both, "first", 1).await;
    name(both, "with split", 122).await;
    headers(both).await;
    for block in ["$genesis", "$first", "$tip", "$with split"] {
        whole(both, block).await;
    }
    for verbosity in [json!(true), json!(false), json!(3), json!(-1), json!("1"), json!(null)] {
        let extra = [&OF_COINBASE[..], &["vin", "vsize"]].concat();
        both.ask_but("getblock", json!(["$genesis", verbosity]), &extra).await;
    }
    wrong_hashes(both, "getblock").await;
}

async fn name(both: &mut Both, name: &str, height: u32) {
    let answers = both.ask("getblockhash", json!([height])).await;
    let mut hashes = answers.results(name).into_iter();
    both.each(|side| {
        let hash = hashes.next().expect("one of each");
        side.name(name, hash.as_str().expect("a text"));
    });
}

async fn headers(both: &mut Both) {
    for block in ["$genesis", "$first", "$tip", "$with split"] {
        both.ask("getblockheader", json!([block])).await;
        both.ask("getblockheader", json!([block, true])).await;
    }
    let answers = both.ask("getblockheader", json!(["$genesis", false])).await;
    let [theirs, ours] = answers.results("the same block");
    assert_eq!(theirs, ours);
    both.ask("getblockheader", json!(["$tip", "x"])).await;
    both.ask("getblockheader", json!(["$tip", 1])).await;
    wrong_hashes(both, "getblockheader").await;
}

async fn wrong_hashes(both: &mut Both, method: &str) {
    let bad = NOWHERE.replace('f', "g");
    for params in
        [json!([NOWHERE]), json!([bad]), json!(["ff"]), json!([""]), json!([7]), json!([]), json!([null])]
    {
        both.ask(method, params).await;
    }
}

/// In all forms, and what is said of the bytes is true of them.
async fn whole(both: &mut Both, block: &str) {
    let answers = both.ask_but("getblock", json!([block, 1]), &OF_COINBASE).await;
    both.ask_but("getblock", json!([block]), &OF_COINBASE).await;
    let raw = [both.sides()[0].rpc.clone(), both.sides()[1].rpc.clone()];
    for (told, rpc) in answers.results(block).into_iter().zip(raw) {
        let hex = rpc.call("getblock", json!([told["hash"], 0])).await.expect("the block is known");
        let parsed: Block = deserialize_hex(hex.as_str().expect("hex")).expect("a block");
        assert_eq!(told["hash"], parsed.block_hash().to_string());
        assert_eq!(told["size"], parsed.total_size());
        assert_eq!(told["weight"], parsed.weight().to_wu());
        assert_eq!(told["merkleroot"], parsed.compute_merkle_root().expect("transactions").to_string());
        let txids: Vec<Value> = parsed.txdata.iter().map(|tx| json!(tx.compute_txid())).collect();
        assert_eq!(told["tx"], Value::Array(txids));
    }
    let extra = [&OF_COINBASE[..], &["tx"]].concat();
    let whole = both.ask_but("getblock", json!([block, 2]), &extra).await;
    // The coinbase aside, transactions are the same in all that is said of them.
    let rest = whole.results(block).map(|mut answer| {
        let mut told = answer["tx"].take();
        told.as_array_mut().expect("transactions").remove(0);
        Ok(told)
    });
    both.compared(&format!("the transactions of {block}"), &Answers(rest), &[]);
}
