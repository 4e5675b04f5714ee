//! The chain over HTTP, as a client of bitcoind meets it.

use bitcoin::base64::Engine;
use bitcoin::base64::engine::general_purpose::STANDARD;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Transaction, TxIn, TxOut, Txid};
use lightning_block_sync::gossip::UtxoSource;
use lightning_block_sync::rpc::RpcClient;
use lightning_block_sync::{BlockData, BlockSource};
use serde_json::{Value, json};
use sponte_chain::{Policy, RunningServer, Server, ServerConfig};

struct Client {
    server: RunningServer,
    http: reqwest::Client,
}

impl Client {
    async fn start() -> Self {
        let config = ServerConfig { password: "secret".to_owned(), ..ServerConfig::default() };
        let server = Server::start(config).await.expect("a free port");
        Self { server, http: reqwest::Client::new() }
    }

    async fn post(&self, password: &str, body: String) -> (u16, Value) {
        let request = self.http.post(self.server.url()).basic_auth("sponte", Some(password)).body(body);
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn call(&self, method: &str, params: Value) -> (u16, Value) {
        let body = json!({ "method": method, "params": params, "id": 1 });
        self.post("secret", body.to_string()).await
    }

    async fn result(&self, method: &str, params: Value) -> Value {
        let (status, answer) = self.call(method, params).await;
        assert_eq!(status, 200, "{method}: {answer}");
        answer["result"].clone()
    }

    /// The HTTP status, the code and the message of an error.
    async fn error(&self, method: &str, params: Value) -> (u16, i64, String) {
        let (status, answer) = self.call(method, params).await;
        let error = &answer["error"];
        let message = error["message"].as_str().expect("an error with a message").to_owned();
        (status, error["code"].as_i64().expect("an error with a code"), message)
    }

    fn faucet_address(&self) -> String {
        self.server.chain().lock().faucet_address().to_string()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

#[tokio::test]
async fn a_wrong_password_is_refused_before_anything_is_read() {
    let client = Client::start().await;
    for password in ["wrong", "", "secret ", "secreT"] {
        let (status, _) = client.post(password, "not json".to_owned()).await;
        assert_eq!(status, 401);
    }
    let response = client.http.post(client.server.url()).body("{}").send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"jsonrpc\"");
    let response = client.http.get(client.server.url()).send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 405);
}

#[tokio::test]
async fn the_node_says_what_it_is() {
    let client = Client::start().await;
    let info = client.result("getblockchaininfo", json!([])).await;
    assert_eq!(info["chain"], "regtest");
    assert_eq!(info["blocks"], 120);
    assert_eq!(info["headers"], 120);
    assert_eq!(info["initialblockdownload"], false);
    assert_eq!(info["bestblockhash"], client.result("getbestblockhash", json!([])).await);
    assert_eq!(info["chainwork"], format!("{:064x}", 2 * 121));
    assert_eq!(client.result("getblockcount", json!([])).await, 120);
    let network = client.result("getnetworkinfo", json!([])).await;
    assert_eq!(network["version"], 290_100);
    assert_eq!(network["relayfee"], 0.00001);
    let fee = client.result("estimatesmartfee", json!([6])).await;
    assert_eq!(fee, json!({ "feerate": 0.00002, "blocks": 6 }));
    client.server.chain().lock().chain_mut().set_estimated_fee(None);
    let fee = client.result("estimatesmartfee", json!([1, "economical"])).await;
    assert_eq!(fee, json!({ "errors": ["Insufficient data or no feerate found"], "blocks": 0 }));
    let code = client.error("estimatesmartfee", json!([0])).await.1;
    assert_eq!(code, -8);
}

#[tokio::test]
async fn blocks_and_headers_in_all_forms() {
    let client = Client::start().await;
    let hash = client.result("getblockhash", json!([7])).await;
    let header = client.result("getblockheader", json!([hash])).await;
    assert_eq!(header["height"], 7);
    assert_eq!(header["confirmations"], 114);
    assert_eq!(header["bits"], "207fffff");
    assert_eq!(header["nTx"], 1);
    assert_eq!(header["previousblockhash"], client.result("getblockhash", json!([6])).await);
    assert_eq!(header["nextblockhash"], client.result("getblockhash", json!([8])).await);
    let raw_header = client.result("getblockheader", json!([hash, false])).await;
    assert_eq!(text(&raw_header).len(), 160);

    let raw = client.result("getblock", json!([hash, 0])).await;
    assert!(text(&raw).starts_with(text(&raw_header)));
    assert_eq!(raw, client.result("getblock", json!([hash, false])).await);
    let block = client.result("getblock", json!({ "blockhash": hash, "verbosity": 1 })).await;
    assert_eq!(block["size"], text(&raw).len() / 2);
    let coinbase = &block["tx"][0];
    let full = client.result("getblock", json!([hash, 2])).await;
    assert_eq!(&full["tx"][0]["txid"], coinbase);
    assert!(full["tx"][0]["vin"][0]["coinbase"].is_string());

    let genesis = client.result("getblockhash", json!([0])).await;
    let genesis = client.result("getblockheader", json!([genesis, true])).await;
    assert!(genesis.get("previousblockhash").is_none());
    let tip = client.result("getbestblockhash", json!([])).await;
    let tip = client.result("getblockheader", json!([tip, true])).await;
    assert!(tip.get("nextblockhash").is_none());
}

#[tokio::test]
async fn a_transaction_from_the_faucet_to_its_confirmation() {
    let client = Client::start().await;
    let address = client.faucet_address();
    let txid = client.result("sendtoaddress", json!([address, 1.5])).await;
    assert_eq!(client.result("getrawmempool", json!([])).await, json!([txid]));
    let verbose = client.result("getrawmempool", json!([true])).await;
    let entry = client.result("getmempoolentry", json!([txid])).await;
    assert_eq!(verbose[text(&txid)], entry);
    assert_eq!(entry["ancestorcount"], 1);
    assert_eq!(entry["fees"]["base"], entry["fees"]["ancestor"]);
    let sequence = client.result("getrawmempool", json!([false, true])).await;
    assert_eq!(sequence["txids"], json!([txid]));
    let info = client.result("getmempoolinfo", json!([])).await;
    assert_eq!(info["size"], 1);
    assert_eq!(info["total_fee"], entry["fees"]["base"]);

    let waiting = client.result("gettxout", json!([txid, 0])).await;
    assert_eq!(waiting["confirmations"], 0);
    assert_eq!(waiting["value"], 1.5);
    assert_eq!(waiting["scriptPubKey"]["address"], address);
    assert_eq!(waiting["scriptPubKey"]["type"], "witness_v0_keyhash");
    assert_eq!(client.result("gettxout", json!([txid, 0, false])).await, Value::Null);

    let raw = client.result("getrawtransaction", json!([txid])).await;
    assert_eq!(raw, client.result("getrawtransaction", json!([txid, false])).await);
    let again = client.result("sendrawtransaction", json!([raw])).await;
    assert_eq!(again, txid, "what waits already is not an error");
    let hashes = client.result("generatetoaddress", json!([2, address])).await;
    let full = client.result("getrawtransaction", json!([txid, true])).await;
    assert_eq!(full["hex"], raw);
    assert_eq!(full["blockhash"], hashes[0]);
    assert_eq!(full["confirmations"], 2);
    assert_eq!(full["vout"][0]["value"], 1.5);
    let in_block = client.result("getrawtransaction", json!([txid, 1, hashes[0]])).await;
    assert_eq!(in_block["in_active_chain"], true);
    assert_eq!(client.result("gettxout", json!([txid, 0])).await["confirmations"], 2);
    let (status, code, message) = client.error("sendrawtransaction", json!([raw])).await;
    assert_eq!((status, code), (500, -27));
    assert_eq!(message, "Transaction outputs already in utxo set");
}

#[tokio::test]
async fn a_reorg_over_rpc() {
    let client = Client::start().await;
    let address = client.faucet_address();
    let txid = client.result("sendtoaddress", json!([address, "0.25"])).await;
    let mined = client.result("generatetoaddress", json!([1, address])).await;
    assert_eq!(client.result("getrawmempool", json!([])).await, json!([]));
    assert_eq!(client.result("invalidateblock", json!([mined[0]])).await, Value::Null);
    assert_eq!(client.result("getblockcount", json!([])).await, 120);
    assert_eq!(client.result("getrawmempool", json!([])).await, json!([txid]));
    let stale = client.result("getblockheader", json!([mined[0]])).await;
    assert_eq!(stale["confirmations"], -1);
    assert_eq!(client.result("reconsiderblock", json!([mined[0]])).await, Value::Null);
    assert_eq!(client.result("getbestblockhash", json!([])).await, mined[0]);
    assert_eq!(client.result("getrawmempool", json!([])).await, json!([]));
}

#[tokio::test]
async fn errors_have_bitcoinds_codes_and_statuses() {
    let client = Client::start().await;
    let absent = "00".repeat(32);
    let cases = [
        ("nosuchmethod", json!([]), 404, -32601, "Method not found"),
        ("getblock", json!([absent]), 500, -5, "Block not found"),
        ("getblockheader", json!([absent]), 500, -5, "Block not found"),
        ("invalidateblock", json!([absent]), 500, -5, "Block not found"),
        ("getmempoolentry", json!([absent]), 500, -5, "Transaction not in mempool"),
        ("getblockhash", json!([121]), 500, -8, "Block height out of range"),
        ("getblockhash", json!([-1]), 500, -8, "Block height out of range"),
        ("getblockhash", json!([1.5]), 500, -1, "JSON integer out of range"),
        ("getblockhash", json!([]), 500, -1, "getblockhash height"),
        ("getblock", json!([]), 500, -1, "getblock \"blockhash\" ( verbosity )"),
        ("getrawtransaction", json!([]), 500, -1, "getrawtransaction \"txid\" ( verbosity \"blockhash\" )"),
        ("getrawtransaction", json!({}), 500, -1, "getrawtransaction \"txid\" ( verbosity \"blockhash\" )"),
        ("getblockcount", json!([1]), 500, -1, "getblockcount"),
        ("getblock", json!(["ab"]), 500, -8, "blockhash must be of length 64 (not 2, for 'ab')"),
        ("getblockheader", json!(["ab"]), 500, -8, "hash must be of length 64 (not 2, for 'ab')"),
        ("getmempoolentry", json!(["ab"]), 500, -8, "parameter 1 must be of length 64 (not 2, for 'ab')"),
        ("getrawtransaction", json!(["ab"]), 500, -8, "parameter 1 must be of length 64 (not 2, for 'ab')"),
        ("gettxout", json!(["ab", 0]), 500, -8, "txid must be of length 64 (not 2, for 'ab')"),
        (
            "getrawtransaction",
            json!([absent, "1"]),
            500,
            -3,
            "JSON value of type string is not of expected type number",
        ),
        ("getblock", json!({ "what": 1 }), 500, -8, "Unknown named parameter what"),
        ("generatetoaddress", json!([1, "nowhere"]), 500, -5, "Error: Invalid address"),
        ("sendtoaddress", json!(["nowhere", 1]), 500, -5, "Invalid Bitcoin address: nowhere"),
        (
            "sendrawtransaction",
            json!(["00"]),
            500,
            -22,
            "TX decode failed. Make sure the tx has at least one input.",
        ),
    ];
    for (method, params, status, code, message) in cases {
        let expected = (status, code, message.to_owned());
        assert_eq!(client.error(method, params.clone()).await, expected, "{method} {params}");
    }
    for wrong in [json!([7]), json!([null]), json!({ "verbosity": 1 })] {
        let (status, code, message) = client.error("getblock", wrong.clone()).await;
        assert_eq!((status, code), (500, -3), "{wrong}");
        assert!(message.contains("Position 1 (blockhash)"), "{message}");
    }
    let (_, code, message) = client.error("getrawtransaction", json!([absent])).await;
    assert_eq!(code, -5);
    assert!(message.starts_with("No such mempool or blockchain transaction"), "{message}");
    let amount = json!([client.faucet_address(), 20_000]);
    assert_eq!(client.error("sendtoaddress", amount).await.1, -6);
}

#[tokio::test]
async fn refusals_of_a_raw_transaction() {
    let client = Client::start().await;
    let address = client.faucet_address();
    let txid = client.result("sendtoaddress", json!([address, 1])).await;
    let raw = client.result("getrawtransaction", json!([txid])).await;
    let mined = client.result("generatetoaddress", json!([1, address])).await;
    client.result("invalidateblock", json!([mined[0]])).await;
    let good: Transaction = deserialize_hex(text(&raw)).expect("a transaction");

    let mut forged = good.clone();
    forged.output[0].value += Amount::from_sat(1);
    let (status, code, message) = client.error("sendrawtransaction", json!([serialize_hex(&forged)])).await;
    assert_eq!((status, code), (500, -26));
    assert!(message.starts_with("insufficient fee, rejecting replacement"), "{message}");
    let child = |vout, value_sat| {
        let previous_output = OutPoint { txid: good.compute_txid(), vout };
        let mut child = good.clone();
        child.input = vec![TxIn { previous_output, ..good.input[0].clone() }];
        child.output = vec![TxOut { value: Amount::from_sat(value_sat), ..good.output[0].clone() }];
        json!([serialize_hex(&child)])
    };
    let (_, code, message) = client.error("sendrawtransaction", child(0, 99_990_000)).await;
    assert_eq!(code, -26, "signed for another coin");
    assert!(message.starts_with("mempool-script-verify-flag-failed"), "{message}");
    let (_, code, message) = client.error("sendrawtransaction", child(7, 1000)).await;
    assert_eq!((code, message.as_str()), (-25, "bad-txns-inputs-missingorspent"));
}

#[tokio::test]
async fn a_fee_that_looks_like_a_mistake_is_refused() {
    let client = Client::start().await;
    let address = client.faucet_address();
    let options = json!({ "address": address, "amount": 1, "fee_rate": 20_000 });
    let txid = client.result("sendtoaddress", options).await;
    let raw = client.result("getrawtransaction", json!([txid])).await;
    let tip = client.result("getbestblockhash", json!([])).await;
    // Off with the faucet's youngest coins and all that waits, then on again.
    client.result("invalidateblock", json!([client.result("getblockhash", json!([1])).await])).await;
    client.result("reconsiderblock", json!([tip])).await;
    assert_eq!(client.result("getrawmempool", json!([])).await, json!([]));
    let (_, code, message) = client.error("sendrawtransaction", json!([raw])).await;
    assert_eq!(code, -25);
    assert_eq!(message, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)");
    assert_eq!(client.result("sendrawtransaction", json!([raw, 0])).await, txid);
}

#[tokio::test]
async fn envelopes_of_both_versions_and_batches() {
    let client = Client::start().await;
    let (status, answer) = client.post("secret", "{".to_owned()).await;
    assert_eq!((status, answer["error"]["code"].as_i64()), (500, Some(-32700)));
    let (status, answer) = client.post("secret", json!({ "id": 5 }).to_string()).await;
    assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(-32600)));
    assert_eq!(answer["id"], 5);
    let of_two = json!({ "jsonrpc": "2.0", "id": 5 }).to_string();
    assert_eq!(client.post("secret", of_two).await.0, 400, "no request, whatever its version");
    let (_, answer) = client.post("secret", json!({ "method": "getblockcount" }).to_string()).await;
    assert_eq!(answer, json!({ "result": 120, "error": null }), "nor has it an id");

    let two = json!({ "jsonrpc": "2.0", "method": "nosuchmethod", "id": "x" });
    let (status, answer) = client.post("secret", two.to_string()).await;
    assert_eq!(status, 200);
    let error = json!({ "code": -32601, "message": "Method not found" });
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "error": error, "id": "x" }));
    let notification = json!({ "jsonrpc": "2.0", "method": "getblockcount" });
    assert_eq!(client.post("secret", notification.to_string()).await.0, 204);

    let batch = json!([
        { "method": "getblockcount", "id": 1 },
        { "jsonrpc": "2.0", "method": "getblockhash", "params": [500], "id": 2 },
        { "jsonrpc": "2.0", "method": "getblockcount" },
        17,
    ]);
    let (status, answers) = client.post("secret", batch.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(answers[0], json!({ "result": 120, "error": null, "id": 1 }));
    assert_eq!(answers[1]["error"]["code"], -8);
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(answers.as_array().map(Vec::len), Some(3), "a notification has no answer");
    assert_eq!(client.post("secret", "[]".to_owned()).await, (200, json!([])));
}

#[tokio::test]
async fn ldk_reads_blocks_and_outputs() {
    let client = Client::start().await;
    let rpc = RpcClient::new(&STANDARD.encode("sponte:secret"), client.server.url());
    let chain = client.server.chain();
    let address = chain.lock().faucet_address();
    let txid = chain.send(&address, Amount::from_sat(70_000)).expect("money");
    let mined = chain.mine(1).expect("a block")[0];

    assert_eq!(rpc.get_best_block().await.expect("a tip"), (mined, Some(121)));
    let header = rpc.get_header(&mined, Some(121)).await.expect("a header");
    assert_eq!((header.height, header.header.block_hash()), (121, mined));
    let BlockData::FullBlock(block) = rpc.get_block(&mined).await.expect("a block") else {
        panic!("a header only");
    };
    assert!(block.check_merkle_root() && block.check_witness_commitment());
    assert_eq!(block.txdata[1].compute_txid(), txid);
    assert_eq!(rpc.get_block_hash_by_height(121).await.expect("a hash"), mined);
    let is_unspent = |outpoint| rpc.is_output_unspent(outpoint);
    assert!(is_unspent(OutPoint { txid, vout: 0 }).await.expect("an answer"));
    assert!(!is_unspent(OutPoint { txid, vout: 9 }).await.expect("an answer"));
    assert!(!is_unspent(block.txdata[1].input[0].previous_output).await.expect("an answer"));
    assert!(rpc.get_header(&BlockHash::all_zeros(), None).await.is_err());
    let absent = rpc.call_method::<Txid>("getrawtransaction", &[json!("00".repeat(32))]).await;
    assert!(format!("{absent:?}").contains("-5"), "{absent:?}");
}

#[tokio::test]
async fn a_port_in_use_is_an_error_and_a_stopped_server_frees_it() {
    let first = Server::start(ServerConfig::default()).await.expect("a free port");
    let bind = first.address();
    let config = ServerConfig { bind, premine_blocks: 0, ..ServerConfig::default() };
    let error = Server::start(config.clone()).await.expect_err("the port is in use");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    // A client that keeps its connection open does not keep the server.
    let http = reqwest::Client::new();
    let idle = http.get(first.url()).send().await.expect("an answer");
    assert_eq!(idle.status().as_u16(), 405);
    first.stop().await.expect("a clean stop");
    assert!(http.get(format!("http://{bind}")).send().await.is_err(), "nobody listens");
    let second = Server::start(config).await.expect("the port is free again");
    assert_eq!(second.chain().height(), 0);
    assert_eq!(second.chain().lock().chain().policy().min_relay_fee, Policy::default().min_relay_fee);
}
