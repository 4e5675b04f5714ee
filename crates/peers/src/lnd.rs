//! LND as a process, driven over its REST API.

mod channels;
mod config;
mod invoices;
mod pay;
mod rest;
mod route;
mod types;

pub use config::{BitcoindRpc, LndConfig};
pub use pay::LndPay;
pub use route::LndHop;
pub use types::{
    LndAttempt, LndChannel, LndFailure, LndInvoice, LndInvoiceHtlc, LndPayment, LndRoute, LndShard,
};

use crate::process::{Process, free_ports};
use crate::{program, until};
use rest::Rest;
use serde_json::{Value, json};
use sponte_proto::NodeId;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A node of LND, on a bitcoind's regtest. Its folder outlives its runs.
pub struct Lnd {
    name: String,
    folder: PathBuf,
    config: LndConfig,
    rpc: BitcoindRpc,
    running: Option<Running>,
    id: Option<NodeId>,
}

struct Running {
    process: Process,
    rest: Rest,
    listen: u16,
}

impl Lnd {
    /// A new node with a folder of its own in `dir`, and waits until it has the chain.
    pub async fn start(rpc: &BitcoindRpc, dir: &Path, name: &str, config: LndConfig) -> Lnd {
        let folder = dir.join(name);
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        let (name, rpc) = (name.to_owned(), rpc.clone());
        let mut lnd = Lnd { name, folder, config, rpc, running: None, id: None };
        lnd.run().await;
        lnd
    }

    /// Starts it on its folder, and waits until it has the chain.
    ///
    /// # Panics
    /// It runs already, or ends before it answers.
    pub async fn run(&mut self) {
        assert!(self.running.is_none(), "{} runs already", self.name);
        // A port may be taken by another process between its choice and its use.
        for _ in 0..5 {
            if let Some(running) = self.try_to_run().await {
                self.running = Some(running);
                self.synced().await;
                let id = self.info().await["identity_pubkey"].as_str().and_then(|text| text.parse().ok());
                self.id = Some(id.expect("a node id"));
                return;
            }
        }
        panic!("{} does not start", self.name);
    }

    /// None if a port of it was taken.
    async fn try_to_run(&self) -> Option<Running> {
        let [rest, grpc, listen] = free_ports();
        let mut command = Command::new(program("lnd"));
        command.args(self.config.arguments(&self.name, &self.folder, &self.rpc));
        command.arg(format!("--restlisten=127.0.0.1:{rest}"));
        command.arg(format!("--rpclisten=127.0.0.1:{grpc}"));
        command.arg(format!("--listen=127.0.0.1:{listen}"));
        let mut process = Process::start(command, &self.folder.join("output.log"));
        let rest = Rest::new(rest);
        let answers = until(&format!("{} to answer", self.name), async || {
            if process.ended().is_some() {
                return Some(false);
            }
            rest.get("/v1/getinfo").await.is_ok().then_some(true)
        })
        .await;
        if !answers {
            let words = process.last_words();
            assert!(words.contains("address already in use"), "{} ended: {words}", self.name);
            return None;
        }
        Some(Running { process, rest, listen })
    }

    /// Stops it in good order.
    pub async fn stop(&mut self) {
        self.rest().post("/v1/stop", json!({})).await.expect("it is told to stop");
        let mut running = self.running.take().expect("it runs");
        until(&format!("{} to stop", self.name), async || running.process.ended()).await;
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.running.take().expect("it runs").process.kill();
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        self.id.expect("it has run")
    }

    /// Where it listens for peers.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.running.as_ref().expect("it runs").listen)
    }

    /// What it is started with; a change counts from the next [`Lnd::run`].
    pub fn config_mut(&mut self) -> &mut LndConfig {
        &mut self.config
    }

    /// As it says of itself.
    pub async fn info(&self) -> Value {
        self.rest().get("/v1/getinfo").await.expect("info is always answered")
    }

    /// Waits until it is at the chain's tip.
    pub async fn synced(&self) {
        until(&format!("{} to have the chain", self.name), async || {
            self.info().await["synced_to_chain"].as_bool().filter(|synced| *synced).map(drop)
        })
        .await;
    }

    /// Waits until it has seen a block of that hash.
    pub async fn reached(&self, tip: &str) {
        until(&format!("{} to reach the tip", self.name), async || {
            let info = self.info().await;
            (info["block_hash"] == tip && info["synced_to_chain"] == true).then_some(())
        })
        .await;
    }

    fn rest(&self) -> &Rest {
        &self.running.as_ref().expect("it runs").rest
    }
}
