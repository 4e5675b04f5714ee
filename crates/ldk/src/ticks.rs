//! Work that is due by the clock.

use crate::Ldk;
use crate::convert::channel_id;
use crate::persist::{Persister, STATE};
use bitcoin::hashes::{Hash, sha256};
use lightning::routing::gossip::NodeId;
use lightning::routing::scoring::ScoreUpdate;
use lightning::util::ser::Writeable;
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The graph, by name in the state's namespace.
pub(crate) const GRAPH: &str = "graph";
/// The scorer.
pub(crate) const SCORER: &str = "scorer";

/// Up to so many confirmations peers may not have heard of a channel whose announcement took six.
const YOUNG: u32 = 12;

/// When each kind of work was last done.
pub(crate) struct Ticks {
    peers: Tick,
    channels: Tick,
    claims: Tick,
    announcement: Tick,
    announce_again: Vec<Instant>,
    coins: Tick,
    stale: Tick,
    usable: Tick,
    archive: Tick,
    htlcs: Tick,
    gossip: GossipClock,
}

struct Tick {
    every: Duration,
    next: Instant,
}

impl Tick {
    fn every(seconds: u64) -> Tick {
        let every = Duration::from_secs(seconds);
        Tick { every, next: Instant::now() + every }
    }

    fn now_and_every(seconds: u64) -> Tick {
        Tick { next: Instant::now(), ..Tick::every(seconds) }
    }

    fn is_due(&self) -> bool {
        self.next <= Instant::now()
    }

    fn due(&mut self) -> bool {
        let due = self.is_due();
        if due {
            self.next = Instant::now() + self.every;
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
            announce_again: vec![],
            coins: Tick::every(3600),
            stale: Tick::every(3600),
            usable: Tick::every(1),
            archive: Tick::now_and_every(3600),
            htlcs: Tick::every(10),
            gossip: GossipClock::new(),
        }
    }

    /// Whoever hears of a node before its channel forgets it (BOLT 7), and a new channel is announced
    /// some moments after the block that lets it: so it is told again a few times.
    fn announce_again(&mut self) {
        let now = Instant::now();
        self.announce_again = [2, 10, 60].map(|seconds| now + Duration::from_secs(seconds)).to_vec();
    }

    fn again_due(&mut self) -> bool {
        let (now, before) = (Instant::now(), self.announce_again.len());
        self.announce_again.retain(|at| *at > now);
        self.announce_again.len() < before
    }
}

/// When graph and scorer are written. A payment right after a crash needs them, so a small graph
/// is written as soon as it grows; a large one, which changes all the time and which peers tell
/// again, costs the disk no more than [`BYTES_PER_SECOND`].
struct GossipClock {
    due: Instant,
    /// Of what was last written.
    written: [Option<sha256::Hash>; 2],
}

/// Ten kilobytes: a private network within a second, the public one (20 MB) twice an hour.
const BYTES_PER_SECOND: u64 = 10_000;
const LONGEST: Duration = Duration::from_secs(3600);

fn pause_after(bytes: usize) -> Duration {
    Duration::from_secs(1 + bytes as u64 / BYTES_PER_SECOND).min(LONGEST)
}

impl GossipClock {
    fn new() -> GossipClock {
        GossipClock { due: Instant::now(), written: [None; 2] }
    }

    fn write(&mut self, persister: &Persister, graph: Vec<u8>, scorer: Vec<u8>) {
        self.due = Instant::now() + pause_after(graph.len() + scorer.len());
        let now = [(GRAPH, graph), (SCORER, scorer)];
        for (written, (key, bytes)) in self.written.iter_mut().zip(now) {
            let hash = Some(sha256::Hash::hash(&bytes));
            if *written != hash {
                *written = hash;
                persister.put(STATE, key, bytes);
            }
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
            self.tick_messages();
        }
        if self.ticks.channels.due() {
            self.node.manager.timer_tick_occurred();
        }
        self.refuse_overdue_openings();
        if self.ticks.claims.due() {
            self.node.monitor.rebroadcast_pending_claims();
            let _ = self.node.sweeper.regenerate_and_broadcast_spend_if_necessary();
        }
        if self.ticks.htlcs.due() {
            self.forget_gone_htlcs();
        }
        if self.ticks.coins.due() {
            self.rebroadcast_wallet();
        }
        if std::mem::take(&mut self.announce_due) {
            self.ticks.announce_again();
            self.announce();
        } else if self.ticks.again_due() {
            self.announce();
            self.tell_young_channels();
        } else if self.ticks.announcement.due() {
            self.announce();
        }
        if self.ticks.stale.due() {
            self.node.graph.remove_stale_channels_and_tracking();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.node.scorer.write().expect("no panic while it is held").time_passed(now);
        }
        if self.ticks.gossip.due <= Instant::now() {
            self.write_gossip();
        }
    }

    fn tell_young_channels(&self) {
        let young = |confirmations: u32| confirmations <= YOUNG;
        let channels = self.node.manager.list_channels().into_iter();
        let channels =
            channels.filter(|channel| channel.is_announced && channel.confirmations.is_some_and(young));
        let us = NodeId::from_pubkey(&self.node.id);
        self.node.gossip.tell_again(&us, channels.filter_map(|channel| channel.short_channel_id));
    }

    /// Lets go of the monitors of closed channels that have nothing left to watch for; once an
    /// hour, as soon as no update of a closed channel is on its way. The manager is written in the
    /// same step: one that knows a channel, or an update that is not complete, of a monitor that
    /// is gone cannot be loaded.
    pub(crate) fn archive_resolved(&mut self) {
        if !self.started || !self.ticks.archive.is_due() || self.closed_channel_in_flight() {
            return;
        }
        self.ticks.archive.due();
        self.node.monitor.archive_fully_resolved_channel_monitors();
        let kept: HashSet<_> = self.node.monitor.list_monitors().into_iter().map(channel_id).collect();
        self.fundings.retain(|_, channel| kept.contains(channel));
        self.manager_due = true;
    }

    /// Whether LDK may still wait for the commit of an update of a closed channel.
    fn closed_channel_in_flight(&self) -> bool {
        if self.node.monitor.pending_operation_count() > 0 {
            return true;
        }
        let mut in_flight = self.uncommitted.iter().flat_map(|step| &step.completions).peekable();
        in_flight.peek().is_some() && {
            let channels = self.node.manager.list_channels();
            in_flight.any(|done| channels.iter().all(|channel| channel.channel_id != done.channel))
        }
    }

    /// Puts graph and scorer into the step's batch, as far as they have changed.
    pub(crate) fn write_gossip(&mut self) {
        let graph = self.node.graph.encode();
        let scorer = self.node.scorer.read().expect("no panic while it is held").encode();
        self.ticks.gossip.write(&self.node.persister, graph, scorer);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_written(persister: &Persister) -> Vec<String> {
        persister.take().0.entries.into_iter().map(|entry| entry.key).collect()
    }

    #[test]
    fn what_has_not_changed_is_not_written() {
        let (persister, mut clock) = (Persister::default(), GossipClock::new());
        clock.write(&persister, vec![1], vec![2]);
        assert_eq!(keys_written(&persister), [GRAPH, SCORER]);
        clock.write(&persister, vec![1], vec![3]);
        assert_eq!(keys_written(&persister), [SCORER]);
        clock.write(&persister, vec![1], vec![3]);
        assert_eq!(keys_written(&persister), [""; 0]);
    }

    #[test]
    fn a_large_graph_is_written_rarely() {
        assert_eq!(pause_after(1_000).as_secs(), 1);
        assert_eq!(pause_after(1_000_000).as_secs(), 101);
        assert_eq!(pause_after(100_000_000), LONGEST);
    }
}
