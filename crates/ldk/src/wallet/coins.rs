//! Which coins there are, which may be spent, and what is kept back.
//!
//! The coins that final transactions left are kept; the few others are laid over them when
//! somebody asks. Asking BDK instead means judging every transaction of the wallet's history.

use std::collections::BTreeMap;

use bitcoin::constants::COINBASE_MATURITY;
use bitcoin::{OutPoint, Transaction, TxOut, Txid};
use sponte_engine::backend::WalletBalance;
use sponte_proto::Sat;

use super::books::Fate;
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

/// An unspent coin of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    pub(super) outpoint: OutPoint,
    pub(super) txout: TxOut,
    /// The block that confirmed it.
    pub(super) height: Option<u32>,
    coinbase: bool,
}

/// Unspent coins by their outpoints.
pub(super) type Coins = BTreeMap<OutPoint, Coin>;

/// What the wallet has, unconfirmed transactions included.
pub(super) struct Holdings {
    pub(super) coins: Coins,
    /// Confirmed coins that an unconfirmed bump spends: another bump may.
    pub(super) lent: Vec<Coin>,
}

impl Wallet {
    /// The coins as they stand, and how much of them may leave while `reserve` stays.
    pub fn balance(&self, reserve: Sat) -> WalletBalance {
        let state = self.lock();
        let tip = state.blocks.tip().height;
        let coins = state.holdings().coins;
        let free_sat = sum(coins.values().filter(|coin| state.is_free(coin)));
        WalletBalance {
            confirmed: sat(sum(coins.values().filter(|coin| coin.height.is_some() && coin.is_mature(tip)))),
            unconfirmed: sat(sum(coins.values().filter(|coin| coin.height.is_none()))),
            immature: sat(sum(coins.values().filter(|coin| !coin.is_mature(tip)))),
            reserve,
            spendable: sat(free_sat.saturating_sub(reserve.to_sat())),
        }
    }

    /// All coins together.
    pub fn total(&self) -> Sat {
        sat(sum(self.lock().holdings().coins.values()))
    }
}

pub(super) fn sat(sat: u64) -> Sat {
    Sat::new(sat).expect("no coins sum up to more than the supply")
}

pub(super) fn sum<'a>(coins: impl Iterator<Item = &'a Coin>) -> u64 {
    coins.map(|coin| coin.txout.value.to_sat()).sum()
}

impl Coin {
    /// Whether it may be spent in the block after `tip`.
    pub(super) fn is_mature(&self, tip: u32) -> bool {
        !self.coinbase || self.height.is_some_and(|height| tip + 1 >= height + COINBASE_MATURITY)
    }
}

impl State {
    pub(super) fn holdings(&self) -> Holdings {
        let mut coins = self.books.settled().clone();
        let mut lent = vec![];
        for (txid, fate) in self.fates() {
            let height = match fate {
                Fate::Unconfirmed => None,
                Fate::Confirmed(height) if !self.books.is_final(&txid) => Some(height),
                Fate::Confirmed(_) | Fate::Gone => continue,
            };
            let Some(tx) = self.bdk.tx_graph().get_tx(txid) else { continue };
            let spent = self.lay_over(&mut coins, txid, &tx, height);
            if height.is_none() && matches!(self.books.label(&txid), Some(Label::Bump { .. })) {
                lent.extend(spent.into_iter().filter(|coin| coin.height.is_some()));
            }
        }
        Holdings { coins, lent }
    }

    /// Takes from `coins` what a transaction spends, and adds what it pays us, unless a final
    /// transaction has spent that; what it spent. Of others, parents come before children.
    pub(super) fn lay_over(
        &self,
        coins: &mut Coins,
        txid: Txid,
        tx: &Transaction,
        height: Option<u32>,
    ) -> Vec<Coin> {
        let spent = tx.input.iter().filter_map(|input| coins.remove(&input.previous_output)).collect();
        let coinbase = tx.is_coinbase();
        let spenders = |outpoint| self.bdk.tx_graph().outspends(outpoint).iter();
        let outputs =
            self.bdk.spk_index().txouts_in_tx(txid).filter(|(_, (outpoint, _))| {
                !spenders(*outpoint).any(|spender| self.books.is_final(spender))
            });
        coins.extend(outputs.map(|(_, (outpoint, txout))| {
            (outpoint, Coin { outpoint, txout: txout.clone(), height, coinbase })
        }));
        spent
    }

    /// Whether the wallet's own transactions may spend a coin: a confirmed, mature one, or
    /// change of what it sent. Not what others sent and could take back, nor the change of a
    /// funding that LDK holds, nor of bumps and sweeps, which are replaced by better ones.
    pub(super) fn is_free(&self, coin: &Coin) -> bool {
        if coin.height.is_some() {
            return coin.is_mature(self.blocks.tip().height);
        }
        let label = self.books.label(&coin.outpoint.txid);
        matches!(label, Some(Label::Withdrawal | Label::Funding { broadcast: true, .. }))
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
