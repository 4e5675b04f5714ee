//! The private chain of the demo, and its JSON-RPC.

use super::child::{self, Child};
use super::until::{PATIENCE, failed};
use crate::failure::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sponte_proto::Txid;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Whom mined blocks pay: nobody, so that no balance of the demo changes by them.
pub const NOBODY: &str = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202";

/// What `sponte chain --json` says once it listens.
#[derive(Clone, Debug, Deserialize)]
pub struct Access {
    /// `http://127.0.0.1:port`
    pub url: String,
    pub user: String,
    pub password: String,
}

/// Starts `sponte chain` on a free port.
///
/// # Errors
/// The system starts no process.
pub fn spawn(program: &Path, logs: &Path) -> Result<Child, Failure> {
    let args = ["chain", "--listen", "127.0.0.1:0", "--json", "--exit-on-stdin-close"];
    let mut command = child::command(program, args);
    command.stdout(Stdio::piped());
    Child::spawn("the chain", command, &logs.join("chain.log"))
}

/// Speaks bitcoind's JSON-RPC.
#[derive(Clone, Debug)]
pub struct Rpc {
    http: reqwest::Client,
    pub access: Access,
}

#[derive(Deserialize)]
struct Answer {
    result: Value,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    message: String,
}

impl Rpc {
    /// Waits until the chain, just started, says where it listens.
    ///
    /// # Errors
    /// It ends by itself, or says nothing that makes sense.
    pub async fn reach(chain: &mut Child) -> Result<Rpc, Failure> {
        let stdout = chain.take_stdout().expect("it was asked for and is taken once");
        let mut lines = BufReader::new(stdout).lines();
        let said = match tokio::time::timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => {
                chain.require_running()?;
                return Err(failed("the chain did not say where it listens"));
            }
        };
        let strange = |why| failed(format!("the chain said something strange: {why}"));
        Rpc::new(serde_json::from_str(&said).map_err(strange)?)
    }

    fn new(access: Access) -> Result<Rpc, Failure> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = http.map_err(|why| failed(format!("the system gives no HTTP client: {why}")))?;
        Ok(Rpc { http, access })
    }

    /// Sends whole bitcoins from the faucet.
    ///
    /// # Errors
    /// As every call: the chain does not answer, or refuses.
    pub async fn give(&self, address: &str, btc: u32) -> Result<(), Failure> {
        let _: Value = self.call("sendtoaddress", json!([address, btc])).await?;
        Ok(())
    }

    /// Mines blocks that pay nobody.
    ///
    /// # Errors
    /// As every call.
    pub async fn mine(&self, blocks: u32) -> Result<(), Failure> {
        let _: Value = self.call("generatetoaddress", json!([blocks, NOBODY])).await?;
        Ok(())
    }

    /// Whether the transactions wait in the mempool.
    ///
    /// # Errors
    /// As every call.
    pub async fn knows(&self, txids: &[Txid]) -> Result<bool, Failure> {
        let mempool: Vec<String> = self.call("getrawmempool", json!([])).await?;
        Ok(txids.iter().all(|txid| mempool.contains(&txid.to_string())))
    }

    /// Asks the chain.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, Failure> {
        let broken =
            |why: &dyn std::fmt::Display| failed(format!("the chain did not answer {method}: {why}"));
        let Access { url, user, password } = &self.access;
        let body = json!({ "jsonrpc": "1.0", "id": "demo", "method": method, "params": params });
        let request = self.http.post(url).basic_auth(user, Some(password)).json(&body);
        let answer = request.send().await.map_err(|why| broken(&why))?;
        let answer: Answer = answer.json().await.map_err(|why| broken(&why))?;
        if let Some(error) = answer.error {
            return Err(failed(format!("the chain refused {method}: {}", error.message)));
        }
        serde_json::from_value(answer.result).map_err(|why| broken(&why))
    }
}
