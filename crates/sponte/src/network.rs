//! The chains that a node can live on, and what differs between them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// A private chain: no value, blocks on demand.
    Regtest,
    /// The test chain with signed blocks: no value.
    #[default]
    Signet,
    /// The fourth public test chain: no value.
    Testnet4,
    /// Bitcoin. Needs `allow_mainnet = true`.
    Mainnet,
}

impl Network {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Network; 4] = [Network::Regtest, Network::Signet, Network::Testnet4, Network::Mainnet];

    /// Its name: in flags, settings, folders and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Network::Regtest => "regtest",
            Network::Signet => "signet",
            Network::Testnet4 => "testnet4",
            Network::Mainnet => "mainnet",
        }
    }

    /// Where bitcoind serves its RPC unless told otherwise.
    pub const fn rpc_port(self) -> u16 {
        match self {
            Network::Regtest => 18443,
            Network::Signet => 38332,
            Network::Testnet4 => 48332,
            Network::Mainnet => 8332,
        }
    }

    /// Where the node listens for peers unless told otherwise.
    pub const fn peer_port(self) -> u16 {
        match self {
            Network::Regtest => 19735,
            Network::Signet => 39735,
            Network::Testnet4 => 49735,
            Network::Mainnet => 9735,
        }
    }

    /// Where the node serves its API unless told otherwise.
    pub const fn api_port(self) -> u16 {
        match self {
            Network::Regtest => 19740,
            Network::Signet => 39740,
            Network::Testnet4 => 49740,
            Network::Mainnet => 9740,
        }
    }

    /// bitcoind's folder for the chain, below its data directory.
    pub const fn bitcoind_folder(self) -> &'static str {
        match self {
            Network::Regtest => "regtest",
            Network::Signet => "signet",
            Network::Testnet4 => "testnet4",
            Network::Mainnet => "",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_port_is_used_twice() {
        let ports: BTreeSet<u16> =
            Network::ALL.iter().flat_map(|n| [n.rpc_port(), n.peer_port(), n.api_port()]).collect();
        assert_eq!(ports.len(), 3 * Network::ALL.len());
    }

    #[test]
    fn one_name_everywhere() {
        for network in Network::ALL {
            use clap::ValueEnum;
            let flag = network.to_possible_value().expect("none is hidden");
            assert_eq!(flag.get_name(), network.as_str());
            let json = serde_json::to_string(&network).expect("a word");
            assert_eq!(json, format!("\"{network}\""));
        }
    }
}
