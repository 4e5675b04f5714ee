//! A client of bitcoind's JSON-RPC.

use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Mining hundreds of blocks on a busy machine is the longest call.
const TIMEOUT: Duration = Duration::from_secs(60);
/// bitcoind ends a connection that is idle for 30 seconds.
const IDLE: Duration = Duration::from_secs(20);

/// A bitcoind's address and login, and connections to it.
#[derive(Clone, Debug)]
pub struct Rpc {
    http: reqwest::Client,
    url: String,
    user: String,
    password: String,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcError {
    /// It was answered with an error.
    Refused {
        /// bitcoind's number.
        code: i64,
        /// bitcoind's words.
        message: String,
    },
    /// It was not answered.
    Unreachable(String),
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message } => write!(f, "{message} ({code})"),
            Self::Unreachable(why) => write!(f, "no answer: {why}"),
        }
    }
}

impl Rpc {
    /// A client; nothing is asked yet.
    pub fn new(url: &str, user: &str, password: &str) -> Rpc {
        let http = reqwest::Client::builder().timeout(TIMEOUT).pool_idle_timeout(IDLE).no_proxy().build();
        let http = http.expect("a client without TLS needs nothing of the system");
        Rpc { http, url: url.into(), user: user.into(), password: password.into() }
    }

    /// `http://host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The user of basic auth.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password of basic auth.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Calls a method with positional parameters, an array.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let body = json!({ "jsonrpc": "1.0", "id": 0, "method": method, "params": params }).to_string();
        let (status, answer) = self.post(body).await?;
        let Ok(mut answer) = serde_json::from_str::<Value>(&answer) else {
            return Err(RpcError::Unreachable(format!("HTTP status {status}: {answer}")));
        };
        match (answer["error"]["code"].as_i64(), answer["error"]["message"].as_str()) {
            (Some(code), Some(message)) => Err(RpcError::Refused { code, message: message.into() }),
            _ => Ok(answer["result"].take()),
        }
    }

    /// Sends a body as it is; the answer's HTTP status and body.
    ///
    /// # Errors
    /// [`RpcError::Unreachable`].
    pub async fn post(&self, body: String) -> Result<(u16, String), RpcError> {
        let unreachable = |error: reqwest::Error| RpcError::Unreachable(format!("{error:?}"));
        let request = self.http.post(&self.url).basic_auth(&self.user, Some(&self.password));
        let response = request.body(body).send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        Ok((status, response.text().await.map_err(unreachable)?))
    }
}
