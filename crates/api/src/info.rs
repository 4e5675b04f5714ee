//! The node as it stands.

use crate::{WalletBalance, json};
use serde::{Deserialize, Serialize};
use sponte_proto::{Msat, NodeId};

/// `GET /v1/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The node's public key.
    #[serde(with = "json::text")]
    pub id: NodeId,
    /// Its alias in announcements.
    pub alias: String,
    /// Of the software.
    pub version: String,
    /// `regtest`, `signet`, `testnet4` or `mainnet`.
    pub network: String,
    /// The tip's height.
    pub height: u32,
    /// The tip's hash.
    pub block_hash: String,
    /// Seconds since the tip's time.
    pub tip_age_seconds: u64,
    /// Seconds since bitcoind last answered; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_silent_seconds: Option<u64>,
    /// What bitcoind said last, if it was an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_error: Option<String>,
    /// Where it listens for peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<String>,
    /// Connected peers.
    pub peers: u32,
    /// Channels that HTLCs flow through.
    pub channels_usable: u32,
    /// All that are not closed.
    pub channels: u32,
    /// What all usable channels can send together.
    #[serde(with = "json::msat")]
    pub sendable_msat: Msat,
    /// The most that one part can send, its fee included: it goes through one channel.
    #[serde(with = "json::msat")]
    pub sendable_in_one_part_msat: Msat,
    /// What they can receive together.
    #[serde(with = "json::msat")]
    pub receivable_msat: Msat,
    /// The wallet's coins.
    pub wallet: WalletBalance,
    /// Nodes of the public graph.
    pub graph_nodes: u32,
    /// Channels of the public graph that are known in both directions, and so can be routed through.
    pub graph_channels: u32,
    /// What its owner should know.
    pub warnings: Vec<Warning>,
}

/// Something that will cost money or stops payments if nobody acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A word for programs: `stale_chain`, `anchor_reserve`, `no_inbound_liquidity`.
    pub code: String,
    /// One line that says what to do next.
    pub message: String,
}
