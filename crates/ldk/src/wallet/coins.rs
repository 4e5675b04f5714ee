//! Which coins there are, which may be spent, and what is kept back.

use bdk_wallet::KeychainKind;
use bdk_wallet::chain::{CanonicalizationParams, ConfirmationBlockTime, FullTxOut};
use sponte_engine::backend::WalletBalance;
use sponte_proto::Sat;

use super::record::Label;
use super::{State, Wallet};

/// What is kept back for each channel with anchors. A commitment transaction (280 vbytes) and
/// the child that pays for it (150) are mined for it at 23 sat/vbyte; LND reserves the same.
pub const RESERVE_PER_ANCHOR_CHANNEL: u64 = 10_000;

/// The reserve does not grow with more channels than this. All of them closing by force at
/// once is not what it is for, and the change of one bump pays for the next.
pub const RESERVED_ANCHOR_CHANNELS: usize = 10;

/// What sends and fundings must leave in the wallet, so that it can pay for the closing of so
/// many channels with anchors. Bumps may use it.
pub fn reserve_for(anchor_channels: usize) -> Sat {
    let channels = anchor_channels.min(RESERVED_ANCHOR_CHANNELS);
    let sat = RESERVE_PER_ANCHOR_CHANNEL.saturating_mul(channels as u64);
    Sat::new(sat).expect("100,000 sat are below the supply")
}

/// A coin of the wallet, its place in the chain, and who spends it.
pub(super) type Coin = FullTxOut<ConfirmationBlockTime>;

impl Wallet {
    /// The coins as they stand, and how much of them may leave while `reserve` stays.
    pub fn balance(&self, reserve: Sat) -> WalletBalance {
        let state = self.lock();
        let sums = state.sums();
        let free_sat = state.free_sat();
        let pending = sums.trusted_pending + sums.untrusted_pending;
        WalletBalance {
            confirmed: sat(sums.confirmed.to_sat()),
            unconfirmed: sat(pending.to_sat()),
            immature: sat(sums.immature.to_sat()),
            reserve,
            spendable: sat(free_sat.saturating_sub(reserve.to_sat())),
        }
    }

    /// All coins together.
    pub fn total(&self) -> Sat {
        sat(self.lock().sums().total().to_sat())
    }
}

pub(super) fn sat(sat: u64) -> Sat {
    Sat::new(sat).expect("no coins sum up to more than the supply")
}

impl State {
    /// Unspent coins that the wallet's own transactions may spend: confirmed and mature ones,
    /// and the change of what it sent. Not what others sent and could take back, nor the change
    /// of a funding that LDK holds, nor of bumps and sweeps, which are replaced by better ones.
    pub(super) fn free_coins(&self) -> Vec<Coin> {
        self.unspent().filter(|coin| self.is_free(coin)).collect()
    }

    pub(super) fn free_sat(&self) -> u64 {
        self.free_coins().iter().map(|coin| coin.txout.value.to_sat()).sum()
    }

    pub(super) fn is_free(&self, coin: &Coin) -> bool {
        if coin.chain_position.is_confirmed() {
            return coin.is_mature(self.blocks.tip().height);
        }
        let label = self.books.label(&coin.outpoint.txid);
        matches!(label, Some(Label::Withdrawal | Label::Funding { broadcast: true, .. }))
    }

    /// Every coin of the wallet whose transaction counts, spent ones too.
    pub(super) fn coins(&self) -> impl Iterator<Item = Coin> + '_ {
        let outpoints = self.bdk.spk_index().outpoints().iter().cloned();
        let (tip, params) = (self.blocks.tip(), CanonicalizationParams::default());
        let coins = self.bdk.tx_graph().filter_chain_txouts(&self.blocks, tip, params, outpoints);
        coins.map(|(_, coin)| coin)
    }

    fn unspent(&self) -> impl Iterator<Item = Coin> + '_ {
        self.coins().filter(|coin| coin.spent_by.is_none())
    }

    fn sums(&self) -> bdk_wallet::Balance {
        let outpoints = self.bdk.spk_index().outpoints().iter().cloned();
        let (tip, params) = (self.blocks.tip(), CanonicalizationParams::default());
        let is_change = |(keychain, _): &(KeychainKind, u32), _| *keychain == KeychainKind::Internal;
        self.bdk.tx_graph().balance(&self.blocks, tip, params, outpoints, is_change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_grows_to_its_limit() {
        assert_eq!(reserve_for(0), Sat::ZERO);
        assert_eq!(reserve_for(3).to_sat(), 30_000);
        assert_eq!(reserve_for(10), reserve_for(usize::MAX));
    }
}
