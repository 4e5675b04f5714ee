//! Coins leave: to addresses, and into channels.

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, FeeRate, Script, ScriptBuf, Transaction};
use sponte_engine::backend::{Refusal, RefusalKind};
use sponte_proto::Sat;

use super::keys::OwnInput;
use super::record::Label;
use super::{State, Wallet};

/// A fee rate above this is a slip of the finger, and bitcoind broadcasts nothing above 10,000 sat/vbyte
/// (`maxfeerate`). By weight, with what pays for whole virtual bytes.
const MAX_FEE_RATE: FeeRate = FeeRate::from_sat_per_kwu(9_800 * 253);

/// How much is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payout {
    /// So much arrives; the fee comes on top.
    Exactly(Sat),
    /// Everything that may leave and is worth its fee, as far as one transaction carries it; the
    /// fee is taken from it.
    All,
}

/// A signed transaction to be broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCoins {
    /// The transaction.
    pub tx: Transaction,
    /// What arrives.
    pub amount: Sat,
    /// What the miner gets.
    pub fee: Sat,
}

impl Wallet {
    /// Makes and signs a payment to an address, and counts it from now on. The caller broadcasts
    /// it once this step is durable.
    ///
    /// # Errors
    /// An address that is none or of another network, an amount that is dust, a fee rate beyond
    /// reason; too little money with `reserve` left in the wallet.
    pub fn send(
        &self,
        address: &str,
        payout: Payout,
        fee_rate: FeeRate,
        reserve: Sat,
    ) -> Result<SentCoins, Refusal> {
        let mut state = self.lock();
        let script = state.script_of(address)?;
        check_fee_rate(fee_rate)?;
        if let Payout::Exactly(amount) = payout {
            check_dust(&script, amount)?;
        }
        let built = state.build(&script, payout, fee_rate, reserve)?;
        let tx = state.sign_and_count(built.tx, Label::Withdrawal);
        Ok(SentCoins { tx, amount: built.amount, fee: built.fee })
    }

    /// Makes and signs the funding transaction of a channel, all inputs SegWit, and counts it
    /// from now on. LDK broadcasts it when the channel's first commitment is signed, and is to
    /// be followed by [`Wallet::mark_broadcast`]; if it will never, [`Wallet::cancel`] frees the
    /// coins.
    ///
    /// # Errors
    /// Too little money with `reserve` left in the wallet, dust, or a fee rate beyond reason.
    pub fn fund_channel(
        &self,
        script: ScriptBuf,
        value: Sat,
        fee_rate: FeeRate,
        reserve: Sat,
    ) -> Result<Transaction, Refusal> {
        let mut state = self.lock();
        check_fee_rate(fee_rate)?;
        check_dust(&script, value)?;
        let built = state.build(&script, Payout::Exactly(value), fee_rate, reserve)?;
        let label = Label::Funding { value_sat: value.to_sat(), broadcast: false };
        Ok(state.sign_and_count(built.tx, label))
    }
}

fn check_fee_rate(fee_rate: FeeRate) -> Result<(), Refusal> {
    if fee_rate <= MAX_FEE_RATE {
        return Ok(());
    }
    Err(invalid("the fee rate is above 9,800 sat per vbyte: state a lower one"))
}

fn check_dust(script: &Script, amount: Sat) -> Result<(), Refusal> {
    let least = script.minimal_non_dust().to_sat();
    if amount.to_sat() >= least {
        return Ok(());
    }
    Err(invalid(format!("{amount} is dust, which no node relays: send at least {least}sat")))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, message)
}

impl State {
    fn script_of(&self, address: &str) -> Result<ScriptBuf, Refusal> {
        let network = self.bdk.network();
        let address = Address::<NetworkUnchecked>::from_str(address.trim())
            .map_err(|_| invalid("this is no Bitcoin address: check it for missing or wrong characters"))?;
        let address = address.require_network(network).map_err(|_| {
            invalid(format!("this address is not for {network}: ask for one of this network"))
        })?;
        Ok(address.script_pubkey())
    }

    /// The inputs of a transaction that spend our coins.
    pub(super) fn own_inputs(&self, tx: &Transaction) -> Vec<OwnInput> {
        let index = self.bdk.spk_index();
        let own = tx.input.iter().enumerate().filter_map(|(at, input)| {
            let (key, coin) = index.txout(input.previous_output)?;
            Some(OwnInput { at, coin: coin.clone(), key })
        });
        own.collect()
    }

    fn sign_and_count(&mut self, mut tx: Transaction, label: Label) -> Transaction {
        let inputs = self.own_inputs(&tx);
        self.keys.sign(&mut tx, &inputs);
        let txid = tx.compute_txid();
        self.see([tx.clone()], 0);
        self.books.set_label(txid, label);
        tx
    }
}
