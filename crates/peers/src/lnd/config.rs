//! What LND is started with.

use std::path::Path;
use std::time::Duration;

/// Where a bitcoind answers.
#[derive(Clone, Debug)]
pub struct BitcoindRpc {
    /// `127.0.0.1:port`.
    pub host: String,
    /// Of basic auth.
    pub user: String,
    /// Of basic auth.
    pub password: String,
}

/// What a test chooses.
#[derive(Clone, Debug)]
pub struct LndConfig {
    /// `accept-keysend`.
    pub keysend: bool,
    /// `accept-amp`: spontaneous AMP; its own AMP invoices are paid in any case.
    pub amp: bool,
    /// `keysend-hold-time`.
    pub hold: Option<Duration>,
    /// Its options of channels, as it has them by default if empty.
    pub more: Vec<String>,
}

impl Default for LndConfig {
    fn default() -> LndConfig {
        LndConfig { keysend: true, amp: true, hold: None, more: vec![] }
    }
}

impl LndConfig {
    pub(super) fn arguments(&self, name: &str, folder: &Path, rpc: &BitcoindRpc) -> Vec<String> {
        let mut arguments: Vec<String> = [
            // A wallet without words or password; plain HTTP on loopback.
            "--noseedbackup",
            "--no-macaroons",
            "--no-rest-tls",
            "--nobootstrap",
            "--bitcoin.regtest",
            "--bitcoin.node=bitcoind",
            "--bitcoind.rpcpolling",
            "--bitcoind.blockpollinginterval=100ms",
            "--bitcoind.txpollinginterval=100ms",
            // Gossip at once rather than after 90 seconds.
            "--trickledelay=50",
            "--debuglevel=info",
            "--logging.console.no-timestamps",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend([
            format!("--lnddir={}", folder.display()),
            format!("--alias={name}"),
            format!("--bitcoind.rpchost={}", rpc.host),
            format!("--bitcoind.rpcuser={}", rpc.user),
            format!("--bitcoind.rpcpass={}", rpc.password),
        ]);
        arguments.extend(self.keysend.then(|| "--accept-keysend".into()));
        arguments.extend(self.amp.then(|| "--accept-amp".into()));
        arguments.extend(self.hold.map(|hold| format!("--keysend-hold-time={}s", hold.as_secs())));
        arguments.extend(self.more.iter().cloned());
        arguments
    }
}
