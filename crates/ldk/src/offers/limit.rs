//! A limit on the onion messages that a peer may send. Each costs an ECDH whoever it is for, and LDK
//! bounds what it keeps of them, not how often they come.

use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{BaseMessageHandler, Init, MessageSendEvent, OnionMessage, OnionMessageHandler};
use lightning::types::features::{InitFeatures, NodeFeatures};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Twenty a second from each peer, for as long as it likes.
const APART: Duration = Duration::from_millis(50);
/// And so many at once.
const AT_ONCE: u32 = 200;

/// Drops what comes too often, and hands on the rest as it is.
pub(crate) struct Limited<M> {
    inner: M,
    /// Until when each connected peer has used up its share.
    used: Mutex<HashMap<PublicKey, Instant>>,
}

impl<M> Limited<M> {
    pub(crate) fn new(inner: M) -> Limited<M> {
        Limited { inner, used: Mutex::default() }
    }

    /// What is behind it.
    pub(crate) fn inner(&self) -> &M {
        &self.inner
    }

    fn may(&self, peer: PublicKey, now: Instant) -> bool {
        let mut used = self.used.lock().expect("no panic while it is held");
        let until = used.entry(peer).or_insert(now);
        let next = (*until).max(now) + APART;
        let may = next <= now + APART * AT_ONCE;
        if may {
            *until = next;
        }
        may
    }
}

impl<M: BaseMessageHandler> BaseMessageHandler for Limited<M> {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        self.inner.get_and_clear_pending_msg_events()
    }

    fn peer_disconnected(&self, their_node_id: PublicKey) {
        self.used.lock().expect("no panic while it is held").remove(&their_node_id);
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

impl<M: OnionMessageHandler> OnionMessageHandler for Limited<M> {
    fn handle_onion_message(&self, peer_node_id: PublicKey, msg: &OnionMessage) {
        if self.may(peer_node_id, Instant::now()) {
            self.inner.handle_onion_message(peer_node_id, msg)
        }
    }

    fn next_onion_message_for_peer(&self, peer_node_id: PublicKey) -> Option<OnionMessage> {
        self.inner.next_onion_message_for_peer(peer_node_id)
    }

    fn timer_tick_occurred(&self) {
        self.inner.timer_tick_occurred()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::{Secp256k1, SecretKey};

    fn peer(byte: u8) -> PublicKey {
        SecretKey::from_slice(&[byte; 32]).expect("a key").public_key(&Secp256k1::new())
    }

    #[test]
    fn a_peer_may_send_many_at_once_and_then_only_so_often() {
        let (limited, start) = (Limited::new(()), Instant::now());
        let passed = |peer, now| (0..1_000).filter(|_| limited.may(peer, now)).count();
        assert_eq!(passed(peer(1), start), AT_ONCE as usize);
        assert_eq!(passed(peer(2), start), AT_ONCE as usize, "each peer has its own share");
        assert_eq!(passed(peer(1), start + Duration::from_secs(1)), 20);
        assert_eq!(passed(peer(1), start + Duration::from_secs(3_600)), AT_ONCE as usize);
    }
}
