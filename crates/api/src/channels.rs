//! Channels: opening, closing, listing.

use crate::json;
use serde::{Deserialize, Serialize};
use sponte_proto::{ChannelId, Msat, NodeId, Sat, Txid};

/// `POST /v1/channels`. Answered once the funding transaction is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenChannelRequest {
    /// With whom.
    #[serde(with = "json::text")]
    pub peer: NodeId,
    /// `host:port`, if the peer is not connected yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The channel's value.
    #[serde(with = "json::sat")]
    pub value_sat: Sat,
    /// What the peer gets of it as a gift.
    #[serde(default, with = "json::msat")]
    pub push_msat: Msat,
    /// Whether the network learns of it.
    #[serde(default)]
    pub announce: bool,
}

/// A channel on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelOpened {
    /// Its id.
    #[serde(with = "json::text")]
    pub channel: ChannelId,
    /// The funding transaction.
    #[serde(with = "json::text")]
    pub funding_txid: Txid,
}

/// `POST /v1/channels/{id}/close`. Answered once the closing has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseChannelRequest {
    /// Without the peer's help: slower, and dearer.
    #[serde(default)]
    pub force: bool,
}

/// `GET /v1/channels`: all of them, closing ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels {
    /// The channels.
    pub channels: Vec<Channel>,
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Its funding awaits confirmations.
    Pending,
    /// HTLCs flow.
    Usable,
    /// Ready, but the peer is not connected.
    Offline,
    /// Negotiating a cooperative close.
    ShuttingDown,
    /// Closed; outputs are awaited.
    Closing,
    /// Closed, and everything came back.
    Closed,
}

impl ChannelState {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChannelState::Pending => "pending",
            ChannelState::Usable => "usable",
            ChannelState::Offline => "offline",
            ChannelState::ShuttingDown => "shutting down",
            ChannelState::Closing => "closing",
            ChannelState::Closed => "closed",
        }
    }
}

/// A channel as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    #[serde(with = "json::text")]
    pub id: ChannelId,
    /// With whom.
    #[serde(with = "json::text")]
    pub peer: NodeId,
    /// Where it stands.
    pub state: ChannelState,
    /// `1234x5x0`, once confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_channel_id: Option<String>,
    /// The funding transaction.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub funding_txid: Option<Txid>,
    /// The funding transaction's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding_output: Option<u32>,
    /// The funding output's value.
    #[serde(with = "json::sat")]
    pub value_sat: Sat,
    /// Ours, to the msat; absent while HTLCs are pending, and once it is closing.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub balance_msat: Option<Msat>,
    /// What can be sent now.
    #[serde(with = "json::msat")]
    pub sendable_msat: Msat,
    /// What can be received now.
    #[serde(with = "json::msat")]
    pub receivable_msat: Msat,
    /// HTLCs pending in it.
    pub htlcs: u32,
    /// Whether the network learns of it.
    pub announced: bool,
    /// Whether this node opened it.
    pub outbound: bool,
    /// Confirmations of the funding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<u32>,
    /// How many it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmations_needed: Option<u32>,
    /// What is waited for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Of a closing one: the transactions that matter.
    #[serde(default, with = "json::text_list", skip_serializing_if = "Vec::is_empty")]
    pub closing_txids: Vec<Txid>,
    /// Of a closing one: what is still to come back.
    #[serde(with = "json::sat")]
    pub to_come_sat: Sat,
}

/// A short channel id as people write it: block, transaction and output (BOLT 7).
pub fn short_channel_id(number: u64) -> String {
    format!("{}x{}x{}", number >> 40, number >> 16 & 0xff_ffff, number & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_channel_ids() {
        assert_eq!(short_channel_id(1234 << 40 | 5 << 16), "1234x5x0");
        assert_eq!(short_channel_id(u64::MAX), "16777215x16777215x65535");
    }
}
