//! Coins leave: to addresses, and into channels.

use std::collections::BTreeSet;
use std::str::FromStr;

use bdk_wallet::error::CreateTxError;
use bdk_wallet::{KeychainKind, LocalOutput};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, FeeRate, OutPoint, Script, ScriptBuf, Transaction, Txid};
use sponte_engine::backend::{Refusal, RefusalKind};
use sponte_proto::Sat;

use super::coins::sat;
use super::keys::OwnInput;
use super::record::Label;
use super::{State, Wallet};

/// Above 10,000 sat/vbyte a fee rate is a slip of the finger.
const MAX_FEE_RATE: FeeRate = FeeRate::from_sat_per_vb_u32(10_000);

/// How much is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payout {
    /// So much arrives; the fee comes on top.
    Exactly(Sat),
    /// Everything that may leave; the fee is taken from it.
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
        let (tx, fee) = state.build(&script, payout, fee_rate, reserve)?;
        let paid: Amount =
            tx.output.iter().filter(|output| output.script_pubkey == script).map(|output| output.value).sum();
        let amount = match payout {
            Payout::Exactly(amount) => amount,
            Payout::All => sat(paid.to_sat()),
        };
        let tx = state.sign_and_count(tx, Label::Withdrawal);
        Ok(SentCoins { tx, amount, fee })
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
        let (tx, _) = state.build(&script, Payout::Exactly(value), fee_rate, reserve)?;
        let label = Label::Funding { value_sat: value.to_sat(), broadcast: false };
        Ok(state.sign_and_count(tx, label))
    }
}

fn check_fee_rate(fee_rate: FeeRate) -> Result<(), Refusal> {
    if fee_rate <= MAX_FEE_RATE {
        return Ok(());
    }
    Err(invalid("the fee rate is above 10,000 sat per vbyte: state a lower one"))
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

    /// An unsigned transaction to `script`, and its fee. Leaves `reserve` behind.
    fn build(
        &mut self,
        script: &Script,
        payout: Payout,
        fee_rate: FeeRate,
        reserve: Sat,
    ) -> Result<(Transaction, Sat), Refusal> {
        let free = self.free_coins();
        let free_sat: u64 = free.iter().map(|coin| coin.txout.value.to_sat()).sum();
        let too_little = || too_little(payout, free_sat, reserve);
        let free: BTreeSet<OutPoint> = free.iter().map(|coin| coin.outpoint).collect();
        let taken = self.bdk.list_unspent().map(|LocalOutput { outpoint, .. }| outpoint);
        let taken = taken.filter(|outpoint| !free.contains(outpoint)).collect();
        let kept = match payout {
            Payout::All if reserve > Sat::ZERO => Some(self.kept_output(reserve)),
            _ => None,
        };
        let seed = self.tick();
        let mut randomness = self.keys.randomness(seed);
        let mut builder = self.bdk.build_tx();
        builder.unspendable(taken).fee_rate(fee_rate);
        match payout {
            Payout::Exactly(amount) => {
                builder.add_recipient(script.to_owned(), Amount::from_sat(amount.to_sat()));
            }
            Payout::All => {
                builder.drain_wallet().drain_to(script.to_owned());
            }
        }
        if let Some((kept_script, kept_value)) = kept {
            builder.add_recipient(kept_script, kept_value);
        }
        let built = builder.finish_with_aux_rand(&mut randomness);
        self.absorb();
        let tx = built.map_err(|error| self.refusal(error, too_little()))?.unsigned_tx;
        let inputs = self.own_inputs(&tx);
        let spent_sat: u64 = inputs.iter().map(|input| input.coin.value.to_sat()).sum();
        let out_sat: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        let fee = sat(spent_sat - out_sat);
        let leaving_sat = match payout {
            Payout::Exactly(amount) => amount.to_sat() + fee.to_sat(),
            Payout::All => 0,
        };
        let arrives = tx.output.iter().any(|output| *output.script_pubkey == *script);
        if !arrives || free_sat < leaving_sat + reserve.to_sat() {
            return Err(too_little());
        }
        Ok((tx, fee))
    }

    /// The output that keeps the reserve when everything else leaves.
    fn kept_output(&mut self, reserve: Sat) -> (ScriptBuf, Amount) {
        let script = self.fresh_script(KeychainKind::Internal);
        let least = script.minimal_non_dust();
        (script, Amount::from_sat(reserve.to_sat()).max(least))
    }

    fn refusal(&self, error: CreateTxError, too_little: Refusal) -> Refusal {
        match error {
            CreateTxError::CoinSelection(_) | CreateTxError::NoUtxosSelected => too_little,
            other => {
                tracing::error!(%other, "a transaction could not be built");
                Refusal::new(RefusalKind::Conflict, format!("the transaction could not be built: {other}"))
            }
        }
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
        let txid: Txid = tx.compute_txid();
        self.see([tx.clone()], 0);
        self.books.set_label(txid, label);
        tx
    }
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
