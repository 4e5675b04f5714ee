//! The README's path on a bitcoind, whose cookie lies where it always does.

mod common;

use common::process::{Process, until};
use common::{run, sponte};
use serde_json::{Value, json};
use sponte_peers::Bitcoind;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Whom nobody knows.
const NOBODY: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";

/// A bitcoind and its wallet, as a user has them.
struct Chain {
    runtime: Runtime,
    bitcoind: Bitcoind,
}

impl Chain {
    fn start() -> Chain {
        let runtime = Runtime::new().expect("threads");
        let bitcoind = runtime.block_on(Bitcoind::start());
        let chain = Chain { runtime, bitcoind };
        chain.call("createwallet", json!(["coins"]));
        let address = chain.call("getnewaddress", json!([]));
        chain.call("generatetoaddress", json!([1, address]));
        chain.mine(100);
        chain
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.runtime.block_on(self.bitcoind.call(method, params));
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn mine(&self, blocks: u32) {
        self.call("generatetoaddress", json!([blocks, NOBODY]));
    }

    fn restart(&self) {
        self.runtime.block_on(self.bitcoind.restart());
    }
}

struct Node {
    dir: TempDir,
    process: Process,
    peer: String,
}

impl Node {
    /// As README says: init, the URL in `sponte.toml`, run.
    fn start(chain: &Chain) -> Node {
        let dir = tempfile::tempdir().expect("a folder");
        let home = dir.path().join("home");
        fs::create_dir(&home).expect("a home");
        std::os::unix::fs::symlink(chain.bitcoind.dir(), home.join(".bitcoin")).expect("bitcoind's folder");
        run(dir.path(), &["--network", "regtest", "init"]).well();
        settings(&dir.path().join("node/sponte.toml"), &chain.bitcoind.rpc_address());
        let mut command = sponte(dir.path());
        command.arg("--dir").arg(dir.path().join("node"));
        command.args(["run", "--json", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        let mut process = Process::start(command);
        let said = process.said();
        let text = |name: &str| said[name].as_str().expect("text").to_owned();
        Node { dir, process, peer: format!("{}@{}", text("node_id"), text("listening")) }
    }

    fn ask(&self, args: &[&str]) -> Value {
        run(self.dir.path(), &[args, &["--json"]].concat()).json()
    }

    fn spendable(&self) -> u64 {
        self.ask(&["wallet"])["spendable_sat"].as_u64().expect("a number")
    }

    fn channel(&self) -> Value {
        self.ask(&["channel", "list"])["channels"][0].take()
    }

    fn pays(&self, to: &Node, amount: &str) {
        let paid = self.ask(&["pay", &to.peer, amount]);
        assert_eq!(paid["outcome"], "settled", "{paid}");
    }
}

fn settings(file: &Path, rpc: &str) {
    let text = fs::read_to_string(file).expect("init wrote it");
    let url = "# url = \"http://127.0.0.1:18443\"";
    assert!(text.contains(url), "{text}");
    fs::write(file, text.replace(url, &format!("url = \"http://{rpc}\""))).expect("written");
}

#[test]
#[ignore = "needs bitcoind: ci/peers/install"]
fn from_init_to_a_payment_and_back_to_the_wallet() {
    let chain = Chain::start();
    let (mut alice, mut bob) = (Node::start(&chain), Node::start(&chain));
    let address = alice.ask(&["wallet", "address"])["address"].take();
    chain.call("sendtoaddress", json!([address, 0.02]));
    chain.mine(1);
    until("the coins", || (alice.spendable() == 2_000_000).then_some(()));

    alice.ask(&["channel", "open", &bob.peer, "1000000sat", "--announce"]);
    funded(&chain);
    usable(&alice, &bob);
    alice.pays(&bob, "200000sat");

    // A new cookie, and the nodes stay what they are.
    chain.restart();
    chain.mine(1);
    let height = chain.call("getblockcount", json!([]));
    until("a block of the new start", || {
        [&alice, &bob].iter().all(|node| node.ask(&["info"])["height"] == height).then_some(())
    });
    bob.pays(&alice, "50sat");

    let id = alice.channel()["id"].as_str().expect("an id").to_owned();
    alice.ask(&["channel", "close", &id]);
    home(&chain, &alice, &bob);
    for node in [&mut alice, &mut bob] {
        node.process.close_stdin();
    }
}

fn funded(chain: &Chain) {
    until("the funding transaction", || {
        let waiting = chain.call("getrawmempool", json!([]));
        waiting.as_array().is_some_and(|waiting| !waiting.is_empty()).then_some(())
    });
    chain.mine(6);
}

fn usable(alice: &Node, bob: &Node) {
    until("a usable channel at both ends", || {
        [alice, bob].iter().all(|node| node.channel()["state"] == "usable").then_some(())
    });
}

/// Both have theirs in the wallet, less fees, and the books agree.
fn home(chain: &Chain, alice: &Node, bob: &Node) {
    until("the money in the wallets", || {
        chain.mine(1);
        (alice.spendable() > 1_795_000 && bob.spendable() > 199_000).then_some(())
    });
    for node in [alice, bob] {
        assert_eq!(node.ask(&["audit"])["clean"], true);
    }
}
