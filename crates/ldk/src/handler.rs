//! What stands between the wire and LDK's `ChannelManager`.
//!
//! Every message passes as it came, byte for byte, both ways. One is held back: LDK sends
//! `funding_signed` before the new channel's monitor is durable. A peer that has it may
//! broadcast the funding transaction, and after a crash nobody here would know the channel; so
//! it leaves only after the commit that holds the monitor (law 1), and is dropped if the
//! connection is lost meanwhile: the peer then forgets the channel, as BOLT 2 has it.

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::*;
use lightning::ln::types::ChannelId;
use lightning::types::features::{InitFeatures, NodeFeatures};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The message handler that `PeerManager` has.
pub struct Handler<C> {
    inner: Arc<C>,
    gate: Mutex<Gate>,
    /// Read by whatever brings a new channel to LDK's monitors.
    funding: RwLock<()>,
    /// A channel was taken up again with its peer since this was last asked.
    reestablished: AtomicBool,
}

/// `funding_signed` messages, and the channels that they wait for.
#[derive(Default)]
struct Gate {
    held: VecDeque<(PublicKey, FundingSigned)>,
    /// Channels whose first monitor is durable and whose `funding_signed` has not come yet.
    durable: HashSet<ChannelId>,
}

impl<C: ChannelMessageHandler> Handler<C> {
    pub(crate) fn new(inner: Arc<C>) -> Handler<C> {
        Handler {
            inner,
            gate: Mutex::default(),
            funding: RwLock::default(),
            reestablished: AtomicBool::new(false),
        }
    }

    /// The channel's first monitor is durable: its `funding_signed` may leave.
    pub(crate) fn first_monitor_durable(&self, channel: ChannelId) {
        self.gate().durable.insert(channel);
    }

    /// The channel's `funding_signed` will not be asked for any more.
    pub(crate) fn forget(&self, channel: ChannelId) {
        let mut gate = self.gate();
        gate.durable.remove(&channel);
        gate.held.retain(|(_, message)| message.channel_id != channel);
    }

    /// No channel is funded while this is held.
    ///
    /// A channel that is funded and closed between the count of the monitor updates and the
    /// encoding of the manager leaves a manager that waits for an update of a monitor which is not
    /// written with it: LDK refuses to load that.
    pub(crate) fn hold_fundings(&self) -> RwLockWriteGuard<'_, ()> {
        self.funding.write().expect("no panic while it is held")
    }

    fn funding(&self) -> RwLockReadGuard<'_, ()> {
        self.funding.read().expect("no panic while it is held")
    }

    /// Whether channels may have become usable since the last call.
    pub(crate) fn take_reestablished(&self) -> bool {
        self.reestablished.swap(false, Ordering::AcqRel)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().expect("no panic while it is held")
    }
}

impl Gate {
    /// Keeps what must wait, lets out what need not any more; all else stays in order.
    fn pass(&mut self, events: Vec<MessageSendEvent>) -> Vec<MessageSendEvent> {
        let mut out = Vec::with_capacity(events.len() + self.held.len());
        for (node_id, msg) in std::mem::take(&mut self.held) {
            self.pass_one(node_id, msg, &mut out);
        }
        for event in events {
            match event {
                MessageSendEvent::SendFundingSigned { node_id, msg } => self.pass_one(node_id, msg, &mut out),
                other => out.push(other),
            }
        }
        out
    }

    fn pass_one(&mut self, node_id: PublicKey, msg: FundingSigned, out: &mut Vec<MessageSendEvent>) {
        if self.durable.remove(&msg.channel_id) {
            out.push(MessageSendEvent::SendFundingSigned { node_id, msg });
        } else {
            self.held.push_back((node_id, msg));
        }
    }
}

impl<C: ChannelMessageHandler> BaseMessageHandler for Handler<C> {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        let events = self.inner.get_and_clear_pending_msg_events();
        self.gate().pass(events)
    }

    fn peer_disconnected(&self, their_node_id: PublicKey) {
        self.gate().held.retain(|(node_id, _)| *node_id != their_node_id);
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

/// Methods that hand their message on as it is.
macro_rules! untouched {
    ($($method:ident($message:ty)),+ $(,)?) => {
        $(fn $method(&self, their_node_id: PublicKey, msg: $message) {
            self.inner.$method(their_node_id, msg)
        })+
    };
}

impl<C: ChannelMessageHandler> ChannelMessageHandler for Handler<C> {
    untouched! {
        handle_open_channel(&OpenChannel),
        handle_open_channel_v2(&OpenChannelV2),
        handle_accept_channel(&AcceptChannel),
        handle_accept_channel_v2(&AcceptChannelV2),
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
        handle_update_fulfill_htlc(UpdateFulfillHTLC),
        handle_update_fail_htlc(&UpdateFailHTLC),
        handle_update_fail_malformed_htlc(&UpdateFailMalformedHTLC),
        handle_commitment_signed(&CommitmentSigned),
        handle_revoke_and_ack(&RevokeAndACK),
        handle_update_fee(&UpdateFee),
        handle_announcement_signatures(&AnnouncementSignatures),
        handle_channel_update(&ChannelUpdate),
        handle_error(&ErrorMessage),
    }

    fn handle_funding_created(&self, their_node_id: PublicKey, msg: &FundingCreated) {
        let _funding = self.funding();
        self.inner.handle_funding_created(their_node_id, msg)
    }

    fn handle_funding_signed(&self, their_node_id: PublicKey, msg: &FundingSigned) {
        let _funding = self.funding();
        self.inner.handle_funding_signed(their_node_id, msg)
    }

    fn handle_channel_reestablish(&self, their_node_id: PublicKey, msg: &ChannelReestablish) {
        self.inner.handle_channel_reestablish(their_node_id, msg);
        self.reestablished.store(true, Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::ecdsa::Signature;
    use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
    use lightning::types::payment::PaymentHash;
    use lightning::util::ser::{LengthReadable, Writeable};
    use std::sync::OnceLock;

    /// Writes down what reaches it, encoded; gives out what it was told to.
    #[derive(Default)]
    struct Recorder {
        seen: Mutex<Vec<Vec<u8>>>,
        out: Mutex<Vec<MessageSendEvent>>,
        /// Called within each message.
        within: OnceLock<Box<dyn Fn() + Send + Sync>>,
    }

    impl Recorder {
        fn record(&self, msg: &impl Writeable) {
            self.seen.lock().expect("unpoisoned").push(msg.encode());
            if let Some(within) = self.within.get() {
                within();
            }
        }
    }

    impl BaseMessageHandler for Recorder {
        fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
            std::mem::take(&mut *self.out.lock().expect("unpoisoned"))
        }
        fn peer_disconnected(&self, _: PublicKey) {}
        fn provided_node_features(&self) -> NodeFeatures {
            NodeFeatures::empty()
        }
        fn provided_init_features(&self, _: PublicKey) -> InitFeatures {
            InitFeatures::empty()
        }
        fn peer_connected(&self, _: PublicKey, _: &Init, _: bool) -> Result<(), ()> {
            Ok(())
        }
    }

    macro_rules! recorded {
        ($($method:ident($message:ty)),+ $(,)?) => {
            $(fn $method(&self, _: PublicKey, msg: $message) {
                self.record(&msg);
            })+
        };
    }

    impl ChannelMessageHandler for Recorder {
        recorded! {
            handle_open_channel(&OpenChannel), handle_open_channel_v2(&OpenChannelV2),
            handle_accept_channel(&AcceptChannel), handle_accept_channel_v2(&AcceptChannelV2),
            handle_funding_created(&FundingCreated), handle_funding_signed(&FundingSigned),
            handle_channel_ready(&ChannelReady), handle_peer_storage(PeerStorage),
            handle_peer_storage_retrieval(PeerStorageRetrieval), handle_shutdown(&Shutdown),
            handle_closing_signed(&ClosingSigned), handle_stfu(&Stfu), handle_splice_init(&SpliceInit),
            handle_splice_ack(&SpliceAck), handle_splice_locked(&SpliceLocked),
            handle_tx_add_input(&TxAddInput), handle_tx_add_output(&TxAddOutput),
            handle_tx_remove_input(&TxRemoveInput), handle_tx_remove_output(&TxRemoveOutput),
            handle_tx_complete(&TxComplete), handle_tx_signatures(&TxSignatures),
            handle_tx_init_rbf(&TxInitRbf), handle_tx_ack_rbf(&TxAckRbf), handle_tx_abort(&TxAbort),
            handle_update_add_htlc(&UpdateAddHTLC), handle_update_fulfill_htlc(UpdateFulfillHTLC),
            handle_update_fail_htlc(&UpdateFailHTLC),
            handle_update_fail_malformed_htlc(&UpdateFailMalformedHTLC),
            handle_commitment_signed(&CommitmentSigned), handle_revoke_and_ack(&RevokeAndACK),
            handle_update_fee(&UpdateFee), handle_announcement_signatures(&AnnouncementSignatures),
            handle_channel_reestablish(&ChannelReestablish), handle_channel_update(&ChannelUpdate),
            handle_error(&ErrorMessage),
        }
        fn handle_commitment_signed_batch(&self, id: PublicKey, _: ChannelId, batch: Vec<CommitmentSigned>) {
            batch.iter().for_each(|msg| self.handle_commitment_signed(id, msg));
        }
        fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
            None
        }
        fn message_received(&self) {}
    }

    fn peer(n: u8) -> PublicKey {
        let secret = SecretKey::from_slice(&[n; 32]).expect("a valid scalar");
        PublicKey::from_secret_key(&Secp256k1::new(), &secret)
    }

    fn signature() -> Signature {
        let secret = SecretKey::from_slice(&[9; 32]).expect("a valid scalar");
        Secp256k1::new().sign_ecdsa(&Message::from_digest([8; 32]), &secret)
    }

    fn funding_signed(channel: u8) -> MessageSendEvent {
        let msg = FundingSigned { channel_id: ChannelId([channel; 32]), signature: signature() };
        MessageSendEvent::SendFundingSigned { node_id: peer(1), msg }
    }

    fn handler(out: Vec<MessageSendEvent>) -> Handler<Recorder> {
        Handler::new(Arc::new(Recorder { out: Mutex::new(out), ..Recorder::default() }))
    }

    /// Wire bytes of an `update_add_htlc`: fixed fields, an onion of any bytes, any odd extras.
    fn update_add_htlc(onion: &[u8; 1366], extra: &[u8]) -> Vec<u8> {
        let mut bytes = vec![7; 32];
        bytes.extend(5u64.to_be_bytes());
        bytes.extend(1_000u64.to_be_bytes());
        bytes.extend(PaymentHash([6; 32]).0);
        bytes.extend(500u32.to_be_bytes());
        bytes.extend(onion);
        bytes.extend(extra);
        bytes
    }

    proptest::proptest! {
        #[test]
        fn an_htlc_reaches_ldk_byte_for_byte(seed: u64, blinded: bool) {
            let mut onion = [0; 1366];
            let mut state = seed;
            for byte in &mut onion[1..] {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            // Of a key that is none LDK keeps no bytes, whoever hands the message on.
            onion[1..34].copy_from_slice(&peer(3).serialize());
            let extra = match blinded {
                true => [&[0, 33], &peer(4).serialize()[..]].concat(),
                false => vec![],
            };
            let wire = update_add_htlc(&onion, &extra);
            let msg: UpdateAddHTLC = LengthReadable::read_from_fixed_length_buffer(&mut &wire[..])
                .expect("well-formed");
            let handler = handler(vec![]);
            handler.handle_update_add_htlc(peer(1), &msg);
            let seen = handler.inner.seen.lock().expect("unpoisoned");
            proptest::prop_assert!(*seen == [wire], "it came changed, or not once");
        }
    }

    fn shown(events: Vec<MessageSendEvent>) -> Vec<String> {
        events.iter().map(|event| format!("{event:?}")).collect()
    }

    fn sent(handler: &Handler<Recorder>) -> Vec<String> {
        shown(handler.get_and_clear_pending_msg_events())
    }

    #[test]
    fn funding_signed_waits_for_its_monitor_and_nothing_else_does() {
        let ready = MessageSendEvent::SendChannelReady {
            node_id: peer(1),
            msg: ChannelReady {
                channel_id: ChannelId([3; 32]),
                next_per_commitment_point: peer(5),
                short_channel_id_alias: Some(7),
            },
        };
        let handler = handler(vec![funding_signed(1), ready.clone(), funding_signed(2)]);
        assert_eq!(sent(&handler), shown(vec![ready]));
        assert_eq!(sent(&handler), shown(vec![]));
        handler.first_monitor_durable(ChannelId([2; 32]));
        assert_eq!(sent(&handler), shown(vec![funding_signed(2)]));
        handler.first_monitor_durable(ChannelId([1; 32]));
        assert_eq!(sent(&handler), shown(vec![funding_signed(1)]));
        assert_eq!(sent(&handler), shown(vec![]));
    }

    #[test]
    fn no_channel_is_funded_while_fundings_are_held() {
        let handler = Arc::new(handler(vec![]));
        let holdable = Arc::new(Mutex::new(vec![]));
        let (outer, noted) = (Arc::downgrade(&handler), holdable.clone());
        let note = move || {
            let outer = outer.upgrade().expect("it called");
            noted.lock().expect("unpoisoned").push(outer.funding.try_write().is_ok());
        };
        assert!(handler.inner.within.set(Box::new(note)).is_ok());
        let created = FundingCreated {
            temporary_channel_id: ChannelId([1; 32]),
            funding_txid: bitcoin::hashes::Hash::all_zeros(),
            funding_output_index: 0,
            signature: signature(),
        };
        let signed = FundingSigned { channel_id: ChannelId([1; 32]), signature: signature() };
        handler.handle_funding_created(peer(1), &created);
        handler.handle_funding_signed(peer(1), &signed);
        assert_eq!(*holdable.lock().expect("unpoisoned"), [false, false]);
        drop(handler.hold_fundings());
    }

    #[test]
    fn a_monitor_that_is_durable_first_lets_funding_signed_pass() {
        let handler = handler(vec![funding_signed(1)]);
        handler.first_monitor_durable(ChannelId([1; 32]));
        assert_eq!(sent(&handler), shown(vec![funding_signed(1)]));
    }

    #[test]
    fn a_lost_connection_drops_what_was_held() {
        let handler = handler(vec![funding_signed(1)]);
        assert_eq!(sent(&handler), shown(vec![]));
        handler.peer_disconnected(peer(1));
        handler.first_monitor_durable(ChannelId([1; 32]));
        assert_eq!(sent(&handler), shown(vec![]));
    }
}
