//! Transactions of the wallet's own: which coins they spend, and what they leave behind.
//!
//! BDK chooses the coins (branch and bound, else a random draw). Its transaction builder is not
//! used, as it judges the whole history first, and offers coins that must not be spent.

use bdk_wallet::KeychainKind;
use bdk_wallet::chain::ChainPosition;
use bdk_wallet::coin_selection::{CoinSelectionAlgorithm, DefaultCoinSelectionAlgorithm, Excess};
use bdk_wallet::{LocalOutput, TxOrdering, Utxo, WeightedUtxo};
use bitcoin::absolute::LockTime;
use bitcoin::{
    Amount, FeeRate, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Weight, Witness, transaction,
};
use sponte_engine::backend::{Refusal, RefusalKind};
use sponte_proto::Sat;

use super::State;
use super::coins::{Coin, sat, sum};
use super::spend::Payout;

/// More inputs do not fit into a transaction that nodes relay (400,000 weight units, 272 each).
const MOST_INPUTS: usize = 1_400;

/// A transaction to be signed.
pub(super) struct Unsigned {
    pub(super) tx: Transaction,
    /// What its first recipient gets.
    pub(super) amount: Sat,
    pub(super) fee: Sat,
}

/// What is wanted of the coins.
struct Wish<'a> {
    /// Outputs of fixed values.
    outputs: Vec<TxOut>,
    /// Where the rest goes, if it is worth an output.
    rest_to: &'a Script,
    /// Whether all of the coins are to be spent.
    all: bool,
    fee_rate: FeeRate,
}

impl State {
    /// A payment to `script` that leaves `reserve` behind.
    pub(super) fn build(
        &mut self,
        script: &Script,
        payout: Payout,
        fee_rate: FeeRate,
        reserve: Sat,
    ) -> Result<Unsigned, Refusal> {
        let (coins, left_sat) = self.coins_to_spend(fee_rate);
        let free_sat = sum(coins.iter()) + left_sat;
        let change = self.fresh_script(KeychainKind::Internal);
        let wish = match payout {
            Payout::Exactly(amount) => {
                let outputs = vec![tx_out(script, amount.to_sat())];
                Wish { outputs, rest_to: &change, all: false, fee_rate }
            }
            Payout::All => {
                let outputs = kept_output(&change, reserve.to_sat().saturating_sub(left_sat));
                Wish { outputs: outputs.into_iter().collect(), rest_to: script, all: true, fee_rate }
            }
        };
        let built = self.spend(coins, wish).and_then(|(tx, fee_sat)| {
            // Of everything that leaves, so the rest, or nothing if that was not worth an output.
            let amount_sat = match payout {
                Payout::Exactly(amount) => amount.to_sat(),
                Payout::All => {
                    tx.output.iter().find(|output| *output.script_pubkey == *script)?.value.to_sat()
                }
            };
            let stays = free_sat.checked_sub(amount_sat + fee_sat)?;
            (stays >= reserve.to_sat()).then_some(Unsigned { tx, amount: sat(amount_sat), fee: sat(fee_sat) })
        });
        built.ok_or_else(|| too_little(payout, free_sat, reserve))
    }

    /// The free coins that are worth their fee, as many as one transaction carries, and how much
    /// the others are.
    fn coins_to_spend(&self, fee_rate: FeeRate) -> (Vec<Coin>, u64) {
        let coins = self.holdings().coins.into_values();
        let mut free: Vec<Coin> = coins.filter(|coin| self.is_free(coin)).collect();
        free.sort_by_key(|coin| std::cmp::Reverse(coin.txout.value));
        let input_fee = fee_rate * (TxIn::default().segwit_weight() + self.satisfaction_weight());
        let worth = free.iter().take(MOST_INPUTS).take_while(|coin| coin.txout.value > input_fee).count();
        let left = free.split_off(worth);
        (free, sum(left.iter()))
    }

    fn satisfaction_weight(&self) -> Weight {
        let descriptor = self.bdk.public_descriptor(KeychainKind::External);
        descriptor.max_weight_to_satisfy().expect("P2WPKH can be satisfied")
    }

    /// The transaction and its fee; `None` if the coins are not enough.
    fn spend(&mut self, coins: Vec<Coin>, wish: Wish) -> Option<(Transaction, u64)> {
        let tip = self.blocks.tip().height;
        let mut tx = Transaction {
            version: transaction::Version::TWO,
            // A miner who mines past blocks again for their fees cannot have this one's.
            lock_time: LockTime::from_height(tip).unwrap_or(LockTime::ZERO),
            input: vec![],
            output: wish.outputs,
        };
        let paid: Amount = tx.output.iter().map(|output| output.value).sum();
        let target = paid + wish.fee_rate * tx.weight();
        let weight = self.satisfaction_weight();
        let coins: Vec<_> = coins.into_iter().map(|coin| weighted(coin, weight)).collect();
        let (required, optional) = if wish.all { (coins, vec![]) } else { (vec![], coins) };
        let order = self.tick();
        let mut randomness = self.keys.randomness(order);
        let selection = DefaultCoinSelectionAlgorithm::default()
            .coin_select(required, optional, wish.fee_rate, target, wish.rest_to, &mut randomness)
            .ok()?;
        tx.input = selection.selected.iter().map(tx_in).collect();
        if let Excess::Change { amount, .. } = selection.excess {
            tx.output.push(TxOut { value: amount, script_pubkey: wish.rest_to.to_owned() });
        }
        let out: Amount = tx.output.iter().map(|output| output.value).sum();
        let fee = selection.selected_amount().checked_sub(out)?;
        TxOrdering::Shuffle.sort_tx_with_aux_rand(&mut tx, &mut randomness);
        Some((tx, fee.to_sat()))
    }
}

/// The output that keeps the reserve when everything else leaves.
fn kept_output(script: &ScriptBuf, kept_sat: u64) -> Option<TxOut> {
    let least_sat = script.minimal_non_dust().to_sat();
    (kept_sat > 0).then(|| tx_out(script, kept_sat.max(least_sat)))
}

fn tx_out(script: &Script, sat: u64) -> TxOut {
    TxOut { value: Amount::from_sat(sat), script_pubkey: script.to_owned() }
}

fn tx_in(coin: &Utxo) -> TxIn {
    TxIn {
        previous_output: coin.outpoint(),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    }
}

/// A coin as BDK's selection takes it, which looks at its value and its weight only.
fn weighted(coin: Coin, satisfaction_weight: Weight) -> WeightedUtxo {
    let utxo = Utxo::Local(LocalOutput {
        outpoint: coin.outpoint,
        txout: coin.txout,
        keychain: KeychainKind::External,
        is_spent: false,
        derivation_index: 0,
        chain_position: ChainPosition::Unconfirmed { first_seen: None, last_seen: None },
    });
    WeightedUtxo { satisfaction_weight, utxo }
}

fn too_little(payout: Payout, free_sat: u64, reserve: Sat) -> Refusal {
    let spendable = sat(free_sat.saturating_sub(reserve.to_sat()));
    let kept = match reserve {
        Sat::ZERO => String::new(),
        _ => format!(", as {reserve} are kept for the fees of closing channels"),
    };
    let what = match payout {
        Payout::Exactly(amount) => format!("{amount} and the fee are too much"),
        Payout::All => "what is left would not pay its own fee".into(),
    };
    let message = format!("{what}: {spendable} can be spent{kept}; deposit more or wait for confirmations");
    Refusal::new(RefusalKind::Conflict, message)
}
