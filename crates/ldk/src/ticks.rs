//! Work that is due by the clock.

use crate::Ldk;
use crate::persist::STATE;
use lightning::routing::scoring::ScoreUpdate;
use lightning::util::ser::Writeable;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The graph, by name in the state's namespace.
pub(crate) const GRAPH: &str = "graph";
/// The scorer.
pub(crate) const SCORER: &str = "scorer";

/// When each kind of work was last done.
pub(crate) struct Ticks {
    peers: Tick,
    channels: Tick,
    claims: Tick,
    announcement: Tick,
    graph: Tick,
    usable: Tick,
}

struct Tick {
    every: Duration,
    last: Instant,
}

impl Tick {
    fn every(seconds: u64) -> Tick {
        Tick { every: Duration::from_secs(seconds), last: Instant::now() }
    }

    fn due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.every;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

impl Ticks {
    /// LDK's own rhythm: pings every 10 s, payments and fees each minute, claims each 30 s.
    pub(crate) fn new() -> Ticks {
        Ticks {
            peers: Tick::every(10),
            channels: Tick::every(60),
            claims: Tick::every(30),
            announcement: Tick::every(3600),
            graph: Tick::every(3600),
            usable: Tick::every(1),
        }
    }
}

impl Ticks {
    /// A look at the channels that became usable by other ways than their peer's return.
    pub(crate) fn usable_due(&mut self) -> bool {
        self.usable.due()
    }
}

impl Ldk {
    /// Does what is due.
    pub(crate) fn tick(&mut self) {
        if self.ticks.peers.due() {
            self.node.peers.timer_tick_occurred();
        }
        if self.ticks.channels.due() {
            self.node.manager.timer_tick_occurred();
        }
        if self.ticks.claims.due() {
            self.node.monitor.rebroadcast_pending_claims();
            let _ = self.node.sweeper.regenerate_and_broadcast_spend_if_necessary();
        }
        if self.ticks.announcement.due() || std::mem::take(&mut self.announce_due) {
            self.announce();
        }
        if self.ticks.graph.due() {
            self.node.graph.remove_stale_channels_and_tracking();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.node.scorer.write().expect("no panic while it is held").time_passed(now);
            self.write_graph();
        }
    }

    /// Puts graph and scorer into the step's batch.
    pub(crate) fn write_graph(&self) {
        self.node.persister.put(STATE, GRAPH, self.node.graph.encode());
        let scorer = self.node.scorer.read().expect("no panic while it is held").encode();
        self.node.persister.put(STATE, SCORER, scorer);
    }

    /// Tells the network our name, features and addresses, once there is a public channel.
    fn announce(&self) {
        if !self.node.manager.list_channels().iter().any(|channel| channel.is_announced) {
            return;
        }
        let mut alias = [0; 32];
        let name = self.config.alias.as_bytes();
        let length = name.len().min(alias.len());
        alias[..length].copy_from_slice(&name[..length]);
        self.node.peers.broadcast_node_announcement([0x6c, 0x66, 0x61], alias, self.announce.clone());
    }
}
