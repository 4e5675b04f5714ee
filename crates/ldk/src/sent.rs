//! What is remembered of each HTLC of ours on its way, beside what LDK remembers of it.
//!
//! LDK's events tell neither who failed an HTLC nor with what: that is read as it comes in, and
//! kept here until LDK says that the HTLC is gone. A failure that LDK has stored does not come again:
//! a row is noted before LDK sees the message, and written in the step's batch if the manager is,
//! after that was encoded. So is a new row, and the end of one.

use crate::blame::{is_of_route, read_failure, read_malformed};
use crate::convert::public_key;
use crate::htlcs::Key;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning::ln::msgs::{UpdateAddHTLC, UpdateFailHTLC, UpdateFailMalformedHTLC};
use lightning::ln::types::ChannelId;
use sponte_engine::backend::{Send, SessionKey};
use sponte_engine::commit::{KvBatch, PartFailure};
use sponte_proto::onion::{RouteSecrets, SharedSecret};
use sponte_proto::{NodeId, PaymentHash, PaymentId, ShortChannelId, hex};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

mod codec;
#[cfg(test)]
mod tests;

/// One HTLC of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentHtlc {
    pub session_key: SessionKey,
    pub hash: PaymentHash,
    /// Our channel.
    pub channel: ChannelId,
    /// The nodes that it passes, and the channels that lead to them.
    pub hops: Vec<(NodeId, ShortChannelId)>,
    /// Its number in our channel, once it left.
    pub number: Option<u64>,
    /// How it failed, once that is known.
    pub failure: Option<PartFailure>,
}

/// All of them.
pub(crate) struct SentHtlcs {
    secp: Secp256k1<All>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<PaymentId, Row>,
    by_key: HashMap<Key, PaymentId>,
    by_hash: HashMap<PaymentHash, BTreeSet<PaymentId>>,
    /// Rows that are not on the disk as they are here.
    changed: BTreeSet<PaymentId>,
}

struct Row {
    htlc: SentHtlc,
    /// The public key in its onion.
    onion_key: PublicKey,
    /// It was sent by this process, which has seen all of its messages.
    seen: bool,
}

impl Default for SentHtlcs {
    fn default() -> SentHtlcs {
        SentHtlcs { secp: Secp256k1::new(), table: Mutex::default() }
    }
}

impl SentHtlcs {
    /// Where the rows are stored, by part.
    pub(crate) const NAMESPACE: &str = "ldk.sent";

    /// From what was stored.
    ///
    /// # Errors
    /// The key of a row that cannot be read.
    pub(crate) fn load(stored: &[(String, Vec<u8>)]) -> Result<SentHtlcs, String> {
        let htlcs = SentHtlcs::default();
        for (key, value) in stored {
            let read = || Some((key.parse().ok()?, htlcs.row(SentHtlc::decode(value)?, false)?));
            let (part, row): (PaymentId, Row) = read().ok_or_else(|| key.clone())?;
            htlcs.table().insert(part, row);
        }
        Ok(htlcs)
    }

    /// `None` if the session key is none.
    fn row(&self, htlc: SentHtlc, seen: bool) -> Option<Row> {
        let mut key = SecretKey::from_slice(htlc.session_key.as_bytes()).ok()?;
        let onion_key = PublicKey::from_secret_key(&self.secp, &key);
        key.non_secure_erase();
        Some(Row { htlc, onion_key, seen })
    }

    /// An HTLC is about to be given to LDK. `false` if it is known already, or cannot be sent.
    pub(crate) fn insert(&self, part: PaymentId, htlc: SentHtlc) -> bool {
        let Some(row) = self.row(htlc, true) else { return false };
        let mut table = self.table();
        if table.rows.contains_key(&part) {
            return false;
        }
        table.insert(part, row);
        table.changed.insert(part);
        true
    }

    pub(crate) fn is_known(&self, part: &PaymentId) -> bool {
        self.table().rows.contains_key(part)
    }

    /// Its end is told. Returns what was known of it.
    pub(crate) fn forget(&self, part: &PaymentId) -> Option<SentHtlc> {
        let mut table = self.table();
        let row = table.remove(part)?;
        table.changed.insert(*part);
        Some(row.htlc)
    }

    /// Forgets all but these.
    pub(crate) fn retain(&self, parts: &HashSet<PaymentId>) {
        let mut table = self.table();
        let gone: Vec<_> = table.rows.keys().filter(|part| !parts.contains(part)).copied().collect();
        for part in gone {
            table.remove(&part);
            table.changed.insert(part);
        }
    }

    /// A message is about to leave, perhaps again. Most HTLCs are others', which we forward.
    pub(crate) fn left(&self, message: &UpdateAddHTLC) {
        let table = &mut *self.table();
        let hash = PaymentHash::from_bytes(message.payment_hash.0);
        let Some(parts) = table.by_hash.get(&hash) else { return };
        let Ok(onion_key) = message.onion_routing_packet.public_key else { return };
        let is_it = |part: &&PaymentId| table.rows.get(part).is_some_and(|row| row.onion_key == onion_key);
        let Some(part) = parts.iter().find(is_it).copied() else { return };
        table.has_number(part, message.htlc_id);
    }

    /// A peer fails an HTLC, ours or not. Of one that comes again the last word counts.
    pub(crate) fn failed(&self, message: &UpdateFailHTLC) {
        let key = (message.channel_id, message.htlc_id);
        let Some((part, htlc, secrets)) = self.find(&key, |secrets| is_of_route(secrets, message)) else {
            return;
        };
        let failure = read_failure(&secrets, &htlc.channels(), message);
        self.fail(&key, part, failure);
    }

    /// The peer itself could not read the onion.
    pub(crate) fn malformed(&self, message: &UpdateFailMalformedHTLC) {
        let key = (message.channel_id, message.htlc_id);
        let found = self.table().by_key.get(&key).copied();
        let Some(part) = found else { return };
        let channels = self.table().rows.get(&part).map(|row| row.htlc.channels());
        self.fail(&key, part, read_malformed(message.failure_code, &channels.unwrap_or_default()));
    }

    fn fail(&self, key: &Key, part: PaymentId, failure: PartFailure) {
        let table = &mut *self.table();
        table.has_number(part, key.1);
        table.note_failure(part, failure);
    }

    /// Which HTLC it is. After a crash a number may be unknown that had left: `is_it` knows.
    fn find(
        &self,
        key: &Key,
        is_it: impl Fn(&[SharedSecret]) -> bool,
    ) -> Option<(PaymentId, SentHtlc, Vec<SharedSecret>)> {
        let table = self.table();
        let copy = |part: &PaymentId| table.rows.get(part).map(|row| (*part, row.htlc.clone()));
        let known = table.by_key.get(key).and_then(copy);
        let unknown = |(_, row): &(&PaymentId, &Row)| {
            known.is_none() && !row.seen && row.htlc.number.is_none() && row.htlc.channel == key.0
        };
        let others: Vec<_> = table.rows.iter().filter(unknown).filter_map(|(part, _)| copy(part)).collect();
        drop(table);
        if let Some((part, htlc)) = known {
            let secrets = self.secrets(&htlc)?;
            return Some((part, htlc, secrets));
        }
        others.into_iter().find_map(|(part, htlc)| {
            let secrets = self.secrets(&htlc)?;
            is_it(&secrets).then_some((part, htlc, secrets))
        })
    }

    fn secrets(&self, htlc: &SentHtlc) -> Option<Vec<SharedSecret>> {
        let nodes: Option<Vec<_>> = htlc.hops.iter().map(|(node, _)| public_key(node)).collect();
        let mut key = SecretKey::from_slice(htlc.session_key.as_bytes()).ok()?;
        let secrets = RouteSecrets::new(&self.secp, &key, &nodes?).ok();
        key.non_secure_erase();
        Some(secrets?.shared_secrets().to_vec())
    }

    /// LDK says that an HTLC is gone, and perhaps which channel it would avoid. What was decoded counts;
    /// else it never left, if that is sure; else nobody can tell.
    pub(crate) fn end(&self, part: &PaymentId, guess: Option<ShortChannelId>) -> PartFailure {
        let table = &mut *self.table();
        let Some(row) = table.rows.get(part) else {
            return PartFailure { channel: guess, ..PartFailure::default() };
        };
        let never_left = row.seen && row.htlc.number.is_none();
        let failure = match row.htlc.failure {
            Some(failure) if failure.hop.is_some() => failure,
            Some(unread) => PartFailure { channel: unread.channel.or(guess), ..unread },
            None if never_left => PartFailure { channel: guess, ..PartFailure::NEVER_LEFT },
            None => PartFailure { channel: guess, ..PartFailure::default() },
        };
        let failure = match failure {
            PartFailure { hop: None, channel: None, .. } => {
                PartFailure { channel: row.htlc.suspect(part), ..failure }
            }
            known => known,
        };
        table.note_failure(*part, failure);
        failure
    }

    /// Puts what has changed into the step's batch.
    pub(crate) fn write(&self, batch: &mut KvBatch) {
        let table = &mut *self.table();
        for part in std::mem::take(&mut table.changed) {
            let key = hex(&part.to_bytes());
            match table.rows.get(&part) {
                Some(row) => batch.put(SentHtlcs::NAMESPACE, key, row.htlc.encode()),
                None => batch.delete(SentHtlcs::NAMESPACE, key),
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no panic while it is held")
    }
}

impl SentHtlc {
    /// What is sent, before LDK has seen it.
    pub(crate) fn new(send: &Send) -> SentHtlc {
        SentHtlc {
            session_key: send.session_key.clone(),
            hash: send.hash,
            channel: crate::convert::ldk_channel_id(send.route.channel),
            hops: send.route.hops.iter().map(|hop| (hop.node, hop.channel)).collect(),
            number: None,
            failure: None,
        }
    }

    /// A channel to avoid where nobody can tell who failed it: one of those that are not ours, another
    /// for each part, so that a node that garbles its failures is gone around after a few of them.
    fn suspect(&self, part: &PaymentId) -> Option<ShortChannelId> {
        let others = self.hops.get(1..).filter(|others| !others.is_empty())?;
        let at = usize::from(part.to_bytes()[0]) % others.len();
        others.get(at).map(|(_, channel)| *channel)
    }

    fn channels(&self) -> Vec<ShortChannelId> {
        self.hops.iter().map(|(_, channel)| *channel).collect()
    }
}

impl Table {
    fn insert(&mut self, part: PaymentId, row: Row) {
        self.by_hash.entry(row.htlc.hash).or_default().insert(part);
        if let Some(number) = row.htlc.number {
            self.by_key.insert((row.htlc.channel, number), part);
        }
        self.rows.insert(part, row);
    }

    fn remove(&mut self, part: &PaymentId) -> Option<Row> {
        let row = self.rows.remove(part)?;
        if let Some(parts) = self.by_hash.get_mut(&row.htlc.hash) {
            parts.remove(part);
            if parts.is_empty() {
                self.by_hash.remove(&row.htlc.hash);
            }
        }
        if let Some(number) = row.htlc.number {
            self.by_key.remove(&(row.htlc.channel, number));
        }
        Some(row)
    }

    fn has_number(&mut self, part: PaymentId, number: u64) {
        let Some(row) = self.rows.get_mut(&part) else { return };
        let before = row.htlc.number.replace(number);
        if before == Some(number) {
            return;
        }
        let channel = row.htlc.channel;
        if let Some(before) = before {
            self.by_key.remove(&(channel, before));
        }
        self.by_key.insert((channel, number), part);
        self.changed.insert(part);
    }

    fn note_failure(&mut self, part: PaymentId, failure: PartFailure) {
        let Some(row) = self.rows.get_mut(&part) else { return };
        if row.htlc.failure.replace(failure) != Some(failure) {
            self.changed.insert(part);
        }
    }
}
