//! A bitcoind that misbehaves on demand.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, BlockHash, Transaction, Txid};
use serde_json::{Value, json};

use super::Watched;
use super::fake_chain::FakeChain;
use super::http_server::{Answer, HttpServer, Request};
use crate::chain::{RpcAuth, RpcConfig};

/// What is wrong with it.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// It takes calls and never answers.
    Silent,
    /// It is still starting.
    WarmingUp,
    /// Its work queue is full.
    Busy,
    /// It is something else.
    Garbage,
}

/// Runs until dropped or stopped; its chain survives a stop.
pub struct FakeBitcoind {
    state: Arc<Watched<State>>,
    server: Option<HttpServer>,
    address: SocketAddr,
}

/// What a test may set and see.
pub struct State {
    pub chain: FakeChain,
    pub network: &'static str,
    pub trouble: Option<Trouble>,
    /// Blocks below this height are gone.
    pub pruned_below: u32,
    /// Methods called, with their parameters.
    pub calls: Vec<(String, Value)>,
    /// Whether it is new enough for `submitpackage`.
    pub knows_packages: bool,
    pub feerate_btc_per_kvb: Option<f64>,
    pub downloading: bool,
    /// Whether `getrawtransaction` fails.
    pub hides_transactions: bool,
}

impl FakeBitcoind {
    pub const LOGIN: (&'static str, &'static str) = ("alice", "open sesame");

    pub fn start() -> Self {
        let state = Arc::new(Watched::new(State {
            chain: FakeChain::new(),
            network: "regtest",
            trouble: None,
            pruned_below: 0,
            calls: Vec::new(),
            knows_packages: false,
            feerate_btc_per_kvb: None,
            downloading: false,
            hides_transactions: false,
        }));
        let server = serve(&state, ([127, 0, 0, 1], 0).into());
        Self { address: server.address(), state, server: Some(server) }
    }

    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts again on the same port.
    pub fn start_again(&mut self) {
        self.server = Some(serve(&self.state, self.address));
    }

    pub fn config(&self) -> RpcConfig {
        let (user, password) = Self::LOGIN;
        let auth = RpcAuth::Password { user: user.to_owned(), password: password.to_owned() };
        RpcConfig::new(format!("http://{}", self.address), auth)
    }

    pub fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.state.with(change)
    }

    pub fn until(&self, what: &str, mut come: impl FnMut(&State) -> bool) {
        self.state.until(what, |state| come(state).then_some(()));
    }

    pub fn set_trouble(&self, trouble: Option<Trouble>) {
        self.with(|state| state.trouble = trouble);
    }

    pub fn generate(&self, blocks: u32) {
        self.with(|state| state.chain.generate(blocks));
    }

    /// Replaces the blocks above `height` by `blocks` others.
    pub fn reorganize(&self, height: u32, blocks: u32) {
        self.with(|state| {
            state.chain.rewind_to(height);
            state.chain.generate(blocks);
        });
    }

    /// Forgets calls so far.
    pub fn forget_calls(&self) {
        self.with(|state| state.calls.clear());
    }

    pub fn submit(&self, tx: &Transaction) -> Txid {
        self.with(|state| state.chain.submit(tx.clone()).unwrap())
    }

    pub fn active(&self) -> Vec<BlockHash> {
        self.with(|state| state.chain.active.clone())
    }
}

impl State {
    pub fn count(&self, method: &str) -> usize {
        self.calls.iter().filter(|(name, _)| name == method).count()
    }
}

fn serve(state: &Arc<Watched<State>>, address: SocketAddr) -> HttpServer {
    let state = state.clone();
    HttpServer::start(address, move |request| answer(&state, &request))
}

fn answer(state: &Watched<State>, request: &Request) -> Answer {
    let (user, password) = FakeBitcoind::LOGIN;
    let mut expected =
        reqwest::Client::new().get("http://unused").basic_auth(user, Some(password)).build().unwrap();
    let expected = expected.headers_mut().remove("authorization").unwrap();
    if request.authorization != expected.to_str().unwrap() {
        return Some(("401 Unauthorized", String::new()));
    }
    let call: Value = serde_json::from_slice(&request.body).unwrap();
    let method = call["method"].as_str().unwrap().to_owned();
    let result = state.with(|state| {
        state.calls.push((method.clone(), call["params"].clone()));
        match state.trouble {
            None => Ok(dispatch(state, &method, &call["params"])),
            Some(Trouble::WarmingUp) => Ok(Err((-28, "Verifying blocks…".to_owned()))),
            Some(Trouble::Silent) => Err(None),
            Some(Trouble::Busy) => {
                let text = "Work queue depth exceeded".to_owned();
                Err(Some(("503 Service Unavailable", text)))
            }
            Some(Trouble::Garbage) => Err(Some(("200 OK", "<h1>It works!</h1>".to_owned()))),
        }
    });
    match result {
        Err(trouble) => trouble,
        Ok(Ok(result)) => {
            let body = json!({ "result": result, "error": null, "id": call["id"] });
            Some(("200 OK", body.to_string()))
        }
        Ok(Err((code, message))) => {
            let error = json!({ "code": code, "message": message });
            let body = json!({ "result": null, "error": error, "id": call["id"] });
            Some(("500 Internal Server Error", body.to_string()))
        }
    }
}

type Outcome = Result<Value, (i64, String)>;

fn dispatch(state: &mut State, method: &str, params: &Value) -> Outcome {
    let not_found = |what: &str| Err((-5, format!("{what} not found")));
    let hash = || -> BlockHash { serde_json::from_value(params[0].clone()).unwrap() };
    let chain = &mut state.chain;
    match method {
        "getblockchaininfo" => Ok(json!({
            "chain": state.network,
            "blocks": chain.height(),
            "headers": chain.height() + u32::from(state.downloading),
            "bestblockhash": chain.tip(),
            "initialblockdownload": state.downloading,
        })),
        "getblockcount" => Ok(json!(chain.height())),
        "getbestblockhash" => Ok(json!(chain.tip())),
        "getblockhash" => match chain.active.get(params[0].as_u64().unwrap() as usize) {
            Some(hash) => Ok(json!(hash)),
            None => Err((-8, "Block height out of range".to_owned())),
        },
        "getblockheader" => match chain.blocks.get(&hash()) {
            Some(found) => Ok(header_json(&found.block, found.height, found.chainwork)),
            None => not_found("Block"),
        },
        "getblock" => match chain.blocks.get(&hash()) {
            Some(found) if found.height < state.pruned_below => {
                Err((-1, "Block not available (pruned data)".to_owned()))
            }
            Some(found) if params[1] == 1 => {
                let txids: Vec<Txid> = found.block.txdata.iter().map(Transaction::compute_txid).collect();
                Ok(json!({ "tx": txids }))
            }
            Some(found) => Ok(json!(serialize_hex(&found.block))),
            None => not_found("Block"),
        },
        "gettxout" => Ok(tx_out(chain, params)),
        "getrawmempool" => {
            let txids: HashSet<Txid> = chain.mempool.iter().map(Transaction::compute_txid).collect();
            Ok(json!(txids))
        }
        "getrawtransaction" if state.hides_transactions => Err((-32603, "no".to_owned())),
        "getrawtransaction" => {
            let txid: Txid = serde_json::from_value(params[0].clone()).unwrap();
            match chain.mempool.iter().find(|tx| tx.compute_txid() == txid) {
                Some(tx) => Ok(json!(serialize_hex(tx))),
                None => not_found("Transaction"),
            }
        }
        "getmempoolinfo" => Ok(json!({ "mempoolminfee": 0.00001, "minrelaytxfee": 0.00001 })),
        "estimatesmartfee" => Ok(match state.feerate_btc_per_kvb {
            Some(feerate) => json!({ "feerate": feerate, "blocks": params[0] }),
            None => json!({ "errors": ["Insufficient data or no feerate found"], "blocks": 2 }),
        }),
        "sendrawtransaction" => submit_hex(chain, &params[0]).map(|txid| json!(txid)),
        "submitpackage" if state.knows_packages => {
            for hex in params[0].as_array().unwrap() {
                submit_hex(chain, hex)?;
            }
            Ok(json!({ "package_msg": "success", "tx-results": {} }))
        }
        _ => Err((-32601, "Method not found".to_owned())),
    }
}

fn submit_hex(chain: &mut FakeChain, hex: &Value) -> Result<Txid, (i64, String)> {
    let tx: Transaction = deserialize_hex(hex.as_str().unwrap()).unwrap();
    chain.submit(tx).map_err(|(code, message)| (code, message.to_owned()))
}

fn header_json(block: &Block, height: u32, chainwork: bitcoin::Work) -> Value {
    let header = &block.header;
    json!({
        "hash": header.block_hash(),
        "height": height,
        "version": header.version.to_consensus(),
        "previousblockhash": header.prev_blockhash,
        "merkleroot": header.merkle_root,
        "time": header.time,
        "bits": format!("{:08x}", header.bits.to_consensus()),
        "nonce": header.nonce,
        "chainwork": chainwork.to_be_bytes().to_lower_hex_string(),
    })
}

/// All outputs count as unspent.
fn tx_out(chain: &FakeChain, params: &Value) -> Value {
    let txid: Txid = serde_json::from_value(params[0].clone()).unwrap();
    for hash in &chain.active {
        let found = &chain.blocks[hash];
        let mut transactions = found.block.txdata.iter();
        if let Some(tx) = transactions.find(|tx| tx.compute_txid() == txid) {
            let Some(output) = tx.output.get(params[1].as_u64().unwrap() as usize) else {
                return Value::Null;
            };
            return json!({
                "bestblock": chain.tip(),
                "confirmations": chain.height() + 1 - found.height,
                "value": output.value.to_btc(),
                "scriptPubKey": { "hex": output.script_pubkey.to_hex_string() },
            });
        }
    }
    Value::Null
}
