//! What is remembered of each HTLC that was translated, beside what LDK remembers of it.
//!
//! A row is noted before LDK sees the HTLC, and written in the step's batch if the manager is, after
//! that was encoded: no stored manager knows a translated HTLC without its row. It is there until
//! LDK no longer lists the HTLC.

use crate::translate::Kind;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::types::ChannelId;
use sponte_engine::commit::KvBatch;
use sponte_proto::ecdh::Version;
use sponte_proto::failure::FailureCode;
use sponte_proto::onion::SharedSecret;
use sponte_proto::{PaymentHash, hex, unhex};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

/// By channel id and HTLC id.
pub type Key = (ChannelId, u64);

/// One translated HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Htlc {
    pub kind: Kind,
    pub hash: PaymentHash,
    /// What its failures are encrypted with.
    pub shared_secret: SharedSecret,
    /// What it is failed with, if that is not LDK's own answer.
    pub code: Option<FailureCode>,
}

/// All of them, and the channels on which there may be some.
#[derive(Default)]
pub struct Htlcs(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// Every channel that was ever ready, and its peer. A peer names any channel in its messages.
    channels: HashMap<ChannelId, PublicKey>,
    rows: BTreeMap<Key, Row>,
    by_hash: HashMap<PaymentHash, BTreeSet<Key>>,
    /// Rows that are not on the disk as they are here.
    changed: BTreeSet<Key>,
}

struct Row {
    htlc: Htlc,
    /// The peer has signed a commitment with it since: LDK lists it until it is gone.
    committed: bool,
}

impl Htlcs {
    /// Where the rows are stored.
    pub(crate) const NAMESPACE: &str = "ldk.htlc";

    /// From what was stored. An HTLC that LDK has stored is committed.
    ///
    /// # Errors
    /// The key of a row that cannot be read.
    pub(crate) fn load(stored: &[(String, Vec<u8>)]) -> Result<Htlcs, String> {
        let mut table = Table::default();
        for (key, value) in stored {
            let (id, htlc) = read_key(key).zip(Htlc::decode(value)).ok_or_else(|| key.clone())?;
            table.insert(id, Row { htlc, committed: true });
        }
        Ok(Htlcs(Mutex::new(table)))
    }

    /// The channel may carry HTLCs from now on.
    pub fn channel_ready(&self, channel: ChannelId, peer: PublicKey) {
        self.table().channels.insert(channel, peer);
    }

    /// Whether the peer can have HTLCs in the channel.
    pub(crate) fn is_channel(&self, channel: ChannelId, peer: &PublicKey) -> bool {
        self.table().channels.get(&channel) == Some(peer)
    }

    /// LDK is about to see this HTLC. One that was announced under the same number before, and not
    /// committed, is forgotten by all (BOLT 2, "Message Retransmission").
    pub fn note(&self, key: Key, htlc: Option<Htlc>) {
        let mut table = self.table();
        if table.remove(&key) || htlc.is_some() {
            table.changed.insert(key);
        }
        if let Some(htlc) = htlc {
            table.insert(key, Row { htlc, committed: false });
        }
    }

    /// LDK has taken in a commitment that the peer signed.
    pub fn committed(&self, channel: ChannelId) {
        let mut table = self.table();
        table.rows.range_mut((channel, 0)..=(channel, u64::MAX)).for_each(|(_, row)| row.committed = true);
    }

    /// The kind of the HTLCs with this hash on any of the channels.
    pub(crate) fn kind(&self, hash: &PaymentHash, channels: &[ChannelId]) -> Option<Kind> {
        let table = self.table();
        let key = table.by_hash.get(hash)?.iter().find(|(channel, _)| channels.contains(channel))?;
        table.rows.get(key).map(|row| row.htlc.kind)
    }

    /// The HTLCs with this hash are about to be failed with this code.
    pub(crate) fn fail_with(&self, hash: &PaymentHash, code: FailureCode) {
        let table = &mut *self.table();
        for key in table.by_hash.get(hash).into_iter().flatten() {
            if let Some(row) = table.rows.get_mut(key) {
                row.htlc.code = Some(code);
                table.changed.insert(*key);
            }
        }
    }

    /// What an HTLC is to be failed with instead of LDK's own answer.
    pub(crate) fn failure(&self, key: &Key) -> Option<(SharedSecret, FailureCode)> {
        let table = self.table();
        let htlc = &table.rows.get(key)?.htlc;
        Some((htlc.shared_secret.clone(), htlc.code?))
    }

    /// Forgets what LDK no longer lists; `list` is asked in between. Returns whether there was any.
    pub(crate) fn forget_gone(&self, list: impl FnOnce() -> Listed) -> bool {
        let rows: Vec<(Key, bool)> =
            self.table().rows.iter().map(|(key, row)| (*key, row.committed)).collect();
        let listed = list();
        let table = &mut *self.table();
        let mut any = false;
        for (key, committed) in rows {
            let gone = !listed.channels.contains_key(&key.0) || committed && !listed.htlcs.contains(&key);
            // One that came anew in the meantime is not the one that is gone.
            let same = table.rows.get(&key).is_some_and(|row| row.committed == committed);
            if gone && same {
                table.remove(&key);
                table.changed.insert(key);
                any = true;
            }
        }
        table.channels = listed.channels;
        any
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.table().rows.is_empty()
    }

    /// Puts what has changed into the step's batch.
    pub fn write(&self, batch: &mut KvBatch) {
        let table = &mut *self.table();
        for key in std::mem::take(&mut table.changed) {
            match table.rows.get(&key) {
                Some(row) => batch.put(Htlcs::NAMESPACE, write_key(&key), row.htlc.encode()),
                None => batch.delete(Htlcs::NAMESPACE, write_key(&key)),
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().expect("no panic while it is held")
    }
}

/// What LDK lists.
#[derive(Default)]
pub(crate) struct Listed {
    pub channels: HashMap<ChannelId, PublicKey>,
    pub htlcs: HashSet<Key>,
}

impl Table {
    fn insert(&mut self, key: Key, row: Row) {
        self.by_hash.entry(row.htlc.hash).or_default().insert(key);
        self.rows.insert(key, row);
    }

    fn remove(&mut self, key: &Key) -> bool {
        let Some(row) = self.rows.remove(key) else { return false };
        if let Some(keys) = self.by_hash.get_mut(&row.htlc.hash) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_hash.remove(&row.htlc.hash);
            }
        }
        true
    }
}

impl Htlc {
    const VERSION: u8 = 1;

    /// `version(1) = 1 ‖ kind(1) ‖ payment hash(32) ‖ shared secret(32) ‖ code(u16), 0 for LDK's`.
    fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Amp => 1,
            Kind::Ecdh(Version::Ecdh0) => 2,
            Kind::Ecdh(_) => 3,
        };
        let mut bytes = vec![Htlc::VERSION, kind];
        bytes.extend(self.hash.to_bytes());
        bytes.extend(self.shared_secret.as_bytes());
        bytes.extend(self.code.map_or(0, FailureCode::to_u16).to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Htlc> {
        let rest = bytes.strip_prefix(&[Htlc::VERSION])?;
        let (kind, rest) = rest.split_first()?;
        let kind = match kind {
            1 => Kind::Amp,
            2 => Kind::Ecdh(Version::Ecdh0),
            3 => Kind::Ecdh(Version::Ecdh1),
            _ => return None,
        };
        let (hash, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let code = u16::from_be_bytes(rest.try_into().ok()?);
        Some(Htlc {
            kind,
            hash: PaymentHash::from_bytes(*hash),
            shared_secret: SharedSecret::from_bytes(*secret),
            code: (code != 0).then(|| FailureCode::new(code)),
        })
    }
}

fn write_key((channel, id): &Key) -> String {
    format!("{}/{id:020}", hex(&channel.0))
}

fn read_key(key: &str) -> Option<Key> {
    let (channel, id) = key.split_once('/')?;
    let channel = unhex(channel).ok()?.try_into().ok()?;
    Some((ChannelId(channel), id.parse().ok()?))
}

#[cfg(test)]
mod tests;
