//! Peers.

use crate::json;
use serde::{Deserialize, Serialize};
use sponte_proto::NodeId;

/// `POST /v1/peers`: connect, and stay connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// The peer's public key.
    #[serde(with = "json::text")]
    pub id: NodeId,
    /// `host:port`.
    pub address: String,
}

/// `GET /v1/peers`: all that are connected, or of which an address is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// The peers.
    pub peers: Vec<Peer>,
}

/// A peer as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its public key.
    #[serde(with = "json::text")]
    pub id: NodeId,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether this node connected to it.
    pub outbound: bool,
    /// Channels with it.
    pub channels: u32,
}
