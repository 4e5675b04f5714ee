//! Mining, reorgs and money.

use super::both::Both;
use super::coin;
use serde_json::json;

const NOWHERE: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

pub async fn compare(both: &mut Both) {
    let to = coin::address().to_string();
    for params in [
        json!([0, to]),
        json!([1, "nowhere"]),
        json!([1, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]),
        json!([1]),
        json!([]),
        json!(["1", to]),
        json!([1, 2]),
    ] {
        both.ask("generatetoaddress", params).await;
    }
    reorg(both).await;
    money(both).await;
}

async fn reorg(both: &mut Both) {
    both.sent("returned", |side| side.coin().spend(400)).await;
    both.mine(1).await;
    both.ask("getrawtransaction", json!(["$returned.id", 1])).await;
    both.each(|side| {
        let tip = side.named("tip").to_owned();
        side.name("stale", tip);
    });
    both.ask("invalidateblock", json!(["$stale"])).await;
    both.ask("getblockcount", json!([])).await;
    both.ask("getrawmempool", json!([])).await;
    both.ask("getrawtransaction", json!(["$returned.id", 1])).await;
    both.ask("getrawtransaction", json!(["$returned.id", 1, "$stale"])).await;
    both.ask("getblockheader", json!(["$stale"])).await;
    both.ask("gettxout", json!(["$returned.id", 0])).await;
    both.ask("reconsiderblock", json!(["$stale"])).await;
    both.ask("getblockcount", json!([])).await;
    both.ask("getblockheader", json!(["$stale"])).await;
    both.ask("getrawmempool", json!([])).await;
    for method in ["invalidateblock", "reconsiderblock"] {
        for params in [json!([NOWHERE]), json!(["ff"]), json!([]), json!([1])] {
            both.ask(method, params).await;
        }
    }
    both.ask("invalidateblock", json!(["$genesis"])).await;
    both.ask("getblockcount", json!([])).await;
}

async fn money(both: &mut Both) {
    let to = coin::address().to_string();
    give_bitcoind_a_wallet(both).await;
    for params in [
        json!([to, 0.01]),
        json!([to, "0.01"]),
        json!({ "address": to, "amount": 0.01, "fee_rate": 3 }),
        json!([to, 1e-8]),
        json!([to, 0]),
        json!([to, -1]),
        json!([to, "x"]),
        json!([to, 0.123456789]),
        json!([to, 21_000_001]),
        json!([to, 20_000_000]),
        json!(["nowhere", 1]),
        json!([to]),
        json!([]),
        json!([1, 1]),
        json!({ "address": to, "amount": 0.25, "no_such": 1 }),
    ] {
        both.ask("sendtoaddress", params).await;
    }
    both.ask_but("sendtoaddress", json!({ "address": to, "amount": 0.01, "verbose": true }), &[]).await;
    both.mine(1).await;
}

/// Its own faucet has no wallet of bitcoind.
async fn give_bitcoind_a_wallet(both: &mut Both) {
    let rpc = both.sides()[0].rpc.clone();
    rpc.call("createwallet", json!(["faucet"])).await.expect("a wallet");
    let address = rpc.call("getnewaddress", json!([])).await.expect("an address");
    both.each(|side| side.name("wallet", address.as_str().expect("a text")));
    both.sent("wallet's", |side| {
        let script = side.named("wallet").parse::<bitcoin::Address<_>>().expect("an address");
        let script = script.assume_checked().script_pubkey();
        let coins: Vec<_> = (0..10).map(|_| side.coin()).collect();
        coin::spend(&coins, vec![coin::output_to(9_990_000, script)])
    })
    .await;
    both.mine(1).await;
}
