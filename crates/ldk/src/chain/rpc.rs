//! bitcoind's JSON-RPC over HTTP.
//!
//! `lightning-block-sync` has a client of its own; it was not enough: it waits 300 seconds for
//! any answer, takes no more than 8 megabytes (a full mempool's listing is 20), and opens as many
//! calls at once as it is asked for, which overruns bitcoind's work queue.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{ChainError, ChainStatus, RpcAuth, RpcConfig};

/// Errors of bitcoind that mean something to us.
pub(super) mod code {
    /// Unknown block, transaction or address.
    pub const NOT_FOUND: i64 = -5;
    /// "Block not available (pruned data)" among others.
    pub const MISC: i64 = -1;
    /// The transaction is already in the chain.
    pub const ALREADY_IN_CHAIN: i64 = -27;
    /// Still starting.
    pub const WARMING_UP: i64 = -28;
}

/// Calls in flight at once; bitcoind has 4 RPC threads by default in older versions.
const MAX_CALLS: usize = 4;
/// Largest answer read. A block is 8 megabytes of hex, the listing of a full mempool 20.
const MAX_ANSWER_BYTES: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// bitcoind closes a connection that is idle for 30 seconds; letting go earlier saves an error.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A client of one bitcoind. Its connections live in the runtime that first used it.
pub(super) struct Rpc {
    http: Client,
    url: Url,
    auth: RpcAuth,
    login: Mutex<Option<(String, String)>>,
    permits: Semaphore,
    next_id: AtomicU64,
    status: Arc<ChainStatus>,
}

#[derive(Deserialize)]
struct Success<T> {
    result: T,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Failure {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Rpc {
    pub fn new(config: &RpcConfig, status: Arc<ChainStatus>) -> Result<Self, ChainError> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_CALLS)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|e| ChainError::Config(format!("no HTTP client: {}", root_cause(&e))))?;
        Ok(Self {
            http,
            url: config.checked_url()?,
            auth: config.auth.clone(),
            login: Mutex::new(None),
            permits: Semaphore::new(MAX_CALLS),
            next_id: AtomicU64::new(0),
            status,
        })
    }

    /// Calls `method` with positional `params`, an array.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, ChainError> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let (status, body) = match self.post(method, &params, false).await? {
            // A new bitcoind wrote a new cookie: one more try with what the file says now.
            (StatusCode::UNAUTHORIZED, _) if matches!(self.auth, RpcAuth::CookieFile(_)) => {
                self.post(method, &params, true).await?
            }
            answer => answer,
        };
        let answer = self.read(method, status, &body);
        if !matches!(answer, Err(ChainError::Unreachable { .. })) {
            self.status.note_answer();
        }
        answer
    }

    async fn post(
        &self,
        method: &str,
        params: &Value,
        reread_cookie: bool,
    ) -> Result<(StatusCode, Vec<u8>), ChainError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "1.0", "id": id, "method": method, "params": params });
        let (user, password) = self.login(reread_cookie)?;
        let response = self
            .http
            .post(self.url.clone())
            .basic_auth(user, Some(password))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        Ok((status, self.body(method, response).await?))
    }

    async fn body(&self, method: &str, mut response: Response) -> Result<Vec<u8>, ChainError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ChainError::nonsense(method, "it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        status: StatusCode,
        body: &[u8],
    ) -> Result<T, ChainError> {
        let url = || self.url.as_str().trim_end_matches('/').to_owned();
        let unusable = match status {
            StatusCode::UNAUTHORIZED => return Err(ChainError::WrongPassword { url: url() }),
            StatusCode::FORBIDDEN => return Err(ChainError::NotAllowed { url: url() }),
            StatusCode::OK => match serde_json::from_slice::<Success<T>>(body) {
                Ok(answer) if answer.error.is_none() => return Ok(answer.result),
                Ok(_) => "an error and a result".to_owned(),
                Err(e) => e.to_string(),
            },
            // "Work queue depth exceeded" comes as bare text.
            StatusCode::SERVICE_UNAVAILABLE => {
                return Err(ChainError::Unreachable {
                    url: url(),
                    why: "its RPC work queue is full".to_owned(),
                });
            }
            other => format!("HTTP status {other}"),
        };
        match serde_json::from_slice::<Failure>(body) {
            Ok(Failure { error }) => Err(told(method, error)),
            Err(_) => Err(ChainError::nonsense(method, unusable)),
        }
    }

    fn login(&self, reread: bool) -> Result<(String, String), ChainError> {
        let path = match &self.auth {
            RpcAuth::Password { user, password } => return Ok((user.clone(), password.clone())),
            RpcAuth::CookieFile(path) => path,
        };
        let mut login = self.login.lock().expect("no holder of this lock can panic");
        if reread {
            *login = None;
        }
        if let Some(known) = &*login {
            return Ok(known.clone());
        }
        let text = std::fs::read_to_string(path).map_err(|error| self.no_cookie(path, &error))?;
        let (user, password) = text
            .trim()
            .split_once(':')
            .ok_or_else(|| ChainError::Config(format!("{} is not a cookie of bitcoind", path.display())))?;
        Ok(login.insert((user.to_owned(), password.to_owned())).clone())
    }

    /// bitcoind deletes its cookie when it stops: no file may mean no bitcoind, and is waited for.
    fn no_cookie(&self, path: &Path, error: &io::Error) -> ChainError {
        let file = path.display();
        let advice = "if it has a user and password, set them under [bitcoind]";
        if error.kind() == io::ErrorKind::NotFound {
            let url = self.url.as_str().trim_end_matches('/').to_owned();
            return ChainError::Unreachable { url, why: format!("there is no cookie file {file}; {advice}") };
        }
        ChainError::Config(format!(
            "bitcoind's cookie file {file} cannot be read ({error}): make it readable; {advice}"
        ))
    }

    fn unreachable(&self, error: &reqwest::Error) -> ChainError {
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(error) };
        ChainError::Unreachable { url: self.url.as_str().trim_end_matches('/').to_owned(), why }
    }
}

fn told(method: &str, fault: Fault) -> ChainError {
    match fault.code {
        code::WARMING_UP => ChainError::WarmingUp { message: fault.message },
        code => ChainError::Rpc { method: method.to_owned(), code, message: fault.message },
    }
}

fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::testing::{FakeBitcoind, Trouble, block_on};

    fn rpc(config: &RpcConfig) -> Rpc {
        Rpc::new(config, Arc::default()).unwrap()
    }

    fn count(rpc: &Rpc) -> Result<u32, ChainError> {
        block_on(rpc.call("getblockcount", json!([])))
    }

    #[test]
    fn a_right_login_is_answered_and_a_wrong_one_told() {
        let bitcoind = FakeBitcoind::start();
        bitcoind.generate(3);
        assert_eq!(count(&rpc(&bitcoind.config())), Ok(3));

        let mut config = bitcoind.config();
        config.auth = RpcAuth::Password { user: "alice".into(), password: "wrong".into() };
        let refused = count(&rpc(&config)).unwrap_err();
        assert!(matches!(refused, ChainError::WrongPassword { .. }), "{refused}");
        assert!(!refused.is_transient());
    }

    #[test]
    fn a_new_cookie_is_read_when_the_old_one_is_refused() {
        let bitcoind = FakeBitcoind::start();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".cookie");
        let mut config = bitcoind.config();
        config.auth = RpcAuth::CookieFile(path.clone());
        let rpc = rpc(&config);

        let missing = count(&rpc).unwrap_err();
        assert!(missing.is_transient(), "{missing}");
        std::fs::write(&path, "__cookie__:of-an-earlier-start\n").unwrap();
        assert!(matches!(count(&rpc), Err(ChainError::WrongPassword { .. })));
        let (user, password) = FakeBitcoind::LOGIN;
        std::fs::write(&path, format!("{user}:{password}\n")).unwrap();
        assert_eq!(count(&rpc), Ok(0));
    }

    #[test]
    fn nobody_listening_is_unreachable() {
        let bitcoind = FakeBitcoind::start();
        let config = bitcoind.config();
        drop(bitcoind);
        let error = count(&rpc(&config)).unwrap_err();
        assert!(matches!(error, ChainError::Unreachable { .. }), "{error}");
    }

    #[test]
    fn a_hung_bitcoind_does_not_hang_us() {
        let bitcoind = FakeBitcoind::start();
        bitcoind.set_trouble(Some(Trouble::Silent));
        let mut config = bitcoind.config();
        config.timeout = Duration::from_millis(50);
        let error = count(&rpc(&config)).unwrap_err();
        assert!(error.to_string().contains("no answer in time"), "{error}");
    }

    #[test]
    fn errors_of_bitcoind_are_sorted() {
        let bitcoind = FakeBitcoind::start();
        let rpc = rpc(&bitcoind.config());
        let missing: Result<Value, _> = block_on(rpc.call("nosuchmethod", json!([])));
        assert_eq!(missing.unwrap_err().code(), Some(-32601));

        bitcoind.set_trouble(Some(Trouble::WarmingUp));
        let error = count(&rpc).unwrap_err();
        assert!(matches!(error, ChainError::WarmingUp { .. }), "{error}");

        bitcoind.set_trouble(Some(Trouble::Busy));
        assert!(count(&rpc).unwrap_err().is_transient());

        bitcoind.set_trouble(Some(Trouble::Garbage));
        let error = count(&rpc).unwrap_err();
        assert!(matches!(error, ChainError::Nonsense { .. }), "{error}");
    }
}
