//! What a node is started with: flags, then variables, then `sponte.toml`, then defaults.

use crate::failure::Failure;
use crate::network::Network;
use crate::receive_settings::ReceiveSettings;
use crate::settings::{Amount, Secret, Settings};
use clap::Args;
use sponte_api::Code;
use sponte_proto::{BlockHeight, CltvExpiryDelta, Msat, Sat};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// LDK tells every update of a channel at `info`.
const DEFAULT_LOG: &str = "info,ldk=warn";

/// Settings that flags of `sponte run` and variables can give.
#[derive(Args, Clone, Debug, Default)]
pub struct NodeFlags {
    /// Your bitcoind's RPC: http://host:port
    #[arg(long, env = "SPONTE_BITCOIND_URL", value_name = "URL")]
    bitcoind_url: Option<String>,
    /// bitcoind's rpcuser
    #[arg(long, env = "SPONTE_BITCOIND_USER", value_name = "NAME")]
    bitcoind_user: Option<String>,
    /// bitcoind's rpcpassword; other users of the machine see flags, so better the variable or the file
    #[arg(long, env = "SPONTE_BITCOIND_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    bitcoind_password: Option<Secret>,
    /// bitcoind's cookie file, instead of user and password
    #[arg(long, env = "SPONTE_BITCOIND_COOKIE", value_name = "FILE")]
    bitcoind_cookie: Option<PathBuf>,
    /// Where to listen for peers; port 0 takes a free one
    #[arg(long, env = "SPONTE_LISTEN", value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Where the network is told to find the node; may be given more than once
    #[arg(long, env = "SPONTE_ANNOUNCE", value_name = "HOST:PORT", value_delimiter = ',')]
    announce: Vec<String>,
    /// What the network calls the node
    #[arg(long, env = "SPONTE_ALIAS", value_name = "NAME")]
    alias: Option<String>,
    /// Where to serve the API, loopback only; port 0 takes a free one
    #[arg(long, env = "SPONTE_HTTP_LISTEN", value_name = "IP:PORT")]
    http_listen: Option<SocketAddr>,
    /// Fee for every payment that is forwarded
    #[arg(long, env = "SPONTE_FEE_BASE", value_name = "AMOUNT")]
    fee_base: Option<Msat>,
    /// Fee on top, in millionths of the amount
    #[arg(long, env = "SPONTE_FEE_PPM", value_name = "PPM")]
    fee_ppm: Option<u32>,
    /// Blocks between the expiries of an incoming and an outgoing HTLC
    #[arg(long, env = "SPONTE_CLTV_DELTA", value_name = "BLOCKS")]
    cltv_delta: Option<u16>,
    /// Whether others may open channels to this node
    #[arg(long, env = "SPONTE_ACCEPT", value_name = "BOOL")]
    accept: Option<bool>,
    /// The least value of a channel that another opens
    #[arg(long, env = "SPONTE_ACCEPT_MIN", value_name = "AMOUNT")]
    accept_min: Option<Sat>,
    /// How many channels one peer may open
    #[arg(long, env = "SPONTE_ACCEPT_PER_PEER", value_name = "NUMBER")]
    accept_per_peer: Option<u32>,
    /// What is logged on stderr: error, warn, info, debug or trace, also by module
    #[arg(long, env = "SPONTE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Real money: needed on mainnet
    #[arg(long, env = "SPONTE_ALLOW_MAINNET", value_name = "BOOL", hide = true)]
    allow_mainnet: Option<bool>,
}

/// What a node is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its chain.
    pub network: Network,
    /// Its chain source.
    pub bitcoind: Bitcoind,
    /// Where it listens for peers.
    pub listen: SocketAddr,
    /// Where the network is told to find it.
    pub announce: Vec<String>,
    /// Its name in announcements.
    pub alias: String,
    /// Where it serves the API; a loopback address.
    pub api_listen: SocketAddr,
    /// What forwarding costs.
    pub forwarding: Forwarding,
    /// Which channels of others it takes.
    pub accept: Accept,
    /// Which payments to it are taken and held.
    pub receive: sponte_api::Receive,
    /// What is logged.
    pub log: String,
}

/// Where bitcoind is, and how it knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitcoind {
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it knows us.
    pub auth: BitcoindAuth,
}

/// How bitcoind knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BitcoindAuth {
    /// `rpcuser` and `rpcpassword`.
    Password(String, Secret),
    /// A file that bitcoind writes anew at each of its starts.
    Cookie(PathBuf),
}

/// What forwarding costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// Each payment.
    pub fee_base: Msat,
    /// Millionths of the amount on top.
    pub fee_ppm: u32,
    /// Blocks between incoming and outgoing expiry.
    pub cltv_delta: CltvExpiryDelta,
}

/// Which channels of others the node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Any at all.
    pub any: bool,
    /// The least value.
    pub min: Sat,
    /// How many of one peer.
    pub per_peer: u32,
}

impl Config {
    /// All layers, one over the other.
    ///
    /// # Errors
    /// A setting is missing or wrong; the message names it.
    pub fn resolve(network: Network, flags: NodeFlags, file: Settings) -> Result<Config, Failure> {
        let allowed = flags.allow_mainnet.or(file.allow_mainnet).unwrap_or(false);
        if network == Network::Mainnet && !allowed {
            return Err(bad("mainnet is real money and this software is young: \
                 if you accept that, write allow_mainnet = true into sponte.toml"));
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let peers_at = if network == Network::Regtest { loopback } else { everywhere };
        let announce = if flags.announce.is_empty() { file.peers.announce } else { Some(flags.announce) };
        let bitcoind_file = (file.bitcoind.user, file.bitcoind.password, file.bitcoind.cookie);
        let bitcoind_flags = (flags.bitcoind_user, flags.bitcoind_password, flags.bitcoind_cookie);
        let (host, port) = endpoint(flags.bitcoind_url.or(file.bitcoind.url), network)?;
        Ok(Config {
            network,
            bitcoind: Bitcoind { host, port, auth: auth(bitcoind_flags, bitcoind_file, network)? },
            listen: flags
                .listen
                .or(file.peers.listen)
                .unwrap_or(SocketAddr::new(peers_at, network.peer_port())),
            announce: announced(announce.unwrap_or_default())?,
            alias: alias(flags.alias.or(file.alias).unwrap_or_default())?,
            api_listen: api_listen(flags.http_listen.or(file.api.listen), network)?,
            forwarding: Forwarding {
                fee_base: flags
                    .fee_base
                    .or(file.channels.fee_base.map(|Amount(base)| base))
                    .unwrap_or(Msat::from_sat(1).expect("below the supply")),
                fee_ppm: fee_ppm(flags.fee_ppm.or(file.channels.fee_ppm).unwrap_or(100))?,
                cltv_delta: cltv_delta(flags.cltv_delta.or(file.channels.cltv_delta).unwrap_or(72))?,
            },
            accept: Accept {
                any: flags.accept.or(file.channels.accept).unwrap_or(true),
                min: flags
                    .accept_min
                    .or(file.channels.accept_min.map(|Amount(min)| min))
                    .unwrap_or(Sat::new(20_000).expect("below the supply")),
                per_peer: flags.accept_per_peer.or(file.channels.accept_per_peer).unwrap_or(10),
            },
            receive: receive(file.receive)?,
            log: flags.log.or(file.log).unwrap_or_else(|| DEFAULT_LOG.into()),
        })
    }
}

fn receive(file: ReceiveSettings) -> Result<sponte_api::Receive, Failure> {
    let receive = file.resolve();
    match sponte_http::receive_policy(receive.clone()).check() {
        Ok(()) => Ok(receive),
        Err(why) => Err(bad(format!("[receive]: {why}"))),
    }
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(Code::BadConfig, message)
}

/// Without TLS a password travels in the open; that is bitcoind's own habit too.
fn endpoint(url: Option<String>, network: Network) -> Result<(String, u16), Failure> {
    let Some(url) = url else { return Ok(("127.0.0.1".into(), network.rpc_port())) };
    let wrong = || bad(format!("bitcoind's url `{url}` is not http://host:port; correct it"));
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (rest, network.rpc_port()),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
    if host.is_empty() || port == 0 || !host.chars().all(plain) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

type AuthSettings = (Option<String>, Option<Secret>, Option<PathBuf>);

/// Flags and variables together go before the file: a cookie by flag takes the place of a password in the
/// file, a user or a password that of a cookie. A password by variable goes with a user in the file.
fn auth(flags: AuthSettings, file: AuthSettings, network: Network) -> Result<BitcoindAuth, Failure> {
    let chosen = match flags {
        (None, None, None) => file,
        (user, password, None) => (user.or(file.0), password.or(file.1), None),
        cookie => cookie,
    };
    match chosen {
        (Some(user), Some(password), None) => Ok(BitcoindAuth::Password(user, password)),
        (None, None, Some(cookie)) => Ok(BitcoindAuth::Cookie(cookie)),
        (None, None, None) => Ok(BitcoindAuth::Cookie(default_cookie(network)?)),
        (_, _, Some(_)) => Err(bad("bitcoind's cookie and its user or password are both set; leave one out")),
        (Some(_), None, None) => Err(bad("bitcoind's user is set without its password; set both")),
        (None, Some(_), None) => Err(bad("bitcoind's password is set without its user; set both")),
    }
}

fn default_cookie(network: Network) -> Result<PathBuf, Failure> {
    let base = directories::BaseDirs::new()
        .ok_or_else(|| bad("this user has no home directory; set bitcoind's user and password"))?;
    let folder = if cfg!(any(windows, target_os = "macos")) {
        base.data_dir().join("Bitcoin")
    } else {
        base.home_dir().join(".bitcoin")
    };
    Ok(folder.join(network.bitcoind_folder()).join(".cookie"))
}

fn announced(addresses: Vec<String>) -> Result<Vec<String>, Failure> {
    for address in &addresses {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            return Err(bad(format!("the announced address `{address}` is not host:port; correct it")));
        }
    }
    Ok(addresses)
}

fn alias(alias: String) -> Result<String, Failure> {
    // BOLT 7, `node_announcement`: 32 bytes.
    if alias.len() > 32 || alias.chars().any(char::is_control) {
        return Err(bad("the alias has more than 32 bytes or control characters; choose a shorter one"));
    }
    Ok(alias)
}

fn api_listen(address: Option<SocketAddr>, network: Network) -> Result<SocketAddr, Failure> {
    let address = address.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), network.api_port()));
    if !address.ip().is_loopback() {
        return Err(bad(format!(
            "the API is served on loopback only for now, not on {address}: \
             write 127.0.0.1:{}, and reach it from elsewhere through an SSH tunnel",
            address.port()
        )));
    }
    Ok(address)
}

fn fee_ppm(ppm: u32) -> Result<u32, Failure> {
    if ppm <= 1_000_000 { Ok(ppm) } else { Err(bad("fee_ppm is above 1000000, the whole amount; lower it")) }
}

/// Below 48 blocks, LDK's own limit, the node might learn of an outgoing claim too late to claim
/// the incoming HTLC.
fn cltv_delta(blocks: u16) -> Result<CltvExpiryDelta, Failure> {
    match blocks {
        48..=2016 => Ok(CltvExpiryDelta::new(blocks)),
        _ => Err(bad("cltv_delta must be from 48 to 2016 blocks; correct it")),
    }
}

/// The height from which a restored wallet is searched for, as `init` wrote it.
///
/// # Errors
/// The text is not a height.
pub fn birthday(text: &str) -> Result<BlockHeight, Failure> {
    let height =
        text.trim().parse().map_err(|_| bad("the file `birthday` holds no block height; correct it"))?;
    Ok(BlockHeight::new(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(network: Network, flags: NodeFlags, file: &str) -> Result<Config, Failure> {
        Config::resolve(network, flags, toml::from_str(file).expect("valid"))
    }

    fn message(flags: NodeFlags, file: &str) -> String {
        let failure = resolve(Network::Regtest, flags, file).expect_err("bad");
        assert_eq!(failure.code, Code::BadConfig);
        failure.message
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let file = "[channels]\nfee_ppm = 7\ncltv_delta = 50\n[api]\nlisten = \"127.0.0.1:1\"";
        let flags = NodeFlags { fee_ppm: Some(8), ..NodeFlags::default() };
        let config = resolve(Network::Regtest, flags, file).expect("good");
        assert_eq!(config.forwarding.fee_ppm, 8);
        assert_eq!(config.forwarding.cltv_delta.to_u16(), 50);
        assert_eq!(config.forwarding.fee_base.to_msat(), 1000);
        assert_eq!(config.api_listen.to_string(), "127.0.0.1:1");
        assert_eq!(config.listen.to_string(), "127.0.0.1:19735");
        assert_eq!((config.bitcoind.host.as_str(), config.bitcoind.port), ("127.0.0.1", 18443));
    }

    #[test]
    fn the_api_stays_at_home() {
        for address in ["0.0.0.0:1", "192.168.1.2:80", "[::]:1"] {
            let text = message(NodeFlags::default(), &format!("[api]\nlisten = \"{address}\""));
            assert!(text.contains("loopback only"), "{text}");
        }
        assert!(resolve(Network::Regtest, NodeFlags::default(), "[api]\nlisten = \"[::1]:1\"").is_ok());
    }

    #[test]
    fn mainnet_must_be_allowed() {
        let refused = resolve(Network::Mainnet, NodeFlags::default(), "").expect_err("not allowed");
        assert!(refused.message.contains("allow_mainnet = true"));
        assert!(resolve(Network::Mainnet, NodeFlags::default(), "allow_mainnet = true").is_ok());
    }

    #[test]
    fn how_bitcoind_knows_us() {
        let password = "[bitcoind]\nuser = \"u\"\npassword = \"p\"";
        let config = resolve(Network::Regtest, NodeFlags::default(), password).expect("good");
        assert_eq!(config.bitcoind.auth, BitcoindAuth::Password("u".into(), Secret("p".into())));
        let flags = NodeFlags { bitcoind_cookie: Some("/c".into()), ..NodeFlags::default() };
        let config = resolve(Network::Regtest, flags, password).expect("good");
        assert_eq!(config.bitcoind.auth, BitcoindAuth::Cookie("/c".into()));
        assert!(message(NodeFlags::default(), "[bitcoind]\nuser = \"u\"").contains("without its password"));
        assert!(message(NodeFlags::default(), "[bitcoind]\npassword = \"p\"").contains("without its user"));
        let both = "[bitcoind]\nuser = \"u\"\npassword = \"p\"\ncookie = \"/c\"";
        assert!(message(NodeFlags::default(), both).contains("both set"));

        let secret = || NodeFlags { bitcoind_password: Some(Secret("q".into())), ..NodeFlags::default() };
        for file in ["[bitcoind]\nuser = \"u\"", password, both] {
            let config = resolve(Network::Regtest, secret(), file).expect("good");
            assert_eq!(
                config.bitcoind.auth,
                BitcoindAuth::Password("u".into(), Secret("q".into())),
                "{file}"
            );
        }
        assert!(message(secret(), "[bitcoind]\ncookie = \"/c\"").contains("without its user"));
    }

    #[test]
    fn urls_of_bitcoind() {
        let of = |url: &str| endpoint(Some(url.into()), Network::Signet);
        assert_eq!(of("http://node.lan:1"), Ok(("node.lan".into(), 1)));
        assert_eq!(of("http://10.0.0.1/"), Ok(("10.0.0.1".into(), 38332)));
        assert_eq!(of("http://[::1]:7"), Ok(("[::1]".into(), 7)));
        assert_eq!(of("http://[::1]"), Ok(("[::1]".into(), 38332)));
        for wrong in
            ["", "https://a:1", "a:1", "http://", "http://a:0", "http://a:x", "http://u:p@a:1", "http://a/b"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_that_would_hurt() {
        assert!(message(NodeFlags::default(), "[channels]\nfee_ppm = 1000001").contains("fee_ppm"));
        assert!(message(NodeFlags::default(), "[channels]\ncltv_delta = 47").contains("cltv_delta"));
        assert!(
            message(NodeFlags::default(), &format!("alias = \"{}\"", "x".repeat(33))).contains("32 bytes")
        );
        assert!(message(NodeFlags::default(), "[peers]\nannounce = [\"host\"]").contains("host:port"));
        assert!(birthday("x").is_err());
        assert_eq!(birthday("7\n"), Ok(BlockHeight::new(7)));
    }
}
