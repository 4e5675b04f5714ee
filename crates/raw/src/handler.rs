//! Sees the messages of the node's channels, and changes its own HTLCs.

use crate::config::base;
use crate::gossip::all_of;
use crate::htlc::{Onion, Outcome};
use crate::parts::Graph;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::*;
use lightning::ln::types::ChannelId;
use lightning::sign::{KeysManager, NodeSigner as _};
use lightning::types::features::{InitFeatures, NodeFeatures};
use lightning::types::payment::PaymentHash;
use sponte_proto::{Msat, Preimage};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

pub struct RawHandler<C> {
    inner: Arc<C>,
    onions: Mutex<Onions>,
    /// The next HTLCs leave without the signature that commits to them.
    stutters: AtomicBool,
    /// All gossip is told once more.
    retells: AtomicBool,
    graph: Arc<Graph>,
    keys: Arc<KeysManager>,
    /// What updates of its channels say that it asks.
    announced_fee: Msat,
}

#[derive(Default)]
struct Onions {
    /// In the order in which they were sent.
    waiting: HashMap<PaymentHash, VecDeque<Onion>>,
    /// By channel and number; a message that leaves again has the same onion.
    sent: HashMap<(ChannelId, u64), Onion>,
}

impl<C: ChannelMessageHandler> RawHandler<C> {
    pub fn new(
        inner: Arc<C>,
        graph: Arc<Graph>,
        keys: Arc<KeysManager>,
        announced_fee: Msat,
    ) -> RawHandler<C> {
        let (onions, stutters, retells) = (Mutex::default(), AtomicBool::default(), AtomicBool::default());
        RawHandler { inner, onions, stutters, retells, graph, keys, announced_fee }
    }

    /// All gossip is told once more.
    pub fn retell(&self) {
        self.retells.store(true, Ordering::Release);
    }

    /// The next HTLCs leave without the signature that commits to them.
    pub fn stutter(&self) {
        self.stutters.store(true, Ordering::Release);
    }

    /// The next HTLC with this hash is to carry this.
    pub fn expect(&self, hash: PaymentHash, onion: Onion) {
        self.onions().waiting.entry(hash).or_default().push_back(onion);
    }

    /// The next HTLC with this hash does not leave.
    pub fn unsent(&self, hash: PaymentHash) {
        let onion = self.onions().waiting.get_mut(&hash).and_then(VecDeque::pop_front);
        if let Some(onion) = onion {
            onion.ended(Outcome::Unsent);
        }
    }

    fn onions(&self) -> MutexGuard<'_, Onions> {
        self.onions.lock().expect("unpoisoned")
    }

    fn put(&self, message: &mut UpdateAddHTLC) {
        let onions = &mut *self.onions();
        let key = (message.channel_id, message.htlc_id);
        if !onions.sent.contains_key(&key)
            && let Some(onion) = onions.waiting.get_mut(&message.payment_hash).and_then(VecDeque::pop_front)
        {
            onions.sent.insert(key, onion);
        }
        if let Some(onion) = onions.sent.get(&key) {
            onion.put(message);
        }
    }

    /// An update of this node's own says what it is to say.
    fn announce(&self, update: &mut ChannelUpdate) {
        let fee = base(self.announced_fee);
        if update.contents.fee_base_msat != fee {
            update.contents.fee_base_msat = fee;
            let message = UnsignedGossipMessage::ChannelUpdate(&update.contents);
            update.signature = self.keys.sign_gossip_message(message).expect("its own key");
        }
    }

    fn with(&self, channel: ChannelId, htlc: u64, then: impl FnOnce(&Onion)) {
        if let Some(onion) = self.onions().sent.get(&(channel, htlc)) {
            then(onion);
        }
    }
}

impl<C: ChannelMessageHandler> BaseMessageHandler for RawHandler<C> {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        let mut events = self.inner.get_and_clear_pending_msg_events();
        for event in &mut events {
            match event {
                MessageSendEvent::UpdateHTLCs { updates, .. } => {
                    updates.update_add_htlcs.iter_mut().for_each(|message| self.put(message));
                    if !updates.update_add_htlcs.is_empty() && self.stutters.swap(false, Ordering::AcqRel) {
                        updates.commitment_signed.clear();
                    }
                }
                MessageSendEvent::BroadcastChannelAnnouncement { update_msg: Some(update), .. }
                | MessageSendEvent::SendChannelAnnouncement { update_msg: update, .. }
                | MessageSendEvent::BroadcastChannelUpdate { msg: update, .. }
                | MessageSendEvent::SendChannelUpdate { msg: update, .. } => self.announce(update),
                _ => {}
            }
        }
        if self.retells.swap(false, Ordering::AcqRel) {
            events.extend(all_of(&self.graph));
        }
        events
    }

    fn peer_disconnected(&self, their_node_id: PublicKey) {
        self.inner.peer_disconnected(their_node_id)
    }

    fn provided_node_features(&self) -> NodeFeatures {
        self.inner.provided_node_features()
    }

    fn provided_init_features(&self, their_node_id: PublicKey) -> InitFeatures {
        self.inner.provided_init_features(their_node_id)
    }

    fn peer_connected(&self, their_node_id: PublicKey, msg: &Init, inbound: bool) -> Result<(), ()> {
        self.inner.peer_connected(their_node_id, msg, inbound)
    }
}

macro_rules! untouched {
    ($($method:ident($message:ty)),+ $(,)?) => {
        $(fn $method(&self, their_node_id: PublicKey, msg: $message) {
            self.inner.$method(their_node_id, msg)
        })+
    };
}

impl<C: ChannelMessageHandler> ChannelMessageHandler for RawHandler<C> {
    untouched! {
        handle_open_channel(&OpenChannel),
        handle_open_channel_v2(&OpenChannelV2),
        handle_accept_channel(&AcceptChannel),
        handle_accept_channel_v2(&AcceptChannelV2),
        handle_funding_created(&FundingCreated),
        handle_funding_signed(&FundingSigned),
        handle_channel_ready(&ChannelReady),
        handle_peer_storage(PeerStorage),
        handle_peer_storage_retrieval(PeerStorageRetrieval),
        handle_shutdown(&Shutdown),
        handle_closing_signed(&ClosingSigned),
        handle_stfu(&Stfu),
        handle_splice_init(&SpliceInit),
        handle_splice_ack(&SpliceAck),
        handle_splice_locked(&SpliceLocked),
        handle_tx_add_input(&TxAddInput),
        handle_tx_add_output(&TxAddOutput),
        handle_tx_remove_input(&TxRemoveInput),
        handle_tx_remove_output(&TxRemoveOutput),
        handle_tx_complete(&TxComplete),
        handle_tx_signatures(&TxSignatures),
        handle_tx_init_rbf(&TxInitRbf),
        handle_tx_ack_rbf(&TxAckRbf),
        handle_tx_abort(&TxAbort),
        handle_update_add_htlc(&UpdateAddHTLC),
        handle_commitment_signed(&CommitmentSigned),
        handle_revoke_and_ack(&RevokeAndACK),
        handle_update_fee(&UpdateFee),
        handle_announcement_signatures(&AnnouncementSignatures),
        handle_channel_reestablish(&ChannelReestablish),
        handle_channel_update(&ChannelUpdate),
        handle_error(&ErrorMessage),
    }

    fn handle_update_fulfill_htlc(&self, their_node_id: PublicKey, msg: UpdateFulfillHTLC) {
        let outcome = Outcome::Settled(Preimage::from_bytes(msg.payment_preimage.0));
        self.with(msg.channel_id, msg.htlc_id, |onion| onion.ended(outcome));
        self.inner.handle_update_fulfill_htlc(their_node_id, msg)
    }

    fn handle_update_fail_htlc(&self, their_node_id: PublicKey, msg: &UpdateFailHTLC) {
        self.with(msg.channel_id, msg.htlc_id, |onion| onion.failed(msg));
        self.inner.handle_update_fail_htlc(their_node_id, msg)
    }

    fn handle_update_fail_malformed_htlc(&self, their_node_id: PublicKey, msg: &UpdateFailMalformedHTLC) {
        let outcome = Outcome::Malformed(msg.failure_code);
        self.with(msg.channel_id, msg.htlc_id, |onion| onion.ended(outcome));
        self.inner.handle_update_fail_malformed_htlc(their_node_id, msg)
    }

    fn handle_commitment_signed_batch(
        &self,
        their_node_id: PublicKey,
        channel_id: ChannelId,
        batch: Vec<CommitmentSigned>,
    ) {
        self.inner.handle_commitment_signed_batch(their_node_id, channel_id, batch)
    }

    fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
        self.inner.get_chain_hashes()
    }

    fn message_received(&self) {
        self.inner.message_received()
    }
}
