//! What peers tell of the public network, on its way to the graph.

use crate::types::NetworkSync;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1};
use lightning::ln::msgs::*;
use lightning::routing::gossip::NodeId;
use lightning::types::features::{InitFeatures, NodeFeatures};
use lightning::util::ser::Writeable;
use lightning::util::wakers::Future;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

/// LDK's gossip handler, with checked channels added to the graph while nobody reads gossip.
///
/// LDK takes a channel whose output was looked up off the list of those that wait, lets go of its
/// lock, verifies four signatures, and only then adds it to the graph. An update or a node
/// announcement that another thread reads meanwhile belongs to no channel that is known or
/// awaited: it is dropped, and nobody tells it again for hours.
///
/// The peer at the other end of a channel of ours announces it by itself, and its update may come
/// before our own announcement has reached the graph: it is kept until then.
///
/// A channel that was added is announced to other peers a moment later. What is read of it
/// meanwhile is forwarded after its announcement, or they would drop it.
pub(crate) struct Gossip {
    inner: NetworkSync,
    /// Whether `PeerManager` may still be about to forward announcements that it was given.
    /// Taken after its locks and before the graph's.
    announcing: RwLock<bool>,
    /// What it is given after them.
    after: Mutex<Vec<MessageSendEvent>>,
    /// Updates that peers made themselves, of channels that are not in the graph.
    early: Mutex<VecDeque<ChannelUpdate>>,
}

/// Early updates that are kept; the oldest goes first.
const MAX_EARLY: usize = 64;
/// A bit of `message_flags` (BOLT 7): the channel is not public.
const DONT_FORWARD: u8 = 1 << 1;

impl Gossip {
    pub(crate) fn new(inner: NetworkSync) -> Gossip {
        Gossip { inner, announcing: RwLock::new(false), after: Mutex::default(), early: Mutex::default() }
    }

    /// Completes when an announced channel was looked up: `get_and_clear_pending_msg_events` then
    /// adds it to the graph.
    pub(crate) fn channel_checked(&self) -> Future {
        self.inner.validation_completion_future()
    }

    /// Tells our own updates of channels again. A peer of plain LDK drops ours if it comes before the channel is
    /// in its graph, and it comes right behind the signatures from which the peer makes the announcement.
    pub(crate) fn tell_again(&self, us: &NodeId, channels: impl Iterator<Item = u64>) {
        let graph = self.inner.network_graph().read_only();
        let ours = channels.filter_map(|scid| {
            let channel = graph.channel(scid)?;
            let update = if channel.node_one == *us { &channel.one_to_two } else { &channel.two_to_one };
            let msg = update.as_ref()?.last_update_message.clone()?;
            let (node_id_1, node_id_2) = (channel.node_one, channel.node_two);
            Some(MessageSendEvent::BroadcastChannelUpdate { msg, node_id_1, node_id_2 })
        });
        let ours: Vec<MessageSendEvent> = ours.collect();
        drop(graph);
        self.after().extend(ours);
    }

    fn reading(&self) -> RwLockReadGuard<'_, bool> {
        self.announcing.read().expect("no panic while it is held")
    }

    fn keep_if_early(&self, peer: &PublicKey, msg: &ChannelUpdate) {
        let ChannelUpdate { signature, contents } = msg;
        if contents.message_flags & DONT_FORWARD != 0 || self.knows(contents.short_channel_id) {
            return;
        }
        let hash = sha256d::Hash::hash(&contents.encode()).to_byte_array();
        if Secp256k1::verification_only().verify_ecdsa(&Message::from_digest(hash), signature, peer).is_ok() {
            let mut early = self.early();
            if early.len() >= MAX_EARLY {
                early.pop_front();
            }
            early.push_back(msg.clone());
        }
    }

    /// Early updates whose channels have come.
    fn take_timely(&self) -> Vec<MessageSendEvent> {
        let mut early = self.early();
        let (timely, rest) = early.drain(..).partition(|msg| self.knows(msg.contents.short_channel_id));
        *early = rest;
        let timely: VecDeque<ChannelUpdate> = timely;
        let event = |msg: ChannelUpdate| {
            let (node_id_1, node_id_2) = self.inner.handle_channel_update(None, &msg).ok()??;
            Some(MessageSendEvent::BroadcastChannelUpdate { msg, node_id_1, node_id_2 })
        };
        timely.into_iter().filter_map(event).collect()
    }

    fn knows(&self, scid: u64) -> bool {
        self.inner.network_graph().read_only().channel(scid).is_some()
    }

    fn early(&self) -> MutexGuard<'_, VecDeque<ChannelUpdate>> {
        self.early.lock().expect("no panic while it is held")
    }

    fn after(&self) -> MutexGuard<'_, Vec<MessageSendEvent>> {
        self.after.lock().expect("no panic while it is held")
    }
}

impl BaseMessageHandler for Gossip {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        let mut announcing = self.announcing.write().expect("no panic while it is held");
        let mut events = self.inner.get_and_clear_pending_msg_events();
        let is_announcement =
            |event: &MessageSendEvent| matches!(event, MessageSendEvent::BroadcastChannelAnnouncement { .. });
        *announcing = events.iter().any(is_announcement);
        // One asks for more only when it has forwarded all: the announcements of these too.
        events.append(&mut self.after());
        events.append(&mut self.take_timely());
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

impl RoutingMessageHandler for Gossip {
    fn handle_node_announcement(
        &self,
        their_node_id: Option<PublicKey>,
        msg: &NodeAnnouncement,
    ) -> Result<bool, LightningError> {
        let announcing = self.reading();
        let forward = self.inner.handle_node_announcement(their_node_id, msg)?;
        if !(forward && *announcing && their_node_id.is_some()) {
            return Ok(forward);
        }
        self.after().push(MessageSendEvent::BroadcastNodeAnnouncement { msg: msg.clone() });
        Ok(false)
    }

    fn handle_channel_announcement(
        &self,
        their_node_id: Option<PublicKey>,
        msg: &ChannelAnnouncement,
    ) -> Result<bool, LightningError> {
        let _reading = self.reading();
        self.inner.handle_channel_announcement(their_node_id, msg)
    }

    fn handle_channel_update(
        &self,
        their_node_id: Option<PublicKey>,
        msg: &ChannelUpdate,
    ) -> Result<Option<(NodeId, NodeId)>, LightningError> {
        let announcing = self.reading();
        let handled = self.inner.handle_channel_update(their_node_id, msg);
        if let (Err(_), Some(peer)) = (&handled, &their_node_id) {
            self.keep_if_early(peer, msg);
        }
        let forward = handled?;
        let Some((node_id_1, node_id_2)) = forward.filter(|_| *announcing && their_node_id.is_some()) else {
            return Ok(forward);
        };
        let msg = msg.clone();
        self.after().push(MessageSendEvent::BroadcastChannelUpdate { msg, node_id_1, node_id_2 });
        Ok(None)
    }

    fn get_next_channel_announcement(
        &self,
        starting_point: u64,
    ) -> Option<(ChannelAnnouncement, Option<ChannelUpdate>, Option<ChannelUpdate>)> {
        self.inner.get_next_channel_announcement(starting_point)
    }

    fn get_next_node_announcement(&self, starting_point: Option<&NodeId>) -> Option<NodeAnnouncement> {
        self.inner.get_next_node_announcement(starting_point)
    }

    fn handle_reply_channel_range(
        &self,
        their_node_id: PublicKey,
        msg: ReplyChannelRange,
    ) -> Result<(), LightningError> {
        self.inner.handle_reply_channel_range(their_node_id, msg)
    }

    fn handle_reply_short_channel_ids_end(
        &self,
        their_node_id: PublicKey,
        msg: ReplyShortChannelIdsEnd,
    ) -> Result<(), LightningError> {
        self.inner.handle_reply_short_channel_ids_end(their_node_id, msg)
    }

    fn handle_query_channel_range(
        &self,
        their_node_id: PublicKey,
        msg: QueryChannelRange,
    ) -> Result<(), LightningError> {
        self.inner.handle_query_channel_range(their_node_id, msg)
    }

    fn handle_query_short_channel_ids(
        &self,
        their_node_id: PublicKey,
        msg: QueryShortChannelIds,
    ) -> Result<(), LightningError> {
        self.inner.handle_query_short_channel_ids(their_node_id, msg)
    }

    fn processing_queue_high(&self) -> bool {
        self.inner.processing_queue_high()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Answered;
    use crate::log::Log;
    use crate::types::Graph;
    use bitcoin::constants::ChainHash;
    use bitcoin::secp256k1::SecretKey;
    use bitcoin::secp256k1::ecdsa::Signature;
    use bitcoin::{Amount, Network, TxOut};
    use lightning::ln::chan_utils::make_funding_redeemscript;
    use lightning::routing::utxo::{UtxoFuture, UtxoLookup, UtxoResult};
    use lightning::types::features::ChannelFeatures;
    use lightning::util::wakers::Notifier;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};

    const CHANNELS: u64 = 200;

    /// Leaves every lookup open until it is told to answer.
    #[derive(Default)]
    struct Lookups(Mutex<Vec<UtxoFuture>>);

    impl UtxoLookup for Lookups {
        fn get_utxo(&self, _: &ChainHash, _: u64, notifier: Arc<Notifier>) -> UtxoResult {
            let future = UtxoFuture::new(notifier);
            self.0.lock().unwrap().push(future.clone());
            UtxoResult::Async(future)
        }
    }

    impl Lookups {
        fn answer_all(&self) {
            self.0.lock().unwrap().drain(..).for_each(|lookup| lookup.resolve(Ok(funding())));
        }
    }

    fn funding() -> TxOut {
        let script_pubkey = make_funding_redeemscript(&public(3), &public(4)).to_p2wsh();
        TxOut { value: Amount::from_sat(1_000_000), script_pubkey }
    }

    fn secret(n: u8) -> SecretKey {
        SecretKey::from_slice(&[n; 32]).unwrap()
    }

    fn public(n: u8) -> PublicKey {
        secret(n).public_key(&Secp256k1::new())
    }

    fn signed(contents: &impl Writeable, n: u8) -> Signature {
        let hash = sha256d::Hash::hash(&contents.encode()).to_byte_array();
        Secp256k1::new().sign_ecdsa(&Message::from_digest(hash), &secret(n))
    }

    fn announcement(scid: u64) -> ChannelAnnouncement {
        let contents = UnsignedChannelAnnouncement {
            features: ChannelFeatures::empty(),
            chain_hash: ChainHash::REGTEST,
            short_channel_id: scid,
            node_id_1: NodeId::from_pubkey(&public(1)),
            node_id_2: NodeId::from_pubkey(&public(2)),
            bitcoin_key_1: NodeId::from_pubkey(&public(3)),
            bitcoin_key_2: NodeId::from_pubkey(&public(4)),
            excess_data: vec![],
        };
        ChannelAnnouncement {
            node_signature_1: signed(&contents, 1),
            node_signature_2: signed(&contents, 2),
            bitcoin_signature_1: signed(&contents, 3),
            bitcoin_signature_2: signed(&contents, 4),
            contents,
        }
    }

    fn update(scid: u64, direction: u8) -> ChannelUpdate {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let contents = UnsignedChannelUpdate {
            chain_hash: ChainHash::REGTEST,
            short_channel_id: scid,
            timestamp: now as u32,
            message_flags: 1,
            channel_flags: direction,
            cltv_expiry_delta: 40,
            htlc_minimum_msat: 1,
            htlc_maximum_msat: 1_000_000_000,
            fee_base_msat: 0,
            fee_proportional_millionths: 0,
            excess_data: vec![],
        };
        ChannelUpdate { signature: signed(&contents, 1 + direction), contents }
    }

    fn gossip() -> (Gossip, Arc<Graph>, Arc<Lookups>) {
        let graph = Arc::new(Graph::new(Network::Regtest, Arc::new(Log)));
        let lookups = Arc::new(Lookups::default());
        let inner = NetworkSync::new(graph.clone(), Some(lookups.clone()), Arc::new(Log));
        (Gossip::new(inner), graph, lookups)
    }

    #[test]
    fn an_update_is_forwarded_after_its_announcement() {
        let (gossip, _, lookups) = gossip();
        let _ = gossip.handle_channel_announcement(Some(public(1)), &announcement(1));
        lookups.answer_all();
        let events = gossip.get_and_clear_pending_msg_events();
        assert!(matches!(events[..], [MessageSendEvent::BroadcastChannelAnnouncement { .. }]), "{events:?}");
        let forward = gossip.handle_channel_update(Some(public(1)), &update(1, 0));
        assert_eq!(forward.expect("its channel is known"), None, "the announcement is not forwarded yet");
        let events = gossip.get_and_clear_pending_msg_events();
        assert!(matches!(events[..], [MessageSendEvent::BroadcastChannelUpdate { .. }]), "{events:?}");
        let forward = gossip.handle_channel_update(Some(public(1)), &update(1, 1));
        assert!(forward.expect("its channel is known").is_some(), "nothing is in its way any more");
    }

    #[test]
    fn an_update_that_came_before_its_announcement_is_kept_if_its_peer_made_it() {
        let (gossip, graph, lookups) = gossip();
        let peer = Some(public(1));
        let _ = gossip.handle_channel_update(peer, &update(1, 0));
        let _ = gossip.handle_channel_update(peer, &update(1, 1));
        assert!(gossip.get_and_clear_pending_msg_events().is_empty());
        let _ = gossip.handle_channel_announcement(None, &announcement(1));
        assert!(gossip.get_and_clear_pending_msg_events().is_empty(), "the lookup is open");
        lookups.answer_all();
        let events = gossip.get_and_clear_pending_msg_events();
        use MessageSendEvent::{BroadcastChannelAnnouncement, BroadcastChannelUpdate};
        assert!(
            matches!(events[..], [BroadcastChannelAnnouncement { .. }, BroadcastChannelUpdate { .. }]),
            "{events:?}"
        );
        let known = graph.read_only();
        let channel = known.channel(1).expect("it was announced");
        assert!(channel.one_to_two.is_some() && channel.two_to_one.is_none(), "{channel}");
        assert!(gossip.early().is_empty());
    }

    #[test]
    fn of_channels_that_are_known_our_updates_are_told_again() {
        let (gossip, _, lookups) = gossip();
        let _ = gossip.handle_channel_announcement(None, &announcement(1));
        lookups.answer_all();
        gossip.get_and_clear_pending_msg_events();
        for direction in [0, 1] {
            gossip.handle_channel_update(None, &update(1, direction)).expect("its channel is known");
        }
        for (us, direction) in [(1, 0), (2, 1)] {
            gossip.tell_again(&NodeId::from_pubkey(&public(us)), [1, 7].into_iter());
            let events = gossip.get_and_clear_pending_msg_events();
            let [MessageSendEvent::BroadcastChannelUpdate { msg, .. }] = &events[..] else {
                panic!("{events:?}");
            };
            assert_eq!((msg.contents.short_channel_id, msg.contents.channel_flags), (1, direction));
        }
    }

    #[test]
    fn early_updates_are_few_and_of_public_channels() {
        let (gossip, _, _) = gossip();
        let mut private = update(0, 0);
        private.contents.message_flags |= DONT_FORWARD;
        private.signature = signed(&private.contents, 1);
        let _ = gossip.handle_channel_update(Some(public(1)), &private);
        assert!(gossip.early().is_empty());
        for scid in 0..2 * MAX_EARLY as u64 {
            let _ = gossip.handle_channel_update(Some(public(1)), &update(scid, 0));
        }
        assert_eq!(gossip.early().len(), MAX_EARLY);
    }

    #[test]
    fn no_update_is_lost_while_checked_channels_are_added() {
        let (gossip, graph, lookups) = gossip();
        for scid in 0..CHANNELS {
            let _ = gossip.handle_channel_announcement(None, &announcement(scid));
        }
        let updates: Vec<_> =
            (0..CHANNELS).rev().flat_map(|scid| [update(scid, 0), update(scid, 1)]).collect();
        lookups.answer_all();
        let begun = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                begun.wait();
                gossip.get_and_clear_pending_msg_events();
            });
            begun.wait();
            for update in &updates {
                let _ = gossip.handle_channel_update(None, update);
            }
        });
        gossip.get_and_clear_pending_msg_events();
        let known = graph.read_only();
        let lost = |scid: &u64| {
            let channel = known.channel(*scid).expect("it was announced, and found on the chain");
            channel.one_to_two.is_none() || channel.two_to_one.is_none()
        };
        assert_eq!((0..CHANNELS).filter(lost).collect::<Vec<_>>(), [0; 0]);
    }

    #[test]
    fn no_channel_is_lost_while_lookups_are_answered() {
        const CHANNELS: u64 = 150_000;
        let (gossip, graph, lookups) = gossip();
        let (contents, checker) = (announcement(0).contents, Some(lookups.clone()));
        let (asked, answers, output) = (AtomicU64::new(0), AtomicU64::new(0), funding());
        std::thread::scope(|scope| {
            let answering = scope.spawn(|| {
                let mut answered = Answered::default();
                for number in 1..=CHANNELS {
                    let output = Some(output.clone());
                    while asked.load(Ordering::Acquire) < number {}
                    // Not always at the same moment of LDK's look.
                    (0..number % 97).for_each(|_| std::hint::spin_loop());
                    answered.answer(lookups.0.lock().unwrap().pop().unwrap(), output);
                    answers.store(number, Ordering::Release);
                }
            });
            for number in 1..=CHANNELS {
                let announced = UnsignedChannelAnnouncement { short_channel_id: number, ..contents.clone() };
                let _ = graph.update_channel_from_unsigned_announcement(&announced, &checker);
                asked.store(number, Ordering::Release);
                while answers.load(Ordering::Acquire) < number && !answering.is_finished() {
                    gossip.get_and_clear_pending_msg_events();
                }
            }
        });
        gossip.get_and_clear_pending_msg_events();
        let known = graph.read_only();
        let lost = (1..=CHANNELS).filter(|scid| known.channel(*scid).is_none());
        assert_eq!(lost.collect::<Vec<_>>(), [0; 0]);
    }
}
