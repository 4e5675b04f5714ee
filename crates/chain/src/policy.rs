//! What this chain relays and how it estimates fees: the settings of a bitcoind.

use bitcoin::FeeRate;

/// Rules of the mempool that are not rules of consensus, with bitcoind's defaults.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The lowest feerate that enters the mempool; 1 sat/vB.
    pub min_relay_fee: FeeRate,
    /// What a replacement must pay for its own relay, on top of what it replaces; 1 sat/vB.
    pub incremental_relay_fee: FeeRate,
    /// The feerate below which an output is not worth its own spending; 3 sat/vB.
    pub dust_relay_fee: FeeRate,
    /// The answer of `estimatesmartfee`; `None` is the answer of a node without enough data.
    /// 2 sat/vB.
    pub estimated_fee: Option<FeeRate>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_relay_fee: FeeRate::BROADCAST_MIN,
            incremental_relay_fee: FeeRate::BROADCAST_MIN,
            dust_relay_fee: FeeRate::DUST,
            estimated_fee: Some(FeeRate::from_sat_per_vb_u32(2)),
        }
    }
}
