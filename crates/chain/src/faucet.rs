//! Money for development: a key that mines the first blocks and gives away what it got.

use std::collections::VecDeque;

use bitcoin::absolute::LockTime;
use bitcoin::key::CompressedPublicKey;
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, FeeRate, KnownHrp, OutPoint, PrivateKey, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Txid, Weight, Witness,
};

use crate::accept::MAX_CHAIN_COUNT;
use crate::chain::Chain;
use crate::reject::TxRejected;
use crate::time::UnixTime;

/// What an input adds: 41 bytes, and a witness of a signature and a key.
const INPUT_WEIGHT: Weight = Weight::from_wu(41 * 4 + 1 + 1 + 72 + 1 + 33);
/// Version, locktime, counts, and the segwit marker.
const FRAME_WEIGHT: Weight = Weight::from_wu(10 * 4 + 2 + 8);
/// Coins below this are left alone: old coinbases are worth next to nothing on regtest.
const SMALLEST_COIN: Amount = Amount::from_sat(10_000);

/// Why the faucet gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaucetError {
    /// Its mature and unspent coins do not reach: mine more blocks to it.
    #[error("Insufficient funds")]
    InsufficientFunds,
    /// The amount is below what relay takes for the output.
    #[error("Transaction amount too small")]
    AmountTooSmall,
    /// The chain refused the transaction.
    #[error(transparent)]
    Rejected(#[from] TxRejected),
}

/// A wallet of one key.
#[derive(Debug)]
pub(crate) struct Faucet {
    secp: Secp256k1<All>,
    key: PrivateKey,
    script: ScriptBuf,
    /// Coins that were spendable when they were last looked for; checked again before use.
    ready: VecDeque<OutPoint>,
}

impl Faucet {
    pub(crate) fn new(secret: SecretKey) -> Self {
        let secp = Secp256k1::new();
        let key = PrivateKey::new(secret, bitcoin::Network::Regtest);
        let script = address_of(&secp, &key).script_pubkey();
        Self { secp, key, script, ready: VecDeque::new() }
    }

    pub(crate) fn script(&self) -> &ScriptBuf {
        &self.script
    }

    pub(crate) fn address(&self) -> Address {
        address_of(&self.secp, &self.key)
    }

    /// What it could give away in the next block.
    pub(crate) fn balance(&self, chain: &Chain) -> Amount {
        self.all_outpoints(chain)
            .into_iter()
            .filter_map(|outpoint| self.spendable(chain, &outpoint))
            .map(|output| output.value)
            .sum()
    }

    /// Pays `amount` to `script` and hands the transaction to the mempool.
    pub(crate) fn send(
        &mut self,
        chain: &mut Chain,
        script: ScriptBuf,
        amount: Amount,
        rate: FeeRate,
        now: UnixTime,
    ) -> Result<Txid, FaucetError> {
        let payee = TxOut { value: amount, script_pubkey: script };
        if amount < payee.script_pubkey.minimal_non_dust_custom(chain.policy().dust_relay_fee) {
            return Err(FaucetError::AmountTooSmall);
        }
        let coins = self.gather(chain, &payee, rate)?;
        let tx = self.build(&coins, payee, rate);
        let txid = chain.accept_transaction(tx, now)?;
        let change = OutPoint { txid, vout: 1 };
        if self.spendable(chain, &change).is_some() {
            self.ready.push_back(change);
        }
        Ok(txid)
    }

    /// Takes coins off the queue until they pay for the output and themselves.
    fn gather(
        &mut self,
        chain: &Chain,
        payee: &TxOut,
        rate: FeeRate,
    ) -> Result<Vec<(OutPoint, TxOut)>, FaucetError> {
        let mut coins = Vec::new();
        let mut gathered = Amount::ZERO;
        let mut refreshed = false;
        while gathered < payee.value + fee(coins.len(), &[payee], rate) {
            match self.ready.pop_front() {
                Some(outpoint) => {
                    if let Some(output) = self.spendable(chain, &outpoint) {
                        gathered += output.value;
                        coins.push((outpoint, output));
                    }
                }
                None if !refreshed => {
                    refreshed = true;
                    self.ready = self.all_outpoints(chain).into();
                    self.ready.retain(|outpoint| coins.iter().all(|(taken, _)| taken != outpoint));
                }
                None => {
                    self.ready.extend(coins.into_iter().map(|(outpoint, _)| outpoint));
                    return Err(FaucetError::InsufficientFunds);
                }
            }
        }
        Ok(coins)
    }

    fn build(&self, coins: &[(OutPoint, TxOut)], payee: TxOut, rate: FeeRate) -> Transaction {
        let input = coins
            .iter()
            .map(|(previous_output, _)| TxIn {
                previous_output: *previous_output,
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                ..TxIn::default()
            })
            .collect();
        let gathered: Amount = coins.iter().map(|(_, output)| output.value).sum();
        let mut change = TxOut { value: Amount::ZERO, script_pubkey: self.script.clone() };
        let with_change = payee.value + fee(coins.len(), &[&payee, &change], rate);
        let mut output = vec![payee];
        if let Some(rest) = gathered.checked_sub(with_change).filter(|r| *r >= SMALLEST_COIN) {
            change.value = rest;
            output.push(change);
        }
        let mut tx = Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output };
        self.sign(&mut tx, coins);
        tx
    }

    fn sign(&self, tx: &mut Transaction, coins: &[(OutPoint, TxOut)]) {
        let mut cache = SighashCache::new(tx);
        for (index, (_, output)) in coins.iter().enumerate() {
            let sighash = cache
                .p2wpkh_signature_hash(index, &output.script_pubkey, output.value, EcdsaSighashType::All)
                .expect("the faucet's coins are all P2WPKH and the index is an input's");
            let message = Message::from_digest(*sighash.as_ref());
            let signature =
                bitcoin::ecdsa::Signature::sighash_all(self.secp.sign_ecdsa(&message, &self.key.inner));
            let witness = Witness::p2wpkh(&signature, &self.key.inner.public_key(&self.secp));
            *cache.witness_mut(index).expect("the index is an input's") = witness;
        }
    }

    /// Confirmed coins, oldest first, then those of the mempool.
    fn all_outpoints(&self, chain: &Chain) -> Vec<OutPoint> {
        let waiting = chain.mempool_entries().flat_map(|entry| {
            let outputs = (0u32..).zip(&entry.tx.output);
            outputs
                .filter(|(_, output)| output.script_pubkey == self.script)
                .map(|(vout, _)| OutPoint { txid: entry.txid, vout })
        });
        chain.coins_of(&self.script).chain(waiting).collect()
    }

    /// The output, if it is the faucet's and a new transaction could spend it now.
    fn spendable(&self, chain: &Chain, outpoint: &OutPoint) -> Option<TxOut> {
        if chain.spender(outpoint).is_some() {
            return None;
        }
        let output = match chain.coin(outpoint) {
            Some(coin) => coin.is_mature_at(chain.height() + 1).then_some(&coin.output)?,
            None => {
                let entry = chain.mempool_entry(&outpoint.txid)?;
                // Room for one more ancestor that arrives with another of our coins.
                if chain.ancestors(entry).count + 1 >= MAX_CHAIN_COUNT {
                    return None;
                }
                entry.tx.output.get(outpoint.vout as usize)?
            }
        };
        let ours = output.script_pubkey == self.script && output.value >= SMALLEST_COIN;
        ours.then(|| output.clone())
    }
}

fn address_of(secp: &Secp256k1<All>, key: &PrivateKey) -> Address {
    let public =
        CompressedPublicKey::from_private_key(secp, key).expect("the faucet's key is of the compressed kind");
    Address::p2wpkh(&public, KnownHrp::Regtest)
}

fn fee(inputs: usize, outputs: &[&TxOut], rate: FeeRate) -> Amount {
    let outputs: Weight = outputs.iter().map(|output| output.weight()).sum();
    let weight = FRAME_WEIGHT + INPUT_WEIGHT * inputs as u64 + outputs;
    crate::accept::fee_at(rate, weight.to_vbytes_ceil())
}
