//! The unspent outputs of the active chain, by outpoint and by script.

use std::collections::{BTreeSet, HashMap};

use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Transaction, TxOut, Txid};

/// The largest script consensus ever runs: an output with a longer one can never be spent.
const MAX_SCRIPT_SIZE: usize = 10_000;

/// The confirmations a coinbase output needs before it can be spent.
pub(crate) const COINBASE_MATURITY: u32 = 100;

/// An output of the chain that can be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The amount and the script that guards it.
    pub output: TxOut,
    /// The height of the block that made it.
    pub height: u32,
    /// Whether a coinbase made it; it must then rest for 100 blocks.
    pub coinbase: bool,
}

impl Coin {
    /// Whether a block at `spend_height` may spend it.
    pub fn is_mature_at(&self, spend_height: u32) -> bool {
        !self.coinbase || spend_height >= self.height + COINBASE_MATURITY
    }
}

/// All coins of the active chain.
#[derive(Debug, Default)]
pub(crate) struct Coins {
    by_outpoint: HashMap<OutPoint, Coin>,
    /// Oldest first, so that whoever looks for money to spend meets mature coins early.
    by_script: HashMap<ScriptBuf, BTreeSet<(u32, OutPoint)>>,
    total: Amount,
}

impl Coins {
    pub(crate) fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.by_outpoint.get(outpoint)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_outpoint.len()
    }

    pub(crate) fn total(&self) -> Amount {
        self.total
    }

    /// The coins that `script` guards, oldest first.
    pub(crate) fn of_script(&self, script: &Script) -> impl Iterator<Item = OutPoint> + '_ {
        self.by_script.get(script).into_iter().flatten().map(|(_, outpoint)| *outpoint)
    }

    /// Whether an output of this transaction is unspent.
    pub(crate) fn has_output_of(&self, txid: Txid, tx: &Transaction) -> bool {
        (0..tx.output.len() as u32).any(|vout| self.by_outpoint.contains_key(&OutPoint { txid, vout }))
    }

    pub(crate) fn add(&mut self, outpoint: OutPoint, coin: Coin) {
        self.total += coin.output.value;
        self.by_script.entry(coin.output.script_pubkey.clone()).or_default().insert((coin.height, outpoint));
        self.by_outpoint.insert(outpoint, coin);
    }

    pub(crate) fn take(&mut self, outpoint: &OutPoint) -> Option<Coin> {
        let coin = self.by_outpoint.remove(outpoint)?;
        self.total -= coin.output.value;
        if let Some(of_script) = self.by_script.get_mut(&coin.output.script_pubkey) {
            of_script.remove(&(coin.height, *outpoint));
            if of_script.is_empty() {
                self.by_script.remove(&coin.output.script_pubkey);
            }
        }
        Some(coin)
    }

    /// Adds what a confirmed transaction makes, but for outputs that nobody can ever spend.
    pub(crate) fn add_outputs(&mut self, txid: Txid, tx: &Transaction, height: u32) {
        let coinbase = tx.is_coinbase();
        for (vout, output) in (0u32..).zip(&tx.output) {
            if !is_unspendable(&output.script_pubkey) {
                let coin = Coin { output: output.clone(), height, coinbase };
                self.add(OutPoint { txid, vout }, coin);
            }
        }
    }

    pub(crate) fn take_outputs(&mut self, txid: Txid, tx: &Transaction) {
        for vout in 0..tx.output.len() as u32 {
            self.take(&OutPoint { txid, vout });
        }
    }
}

/// Whether bitcoind leaves an output with this script out of its set of coins.
pub(crate) fn is_unspendable(script: &Script) -> bool {
    script.is_op_return() || script.len() > MAX_SCRIPT_SIZE
}
