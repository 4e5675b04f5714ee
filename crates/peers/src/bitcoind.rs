//! A bitcoind of its own.

use crate::process::{Process, free_ports};
use crate::program;
use crate::rpc::{Rpc, RpcError};
use bitcoin_hashes::hmac::{Hmac, HmacEngine};
use bitcoin_hashes::{Hash, HashEngine, sha256};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest that a start or a stop may take. Each takes less than a second on a quiet machine.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often other ports are tried when somebody else was quicker.
const TRIES: usize = 5;
const USER: &str = "sponte";

/// A process of bitcoind on a regtest chain of its own, without peers and without a wallet. It is
/// killed when this is dropped, and its folder removed.
pub struct Bitcoind {
    process: Mutex<Process>,
    rpc: Rpc,
    ports: [u16; 3],
    options: Vec<String>,
    dir: TempDir,
}

impl Bitcoind {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// It is not installed, or it does not start.
    pub async fn start() -> Bitcoind {
        Bitcoind::start_with(&[]).await
    }

    /// As [`Bitcoind::start`], with more options.
    ///
    /// # Panics
    /// As [`Bitcoind::start`].
    pub async fn start_with(options: &[&str]) -> Bitcoind {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let mut said = String::new();
        for _ in 0..TRIES {
            let dir = TempDir::new().expect("a temporary folder");
            let ports = free_ports();
            // Of its own, so that nobody is asked who got the port before.
            let password = dir.path().file_name().expect("it has a name").to_string_lossy();
            let rpc = Rpc::new(&format!("http://127.0.0.1:{}", ports[0]), USER, &password);
            let mut process = spawn(dir.path(), ports, &rpc, &options);
            match answers(&rpc, &mut process).await {
                Ok(()) => return Bitcoind { process: Mutex::new(process), rpc, ports, options, dir },
                Err(status) => said = format!("{status}: {}", process.last_words()),
            }
        }
        panic!("bitcoind does not start: {said}");
    }

    /// The client of its JSON-RPC.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Calls a method with positional parameters.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.rpc.call(method, params).await
    }

    /// Where its JSON-RPC listens, as `host:port`.
    pub fn rpc_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Where it publishes blocks by ZMQ (`rawblock`).
    pub fn zmq_blocks(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.ports[1])
    }

    /// Where it publishes transactions by ZMQ (`rawtx`).
    pub fn zmq_transactions(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.ports[2])
    }

    /// Its folder, with `regtest/.cookie` in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops it and starts it again: what was in its mempool is forgotten.
    ///
    /// # Panics
    /// It does not stop or start.
    pub async fn restart(&self) {
        self.call("stop", json!([])).await.expect("it stops");
        let end = Instant::now() + DEADLINE;
        while self.process().ended().is_none() {
            assert!(Instant::now() < end, "bitcoind does not stop: {}", self.process().last_words());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut process = spawn(self.dir(), self.ports, &self.rpc, &self.options);
        if let Err(status) = answers(&self.rpc, &mut process).await {
            panic!("bitcoind does not start again: {status}: {}", process.last_words());
        }
        *self.process() = process;
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(dir: &Path, [rpc_port, blocks, transactions]: [u16; 3], rpc: &Rpc, options: &[String]) -> Process {
    let mut command = Command::new(program("bitcoind"));
    command
        .arg("-regtest")
        .arg(format!("-datadir={}", dir.display()))
        .args([
            "-server",
            "-rpcthreads=4",
            "-rpcworkqueue=256",
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
        ])
        .arg(format!("-rpcport={rpc_port}"))
        .arg(format!("-rpcauth={}", rpcauth(rpc)))
        .arg(format!("-zmqpubrawblock=tcp://127.0.0.1:{blocks}"))
        .arg(format!("-zmqpubrawtx=tcp://127.0.0.1:{transactions}"))
        .args(["-listen=0", "-connect=0", "-txindex", "-fallbackfee=0.00001", "-persistmempool=0"])
        .args(["-dbcache=4", "-par=1", "-printtoconsole=0"])
        .args(options);
    Process::start(command, &dir.join("output"))
}

/// User, salt, and a hash of the password: with `-rpcpassword` bitcoind would write no cookie.
fn rpcauth(rpc: &Rpc) -> String {
    const SALT: &str = "00";
    let mut engine = HmacEngine::<sha256::Hash>::new(SALT.as_bytes());
    engine.input(rpc.password().as_bytes());
    format!("{}:{SALT}${}", rpc.user(), Hmac::from_engine(engine))
}

/// Waits until it answers, or has ended.
async fn answers(rpc: &Rpc, process: &mut Process) -> Result<(), ExitStatus> {
    let limit = Instant::now() + DEADLINE;
    loop {
        let answer = rpc.call("getblockchaininfo", json!([])).await;
        if let Some(status) = process.ended() {
            return Err(status);
        }
        let Err(error) = answer else { return Ok(()) };
        if Instant::now() > limit {
            panic!("bitcoind does not answer: {error}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
