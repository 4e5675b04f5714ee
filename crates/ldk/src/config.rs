//! What a node is configured with, and how LDK is told.

use crate::chain::RpcConfig;
use bitcoin::Network;
use lightning::util::config::{ChannelConfig, MaxDustHTLCExposure, UserConfig};
use sponte_proto::Sat;
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that the embedded node needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which chain.
    pub network: Network,
    /// Where the user's bitcoind is.
    pub rpc: RpcConfig,
    /// Where peers may connect; `None` not to listen.
    pub listen: Option<SocketAddr>,
    /// Addresses to announce, each `host:port`.
    pub announce: Vec<String>,
    /// The node's name in announcements, at most 32 bytes of UTF-8.
    pub alias: String,
    /// What a forward costs, whatever its amount, in msat.
    pub forwarding_fee_base_msat: u32,
    /// What a forward costs by its amount, in parts per million.
    pub forwarding_fee_ppm: u32,
    /// Blocks between the expiries of a forward's two HTLCs.
    pub cltv_expiry_delta: u16,
    /// Whether peers may open channels to us.
    pub accept_channels: bool,
    /// The least channel that a peer may open to us.
    pub min_channel: Sat,
    /// The most channels that one peer may have opened to us.
    pub max_channels_per_peer: usize,
    /// Height from which a restored seed's coins are looked for; `None`: the tip.
    pub birthday_height: Option<u32>,
    /// How often bitcoind is asked for a new block; `None` for the network's default.
    pub poll_interval: Option<Duration>,
}

/// The most that HTLCs too small for the chain may add up to in one channel: what miners could
/// gain if it closes at a bad time. LDK's default follows the fee rate and is about 2,500 sat
/// when fees are low, which a handful of small payments exhausts.
pub const DUST_LIMIT_MSAT: u64 = 50_000_000;

/// Confirmations that a channel's funding needs before it is used.
pub const FUNDING_CONFIRMATIONS: u32 = 6;

/// HTLCs that a peer may have pending towards us in one channel: the most that BOLT 2 allows.
pub const MAX_ACCEPTED_HTLCS: u16 = 483;

impl Config {
    /// LDK's configuration. Its defaults allow 50 HTLCs and 25% of a channel in flight.
    pub(crate) fn user_config(&self) -> UserConfig {
        let mut config = UserConfig {
            channel_config: ChannelConfig {
                forwarding_fee_base_msat: self.forwarding_fee_base_msat,
                forwarding_fee_proportional_millionths: self.forwarding_fee_ppm,
                cltv_expiry_delta: self.cltv_expiry_delta,
                max_dust_htlc_exposure: MaxDustHTLCExposure::FixedLimitMsat(DUST_LIMIT_MSAT),
                ..ChannelConfig::default()
            },
            accept_forwards_to_priv_channels: true,
            ..UserConfig::default()
        };
        let handshake = &mut config.channel_handshake_config;
        handshake.our_max_accepted_htlcs = MAX_ACCEPTED_HTLCS;
        handshake.announced_channel_max_inbound_htlc_value_in_flight_percentage = 100;
        handshake.unannounced_channel_max_inbound_htlc_value_in_flight_percentage = 100;
        handshake.negotiate_anchors_zero_fee_htlc_tx = true;
        // A reorg that takes back a funding transaction in use closes the channel.
        handshake.minimum_depth = FUNDING_CONFIRMATIONS;
        config.channel_handshake_limits.force_announced_channel_preference = false;
        config.reject_inbound_splices = true;
        config
    }
}
