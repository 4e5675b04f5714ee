//! `sponte.toml`: its shape, and the commented one that `init` writes.

use crate::data_dir::{self, DataDir};
use crate::failure::Failure;
use crate::network::Network;
use crate::receive_settings::ReceiveSettings;
use serde::Deserialize;
use sponte_api::Code;
use sponte_proto::{Msat, Sat};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The file as it stands; what is not in it is `None`. A name that does not exist is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which chain the folder is for.
    pub network: Option<Network>,
    /// Real money.
    pub allow_mainnet: Option<bool>,
    /// Of the node in announcements.
    pub alias: Option<String>,
    /// What is logged.
    pub log: Option<String>,
    /// The chain source.
    pub bitcoind: BitcoindSettings,
    /// Other nodes.
    pub peers: PeerSettings,
    /// Channels.
    pub channels: ChannelSettings,
    /// Payments to this node.
    pub receive: ReceiveSettings,
    /// The HTTP API.
    pub api: ApiSettings,
}

/// `[bitcoind]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BitcoindSettings {
    /// `http://host:port`
    pub url: Option<String>,
    /// `rpcuser`
    pub user: Option<String>,
    /// `rpcpassword`
    pub password: Option<Secret>,
    /// The file that bitcoind writes instead of those.
    pub cookie: Option<PathBuf>,
}

/// `[peers]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeerSettings {
    /// Where the node listens.
    pub listen: Option<SocketAddr>,
    /// Where the network is told to find it.
    pub announce: Option<Vec<String>>,
}

/// `[channels]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    /// Whether others may open channels.
    pub accept: Option<bool>,
    /// The least value of such a channel.
    pub accept_min: Option<Amount<Sat>>,
    /// How many such channels one peer may have.
    pub accept_per_peer: Option<u32>,
    /// For every payment that is forwarded.
    pub fee_base: Option<Amount<Msat>>,
    /// Millionths of its amount on top.
    pub fee_ppm: Option<u32>,
    /// Blocks between incoming and outgoing expiry.
    pub cltv_delta: Option<u16>,
}

/// `[api]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Where the API is served.
    pub listen: Option<SocketAddr>,
}

/// An amount with its unit, as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount<T>(pub T);

impl<'de, T: FromStr<Err: std::fmt::Display>> Deserialize<'de> for Amount<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Amount<T>, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Amount).map_err(serde::de::Error::custom)
    }
}

/// Text that never shows in `Debug`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Secret, Self::Err> {
        Ok(Secret(text.to_owned()))
    }
}

impl Settings {
    /// Those of a folder; all `None` if it has no file.
    ///
    /// # Errors
    /// The file cannot be read, or is not such a file: the message names the line.
    pub fn read(dir: &DataDir) -> Result<Settings, Failure> {
        let path = dir.settings();
        let Some(text) = data_dir::read(&path)? else { return Ok(Settings::default()) };
        Settings::parse(&text).map_err(|why| {
            Failure::new(Code::BadConfig, format!("{}: {why}; correct it and try again", path.display()))
        })
    }

    fn parse(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|why: toml::de::Error| {
            let start = why.span().map_or(0, |span| span.start);
            let line = text.get(..start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", why.message())
        })
    }
}

/// The file that `init` writes: every setting with its default, commented out.
pub fn template(network: Network) -> String {
    let (rpc, peers, api) = (network.rpc_port(), network.peer_port(), network.api_port());
    let bind = if network == Network::Regtest { "127.0.0.1" } else { "0.0.0.0" };
    let mainnet = match network {
        Network::Mainnet => {
            "\n# Real money is at stake, and this software is young. The node starts once this is true.\n\
             # allow_mainnet = false\n"
        }
        _ => "",
    };
    format!(
        r#"# Settings of this node. A flag of `sponte run` or a variable SPONTE_* goes before a
# line of this file, but for [receive], which has neither; what stands behind a # is the default.

# This folder belongs to one chain for ever.
network = "{network}"
{mainnet}
# What the network calls the node, at most 32 bytes.
# alias = ""

# What is logged: error, warn, info, debug or trace, also by module.
# log = "info,ldk=warn"

[bitcoind]
# Your own bitcoind (no pruning below the wallet's birthday, no wallet needed).
# url = "http://127.0.0.1:{rpc}"
# Either rpcuser and rpcpassword, or the cookie file that bitcoind writes by itself; both are refused.
# A cookie by flag or variable takes the place of user and password here, those that of a cookie here.
# user = ""
# password = ""
# cookie = "(bitcoind's own place for it)"

[peers]
# Where the node listens for others.
# listen = "{bind}:{peers}"
# Where the network is told to find it, as host:port; nobody is told if it is empty.
# announce = []

[channels]
# Whether others may open channels to this node, the least value, and how many one peer may
# have. A channel is never used before its funding transaction has its confirmations.
# accept = true
# accept_min = "20000sat"
# accept_per_peer = 10
# What forwarding costs: so much each, and so many millionths of the amount.
# fee_base = "1000msat"
# fee_ppm = 100
# Blocks between the expiries of an incoming and an outgoing HTLC.
# cltv_delta = 72

[receive]
# Which payments to this node are taken. A kind that is not listed is refused as by a node that never
# heard of it. `sponte receive set` changes all of this while the node runs, and goes before this file
# until `sponte receive reset`.
# kinds = ["keysend", "mpp-keysend", "amp", "amp-invoice", "ecdh1"]
# Amounts of payments that came unasked or to an AMP invoice. Any other invoice says its own, and can be
# paid whatever stands here.
# min = "0sat"
# max = "2100000000000000sat"
# The most bytes that the custom records of a payment may have.
# max_records_bytes = 1300
# Which payments are held until `sponte held settle` or `sponte held cancel`: "none", "all", those from
# an amount on such as "1000sat", or those with a record of some types such as [696969].
# hold = "none"
# After so many minutes a held payment is canceled. It is held only if so many blocks are left for
# the decision; one that leaves fewer is taken (accept) or refused (refuse) at once.
# hold_minutes = 60
# hold_blocks = 12
# hold_short = "refuse"

[api]
# Where clients reach the node: loopback only.
# listen = "127.0.0.1:{api}"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_read_back_and_sets_nothing_but_the_network() {
        for network in Network::ALL {
            let settings = Settings::parse(&template(network)).expect("valid");
            assert_eq!(settings, Settings { network: Some(network), ..Settings::default() });
        }
    }

    /// A line of the template that is not read would mislead everybody.
    #[test]
    fn every_commented_line_is_a_setting() {
        let text = template(Network::Mainnet);
        let is_setting = |line: &str| {
            line.strip_prefix("# ")
                .and_then(|rest| rest.split_once(" = "))
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        };
        let uncommented: Vec<&str> =
            text.lines().map(|line| if is_setting(line) { &line[2..] } else { line }).collect();
        let settings = Settings::parse(&uncommented.join("\n")).expect("valid");
        assert_eq!(settings.allow_mainnet, Some(false));
        assert_eq!(settings.bitcoind.url.as_deref(), Some("http://127.0.0.1:8332"));
        assert_eq!(settings.channels.accept_min, Some(Amount("20000sat".parse().expect("sat"))));
        assert_eq!(settings.channels.cltv_delta, Some(72));
        let receive = settings.receive;
        assert!(receive.hold_short.is_some() && receive.max_records_bytes.is_some(), "{receive:?}");
        assert_eq!(receive.resolve(), sponte_http::receive_defaults(), "what the file says is the default");
        assert!(settings.peers.listen.is_some() && settings.api.listen.is_some() && settings.alias.is_some());
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let tell = |text: &str| Settings::parse(text).expect_err(text);
        let unknown = tell("alias = \"x\"\n[peers]\nlisen = \"127.0.0.1:1\"\n");
        assert!(unknown.starts_with("line 3:") && unknown.contains("lisen"), "{unknown}");
        assert!(tell("network = \"testnet\"").contains("testnet4"));
        assert!(tell("[channels]\nfee_base = \"1\"").contains("no unit"));
        assert!(tell("alias = ").starts_with("line 1:"));
        for text in [unknown, tell("a = [\n1,\n"), tell("[api]\nlisten = 3")] {
            assert!(!text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn a_password_does_not_show() {
        let settings = Settings::parse("[bitcoind]\npassword = \"hunter2\"").expect("valid");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
