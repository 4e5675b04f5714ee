//! Bumps that were made, so that LDK's reminders do not make them again.
//!
//! LDK asks for each bump every half a minute, and each answer would be another transaction, as its
//! change goes to a fresh script: bitcoind refuses it, while the wallet holds it for the one that
//! counts. The first one is sent again with each block.

use lightning::chain::ClaimId;
use lightning::events::bump_transaction::BumpTransactionEvent;
use std::collections::HashMap;

/// A bump of the same fee rate is made again after so many blocks.
const PATIENCE_BLOCKS: u32 = 6;

/// The fee rates of the last bumps, and the heights at which they were made. In memory only: after a
/// restart each is made once more.
#[derive(Default)]
pub(crate) struct Bumps(HashMap<ClaimId, (u32, u32)>);

impl Bumps {
    /// Whether nothing like it was made lately.
    pub(crate) fn wants(&self, event: &BumpTransactionEvent, height: u32) -> bool {
        let (claim, rate) = claim_of(event);
        self.is_due(claim, rate, height)
    }

    pub(crate) fn note(&mut self, event: &BumpTransactionEvent, height: u32) {
        let (claim, rate) = claim_of(event);
        self.note_claim(claim, rate, height);
    }

    /// One of them is not on its way any more.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    fn is_due(&self, claim: ClaimId, rate: u32, height: u32) -> bool {
        let lately = |(_, made): &&(u32, u32)| height < made + PATIENCE_BLOCKS;
        self.0.get(&claim).filter(lately).is_none_or(|(before, _)| rate > *before)
    }

    fn note_claim(&mut self, claim: ClaimId, rate: u32, height: u32) {
        self.0.retain(|_, (_, made)| height < *made + PATIENCE_BLOCKS);
        self.0.insert(claim, (rate, height));
    }
}

/// What is claimed, and at which fee rate in sat per 1000 weight units.
fn claim_of(event: &BumpTransactionEvent) -> (ClaimId, u32) {
    match event {
        BumpTransactionEvent::ChannelClose {
            claim_id,
            package_target_feerate_sat_per_1000_weight: rate,
            ..
        } => (*claim_id, *rate),
        BumpTransactionEvent::HTLCResolution {
            claim_id, target_feerate_sat_per_1000_weight: rate, ..
        } => (*claim_id, *rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_is_made_again_for_a_higher_fee_or_after_six_blocks() {
        let (mut bumps, claim, other) = (Bumps::default(), ClaimId([1; 32]), ClaimId([2; 32]));
        assert!(bumps.is_due(claim, 1_000, 100));
        bumps.note_claim(claim, 1_000, 100);
        assert!(!bumps.is_due(claim, 1_000, 100) && !bumps.is_due(claim, 999, 105));
        assert!(bumps.is_due(claim, 1_001, 100) && bumps.is_due(claim, 1_000, 106));
        assert!(bumps.is_due(other, 1_000, 100));
        bumps.note_claim(other, 1_000, 106);
        assert_eq!(bumps.0.len(), 1, "what is old is forgotten");
        bumps.forget();
        assert!(bumps.is_due(other, 1_000, 106));
    }
}
