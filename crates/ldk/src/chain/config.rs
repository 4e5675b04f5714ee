//! How to reach the user's bitcoind, and how often to ask it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bitcoin::Network;

use super::ChainError;

/// Where bitcoind's JSON-RPC listens and how to log in.
#[derive(Clone)]
pub struct RpcConfig {
    /// `http://host:port`. TLS is not spoken by bitcoind; use a tunnel to reach a distant one.
    pub url: String,
    /// The login.
    pub auth: RpcAuth,
    /// How long one call may take before bitcoind counts as unreachable. bitcoind answers nothing
    /// while it writes its cache to a slow disk, so this is not a few seconds by default.
    pub timeout: Duration,
}

impl RpcConfig {
    /// A configuration with the default timeout of 60 seconds per call.
    pub fn new(url: impl Into<String>, auth: RpcAuth) -> Self {
        Self { url: url.into(), auth, timeout: Duration::from_secs(60) }
    }

    /// Checks the form of the URL.
    ///
    /// # Errors
    /// [`ChainError::Config`] when it is not `http://host:port`.
    pub(super) fn checked_url(&self) -> Result<reqwest::Url, ChainError> {
        let refuse = |why: &str| {
            Err(ChainError::Config(format!("the URL of bitcoind's RPC must be http://host:port, {why}")))
        };
        let Ok(url) = reqwest::Url::parse(&self.url) else {
            return refuse("this one cannot be read");
        };
        if url.scheme() != "http" {
            return refuse("bitcoind speaks no other scheme");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("user and password are settings of their own");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return refuse("the host is missing");
        }
        Ok(url)
    }
}

/// Shows everything but secrets.
impl fmt::Debug for RpcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcConfig")
            .field("url", &self.url)
            .field("auth", &self.auth)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// The two ways to log in to bitcoind.
#[derive(Clone)]
pub enum RpcAuth {
    /// `rpcuser` and `rpcpassword`, or what `rpcauth` was made of.
    Password {
        /// The user's name.
        user: String,
        /// The password, never logged.
        password: String,
    },
    /// The file `.cookie` that bitcoind writes anew at each of its starts; it is read again
    /// whenever bitcoind refuses what it said before.
    CookieFile(PathBuf),
}

impl fmt::Debug for RpcAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?}, .. }}"),
            Self::CookieFile(path) => f.debug_tuple("CookieFile").field(path).finish(),
        }
    }
}

/// The pace of the chain thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainOptions {
    /// Pause between two questions for the best block.
    pub poll_interval: Duration,
    /// Pause between two listings of the mempool. A listing is 67 bytes per transaction: some 20
    /// megabytes of a full mainnet mempool.
    pub mempool_interval: Duration,
    /// Longest pause between two questions for fee estimates; each new block asks too.
    pub fee_interval: Duration,
    /// Longest pause between two attempts while bitcoind does not answer.
    pub max_backoff: Duration,
    /// How many events may wait in the queue before the chain thread stops fetching. Each may
    /// hold a block, so this bounds memory.
    pub queue_capacity: usize,
}

impl ChainOptions {
    /// The defaults: 1 s for blocks and mempool on regtest, 5 s and 15 s elsewhere.
    pub fn for_network(network: Network) -> Self {
        let (poll_s, mempool_s, max_backoff_s) = match network {
            Network::Regtest => (1, 1, 2),
            _ => (5, 15, 30),
        };
        Self {
            poll_interval: Duration::from_secs(poll_s),
            mempool_interval: Duration::from_secs(mempool_s),
            fee_interval: Duration::from_secs(30),
            max_backoff: Duration::from_secs(max_backoff_s),
            queue_capacity: 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> RpcConfig {
        RpcConfig::new(url, RpcAuth::Password { user: "alice".into(), password: "open sesame".into() })
    }

    #[test]
    fn a_plain_http_url_is_taken_and_nothing_else() {
        assert!(config("http://127.0.0.1:8332").checked_url().is_ok());
        assert!(config("http://bitcoind.lan:8332/").checked_url().is_ok());
        for url in ["https://127.0.0.1:8332", "127.0.0.1:8332", "http://alice:secret@127.0.0.1:8332", ""] {
            let refused = config(url).checked_url();
            assert!(matches!(refused, Err(ChainError::Config(_))), "{url}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let shown = format!("{:?}", config("http://127.0.0.1:8332"));
        assert!(shown.contains("alice") && !shown.contains("sesame"), "{shown}");
    }
}
