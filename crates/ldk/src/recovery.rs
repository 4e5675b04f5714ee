//! What a seed alone brings back of channels that are lost with their data: outputs to keys that
//! LDK derives from the seed only, once a peer closes and pays them out.
//!
//! Such outputs are one of a thousand `to_remote` keys (`v2_remote_key_derivation`), or the
//! scripts of cooperative closes. Only a restored node looks for them.

use crate::Ldk;
use bitcoin::block::Header;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1};
use bitcoin::{CompressedPublicKey, OutPoint, ScriptBuf, TxOut, Txid};
use lightning::chain::channelmonitor::ANTI_REORG_DELAY;
use lightning::chain::transaction::{OutPoint as LdkOutPoint, TransactionData};
use lightning::chain::{BlockLocator, Listen};
use lightning::ln::chan_utils::{
    ChannelTransactionParameters, get_to_countersigner_keyed_anchor_redeemscript,
};
use lightning::sign::{
    ChannelSigner, KeysManager, SignerProvider, SpendableOutputDescriptor, StaticPaymentOutputDescriptor,
};
use lightning::types::features::ChannelTypeFeatures;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

/// LDK has a thousand such keys, and picks one by a hash of the channel's own number: so many
/// numbers are tried to find one that leads to a key.
const TRIES: u64 = 50_000;

/// Looks for outputs of lost channels in every block.
pub(crate) struct Recovery {
    keys: Arc<KeysManager>,
    secp: Secp256k1<All>,
    to_remote: HashSet<ScriptBuf>,
    cooperative: HashSet<ScriptBuf>,
    found: Mutex<Vec<Found>>,
}

/// An output, what the transaction that made it spent, and the height of its block.
struct Found {
    spends: Vec<OutPoint>,
    outpoint: OutPoint,
    output: TxOut,
    height: u32,
}

impl Recovery {
    /// For a node that was restored from its seed; of another one nothing is lost.
    pub(crate) fn new(keys: Arc<KeysManager>, restored: bool) -> Recovery {
        let secp = Secp256k1::new();
        let (mut to_remote, mut cooperative) = (HashSet::new(), HashSet::new());
        if restored {
            to_remote.extend(keys.possible_v2_counterparty_closed_balance_spks(&secp));
            cooperative.extend(keys.get_destination_script([0; 32]));
            cooperative.extend(keys.get_shutdown_scriptpubkey().map(|script| script.into_inner()));
        }
        Recovery { keys, secp, to_remote, cooperative, found: Mutex::default() }
    }

    /// The height after which it must see all blocks again at a start, if the wallet has seen all up to
    /// `height`: what was found and not handed over is in memory only. `None` if it looks for nothing.
    pub(crate) fn begins_after(&self, height: u32) -> Option<u32> {
        (!self.to_remote.is_empty()).then(|| height.saturating_sub(ANTI_REORG_DELAY))
    }

    /// What no reorg is expected to undo any more.
    fn take_buried(&self, height: u32) -> Vec<Found> {
        self.found().extract_if(.., |found| height + 1 >= found.height + ANTI_REORG_DELAY).collect()
    }

    fn found(&self) -> MutexGuard<'_, Vec<Found>> {
        self.found.lock().expect("no panic while it is held")
    }

    /// How LDK spends an output; `None` if no channel number leads to its key.
    fn descriptor(&self, found: &Found) -> Option<SpendableOutputDescriptor> {
        let outpoint =
            LdkOutPoint { txid: found.outpoint.txid, index: u16::try_from(found.outpoint.vout).ok()? };
        let output = found.output.clone();
        if self.cooperative.contains(&output.script_pubkey) {
            return Some(SpendableOutputDescriptor::StaticOutput { outpoint, output, channel_keys_id: None });
        }
        for number in 0..TRIES {
            let mut channel_keys_id = [0; 32];
            channel_keys_id[24..].copy_from_slice(&number.to_be_bytes());
            let pubkeys = self.keys.derive_channel_keys(&channel_keys_id).pubkeys(&self.secp);
            let Some(channel_type_features) = pays(&output.script_pubkey, &pubkeys.payment_point) else {
                continue;
            };
            let channel_value_satoshis = output.value.to_sat();
            let parameters = ChannelTransactionParameters {
                holder_pubkeys: pubkeys,
                holder_selected_contest_delay: 0,
                is_outbound_from_holder: false,
                counterparty_parameters: None,
                funding_outpoint: None,
                splice_parent_funding_txid: None,
                channel_type_features,
                channel_value_satoshis,
            };
            return Some(SpendableOutputDescriptor::StaticPaymentOutput(StaticPaymentOutputDescriptor {
                outpoint,
                output,
                channel_keys_id,
                channel_value_satoshis,
                channel_transaction_parameters: Some(parameters),
            }));
        }
        None
    }
}

/// The kind of channel, with anchors or without, in which a script is the `to_remote` of a key.
fn pays(script: &ScriptBuf, key: &PublicKey) -> Option<ChannelTypeFeatures> {
    let mut features = ChannelTypeFeatures::only_static_remote_key();
    if *script == ScriptBuf::new_p2wpkh(&CompressedPublicKey(*key).wpubkey_hash()) {
        return Some(features);
    }
    features.set_anchors_zero_fee_htlc_tx_required();
    (*script == get_to_countersigner_keyed_anchor_redeemscript(key).to_p2wsh()).then_some(features)
}

impl Listen for Recovery {
    fn filtered_block_connected(&self, _: &Header, transactions: &TransactionData, height: u32) {
        if self.to_remote.is_empty() {
            return;
        }
        for (_, tx) in transactions {
            for (vout, output) in (0..).zip(&tx.output) {
                let script = &output.script_pubkey;
                if self.to_remote.contains(script) || self.cooperative.contains(script) {
                    self.found().push(Found {
                        spends: tx.input.iter().map(|input| input.previous_output).collect(),
                        outpoint: OutPoint { txid: tx.compute_txid(), vout },
                        output: output.clone(),
                        height,
                    });
                }
            }
        }
    }

    fn blocks_disconnected(&self, fork_point: BlockLocator) {
        self.found().retain(|found| found.height <= fork_point.height);
    }
}

impl Ldk {
    /// Hands what was found of lost channels to the sweeper, which must never have an output twice, nor
    /// one that a reorg may take away: all that it has goes into one transaction.
    pub(crate) fn sweep_recovered(&mut self) {
        let found = self.recovery.take_buried(self.node.manager.current_best_block().height);
        if found.is_empty() {
            return;
        }
        let (watched, tracked) = (self.watched_by_monitors(), self.in_the_sweeper());
        // Known channels hand over what they pay out: their closings, and later their claims, which go to
        // the same scripts.
        let is_theirs = |spent: &OutPoint| self.fundings.contains_key(spent) || watched.contains(&spent.txid);
        let lost = |one: &&Found| !one.spends.iter().any(is_theirs) && !tracked.contains(&one.outpoint);
        for found in found.iter().filter(lost) {
            let Some(descriptor) = self.recovery.descriptor(found) else {
                tracing::warn!(outpoint = %found.outpoint, "an output of a lost channel has no key of this version");
                continue;
            };
            tracing::info!(outpoint = %found.outpoint, value = %found.output.value, "money of a lost channel is found");
            let tracked =
                self.node.sweeper.track_spendable_outputs(vec![descriptor], None, None, false, None);
            // Our store takes every write; it cannot fail here.
            debug_assert!(tracked.is_ok());
        }
    }

    /// Transactions of known channels that may be spent: fundings, commitments, second stages.
    fn watched_by_monitors(&self) -> HashSet<Txid> {
        let monitors = self.node.monitor.list_monitors().into_iter();
        let monitors = monitors.filter_map(|id| self.node.monitor.get_monitor(id).ok());
        monitors.flat_map(|monitor| monitor.get_outputs_to_watch()).map(|(txid, _)| txid).collect()
    }

    fn in_the_sweeper(&self) -> HashSet<OutPoint> {
        let tracked = self.node.sweeper.tracked_spendable_outputs().into_iter();
        tracked.map(|one| one.descriptor.spendable_outpoint().into_bitcoin_outpoint()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, WPubkeyHash, absolute, consensus, transaction};
    use lightning::sign::OutputSpender;

    fn stranger() -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros())
    }

    fn sweep(keys: &KeysManager, descriptor: &SpendableOutputDescriptor) -> bitcoin::Transaction {
        let secp = Secp256k1::new();
        keys.spend_spendable_outputs(&[descriptor], vec![], stranger(), 500, None, &secp).expect("it signs")
    }

    /// Both kinds of channel, the first and the last of all keys.
    #[test]
    fn every_output_of_a_lost_channel_can_be_spent() {
        let keys = Arc::new(KeysManager::new(&[7; 32], 1, 2, true));
        let recovery = Recovery::new(keys.clone(), true);
        let scripts = keys.possible_v2_counterparty_closed_balance_spks(&Secp256k1::new());
        assert_eq!(scripts.len(), 2_000);
        let ends = scripts[..2].iter().chain(&scripts[1_998..]);
        for script in ends {
            let output = TxOut { value: Amount::from_sat(50_000), script_pubkey: script.clone() };
            let funding = bitcoin::Transaction {
                version: transaction::Version::TWO,
                lock_time: absolute::LockTime::ZERO,
                input: vec![],
                output: vec![output.clone()],
            };
            let outpoint = OutPoint { txid: funding.compute_txid(), vout: 0 };
            let found = Found { spends: vec![], outpoint, output, height: 1 };
            let descriptor = recovery.descriptor(&found).expect("one of our keys");
            let swept = consensus::serialize(&sweep(&keys, &descriptor));
            bitcoinconsensus::verify(script.as_bytes(), 50_000, &swept, None, 0).expect("a valid spend");
        }
        let foreign = TxOut { value: Amount::from_sat(50_000), script_pubkey: stranger() };
        let outpoint = OutPoint { txid: Txid::all_zeros(), vout: 0 };
        assert!(
            recovery.descriptor(&Found { spends: vec![], outpoint, output: foreign, height: 1 }).is_none()
        );
    }

    /// A reorg may take it away until then, and it would be in every sweep for ever.
    #[test]
    fn what_is_found_is_taken_once_it_is_buried() {
        let keys = Arc::new(KeysManager::new(&[7; 32], 1, 2, true));
        let recovery = Recovery::new(keys.clone(), true);
        let script_pubkey = keys.get_destination_script([0; 32]).expect("a script");
        let output = vec![TxOut { value: Amount::from_sat(50_000), script_pubkey }];
        let block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        let tx = bitcoin::Transaction { output, ..block.txdata[0].clone() };
        let at = |height| BlockLocator::new(block.block_hash(), height);
        recovery.filtered_block_connected(&block.header, &[(0, &tx)], 100);
        recovery.filtered_block_connected(&block.header, &[(0, &tx)], 101);
        recovery.blocks_disconnected(at(100));
        assert!(recovery.take_buried(104).is_empty());
        let heights: Vec<u32> = recovery.take_buried(105).iter().map(|found| found.height).collect();
        assert_eq!(heights, [100]);
        assert!(recovery.take_buried(200).is_empty(), "once, and not what was disconnected");
    }
}
