//! What a seed alone brings back of channels that are lost with their data: outputs to keys that
//! LDK derives from the seed only, once a peer closes and pays them out.
//!
//! Such outputs are one of a thousand `to_remote` keys (`v2_remote_key_derivation`), or the
//! scripts of cooperative closes. Only a restored node looks for them.

use crate::Ldk;
use bitcoin::block::Header;
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{OutPoint, ScriptBuf, TxOut};
use lightning::chain::transaction::{OutPoint as LdkOutPoint, TransactionData};
use lightning::chain::{BlockLocator, Listen};
use lightning::ln::chan_utils::ChannelTransactionParameters;
use lightning::sign::{
    ChannelSigner, KeysManager, SignerProvider, SpendableOutputDescriptor, StaticPaymentOutputDescriptor,
};
use lightning::types::features::ChannelTypeFeatures;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

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

/// An output, and what the transaction that made it spent.
struct Found {
    spends: Vec<OutPoint>,
    outpoint: OutPoint,
    output: TxOut,
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

    /// How LDK spends an output; `None` if no channel number leads to its key.
    fn descriptor(&self, found: &Found) -> Option<SpendableOutputDescriptor> {
        let outpoint =
            LdkOutPoint { txid: found.outpoint.txid, index: u16::try_from(found.outpoint.vout).ok()? };
        let output = found.output.clone();
        if self.cooperative.contains(&output.script_pubkey) {
            return Some(SpendableOutputDescriptor::StaticOutput { outpoint, output, channel_keys_id: None });
        }
        let mut anchors = ChannelTypeFeatures::only_static_remote_key();
        anchors.set_anchors_zero_fee_htlc_tx_required();
        for number in 0..TRIES {
            let mut channel_keys_id = [0; 32];
            channel_keys_id[24..].copy_from_slice(&number.to_be_bytes());
            let pubkeys = self.keys.derive_channel_keys(&channel_keys_id).pubkeys(&self.secp);
            let witness_script = lightning::ln::chan_utils::get_to_countersigner_keyed_anchor_redeemscript(
                &pubkeys.payment_point,
            );
            if witness_script.to_p2wsh() != output.script_pubkey {
                continue;
            }
            let channel_value_satoshis = output.value.to_sat();
            let parameters = ChannelTransactionParameters {
                holder_pubkeys: pubkeys,
                holder_selected_contest_delay: 0,
                is_outbound_from_holder: false,
                counterparty_parameters: None,
                funding_outpoint: None,
                splice_parent_funding_txid: None,
                channel_type_features: anchors,
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

impl Listen for Recovery {
    fn filtered_block_connected(&self, _: &Header, transactions: &TransactionData, _: u32) {
        if self.to_remote.is_empty() {
            return;
        }
        for (_, tx) in transactions {
            for (vout, output) in (0..).zip(&tx.output) {
                let script = &output.script_pubkey;
                if self.to_remote.contains(script) || self.cooperative.contains(script) {
                    self.found.lock().expect("no panic while it is held").push(Found {
                        spends: tx.input.iter().map(|input| input.previous_output).collect(),
                        outpoint: OutPoint { txid: tx.compute_txid(), vout },
                        output: output.clone(),
                    });
                }
            }
        }
    }

    /// A sweep of what is gone never confirms.
    fn blocks_disconnected(&self, _: BlockLocator) {}
}

impl Ldk {
    /// Hands what was found of lost channels to the sweeper; known channels sweep for themselves.
    pub(crate) fn sweep_recovered(&mut self) {
        let found = std::mem::take(&mut *self.recovery.found.lock().expect("no panic while it is held"));
        let lost =
            found.iter().filter(|found| !found.spends.iter().any(|spent| self.fundings.contains_key(spent)));
        for found in lost {
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
}
