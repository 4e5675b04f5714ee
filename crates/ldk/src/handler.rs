//! What stands between the wire and LDK's `ChannelManager`.
//!
//! Every message passes as it came, byte for byte, both ways, but for two: `update_add_htlc` of a
//! kind that LDK does not know is [translated](crate::translate), and an `update_fail_htlc` of such
//! an HTLC may have another reason than LDK's. What comes back for HTLCs of ours is read as it passes.
//!
//! Two messages are held back. A [`shutdown`](shutdowns) waits for HTLCs that were promised before it. And
//! LDK sends `funding_signed` before the new channel's monitor is durable. A peer that has it may
//! broadcast the funding transaction, and after a crash nobody here would know the channel; so it leaves only after the commit that holds the monitor (law 1), and is dropped if
//! the connection is lost meanwhile: the peer then forgets the channel, as BOLT 2 has it.

mod shutdowns;

use crate::interpreter::Interpreter;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::*;
use lightning::ln::types::ChannelId;
use lightning::types::features::{InitFeatures, NodeFeatures};
use shutdowns::Shutdowns;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The message handler that `PeerManager` has.
pub struct Handler<C> {
    inner: Arc<C>,
    interpreter: Interpreter,
    gate: Mutex<Gate>,
    /// Read by whatever brings a new channel to LDK's monitors.
    funding: RwLock<()>,
    /// A new channel's monitor may be in LDK's queue.
    monitor_queued: AtomicBool,
    /// A channel was taken up again with its peer since this was last asked.
    reestablished: AtomicBool,
}

/// `funding_signed` messages, and the channels that they wait for; `shutdown` messages.
#[derive(Default)]
struct Gate {
    shutdowns: Shutdowns,
    held: VecDeque<(PublicKey, FundingSigned)>,
    /// Channels whose first monitor is durable and whose `funding_signed` has not come yet.
    durable: HashSet<ChannelId>,
}

impl<C: ChannelMessageHandler> Handler<C> {
    pub(crate) fn new(inner: Arc<C>, interpreter: Interpreter) -> Handler<C> {
        Handler {
            inner,
            interpreter,
            gate: Mutex::default(),
            funding: RwLock::default(),
            monitor_queued: AtomicBool::new(false),
            reestablished: AtomicBool::new(false),
        }
    }

    /// What translates.
    pub(crate) fn interpreter(&self) -> &Interpreter {
        &self.interpreter
    }

    /// The channel's first monitor is durable: its `funding_signed` may leave.
    pub(crate) fn first_monitor_durable(&self, channel: ChannelId) {
        self.gate().durable.insert(channel);
    }

    /// Channels whose `shutdown` is to leave, by peer.
    pub(crate) fn waiting_shutdowns(&self) -> Vec<(PublicKey, ChannelId)> {
        self.gate().shutdowns.waiting()
    }

    /// No HTLC of ours is on its way into the peer's commitment any more: the channel's `shutdown` may leave.
    pub(crate) fn release_shutdown(&self, channel: ChannelId) {
        self.gate().shutdowns.release(channel);
    }

    /// The channel is ours, and needs no `funding_signed` of ours.
    pub(crate) fn funded_by_us(&self, channel: ChannelId) {
        self.gate().durable.remove(&channel);
    }

    /// The channel has closed: no message of it waits any more.
    pub(crate) fn forget(&self, channel: ChannelId) {
        let mut gate = self.gate();
        gate.shutdowns.forget(channel);
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

    /// Whether a new channel's monitor may be in LDK's queue, which gets no blocks there: it would miss
    /// one, and LDK panics when a monitor is told of the end of a block that it has not seen. Ask it, and
    /// connect blocks, while fundings are held.
    pub(crate) fn has_monitor_queued(&self) -> bool {
        self.monitor_queued.load(Ordering::Acquire)
    }

    /// Whatever is queued now leaves the queue before the next block; whether something may have been.
    pub(crate) fn monitors_leave_queue(&self) -> bool {
        self.monitor_queued.swap(false, Ordering::AcqRel)
    }

    fn funding(&self) -> RwLockReadGuard<'_, ()> {
        let guard = self.funding.read().expect("no panic while it is held");
        self.monitor_queued.store(true, Ordering::Release);
        guard
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
                other => out.extend(self.shutdowns.hold(other)),
            }
        }
        out.extend(self.shutdowns.take_released());
        out
    }

    fn disconnected(&mut self, peer: PublicKey) {
        self.held.retain(|(node_id, _)| *node_id != peer);
        self.shutdowns.disconnected(peer);
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
        let mut events = self.inner.get_and_clear_pending_msg_events();
        self.interpreter.outgoing(&mut events);
        self.gate().pass(events)
    }

    fn peer_disconnected(&self, their_node_id: PublicKey) {
        self.gate().disconnected(their_node_id);
        self.inner.peer_disconnected(their_node_id)
    }

    fn provided_node_features(&self) -> NodeFeatures {
        self.interpreter.node_features(self.inner.provided_node_features())
    }

    fn provided_init_features(&self, their_node_id: PublicKey) -> InitFeatures {
        self.interpreter.init_features(self.inner.provided_init_features(their_node_id))
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
        handle_update_fulfill_htlc(UpdateFulfillHTLC),
        handle_revoke_and_ack(&RevokeAndACK),
        handle_update_fee(&UpdateFee),
        handle_announcement_signatures(&AnnouncementSignatures),
        handle_channel_update(&ChannelUpdate),
        handle_error(&ErrorMessage),
    }

    fn handle_update_add_htlc(&self, their_node_id: PublicKey, msg: &UpdateAddHTLC) {
        match self.interpreter.incoming(&their_node_id, msg) {
            Some(translated) => self.inner.handle_update_add_htlc(their_node_id, &translated),
            None => self.inner.handle_update_add_htlc(their_node_id, msg),
        }
    }

    fn handle_update_fail_htlc(&self, their_node_id: PublicKey, msg: &UpdateFailHTLC) {
        self.interpreter.failed(&their_node_id, msg);
        self.inner.handle_update_fail_htlc(their_node_id, msg)
    }

    fn handle_update_fail_malformed_htlc(&self, their_node_id: PublicKey, msg: &UpdateFailMalformedHTLC) {
        self.interpreter.malformed(&their_node_id, msg);
        self.inner.handle_update_fail_malformed_htlc(their_node_id, msg)
    }

    fn handle_commitment_signed(&self, their_node_id: PublicKey, msg: &CommitmentSigned) {
        self.inner.handle_commitment_signed(their_node_id, msg);
        self.interpreter.committed(&their_node_id, msg.channel_id);
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
        self.inner.handle_commitment_signed_batch(their_node_id, channel_id, batch);
        self.interpreter.committed(&their_node_id, channel_id);
    }

    fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
        self.inner.get_chain_hashes()
    }

    fn message_received(&self) {
        self.inner.message_received()
    }
}

#[cfg(test)]
mod tests;
