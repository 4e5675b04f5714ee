//! `shutdown` waits for HTLCs that were promised before it.
//!
//! LDK answers a peer's `shutdown` at once, also while HTLCs of ours wait for a monitor to be durable: their
//! `update_add_htlc` would leave after the answer, which BOLT 2 forbids and peers answer with a forced close.
//! So a `shutdown` leaves once no HTLC of ours is on its way into the peer's commitment; LDK adds none after it.
//! What negotiates the closing follows it.

use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::MessageSendEvent;
use lightning::ln::types::ChannelId;

/// Messages that wait, by channel.
#[derive(Default)]
pub(super) struct Shutdowns(Vec<Held>);

struct Held {
    peer: PublicKey,
    channel: ChannelId,
    messages: Vec<MessageSendEvent>,
    released: bool,
}

impl Shutdowns {
    /// Keeps a message that is to wait; gives back any other.
    pub(super) fn hold(&mut self, event: MessageSendEvent) -> Option<MessageSendEvent> {
        let (peer, channel, begins) = match &event {
            MessageSendEvent::SendShutdown { node_id, msg } => (*node_id, msg.channel_id, true),
            MessageSendEvent::SendClosingSigned { node_id, msg } => (*node_id, msg.channel_id, false),
            _ => return Some(event),
        };
        match self.0.iter_mut().find(|held| held.channel == channel) {
            // LDK negotiates only when no HTLC is left. The last `closing_signed` comes as it lets go of the
            // channel, so it does not wait for a look at that.
            Some(held) => {
                held.released |= !begins;
                held.messages.push(event);
            }
            None if begins => self.0.push(Held { peer, channel, messages: vec![event], released: false }),
            None => return Some(event),
        }
        None
    }

    /// What need not wait any more, in order.
    pub(super) fn take_released(&mut self) -> impl Iterator<Item = MessageSendEvent> + '_ {
        self.0.extract_if(.., |held| held.released).flat_map(|held| held.messages)
    }

    /// Whose `shutdown` waits.
    pub(super) fn waiting(&self) -> Vec<(PublicKey, ChannelId)> {
        let waiting = self.0.iter().filter(|held| !held.released);
        waiting.map(|held| (held.peer, held.channel)).collect()
    }

    pub(super) fn release(&mut self, channel: ChannelId) {
        self.0.iter_mut().filter(|held| held.channel == channel).for_each(|held| held.released = true);
    }

    /// LDK says it again when the peer is back.
    pub(super) fn disconnected(&mut self, peer: PublicKey) {
        self.0.retain(|held| held.peer != peer);
    }

    pub(super) fn forget(&mut self, channel: ChannelId) {
        self.0.retain(|held| held.channel != channel);
    }
}
