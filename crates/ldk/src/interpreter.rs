//! Where messages pass: HTLCs to us are translated, and what becomes of ours is noted.

use crate::htlcs::{Htlc, Htlcs};
use crate::sent::SentHtlcs;
use crate::translate::{Translation, Translator, fail_with};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{MessageSendEvent, UpdateAddHTLC, UpdateFailHTLC, UpdateFailMalformedHTLC};
use lightning::ln::types::ChannelId;
use lightning::sign::{KeysManager, NodeSigner, Recipient};
use lightning::types::features::{InitFeatures, NodeFeatures};
use sponte_engine::backend::Kinds;
use sponte_engine::commit::KvBatch;
use sponte_proto::failure::Failure;
use sponte_proto::onion::SharedSecret;
use sponte_proto::{PaymentHash, amp, keysend};
use std::sync::{Arc, Mutex};

/// Translates the HTLCs of the kinds that are on, and follows those that we sent.
pub(crate) struct Interpreter {
    signer: Arc<KeysManager>,
    translator: Translator,
    kinds: Mutex<Kinds>,
    pub(crate) htlcs: Htlcs,
    pub(crate) sent: SentHtlcs,
}

/// Until the engine says what it takes.
const NO_KINDS: Kinds =
    Kinds { keysend: false, mpp_keysend: false, amp: false, amp_invoice: false, ecdh1: false, ecdh0: false };

impl Interpreter {
    pub(crate) fn new(
        node_secret: [u8; 32],
        signer: Arc<KeysManager>,
        htlcs: Htlcs,
        sent: SentHtlcs,
    ) -> Interpreter {
        let translator = Translator::new(node_secret, signer.get_expanded_key());
        Interpreter { signer, translator, kinds: Mutex::new(NO_KINDS), htlcs, sent }
    }

    /// These kinds are on from now. Returns whether that changes anything.
    pub(crate) fn accept(&self, kinds: Kinds) -> bool {
        std::mem::replace(&mut *self.kinds.lock().expect("no panic while it is held"), kinds) != kinds
    }

    fn kinds(&self) -> Kinds {
        *self.kinds.lock().expect("no panic while it is held")
    }

    /// What LDK is to see instead of a message of the peer's; `None`: the message itself.
    pub(crate) fn incoming(&self, peer: &PublicKey, htlc: &UpdateAddHTLC) -> Option<Box<UpdateAddHTLC>> {
        // Of a channel that is not the peer's LDK says so, and we remember nothing.
        if !self.htlcs.is_channel(htlc.channel_id, peer) {
            return None;
        }
        let key = (htlc.channel_id, htlc.htlc_id);
        let (row, translated) = match self.translate(htlc) {
            Some((Translation::Translated(kind, translated), shared_secret)) => {
                let hash = PaymentHash::from_bytes(htlc.payment_hash.0);
                (Some(Htlc { kind, hash, shared_secret, code: None }), Some(translated))
            }
            Some((Translation::Refused(translated), _)) => (None, Some(translated)),
            Some((Translation::Untouched, _)) | None => (None, None),
        };
        self.htlcs.note(key, row);
        translated
    }

    /// `None` where no secret can be shared, or is worth its price.
    fn translate(&self, htlc: &UpdateAddHTLC) -> Option<(Translation, SharedSecret)> {
        let kinds = self.kinds();
        if !Translator::may_translate(htlc, &kinds) {
            return None;
        }
        let key = htlc.onion_routing_packet.public_key.as_ref().ok()?;
        let secret = self.signer.ecdh(Recipient::Node, key, None).ok()?;
        let secret = SharedSecret::from_bytes(secret.secret_bytes());
        Some((self.translator.translate(htlc, &secret, &kinds), secret))
    }

    /// LDK has taken in what the peer signed.
    pub(crate) fn committed(&self, peer: &PublicKey, channel: ChannelId) {
        if self.htlcs.is_channel(channel, peer) {
            self.htlcs.committed(channel);
        }
    }

    /// A peer fails an HTLC: what it says is noted before LDK sees it.
    pub(crate) fn failed(&self, peer: &PublicKey, message: &UpdateFailHTLC) {
        if self.htlcs.is_channel(message.channel_id, peer) {
            self.sent.failed(message);
        }
    }

    /// A peer could not read an onion: as [`Interpreter::failed`].
    pub(crate) fn malformed(&self, peer: &PublicKey, message: &UpdateFailMalformedHTLC) {
        if self.htlcs.is_channel(message.channel_id, peer) {
            self.sent.malformed(message);
        }
    }

    /// Puts what has changed into the step's batch.
    pub(crate) fn write(&self, batch: &mut KvBatch) {
        self.htlcs.write(batch);
        self.sent.write(batch);
    }

    /// Puts our own answers in place of LDK's, and learns which channels carry HTLCs.
    pub(crate) fn outgoing(&self, events: &mut [MessageSendEvent]) {
        for event in events {
            match event {
                MessageSendEvent::SendChannelReady { node_id, msg } => {
                    self.htlcs.channel_ready(msg.channel_id, *node_id);
                }
                MessageSendEvent::UpdateHTLCs { updates, .. } => {
                    updates.update_add_htlcs.iter().for_each(|htlc| self.sent.left(htlc));
                    updates.update_fail_htlcs.iter_mut().for_each(|failure| self.rewrite(failure));
                }
                _ => {}
            }
        }
    }

    fn rewrite(&self, message: &mut UpdateFailHTLC) {
        let Some((secret, code)) = self.htlcs.failure(&(message.channel_id, message.htlc_id)) else { return };
        let failure = Failure::Other { code, data: vec![] };
        match fail_with(message, &secret, &failure) {
            Some(rewritten) => *message = rewritten,
            None => tracing::error!(%code, "a failure could not be rewritten: the sender sees LDK's"),
        }
    }

    /// LDK's features, and that of AMP as it is taken.
    pub(crate) fn init_features(&self, of_ldk: InitFeatures) -> InitFeatures {
        let mut bits = of_ldk.le_flags().to_vec();
        set(&mut bits, amp::AMP_OPTIONAL, self.kinds().any_amp());
        InitFeatures::from_le_bytes(bits)
    }

    /// The same in an announcement, where LDK always says that it takes keysend.
    pub(crate) fn node_features(&self, of_ldk: NodeFeatures) -> NodeFeatures {
        let mut bits = of_ldk.le_flags().to_vec();
        let kinds = self.kinds();
        set(&mut bits, amp::AMP_OPTIONAL, kinds.any_amp());
        set(&mut bits, keysend::KEYSEND_OPTIONAL, kinds.keysend);
        NodeFeatures::from_le_bytes(bits)
    }
}

fn set(bits: &mut Vec<u8>, bit: u16, on: bool) {
    let (byte, mask) = (usize::from(bit / 8), 1 << (bit % 8));
    if bits.len() <= byte {
        bits.resize(byte + 1, 0);
    }
    match on {
        true => bits[byte] |= mask,
        false => bits[byte] &= !mask,
    }
    while bits.last() == Some(&0) {
        bits.pop();
    }
}

#[cfg(test)]
mod tests;
