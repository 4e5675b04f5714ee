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
    fn put_whole(&mut self, monitor: &ChannelMonitor) {
        let channel = monitor.channel_id();
        for update in self.updates.remove(&channel).unwrap_or_default() {
            self.batch.delete(UPDATE, update_key(channel, update));
        }
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

    fn archive_persisted_channel(&self, name: MonitorName) {
        // Monitors are kept: nobody asks LDK to archive them.
        tracing::warn!(monitor = %name, "a monitor was to be archived");
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
