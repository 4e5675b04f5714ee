//! A bitcoind with a wallet, nodes of ours as processes, and an LND.

use crate::common::process::{Process, until};
use crate::common::{run, sponte};
use serde_json::{Value, json};
use sponte_peers::{Bitcoind, BitcoindRpc, Lnd, LndConfig};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Whom nobody knows.
const NOBODY: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";

/// A bitcoind and its wallet, as a user has them.
pub struct Chain {
    pub runtime: Runtime,
    pub bitcoind: Bitcoind,
}

impl Chain {
    pub fn start() -> Chain {
        let runtime = Runtime::new().expect("threads");
        let bitcoind = runtime.block_on(Bitcoind::start());
        let chain = Chain { runtime, bitcoind };
        chain.call("createwallet", json!(["coins"]));
        let address = chain.call("getnewaddress", json!([]));
        chain.call("generatetoaddress", json!([1, address]));
        chain.mine(100);
        chain
    }

    pub fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.runtime.block_on(self.bitcoind.call(method, params));
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub fn mine(&self, blocks: u32) {
        self.call("generatetoaddress", json!([blocks, NOBODY]));
    }

    pub fn restart(&self) {
        self.runtime.block_on(self.bitcoind.restart());
    }
}

pub struct Node {
    dir: TempDir,
    pub process: Process,
    pub id: String,
    pub address: String,
}

impl Node {
    /// As README says: init, the URL in `sponte.toml`, run.
    pub fn start(chain: &Chain) -> Node {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path().join("home");
        fs::create_dir(&home).expect("a home");
        std::os::unix::fs::symlink(chain.bitcoind.dir(), home.join(".bitcoin")).expect("bitcoind's folder");
        run(dir.path(), &["--network", "regtest", "init"]).well();
        settings(&dir.path().join("node/sponte.toml"), &chain.bitcoind.rpc_address());
        let (process, id, address) = serve(dir.path());
        Node { dir, process, id, address }
    }

    /// `kill -9`: its folder is left.
    pub fn kill(self) -> TempDir {
        self.process.kill();
        self.dir
    }

    /// A new start on the folder.
    pub fn restart(dir: TempDir) -> Node {
        let (process, id, address) = serve(dir.path());
        Node { dir, process, id, address }
    }

    /// As a payer names it.
    pub fn peer(&self) -> String {
        format!("{}@{}", self.id, self.address)
    }

    pub fn ask(&self, args: &[&str]) -> Value {
        run(self.dir.path(), &[args, &["--json"]].concat()).json()
    }

    pub fn spendable(&self) -> u64 {
        self.ask(&["wallet"])["spendable_sat"].as_u64().expect("a number")
    }

    pub fn channel(&self) -> Value {
        self.ask(&["channel", "list"])["channels"][0].take()
    }

    pub fn pays(&self, to: &Node, amount: &str) {
        let paid = self.ask(&["pay", &to.peer(), amount]);
        assert_eq!(paid["outcome"], "settled", "{paid}");
    }
}

fn settings(file: &Path, rpc: &str) {
    let text = fs::read_to_string(file).expect("init wrote it");
    let url = "# url = \"http://127.0.0.1:18443\"";
    assert!(text.contains(url), "{text}");
    fs::write(file, text.replace(url, &format!("url = \"http://{rpc}\""))).expect("written");
}

/// `sponte run`: the process, its id, and where it listens.
fn serve(dir: &Path) -> (Process, String, String) {
    let mut command = sponte(dir);
    command.arg("--dir").arg(dir.join("node"));
    command.args(["run", "--json", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    command.args(["--poll-interval", "100ms"]);
    let mut process = Process::start(command);
    let said = process.said();
    let text = |name: &str| said[name].as_str().expect("text").to_owned();
    let (id, address) = (text("node_id"), text("listening"));
    (process, id, address)
}

pub fn funded(chain: &Chain) {
    until("the funding transaction", || {
        let waiting = chain.call("getrawmempool", json!([]));
        waiting.as_array().is_some_and(|waiting| !waiting.is_empty()).then_some(())
    });
    chain.mine(6);
}

impl Chain {
    /// An LND on it.
    pub fn lnd(&self, dir: &Path, config: LndConfig) -> Lnd {
        let rpc = BitcoindRpc {
            host: self.bitcoind.rpc_address(),
            user: self.bitcoind.rpc().user().into(),
            password: self.bitcoind.rpc().password().into(),
        };
        self.runtime.block_on(Lnd::start(&rpc, dir, "lana", config))
    }

    /// Gives a node coins.
    pub fn fund(&self, node: &Node, bitcoin: f64) {
        let before = node.spendable();
        let address = node.ask(&["wallet", "address"])["address"].take();
        self.call("sendtoaddress", json!([address, bitcoin]));
        self.mine(1);
        until("the coins", || (node.spendable() > before).then_some(()));
    }
}
