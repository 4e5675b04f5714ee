//! One node: made by `sponte init`, run by `sponte run`, killed at any time, run again.

use crate::until::{Outcome, PATIENCE, until};
use sponte_api::{Client, Info};
use sponte_chain::RunningServer;
use sponte_proto::NodeId;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// How often nodes ask for blocks.
const POLL: &str = "50ms";
/// Exit code of a node whose port was taken by somebody else while it was down.
const PORT_IN_USE: i32 = 15;
/// A node and its folder.
pub struct Node {
    pub name: &'static str,
    pub dir: PathBuf,
    pub log: PathBuf,
    /// Kept over restarts: peers remember it.
    listening: String,
    id: Option<NodeId>,
    running: Option<Child>,
}

/// How a start went.
pub enum Started {
    /// It answers.
    Running,
    /// It ended before it answered, as by a failpoint.
    Ended(ExitStatus),
}

impl Node {
    /// Makes a node in a folder of its own below `place`.
    pub async fn make(name: &'static str, place: &Path) -> Outcome<Node> {
        let dir = place.join(name);
        let mut command = sponte(place);
        command.args(["init", "--json", "--network", "regtest", "--dir"]).arg(&dir);
        let made = command.output().await.map_err(|why| format!("cannot start sponte init: {why}"))?;
        if !made.status.success() {
            return Err(format!("cannot make {name}: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let log = place.join(format!("{name}.log"));
        Ok(Node { name, dir, log, listening: "127.0.0.1:0".into(), id: None, running: None })
    }

    /// Runs it and waits until it answers.
    pub async fn start(&mut self, chain: &RunningServer, failpoints: &str) -> Outcome<()> {
        match self.start_or_end(chain, failpoints).await? {
            Started::Running => Ok(()),
            Started::Ended(status) => Err(self.ended(status)),
        }
    }

    /// Runs it and waits until it answers or ends.
    pub async fn start_or_end(&mut self, chain: &RunningServer, failpoints: &str) -> Outcome<Started> {
        // A connection of somebody's may have the port for a moment: then once more.
        until(&format!("{} starts", self.name), async || {
            Ok(match self.start_once(chain, failpoints).await? {
                Started::Ended(status) if status.code() == Some(PORT_IN_USE) => None,
                started => Some(started),
            })
        })
        .await
    }

    async fn start_once(&mut self, chain: &RunningServer, failpoints: &str) -> Outcome<Started> {
        assert!(self.running.is_none(), "{} runs already", self.name);
        let address = self.dir.join("api.addr");
        // One that was killed left its address behind.
        let _ = fs::remove_file(&address);
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|why| format!("cannot write {}: {why}", self.log.display()))?;
        let mut command = sponte(self.dir.parent().expect("made below a folder"));
        command
            .args(["run", "--exit-on-stdin-close", "--json", "--alias", self.name])
            .args(["--listen", &self.listening, "--http-listen", "127.0.0.1:0", "--poll-interval", POLL])
            .args(["--bitcoind-url", &chain.url(), "--bitcoind-user", chain.user()])
            .args(["--accept-per-peer", "1000", "--log"])
            .arg(std::env::var("SPONTE_CRASH_LOG").unwrap_or_else(|_| "info".into()))
            .arg("--dir")
            .arg(&self.dir)
            .env("SPONTE_BITCOIND_PASSWORD", chain.password())
            .env("SPONTE_FAILPOINTS", failpoints)
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stderr(log);
        let child = command.spawn().map_err(|why| format!("cannot start {}: {why}", self.name))?;
        self.running = Some(child);
        let what = format!("{} answers or ends", self.name);
        let started = until(&what, async || {
            if let Some(status) = self.end() {
                return Ok(Some((Started::Ended(status), None)));
            }
            let info = match self.client() {
                Ok(client) => client.info().await.ok(),
                Err(_) => None,
            };
            Ok(info.map(|info| (Started::Running, Some(info))))
        });
        let (started, info) = started.await?;
        if let Some(info) = info {
            self.id = Some(info.id);
            self.listening = info.listening.ok_or("it does not listen for peers")?;
        }
        Ok(started)
    }

    /// How it ended, if it runs no more.
    pub fn end(&mut self) -> Option<ExitStatus> {
        let status = self.running.as_mut()?.try_wait().expect("a child can be asked")?;
        self.running = None;
        Some(status)
    }

    /// Ends it without a chance to say goodbye. Answers how it had ended, if it had by itself.
    pub async fn kill(&mut self) -> Option<ExitStatus> {
        if let Some(status) = self.end() {
            return Some(status);
        }
        if let Some(mut child) = self.running.take() {
            child.kill().await.expect("a child of ours can be killed");
        }
        None
    }

    /// Lets it end in good order, with all that it knows on the disk.
    pub async fn stop(&mut self) -> Outcome<()> {
        let mut child = self.running.take().ok_or("it does not run")?;
        drop(child.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let status = ended.map_err(|_| format!("{} does not stop", self.name))?;
        let status = status.expect("a child of ours can be waited for");
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }

    /// Speaks to it. The address is read anew each time, as any client does.
    pub fn client(&self) -> Outcome<Client> {
        client(&self.dir)
    }

    /// What it says of itself.
    pub async fn info(&self) -> Outcome<Info> {
        self.client()?.info().await.map_err(|why| format!("{}: {why}", self.name))
    }

    /// Waits until it says so of itself.
    pub async fn until(&self, what: &str, so: impl Fn(&Info) -> bool) -> Outcome<()> {
        until(&format!("{} {what}", self.name), async || Ok(so(&self.info().await?).then_some(()))).await
    }

    /// Whom others pay.
    pub fn id(&self) -> NodeId {
        self.id.expect("it was started once")
    }

    /// Where its peers find it.
    pub fn listening(&self) -> &str {
        &self.listening
    }

    /// What a child that ended by itself said last.
    pub fn ended(&self, status: ExitStatus) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(3).collect();
        format!("{} ended by itself ({status}): {lines:?}", self.name)
    }
}

/// Speaks to the node that runs on a folder.
pub fn client(dir: &Path) -> Outcome<Client> {
    let read = |name: &str| {
        let text = fs::read_to_string(dir.join(name)).map_err(|why| format!("no {name}: {why}"))?;
        Ok::<String, String>(text.trim().to_owned())
    };
    Client::new(&read("api.addr")?, &read("token")?).map_err(|why| why.to_string())
}

/// The binary in a world of its own: no variable, home or folder of the machine reaches it.
fn sponte(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sponte"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SPONTE_") || text.starts_with("XDG_") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", home).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
    command
}
