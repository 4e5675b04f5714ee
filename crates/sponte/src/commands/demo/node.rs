//! One node of the demo: made by `sponte init`, run by `sponte run`, asked over HTTP.

use super::chain::Access;
use super::child::{self, Child, last_words, not_started};
use super::janitor::Folder;
use super::until::{failed, until};
use crate::data_dir::{self, DataDir};
use crate::failure::Failure;
use sponte_api::{Client, ClientError, Info};
use sponte_proto::NodeId;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// How often nodes ask for blocks: those of the demo come when they are wanted.
const POLL: &str = "100ms";

/// A node that was made.
#[derive(Debug)]
pub struct Node {
    /// How people call it.
    pub name: &'static str,
    /// Its folder.
    pub dir: DataDir,
    /// What it is run with besides what all are.
    pub flags: &'static [&'static str],
    log: PathBuf,
    /// What it said when it was last started.
    info: Option<Info>,
    running: Option<Running>,
}

/// A node that runs.
#[derive(Debug)]
struct Running {
    child: Child,
    client: Client,
}

impl Node {
    /// Makes a node in the demo's folder, as a user would.
    ///
    /// # Errors
    /// `sponte init` does not end well.
    pub async fn make(
        name: &'static str,
        program: &Path,
        folder: &Folder,
        logs: &Path,
    ) -> Result<Node, Failure> {
        let path = folder.path().join(name);
        let dir = DataDir::locate(Some(&path), Default::default())?;
        let mut command = child::command(program, ["init", "--json", "--network", "regtest", "--dir"]);
        command.arg(&path).stdin(Stdio::null()).stdout(folder.presence()?).stderr(Stdio::piped());
        let child = command.spawn().map_err(|why| not_started("sponte init", &why))?;
        let ended = child.wait_with_output().await.map_err(|why| not_started("sponte init", &why))?;
        if !ended.status.success() {
            let words = last_words(&String::from_utf8_lossy(&ended.stderr));
            return Err(failed(format!("cannot make {name}: {words}")));
        }
        let log = logs.join(format!("{name}.log"));
        Ok(Node { name, dir, flags: &[], log, info: None, running: None })
    }

    /// Runs it on the chain, on free ports, and waits until it answers.
    ///
    /// # Errors
    /// It ends by itself, or does not answer.
    pub async fn start(&mut self, program: &Path, folder: &Folder, chain: &Access) -> Result<(), Failure> {
        let address = self.dir.api_address();
        // One that was killed left its address behind.
        let _ = std::fs::remove_file(&address);
        let mut command = child::command(program, ["run", "--exit-on-stdin-close", "--alias", self.name]);
        command
            .args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--poll-interval", POLL])
            .args(["--bitcoind-url", &chain.url, "--bitcoind-user", &chain.user])
            .args(self.flags)
            .env("SPONTE_BITCOIND_PASSWORD", &chain.password)
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(folder.presence()?);
        let mut child = Child::spawn(self.name, command, &self.log)?;
        let token = data_dir::read(&self.dir.token())?.ok_or_else(|| failed("init made no token"))?;
        let (client, info) = until(&format!("{} answers", self.name), async || {
            child.require_running()?;
            let Some(address) = data_dir::read(&address)? else { return Ok(None) };
            let client = Client::new(address.trim(), token.trim())
                .map_err(|why| failed(format!("the system gives no HTTP client: {why}")))?;
            Ok(client.info().await.ok().map(|info| (client, info)))
        })
        .await?;
        self.info = Some(info);
        self.running = Some(Running { child, client });
        Ok(())
    }

    /// Whom others pay.
    pub fn id(&self) -> NodeId {
        self.info().id
    }

    /// Where it listens for peers.
    ///
    /// # Errors
    /// It does not.
    pub fn listening(&self) -> Result<&str, Failure> {
        let listening = self.info().listening.as_deref();
        listening.ok_or_else(|| failed(format!("{} does not listen for peers", self.name)))
    }

    /// Speaks to it.
    pub fn client(&self) -> &Client {
        &self.running().client
    }

    /// What to say of a request that it did not answer as hoped.
    pub fn failure(&self, error: ClientError) -> Failure {
        failed(format!("{}: {error}", self.name))
    }

    /// Waits until its state is as it should be.
    ///
    /// # Errors
    /// It is not in time, or the node does not answer.
    pub async fn until(&self, what: &str, so: impl Fn(&Info) -> bool) -> Result<(), Failure> {
        until(&format!("{} {what}", self.name), async || {
            let info = self.client().info().await.map_err(|error| self.failure(error))?;
            Ok(so(&info).then_some(()))
        })
        .await
    }

    /// Refuses a node that ended by itself.
    ///
    /// # Errors
    /// It has.
    pub fn require_running(&mut self) -> Result<(), Failure> {
        self.running.as_mut().map_or(Ok(()), |running| running.child.require_running())
    }

    /// Ends it without a chance to say goodbye; its folder stays.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.child.kill().await;
        }
    }

    /// Stops it; its folder stays.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.child.stop().await;
        }
    }

    fn info(&self) -> &Info {
        self.info.as_ref().expect("nodes are started before anything is asked about them")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("only a node that was started, and not stopped, is asked anything")
    }
}
