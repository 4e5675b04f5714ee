//! bitcoind's JSON-RPC over a [`Regtest`](crate::Regtest): bytes in, bytes and an HTTP status
//! out. Nothing here knows HTTP beyond that number.

mod args;
mod blocks;
mod development;
mod error;
mod node;
mod pool;
mod request;
mod script_json;
mod transactions;
mod tx_json;

use bitcoin::Amount;
use serde_json::{Number, Value, json};

use self::args::Param::{self, Plain, Text};
use self::args::{Args, Signature};
use self::error::{METHOD_NOT_FOUND, PARSE, RpcError};
use self::request::{Request, Version};
use crate::regtest::Regtest;
use crate::server::ChainHandle;
use crate::time::UnixTime;

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A method of the table.
struct Method {
    signature: Signature,
    run: fn(&mut Call<'_>) -> Result<Value, RpcError>,
}

/// What a method works on.
struct Call<'a> {
    regtest: &'a mut Regtest,
    args: Args,
    now: UnixTime,
}

const fn method(
    method: &'static str,
    params: &'static [Param],
    required: usize,
    run: fn(&mut Call<'_>) -> Result<Value, RpcError>,
) -> Method {
    Method { signature: Signature { method, params, required }, run }
}

static METHODS: &[Method] = &[
    method("getblockchaininfo", &[], 0, node::getblockchaininfo),
    method("getnetworkinfo", &[], 0, node::getnetworkinfo),
    method("estimatesmartfee", &[Plain("conf_target"), Text("estimate_mode")], 1, node::estimatesmartfee),
    method("getblockcount", &[], 0, blocks::getblockcount),
    method("getbestblockhash", &[], 0, blocks::getbestblockhash),
    method("getblockhash", &[Plain("height")], 1, blocks::getblockhash),
    method("getblockheader", &[Text("blockhash|hash"), Plain("verbose")], 1, blocks::getblockheader),
    method("getblock", &[Text("blockhash"), Plain("verbosity|verbose")], 1, blocks::getblock),
    method(
        "getrawtransaction",
        &[Text("txid"), Plain("verbosity|verbose"), Text("blockhash")],
        1,
        transactions::getrawtransaction,
    ),
    method("gettxout", &[Text("txid"), Plain("n"), Plain("include_mempool")], 2, transactions::gettxout),
    method(
        "sendrawtransaction",
        &[Text("hexstring"), Plain("maxfeerate"), Plain("maxburnamount")],
        1,
        transactions::sendrawtransaction,
    ),
    method("getrawmempool", &[Plain("verbose"), Plain("mempool_sequence")], 0, pool::getrawmempool),
    method("getmempoolentry", &[Text("txid")], 1, pool::getmempoolentry),
    method("getmempoolinfo", &[], 0, pool::getmempoolinfo),
    method(
        "generatetoaddress",
        &[Plain("nblocks"), Text("address"), Plain("maxtries")],
        2,
        development::generatetoaddress,
    ),
    method("invalidateblock", &[Text("blockhash")], 1, development::invalidateblock),
    method("reconsiderblock", &[Text("blockhash")], 1, development::reconsiderblock),
    method("sendtoaddress", development::SENDTOADDRESS_PARAMS, 2, development::sendtoaddress),
];

/// Answers one HTTP body: a request or an array of them.
pub(crate) fn answer(chain: &ChainHandle, body: &[u8], now: UnixTime) -> Reply {
    match serde_json::from_slice(body) {
        Ok(Value::Array(batch)) => answer_batch(chain, batch, now),
        Ok(Value::Object(fields)) => answer_single(chain, fields, now),
        Ok(_) => {
            let error = RpcError::new(PARSE, "Top-level object parse error");
            failure(&error, Version::One, Some(Value::Null))
        }
        Err(_) => failure(&RpcError::new(PARSE, "Parse error"), Version::One, Some(Value::Null)),
    }
}

fn answer_single(chain: &ChainHandle, fields: serde_json::Map<String, Value>, now: UnixTime) -> Reply {
    let request = match Request::parse(fields) {
        Ok(request) => request,
        // Whatever its version.
        Err((error, version, id)) => return reply(error.http_status(), &version.failure(&error, id)),
    };
    let (version, id) = (request.version, request.id.clone());
    let notification = request.is_notification();
    match execute(chain, request, now) {
        _ if notification => Reply { status: 204, body: String::new() },
        Ok(result) => reply(200, &version.success(result, id)),
        Err(error) => failure(&error, version, id),
    }
}

fn answer_batch(chain: &ChainHandle, batch: Vec<Value>, now: UnixTime) -> Reply {
    let is_empty = batch.is_empty();
    let answers: Vec<Value> = batch.into_iter().filter_map(|item| answer_batched(chain, item, now)).collect();
    if answers.is_empty() && !is_empty {
        return Reply { status: 204, body: String::new() };
    }
    reply(200, &Value::Array(answers))
}

fn answer_batched(chain: &ChainHandle, item: Value, now: UnixTime) -> Option<Value> {
    let Value::Object(fields) = item else {
        let error = RpcError::new(error::INVALID_REQUEST, "Invalid Request object");
        return Some(Version::One.failure(&error, Some(Value::Null)));
    };
    let request = match Request::parse(fields) {
        Ok(request) => request,
        Err((error, version, id)) => return Some(version.failure(&error, id)),
    };
    let (version, id) = (request.version, request.id.clone());
    let notification = request.is_notification();
    let answer = match execute(chain, request, now) {
        Ok(result) => version.success(result, id),
        Err(error) => version.failure(&error, id),
    };
    (!notification).then_some(answer)
}

fn execute(chain: &ChainHandle, request: Request, now: UnixTime) -> Result<Value, RpcError> {
    let method = METHODS
        .iter()
        .find(|method| method.signature.method == request.method)
        .ok_or_else(|| RpcError::new(METHOD_NOT_FOUND, "Method not found"))?;
    let args = Args::new(&method.signature, request.params)?;
    let mut regtest = chain.lock();
    (method.run)(&mut Call { regtest: &mut regtest, args, now })
}

fn failure(error: &RpcError, version: Version, id: Option<Value>) -> Reply {
    let status = match version {
        Version::One => error.http_status(),
        Version::Two => 200,
    };
    reply(status, &version.failure(error, id))
}

fn reply(status: u16, answer: &Value) -> Reply {
    Reply { status, body: format!("{answer}\n") }
}

/// An amount as bitcoind writes it: a number of BTC.
fn btc(amount: Amount) -> Value {
    Number::from_f64(amount.to_btc()).map_or(json!(0), Value::Number)
}
