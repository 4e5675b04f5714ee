//! The chain behind HTTP, and a handle to it for the same process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bitcoin::{Address, Amount, BlockHash, Txid};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::auth::Credentials;
use crate::faucet::FaucetError;
use crate::policy::Policy;
use crate::regtest::{DEFAULT_PREMINE_BLOCKS, Regtest};
use crate::reject::{BlockRejected, UnknownBlock};
use crate::rpc;
use crate::time::UnixTime;

/// The largest request, as in bitcoind.
const MAX_BODY_BYTES: usize = 0x0200_0000;

/// How long a stopping server waits for requests that are being answered.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// How to serve a chain.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one. Default: a free port of 127.0.0.1.
    pub bind: SocketAddr,
    /// The user of basic auth. Default: `sponte`.
    pub user: String,
    /// The password of basic auth. Default: `sponte`.
    pub password: String,
    /// The rules of the mempool.
    pub policy: Policy,
    /// How many blocks are mined to the faucet at the start; 100 or fewer give it nothing to
    /// spend. Default: 120.
    pub premine_blocks: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            user: "sponte".to_owned(),
            password: "sponte".to_owned(),
            policy: Policy::default(),
            premine_blocks: DEFAULT_PREMINE_BLOCKS,
        }
    }
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Makes a new chain and serves it until the returned server is stopped or dropped. Must
    /// be called within a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, or the premine is too long.
    pub async fn start(config: ServerConfig) -> io::Result<RunningServer> {
        let listener = TcpListener::bind(config.bind).await?;
        let address = listener.local_addr()?;
        let chain =
            ChainHandle::new(config.policy.clone(), config.premine_blocks).map_err(io::Error::other)?;
        let state = Shared {
            credentials: Arc::new(Credentials::new(&config.user, &config.password)),
            chain: chain.clone(),
        };
        let router = Router::new()
            .route("/", axum::routing::any(serve))
            .route("/wallet/{name}", axum::routing::any(serve))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(state);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async {
                    // A dropped sender stops the server as well.
                    let _ = stopped.await;
                })
                .await
        });
        Ok(RunningServer { address, chain, user: config.user, password: config.password, stop, task })
    }
}

/// A server that listens. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    chain: ChainHandle,
    user: String,
    password: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl RunningServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL without credentials: `http://127.0.0.1:18443`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The user of basic auth.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password of basic auth.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The chain it serves, for use without HTTP.
    pub fn chain(&self) -> &ChainHandle {
        &self.chain
    }

    /// Stops listening, lets requests that are being answered end, and returns.
    ///
    /// # Errors
    /// The listener had failed.
    pub async fn stop(self) -> io::Result<()> {
        drop(self.stop);
        let abort = self.task.abort_handle();
        match tokio::time::timeout(STOP_DEADLINE, self.task).await {
            Ok(joined) => joined.map_err(io::Error::other)?,
            Err(_) => {
                abort.abort();
                Ok(())
            }
        }
    }
}

/// A chain shared between the server and its process. Clones are the same chain; the time is
/// the system's.
#[derive(Clone, Debug)]
pub struct ChainHandle(Arc<Mutex<Regtest>>);

impl ChainHandle {
    /// A new chain whose first blocks pay the faucet.
    ///
    /// # Errors
    /// As [`Regtest::new`].
    pub fn new(policy: Policy, premine_blocks: u32) -> Result<Self, BlockRejected> {
        let regtest = Regtest::new(policy, premine_blocks, system_time())?;
        Ok(Self(Arc::new(Mutex::new(regtest))))
    }

    /// Everything else, while no request is being answered. Never hold the guard across an
    /// `await`.
    pub fn lock(&self) -> MutexGuard<'_, Regtest> {
        // A panic of another holder is a bug of its own; it must not take every later caller along.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The height of the tip.
    pub fn height(&self) -> u32 {
        self.lock().chain().height()
    }

    /// The hash of the tip.
    pub fn tip_hash(&self) -> BlockHash {
        self.lock().chain().tip().hash
    }

    /// The ids of all waiting transactions, parents before children.
    pub fn mempool_txids(&self) -> Vec<Txid> {
        self.lock().chain().mempool_entries().map(|entry| entry.txid).collect()
    }

    /// Empties the mempool, as the restart of a node that does not keep it.
    pub fn forget_mempool(&self) {
        self.lock().chain_mut().forget_mempool();
    }

    /// Mines `count` blocks to an address.
    ///
    /// # Errors
    /// As [`crate::Chain::mine`].
    pub fn mine_to(&self, count: u32, address: &Address) -> Result<Vec<BlockHash>, BlockRejected> {
        self.lock().chain_mut().mine(count, &address.script_pubkey(), system_time())
    }

    /// Mines `count` blocks to the faucet.
    ///
    /// # Errors
    /// As [`crate::Chain::mine`].
    pub fn mine(&self, count: u32) -> Result<Vec<BlockHash>, BlockRejected> {
        self.lock().mine_to_faucet(count, system_time())
    }

    /// Sends from the faucet to an address, at the estimated feerate; the transaction waits in
    /// the mempool.
    ///
    /// # Errors
    /// As [`Regtest::send`].
    pub fn send(&self, address: &Address, amount: Amount) -> Result<Txid, FaucetError> {
        self.lock().send(address.script_pubkey(), amount, None, system_time())
    }

    /// Takes a block and all that stand on it off the active branch.
    ///
    /// # Errors
    /// No such block exists.
    pub fn invalidate(&self, hash: &BlockHash) -> Result<(), UnknownBlock> {
        self.lock().chain_mut().invalidate_block(hash, system_time())
    }

    /// Takes an invalidation back.
    ///
    /// # Errors
    /// No such block exists.
    pub fn reconsider(&self, hash: &BlockHash) -> Result<(), UnknownBlock> {
        self.lock().chain_mut().reconsider_block(hash, system_time())
    }
}

/// The system's clock as the core wants it.
pub(crate) fn system_time() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_secs(u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
}

#[derive(Clone)]
struct Shared {
    credentials: Arc<Credentials>,
    chain: ChainHandle,
}

async fn serve(State(shared): State<Shared>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    if method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "JSONRPC server handles only POST requests").into_response();
    }
    if !shared.credentials.admit(&headers) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"jsonrpc\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    // Mining thousands of blocks takes a while: not on a thread that serves others.
    let chain = shared.chain;
    let reply = tokio::task::spawn_blocking(move || rpc::answer(&chain, &body, system_time())).await;
    match reply {
        Ok(reply) => {
            let status = StatusCode::from_u16(reply.status)
                .expect("the statuses of JSON-RPC are written down as valid constants");
            let json = [(header::CONTENT_TYPE, "application/json")];
            (status, json, reply.body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a request to the chain was not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
