//! What LDK writes, collected for the step's one commit.
//!
//! LDK is always told `InProgress`: a monitor update is complete when the commit that holds it
//! is durable, which [`crate::Ldk`] tells LDK itself. `MonitorUpdatingPersister` would say
//! `Completed` while the bytes still wait in a buffer.

use crate::types::ChannelMonitor;
use lightning::chain::ChannelMonitorUpdateStatus;
use lightning::chain::chainmonitor::Persist;
use lightning::chain::channelmonitor::ChannelMonitorUpdate;
use lightning::io;
use lightning::ln::types::ChannelId;
use lightning::sign::InMemorySigner;
use lightning::util::persist::{KVStoreSync, MonitorName};
use lightning::util::ser::Writeable;
use sponte_engine::commit::KvBatch;
use sponte_proto::hex;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Whole monitors, by channel id.
pub(crate) const MONITOR: &str = "ldk.monitor";
/// Updates since the whole monitor was written, by channel id and update number.
pub(crate) const UPDATE: &str = "ldk.update";
/// The channel manager and its like, by name.
pub(crate) const STATE: &str = "ldk.state";
/// The sweeper, in its own keys.
pub(crate) const SWEEPER: &str = "ldk.sweeper";

/// A whole monitor is written again after so many updates: it bounds what a start replays.
const UPDATES_PER_MONITOR: usize = 100;

/// A monitor write that LDK waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub channel: ChannelId,
    pub update: u64,
    /// It is the channel's first: the peer may have our `funding_signed` afterwards.
    pub first: bool,
}

/// Collects LDK's writes. Every call comes from the step's thread.
#[derive(Default)]
pub struct Persister {
    buffer: Mutex<Buffer>,
}

#[derive(Default)]
struct Buffer {
    batch: KvBatch,
    completions: Vec<Completion>,
    /// Numbers of the updates that lie beside each whole monitor.
    updates: BTreeMap<ChannelId, Vec<u64>>,
}

/// The key of a channel's monitor.
pub(crate) fn monitor_key(channel: ChannelId) -> String {
    hex(&channel.0)
}

/// The key of one update: ordered by number within the channel.
fn update_key(channel: ChannelId, update: u64) -> String {
    format!("{}/{update:020}", hex(&channel.0))
}

impl Persister {
    /// What was written since the last call.
    pub(crate) fn take(&self) -> (KvBatch, Vec<Completion>) {
        let mut buffer = self.lock();
        (std::mem::take(&mut buffer.batch), std::mem::take(&mut buffer.completions))
    }

    /// Adds a write of our own to the step's batch.
    pub(crate) fn put(&self, namespace: &str, key: &str, value: Vec<u8>) {
        self.lock().batch.put(namespace, key, value);
    }

    /// Deletes a key of our own with the step's batch.
    pub(crate) fn delete(&self, namespace: &str, key: &str) {
        self.lock().batch.delete(namespace, key);
    }

    /// Lets another add its writes to the step's batch.
    pub(crate) fn write(&self, add: impl FnOnce(&mut KvBatch)) {
        add(&mut self.lock().batch);
    }

    /// Adds writes that another collected.
    pub(crate) fn extend(&self, entries: Vec<sponte_engine::commit::KvEntry>) {
        self.lock().batch.entries.extend(entries);
    }

    /// At start: an update that lies in the store beside its monitor.
    pub(crate) fn note_stored_update(&self, channel: ChannelId, update: u64) {
        self.lock().updates.entry(channel).or_default().push(update);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Buffer> {
        self.buffer.lock().expect("no panic while it is held")
    }
}

impl Buffer {
    fn delete_updates(&mut self, channel: ChannelId) {
        for update in self.updates.remove(&channel).unwrap_or_default() {
            self.batch.delete(UPDATE, update_key(channel, update));
        }
    }

    fn put_whole(&mut self, monitor: &ChannelMonitor) {
        let channel = monitor.channel_id();
        self.delete_updates(channel);
        self.batch.put(MONITOR, monitor_key(channel), monitor.encode());
    }
}

impl Persist<InMemorySigner> for Persister {
    fn persist_new_channel(&self, _: MonitorName, monitor: &ChannelMonitor) -> ChannelMonitorUpdateStatus {
        let mut buffer = self.lock();
        buffer.put_whole(monitor);
        let (channel, update) = (monitor.channel_id(), monitor.get_latest_update_id());
        buffer.completions.push(Completion { channel, update, first: true });
        ChannelMonitorUpdateStatus::InProgress
    }

    fn update_persisted_channel(
        &self,
        _: MonitorName,
        update: Option<&ChannelMonitorUpdate>,
        monitor: &ChannelMonitor,
    ) -> ChannelMonitorUpdateStatus {
        let channel = monitor.channel_id();
        let mut buffer = self.lock();
        let Some(update) = update else {
            // A new block changed the monitor: nobody waits for it.
            buffer.put_whole(monitor);
            return ChannelMonitorUpdateStatus::InProgress;
        };
        let number = update.update_id;
        let beside = buffer.updates.entry(channel).or_default();
        if beside.len() >= UPDATES_PER_MONITOR {
            buffer.put_whole(monitor);
        } else {
            beside.push(number);
            buffer.batch.put(UPDATE, update_key(channel, number), update.encode());
        }
        buffer.completions.push(Completion { channel, update: number, first: false });
        ChannelMonitorUpdateStatus::InProgress
    }

    /// Deletes the monitor. LDK proposes to move it elsewhere, as a hedge against its own faults;
    /// but it asks only four weeks after nothing was left to claim, and of channels that never
    /// held anything of ours a peer makes as many as it likes.
    fn archive_persisted_channel(&self, name: MonitorName) {
        let channel = match name {
            MonitorName::V1Channel(funding) => ChannelId::v1_from_funding_outpoint(funding),
            MonitorName::V2Channel(channel) => channel,
        };
        tracing::info!(%channel, "a closed channel has nothing left to watch for: its monitor is deleted");
        let mut buffer = self.lock();
        buffer.delete_updates(channel);
        buffer.batch.delete(MONITOR, monitor_key(channel));
    }
}

/// The sweeper's store: its writes join the step's batch. Reads happen once, at start, from
/// what was loaded, and not through this. (A type of its own, as LDK makes every key-value store
/// a persister of monitors.)
pub(crate) struct SweeperStore(pub(crate) std::sync::Arc<Persister>);

impl KVStoreSync for SweeperStore {
    fn read(&self, _: &str, _: &str, _: &str) -> Result<Vec<u8>, io::Error> {
        Err(io::Error::new(io::ErrorKind::NotFound, "state is read at start only"))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, bytes: Vec<u8>) -> Result<(), io::Error> {
        self.0.put(SWEEPER, &format!("{primary}/{secondary}/{key}"), bytes);
        Ok(())
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, _lazy: bool) -> Result<(), io::Error> {
        self.0.delete(SWEEPER, &format!("{primary}/{secondary}/{key}"));
        Ok(())
    }

    fn list(&self, _: &str, _: &str) -> Result<Vec<String>, io::Error> {
        Err(io::Error::new(io::ErrorKind::NotFound, "state is read at start only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;
    use lightning::chain::transaction::OutPoint;

    #[test]
    fn an_archived_monitor_is_deleted_with_its_updates() {
        let funding = OutPoint { txid: bitcoin::Txid::from_byte_array([1; 32]), index: 1 };
        let first = ChannelId::v1_from_funding_outpoint(funding);
        let (second, other) = (ChannelId([2; 32]), ChannelId([3; 32]));
        let persister = Persister::default();
        for (channel, update) in [(first, 3), (first, 4), (other, 1)] {
            persister.note_stored_update(channel, update);
        }
        persister.archive_persisted_channel(MonitorName::V1Channel(funding));
        persister.archive_persisted_channel(MonitorName::V2Channel(second));
        let expected = [
            (UPDATE, update_key(first, 3)),
            (UPDATE, update_key(first, 4)),
            (MONITOR, monitor_key(first)),
            (MONITOR, monitor_key(second)),
        ];
        let (batch, completions) = persister.take();
        assert!(completions.is_empty(), "nobody waits for a deletion");
        assert!(batch.entries.iter().all(|entry| entry.value.is_none()), "{batch:?}");
        let keys = batch.entries.into_iter().map(|entry| (entry.namespace, entry.key));
        assert!(keys.eq(expected.map(|(namespace, key)| (namespace.into(), key))));
    }
}
