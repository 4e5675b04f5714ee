//! Fee estimates, cached for LDK, which asks often.
//!
//! | for | estimate |
//! |---|---|
//! | upper bound for a peer's feerate | 2 blocks, plus 5,000 sat/kw |
//! | urgent claims | 6 blocks |
//! | our commitments (anchors pay the rest later) | 1008 blocks, at most 2,500, but what is surely taken |
//! | least feerate of a peer's commitment | the mempool's minimum, at most 1,000 |
//! | the same without anchors | 1008 blocks, less 250 for peers that round |
//! | commitments without anchors, spending of outputs | 12 blocks |
//! | cooperative close | 144 blocks |

use std::sync::{Arc, RwLock};

use bitcoin::{Amount, FeeRate, Network};
use lightning::chain::chaininterface::{ConfirmationTarget, FEERATE_FLOOR_SATS_PER_KW, FeeEstimator};
use serde::Deserialize;
use serde_json::json;

use super::rpc::Rpc;
use super::{ChainError, ChainStatus};

/// The confirmation targets asked for, in blocks.
const TARGETS: [u16; 5] = [2, 6, 12, 144, 1008];
/// Used on mainnet while bitcoind has no estimate, for each of [`TARGETS`]: 50, 30, 20, 6 and 3
/// sat/vB, high enough for most weeks of the past years.
const MAINNET_FALLBACK_SAT_PER_KW: [u32; 5] = [12_500, 7_500, 5_000, 1_500, 750];
/// 1,000 sat/vB: above it an estimate is a mistake that would burn money.
const CEILING_SAT_PER_KW: u32 = 250_000;
/// How much more a peer may find right than we do.
const MARGIN_FOR_PEERS_SAT_PER_KW: u32 = 5_000;
/// What our commitments pay at most: the anchor pays the rest when it is known.
const MAX_COMMITMENT_SAT_PER_KW: u32 = 2_500;
/// Demanding more of a peer would close channels in a rush: LND stays at 10 sat/vB by default.
const MAX_DEMANDED_SAT_PER_KW: u32 = 1_000;

/// The fee estimator given to LDK and the wallet. Reading never waits.
#[derive(Debug)]
pub struct Fees {
    network: Network,
    rates: RwLock<Rates>,
    status: Arc<ChainStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    by_target: [u32; TARGETS.len()],
    /// Below it bitcoind takes nothing.
    mempool_min: u32,
    /// From it on bitcoind takes everything.
    sure: u32,
    estimated: bool,
}

#[derive(Deserialize)]
struct SmartFee {
    feerate: Option<f64>,
}

#[derive(Deserialize)]
struct MempoolInfo {
    mempoolminfee: f64,
    #[serde(default)]
    minrelaytxfee: f64,
}

impl Fees {
    pub(super) fn new(network: Network, status: Arc<ChainStatus>) -> Self {
        let rates = Rates::new(network, [None; TARGETS.len()], 0);
        Self { network, rates: RwLock::new(rates), status }
    }

    /// The feerate for a transaction that should confirm within `blocks`, rounded to the next
    /// shorter of 2, 6, 12, 144 and 1008 blocks. At least the mempool's minimum.
    pub fn for_blocks(&self, blocks: u16) -> FeeRate {
        FeeRate::from_sat_per_kwu(self.rates().within(blocks).into())
    }

    /// Below it bitcoind takes no transaction now; zero while it has not said.
    pub fn least(&self) -> FeeRate {
        FeeRate::from_sat_per_kwu(self.rates().mempool_min.into())
    }

    /// From it on bitcoind takes a transaction of any size: it counts whole virtual bytes, of which
    /// the last may be a quarter full only.
    pub fn sure(&self) -> FeeRate {
        FeeRate::from_sat_per_kwu(self.rates().sure.into())
    }

    /// Whether the rates come from bitcoind's estimates.
    pub fn estimated(&self) -> bool {
        self.rates().estimated
    }

    /// Asks bitcoind. If it cannot be asked, the rates stay as they are.
    pub(super) async fn refresh(&self, rpc: &Rpc) -> Result<(), ChainError> {
        let info: MempoolInfo = rpc.call("getmempoolinfo", json!([])).await?;
        let least = info.mempoolminfee.max(info.minrelaytxfee);
        let mut answers = [None; TARGETS.len()];
        for (answer, blocks) in answers.iter_mut().zip(TARGETS) {
            let mode = if blocks <= 6 { "CONSERVATIVE" } else { "ECONOMICAL" };
            let fee: SmartFee = rpc.call("estimatesmartfee", json!([blocks, mode])).await?;
            *answer = fee.feerate.map(sat_per_kw);
        }
        self.set(Rates::new(self.network, answers, unbounded_sat_per_kw(least)));
        Ok(())
    }

    fn set(&self, rates: Rates) {
        let before =
            std::mem::replace(&mut *self.rates.write().expect("no holder of this lock can panic"), rates);
        self.status.note_fees(rates.estimated);
        if self.network == Network::Bitcoin && !rates.estimated && before != rates {
            tracing::warn!("bitcoind has no fee estimate yet: fees are guessed, on the high side");
        }
    }

    fn rates(&self) -> Rates {
        *self.rates.read().expect("no holder of this lock can panic")
    }
}

impl FeeEstimator for Fees {
    fn get_est_sat_per_1000_weight(&self, target: ConfirmationTarget) -> u32 {
        self.rates().sat_per_kw(target)
    }
}

impl Rates {
    /// Fills the gaps of `answers`: with the next shorter target, which errs to the high side, or
    /// with the network's fallbacks if there is no answer at all.
    fn new(network: Network, answers: [Option<u32>; TARGETS.len()], mempool_min: u32) -> Self {
        let sure = sure_of(mempool_min);
        let floor = sure.max(FEERATE_FLOOR_SATS_PER_KW);
        let estimated = answers.iter().any(Option::is_some);
        let mut by_target = match network {
            Network::Bitcoin if !estimated => MAINNET_FALLBACK_SAT_PER_KW,
            _ => [floor; TARGETS.len()],
        };
        // From the longest to the shortest: a shorter wait never costs less.
        let mut least = floor;
        for index in (0..TARGETS.len()).rev() {
            let shorter = answers[..=index].iter().rev().flatten().next();
            let rate = shorter.copied().unwrap_or(by_target[index]);
            least = least.max(rate);
            by_target[index] = least;
        }
        Self { by_target, mempool_min, sure, estimated }
    }

    fn within(&self, blocks: u16) -> u32 {
        let fitting = TARGETS.iter().rposition(|target| *target <= blocks);
        self.by_target[fitting.unwrap_or(0)]
    }

    fn sat_per_kw(&self, target: ConfirmationTarget) -> u32 {
        use ConfirmationTarget as Target;
        let rate = match target {
            Target::MaximumFeeEstimate => self.within(2) + MARGIN_FOR_PEERS_SAT_PER_KW,
            Target::UrgentOnChainSweep => self.within(6),
            Target::NonAnchorChannelFee | Target::OutputSpendingFee => self.within(12),
            Target::ChannelCloseMinimum => self.within(144),
            Target::AnchorChannelFee => {
                let cheap = self.within(1008).min(MAX_COMMITMENT_SAT_PER_KW);
                cheap.max(self.sure)
            }
            Target::MinAllowedAnchorChannelRemoteFee => self.mempool_min.min(MAX_DEMANDED_SAT_PER_KW),
            Target::MinAllowedNonAnchorChannelRemoteFee => self.within(1008).saturating_sub(250),
        };
        rate.max(FEERATE_FLOOR_SATS_PER_KW)
    }
}

/// The feerate by weight at which no transaction of ours is refused.
fn sure_of(mempool_min: u32) -> u32 {
    let sure = for_whole_vbytes(FeeRate::from_sat_per_kwu(mempool_min.into()));
    u32::try_from(sure.to_sat_per_kwu()).unwrap_or(u32::MAX).min(CEILING_SAT_PER_KW)
}

/// The feerate by weight at which each virtual byte is paid at this rate, as bitcoind counts them,
/// whatever the last one holds. LDK's floor lies as far above the 250 that bitcoind has long asked
/// for.
pub fn for_whole_vbytes(rate: FeeRate) -> FeeRate {
    let paid = rate.to_sat_per_kwu().saturating_mul(FEERATE_FLOOR_SATS_PER_KW.into());
    FeeRate::from_sat_per_kwu(paid.div_ceil(250))
}

/// What LDK takes for a feerate.
fn sat_per_kw(btc_per_kvb: f64) -> u32 {
    unbounded_sat_per_kw(btc_per_kvb).clamp(FEERATE_FLOOR_SATS_PER_KW, CEILING_SAT_PER_KW)
}

/// bitcoind's feerates are BTC per 1,000 virtual bytes, that is per 4,000 weight units. What is
/// no amount of money counts as nothing.
fn unbounded_sat_per_kw(btc_per_kvb: f64) -> u32 {
    let sat_per_kvb = Amount::from_btc(btc_per_kvb).map_or(0, Amount::to_sat);
    u32::try_from(sat_per_kvb.div_ceil(4)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConfirmationTarget as Target;
    use bitcoin::Weight;

    const ALL: [Target; 8] = [
        Target::MaximumFeeEstimate,
        Target::UrgentOnChainSweep,
        Target::MinAllowedAnchorChannelRemoteFee,
        Target::MinAllowedNonAnchorChannelRemoteFee,
        Target::AnchorChannelFee,
        Target::NonAnchorChannelFee,
        Target::ChannelCloseMinimum,
        Target::OutputSpendingFee,
    ];

    #[test]
    fn units() {
        assert_eq!(sat_per_kw(0.00001), FEERATE_FLOOR_SATS_PER_KW);
        assert_eq!(sat_per_kw(0.0001), 2_500);
        assert_eq!(sat_per_kw(0.00002), 500);
        assert_eq!(sat_per_kw(21e6), CEILING_SAT_PER_KW);
        assert_eq!(sat_per_kw(-1.0), FEERATE_FLOOR_SATS_PER_KW);
    }

    #[test]
    fn without_estimates_mainnet_guesses_high_and_regtest_pays_the_minimum() {
        let mainnet = Fees::new(Network::Bitcoin, Arc::default());
        let urgent = mainnet.get_est_sat_per_1000_weight(Target::UrgentOnChainSweep);
        assert_eq!(urgent, 7_500);
        let regtest = Fees::new(Network::Regtest, Arc::default());
        for target in ALL {
            let rate = regtest.get_est_sat_per_1000_weight(target);
            let margin = u32::from(target == Target::MaximumFeeEstimate) * 5_000;
            assert_eq!(rate, FEERATE_FLOOR_SATS_PER_KW + margin, "{target:?}");
        }
    }

    #[test]
    fn a_shorter_wait_never_costs_less_and_gaps_err_high() {
        let answers = [None, Some(4_000), None, Some(300), Some(900)];
        let rates = Rates::new(Network::Bitcoin, answers, 0);
        assert_eq!(rates.by_target, [4_000, 4_000, 4_000, 900, 900]);
        assert!(rates.estimated);
    }

    #[test]
    fn a_full_mempool_raises_what_we_pay_but_hardly_what_we_demand() {
        let rates = Rates::new(Network::Bitcoin, [Some(20_000); 5], 10_000);
        assert_eq!(rates.sat_per_kw(Target::AnchorChannelFee), 10_120);
        let demanded = rates.sat_per_kw(Target::MinAllowedAnchorChannelRemoteFee);
        assert_eq!(demanded, MAX_DEMANDED_SAT_PER_KW);
        assert!(rates.sat_per_kw(Target::MaximumFeeEstimate) > 20_000);
    }

    #[test]
    fn what_pays_the_minimum_is_taken_whatever_its_size() {
        for min_sat_per_vb in [1, 2, 13, 40, 700] {
            let rates = Rates::new(Network::Regtest, [Some(1_000); 5], min_sat_per_vb * 250);
            let rate = u64::from(rates.sat_per_kw(Target::OutputSpendingFee));
            // No transaction that pays to anybody weighs less.
            for weight in 320..4_000_u64 {
                let (fee, vsize) = (rate * weight / 1000, weight.div_ceil(4));
                assert!(fee >= u64::from(min_sat_per_vb) * vsize, "{weight} at {min_sat_per_vb} sat/vB");
            }
        }
        let unsure = Rates::new(Network::Regtest, [None; 5], 700);
        assert_eq!(unsure.sat_per_kw(Target::MinAllowedAnchorChannelRemoteFee), 700, "peers may round");
        let cheap = Rates::new(Network::Regtest, [None; 5], 25);
        assert_eq!((cheap.sure, cheap.within(12)), (26, FEERATE_FLOOR_SATS_PER_KW), "the floor is LDK's");
    }

    #[test]
    fn a_rate_that_was_asked_for_is_paid_for_every_whole_vbyte() {
        for sat_per_kvb in [1_000, 1_004, 11_976, 12_345, 10_000_000_u64] {
            let rate = for_whole_vbytes(FeeRate::from_sat_per_kwu(sat_per_kvb.div_ceil(4)));
            for weight in 320..4_000 {
                // BDK rounds up, bitcoind too.
                let (fee, vsize) = ((rate * Weight::from_wu(weight)).to_sat(), u64::div_ceil(weight, 4));
                assert!(fee >= (sat_per_kvb * vsize).div_ceil(1000), "{weight} at {sat_per_kvb} sat/kvB");
            }
        }
    }

    #[test]
    fn blocks_are_rounded_to_the_next_shorter_target() {
        let rates = Rates::new(Network::Bitcoin, [5, 4, 3, 2, 1].map(|n| Some(n * 1000)), 0);
        let within = [0, 2, 5, 6, 100, 143, 144, 2016].map(|blocks| rates.within(blocks) / 1000);
        assert_eq!(within, [5, 5, 5, 4, 3, 3, 2, 1]);
    }
}
