//! Coins for LDK: fees of anchor closings and HTLC claims, and scripts for what it sweeps.
//!
//! `WalletSync<Arc<Wallet>, _>` makes of it the coin source of `BumpTransactionEventHandlerSync`
//! and remembers which claim has which coins. A bump counts as soon as it is signed, so that
//! nothing else spends its coins; the next bump of the same claim may.

use bdk_wallet::KeychainKind;
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Psbt, ScriptBuf, Transaction, WPubkeyHash};
use lightning::sign::ChangeDestinationSourceSync;
use lightning::util::wallet_utils::{Utxo, WalletSourceSync};

use super::Wallet;
use super::coins::Coin;
use super::record::Label;

impl WalletSourceSync for Wallet {
    /// Confirmed, mature coins, the reserve among them, that nothing spends but perhaps an
    /// unconfirmed bump.
    fn list_confirmed_utxos(&self) -> Result<Vec<Utxo>, ()> {
        let state = self.lock();
        let tip = state.blocks.tip().height;
        let holdings = state.holdings();
        let coins = holdings.coins.into_values().chain(holdings.lent);
        let usable = coins.filter(|coin| coin.height.is_some() && coin.is_mature(tip));
        Ok(usable.filter_map(utxo).collect())
    }

    fn get_prevtx(&self, outpoint: OutPoint) -> Result<Transaction, ()> {
        let tx = self.lock().bdk.tx_graph().get_tx(outpoint.txid).ok_or(())?;
        Ok((*tx).clone())
    }

    fn get_change_script(&self) -> Result<ScriptBuf, ()> {
        Ok(self.change_script())
    }

    /// Signs our inputs and counts the transaction as a bump from now on. Inputs of others keep
    /// empty witnesses.
    fn sign_psbt(&self, psbt: Psbt) -> Result<Transaction, ()> {
        let mut state = self.lock();
        let mut tx = psbt.unsigned_tx;
        let inputs = state.own_inputs(&tx);
        state.keys.sign(&mut tx, &inputs);
        let txid = tx.compute_txid();
        state.see([tx.clone()], 0);
        if state.bdk.tx_graph().get_tx(txid).is_some() {
            let since = state.blocks.tip().height;
            state.books.set_label(txid, Label::Bump { since });
        }
        Ok(tx)
    }
}

impl ChangeDestinationSourceSync for Wallet {
    fn get_change_destination_script(&self) -> Result<ScriptBuf, ()> {
        Ok(self.lock().fresh_script(KeychainKind::Internal))
    }
}

fn utxo(coin: Coin) -> Option<Utxo> {
    let program = coin.txout.script_pubkey.as_bytes().get(2..)?;
    let hash = WPubkeyHash::from_slice(program).ok()?;
    Some(Utxo::new_v0_p2wpkh(coin.outpoint, coin.txout.value, &hash))
}
