//! What a node asks, and what it says that it asks.

use crate::RawNode;
use lightning::util::config::{MaxDustHTLCExposure, UserConfig};
use sponte_proto::Msat;

/// What a node is told once.
#[derive(Clone, Copy, Debug)]
pub struct RawConfig {
    /// What it asks of each HTLC that it forwards.
    pub fee: Msat,
    /// What its `channel_update` says that it asks (BOLT 7). Less than `fee`, and HTLCs that pay
    /// what they were told to are failed with `fee_insufficient`.
    pub announced_fee: Msat,
    /// How much of a channel may be on its way to it at once, percent.
    pub in_flight_percent: u8,
}

impl Default for RawConfig {
    fn default() -> RawConfig {
        RawConfig::asking(RawNode::FEE)
    }
}

impl RawConfig {
    /// A node that asks this fee and says so.
    pub fn asking(fee: Msat) -> RawConfig {
        RawConfig { fee, announced_fee: fee, in_flight_percent: 100 }
    }

    /// LDK's: forwards over unannounced channels too; as many and as large HTLCs as fit.
    pub(crate) fn of_ldk(&self) -> UserConfig {
        let mut config = UserConfig { accept_forwards_to_priv_channels: true, ..UserConfig::default() };
        config.channel_config.forwarding_fee_base_msat = base(self.fee);
        config.channel_config.forwarding_fee_proportional_millionths = 0;
        config.channel_config.cltv_expiry_delta = RawNode::DELTA;
        config.channel_config.max_dust_htlc_exposure = MaxDustHTLCExposure::FixedLimitMsat(50_000_000);
        config.channel_handshake_config.our_max_accepted_htlcs = 483;
        let handshake = &mut config.channel_handshake_config;
        handshake.unannounced_channel_max_inbound_htlc_value_in_flight_percentage = self.in_flight_percent;
        handshake.announced_channel_max_inbound_htlc_value_in_flight_percentage = self.in_flight_percent;
        handshake.negotiate_anchors_zero_fee_htlc_tx = true;
        handshake.minimum_depth = 1;
        config.channel_handshake_limits.force_announced_channel_preference = false;
        config
    }
}

/// A fee as `channel_update` has it.
pub(crate) fn base(fee: Msat) -> u32 {
    u32::try_from(fee.to_msat()).unwrap_or(u32::MAX)
}
