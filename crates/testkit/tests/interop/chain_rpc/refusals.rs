//! What the mempool refuses, and why.

use super::both::{Both, Side};
use super::coin::{self, Coin};
use bitcoin::absolute::LockTime;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, Witness};
use serde_json::json;

const MISSING: i64 = -25;
const REJECTED: i64 = -26;
const IN_CHAIN: i64 = -27;

pub async fn compare(both: &mut Both) {
    inputs(both).await;
    scripts(both).await;
    locks(both).await;
    replacement(both).await;
    fees(both).await;
    form(both).await;
    bytes(both).await;
    both.mine(1).await;
    chains(both).await;
}

async fn inputs(both: &mut Both) {
    both.refused("of nowhere", MISSING, |_| Coin::never().spend(500)).await;
    both.refused("no such output", MISSING, |side| {
        let mut coin = side.coin();
        coin.outpoint.vout = 999;
        coin.spend(500)
    })
    .await;
    both.refused("in chain already", IN_CHAIN, |side| side.transaction("confirmed")).await;
    both.refused("spent in the chain", MISSING, |side| {
        Coin { sat: 2_000_000, ..input_of(side, "confirmed") }.spend(500)
    })
    .await;
    both.sent("waits", |side| side.coin().spend(500)).await;
    both.ask("sendrawtransaction", json!(["$waits"])).await;
    both.refused("more than there is", REJECTED, |side| {
        let coin = side.coin();
        coin::spend(&[coin], vec![coin::output(coin.sat + 1)])
    })
    .await;
    both.refused("twice the same", REJECTED, |side| {
        let coin = side.coin();
        coin::spend(&[coin, coin], vec![coin::output(coin.sat)])
    })
    .await;
    name_coinbase(both).await;
    both.refused("too young a coinbase", REJECTED, |side| {
        let outpoint = OutPoint { txid: coinbase(side), vout: 0 };
        Coin { outpoint, sat: 1_000_000 }.spend(500)
    })
    .await;
}

async fn name_coinbase(both: &mut Both) {
    let varying = ["size", "strippedsize", "weight"];
    let mut answers =
        both.ask_but("getblock", json!(["$tip"]), &varying).await.results("the tip").into_iter();
    both.each(|side| {
        let block = answers.next().expect("one of each");
        side.name("coinbase", block["tx"][0].as_str().expect("an id"));
    });
}

fn input_of(side: &Side, name: &str) -> Coin {
    Coin { outpoint: side.transaction(name).input[0].previous_output, sat: 0 }
}

fn coinbase(side: &Side) -> bitcoin::Txid {
    side.named("coinbase").parse().expect("an id")
}

async fn scripts(both: &mut Both) {
    both.refused("no witness", REJECTED, |side| {
        let mut tx = side.coin().spend(500);
        tx.input[0].witness = Witness::new();
        tx
    })
    .await;
    both.refused("another witness", REJECTED, |side| {
        let mut tx = side.coin().spend(500);
        tx.input[0].witness = Witness::from_slice(&[[0x52]]);
        tx
    })
    .await;
    both.refused("a script where none belongs", REJECTED, |side| {
        let mut tx = side.coin().spend(500);
        tx.input[0].script_sig = Builder::new().push_int(1).into_script();
        tx
    })
    .await;
    let wpkh = ScriptBuf::from_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6").expect("hex");
    both.sent("to a key", |side| {
        let coin = side.coin();
        coin::spend(&[coin], vec![coin::output_to(coin.sat - 500, wpkh.clone())])
    })
    .await;
    both.refused("bad signature", REJECTED, |side| {
        let mut tx = Coin::of(&side.transaction("to a key"), 0).spend(500);
        tx.input[0].witness = Witness::from_slice(&[signature(), key()]);
        tx
    })
    .await;
    both.refused("no signature", REJECTED, |side| {
        let mut tx = Coin::of(&side.transaction("to a key"), 0).spend(500);
        tx.input[0].witness = Witness::from_slice(&[vec![], key()]);
        tx
    })
    .await;
}

/// A signature in form, of something else; one of the key 1.
fn signature() -> Vec<u8> {
    let message = bitcoin::secp256k1::Message::from_digest([9; 32]);
    let mut one = [0; 32];
    one[31] = 1;
    let key = bitcoin::secp256k1::SecretKey::from_slice(&one).expect("a key");
    let signature = bitcoin::secp256k1::Secp256k1::new().sign_ecdsa(&message, &key);
    bitcoin::ecdsa::Signature::sighash_all(signature).to_vec()
}

fn key() -> Vec<u8> {
    use bitcoin::hex::FromHex;
    Vec::from_hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").expect("hex")
}

async fn locks(both: &mut Both) {
    for lock in [1_000, 1_999_999_999, 4_000_000_000] {
        both.refused(&format!("locked until {lock}"), REJECTED, |side| {
            let mut tx = side.coin().spend(500);
            tx.lock_time = LockTime::from_consensus(lock);
            tx
        })
        .await;
    }
    for sequence in [Sequence::from_height(100), Sequence::from_512_second_intervals(100)] {
        both.refused(&format!("rests for {sequence}"), REJECTED, |side| {
            let mut tx = side.coin().spend(500);
            tx.input[0].sequence = sequence;
            tx
        })
        .await;
    }
    both.refused("rests on one that waits", REJECTED, |side| {
        let mut tx = Coin::of(&side.transaction("waits"), 0).spend(500);
        tx.input[0].sequence = Sequence::from_height(1);
        tx
    })
    .await;
    both.sent("an open lock", |side| {
        let mut tx = side.coin().spend(500);
        tx.lock_time = LockTime::from_consensus(120);
        tx.input[0].sequence = Sequence::from_height(2);
        tx
    })
    .await;
}

async fn replacement(both: &mut Both) {
    both.sent("first", |side| side.coin().spend(1_000)).await;
    let again = |side: &Side, fee: u64| {
        let first = side.transaction("first");
        Coin { outpoint: first.input[0].previous_output, sat: first.output[0].value.to_sat() + 1_000 }
            .spend(fee)
    };
    both.refused("for less", REJECTED, |side| again(side, 900)).await;
    both.refused("for the same", REJECTED, |side| {
        let mut tx = again(side, 1_000);
        tx.input[0].sequence = Sequence::MAX;
        tx
    })
    .await;
    both.refused("for too little more", REJECTED, |side| again(side, 1_050)).await;
    both.sent("its child", |side| Coin::of(&side.transaction("first"), 0).spend(5_000)).await;
    both.refused("less than with its child", REJECTED, |side| again(side, 3_000)).await;
    both.refused("of itself", REJECTED, |side| {
        let first = side.transaction("first");
        let of_first = Coin { outpoint: first.input[0].previous_output, sat: 1_000_000 };
        let of_child = Coin::of(&side.transaction("its child"), 0);
        coin::spend(&[of_first, of_child], vec![coin::output(900_000)])
    })
    .await;
    both.refused("with another that waits", REJECTED, |side| {
        let first = side.transaction("first");
        let of_first = Coin { outpoint: first.input[0].previous_output, sat: 1_000_000 };
        let other = Coin::of(&side.transaction("waits"), 0);
        coin::spend(&[of_first, other], vec![coin::output(1_900_000)])
    })
    .await;
    both.sent("for more", |side| again(side, 9_000)).await;
    both.ask("getmempoolentry", json!(["$first.id"])).await;
    both.ask("getmempoolentry", json!(["$its child.id"])).await;
    both.ask("getrawtransaction", json!(["$first.id"])).await;
}

async fn fees(both: &mut Both) {
    both.refused("no fee", REJECTED, |side| side.coin().spend(0)).await;
    both.refused("too small a fee", REJECTED, |side| side.coin().spend(90)).await;
    both.refused("too large a fee", MISSING, |side| side.coin().spend(970_000)).await;
    both.ask("sendrawtransaction", json!(["$too large a fee", 0.05])).await;
    both.ask("sendrawtransaction", json!(["$too large a fee", 1])).await;
    both.ask("sendrawtransaction", json!(["$too large a fee", "x"])).await;
    both.ask("sendrawtransaction", json!(["$too large a fee", -1])).await;
    both.ask("sendrawtransaction", json!(["$too large a fee", 0])).await;
    both.refused("burns", MISSING, |side| {
        let coin = side.coin();
        let burnt = coin::output_to(1_000, ScriptBuf::from_hex("6a0568656c6c6f").expect("hex"));
        coin::spend(&[coin], vec![burnt, coin::output(coin.sat - 2_000)])
    })
    .await;
}

async fn form(both: &mut Both) {
    let with_output = |side: &mut Side, sat: u64, hex: &str| -> Transaction {
        let coin = side.coin();
        let odd = coin::output_to(sat, ScriptBuf::from_hex(hex).expect("hex"));
        coin::spend(&[coin], vec![coin::output(coin.sat - sat - 1_000), odd])
    };
    let wpkh = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
    both.refused("dust", REJECTED, |side| with_output(side, 293, wpkh)).await;
    both.sent("all but dust", |side| with_output(side, 294, wpkh)).await;
    both.refused("dust of an anchor", REJECTED, |side| with_output(side, 239, "51024e73")).await;
    both.refused("an odd script", REJECTED, |side| with_output(side, 1_000, "5151")).await;
    both.refused("version 0", REJECTED, |side| {
        let mut tx = side.coin().spend(500);
        tx.version = Version(0);
        tx
    })
    .await;
    both.refused("version 4", REJECTED, |side| {
        let mut tx = side.coin().spend(500);
        tx.version = Version(4);
        tx
    })
    .await;
    both.refused("no outputs", REJECTED, |side| coin::spend(&[side.coin()], vec![])).await;
    both.refused("too small", REJECTED, |side| {
        let coin = side.coin();
        coin::spend(&[coin], vec![coin::output_to(0, ScriptBuf::from_hex("6a").expect("hex"))])
    })
    .await;
    both.refused("too large a sum", REJECTED, |side| {
        let most = 2_100_000_000_000_000;
        coin::spend(&[side.coin()], vec![coin::output(most), coin::output(most)])
    })
    .await;
    both.refused("too much", REJECTED, |side| {
        coin::spend(&[side.coin()], vec![coin::output(2_100_000_000_000_001)])
    })
    .await;
    both.refused("a coinbase", REJECTED, |side| {
        let mut tx = side.coin().spend(500);
        tx.input[0].previous_output = OutPoint::null();
        tx.input[0].script_sig = ScriptBuf::from_hex("510101").expect("hex");
        tx
    })
    .await;
}

async fn bytes(both: &mut Both) {
    // Without any, Bitcoin Knots names a parameter that others have not.
    for params in [json!(["00"]), json!(["xyz"]), json!([""]), json!(["0"]), json!([7]), json!([null])] {
        both.ask("sendrawtransaction", params).await;
    }
    both.each(|side| {
        let hex = side.named("waits").to_owned();
        side.name("cut", &hex[..hex.len() - 2]);
        side.name("longer", format!("{hex}00"));
    });
    both.ask("sendrawtransaction", json!(["$cut"])).await;
    both.ask("sendrawtransaction", json!(["$longer"])).await;
}

/// 25 that wait on each other, and one more.
async fn chains(both: &mut Both) {
    both.sent("chained", |side| side.coin().spend(300)).await;
    for _ in 1..25 {
        both.sent("chained", |side| Coin::of(&side.transaction("chained"), 0).spend(300)).await;
    }
    both.refused("one too many", REJECTED, |side| Coin::of(&side.transaction("chained"), 0).spend(300)).await;
    both.mine(1).await;
}
