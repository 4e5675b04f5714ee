//! Connections for the time of a question. Whoever is asked need be no peer of ours.

use crate::Wake;
use crate::peers::{Dial, connect_once};
use crate::types::PeerManager;
use bitcoin::secp256k1::PublicKey;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node that was not reached is tried again so much later, at its next address.
const AGAIN: Duration = Duration::from_secs(5);
/// So many connections at once.
const MOST: usize = 32;

/// Connections that questions need. Each ends with this.
#[derive(Default)]
pub(super) struct Dials(HashMap<PublicKey, Tried>);

struct Tried {
    dial: Dial,
    times: usize,
    again: Instant,
}

impl Dials {
    /// Connects to a node, if that is not in the making.
    pub(super) fn reach(
        &mut self,
        id: PublicKey,
        addresses: &[String],
        peers: &Arc<PeerManager>,
        runtime: &tokio::runtime::Handle,
        wake: &Wake,
    ) {
        let (now, tried) = (Instant::now(), self.0.get(&id));
        if tried.is_some_and(|tried| now < tried.again) || (tried.is_none() && self.0.len() >= MOST) {
            return;
        }
        let times = tried.map_or(0, |tried| tried.times);
        let Some(address) = addresses.get(times % addresses.len().max(1)).cloned() else { return };
        let (peers, wake) = (peers.clone(), wake.clone());
        let task = runtime.spawn(async move {
            if let Err(why) = connect_once(peers, id, &address, || wake()).await {
                tracing::debug!(%id, ?why, "no connection for a question");
            }
            wake();
        });
        let dial = Dial::of(&task);
        self.0.insert(id, Tried { dial, times: times + 1, again: now + AGAIN });
    }

    /// Hangs up on all whom no question needs any more, but for those who stay: our peers, to whom this
    /// was the connection that was wanted anyhow.
    pub(super) fn keep(&mut self, needed: impl Fn(&PublicKey) -> bool, stays: impl Fn(&PublicKey) -> bool) {
        self.0.retain(|id, tried| needed(id) || (!tried.dial.has_ended() && stays(id)));
    }
}
