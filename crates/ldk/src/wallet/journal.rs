//! The wallet's bytes: BDK's change sets under rising keys, now and then made one, and a record
//! for each transaction and outpoint that the books know.
//!
//! | key | value, JSON |
//! |---|---|
//! | `format` | `1` |
//! | `base` | BDK's [`ChangeSet`] with everything up to some moment |
//! | `delta/` 16 hex digits | change sets after it, in the order of their keys |
//! | `tx/` txid | [`Record`](super::record::Record) |
//! | `note/` outpoint | [`Note`](super::record::Note) |
//!
//! Deltas are merged into a new base when they outweigh it, so what is written in total stays
//! within a small multiple of what is kept.

use std::collections::BTreeSet;

use bdk_wallet::ChangeSet;
use bdk_wallet::chain::{DescriptorExt, Merge};
use bdk_wallet::{KeychainKind, LoadError};
use bitcoin::Network;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sponte_engine::commit::KvEntry;

use super::blocks::RECENT;
use super::books::Books;
use super::{LOOKAHEAD, NAMESPACE, WalletError};
use crate::seed::Seed;

const FORMAT: &str = "1";
const FORMAT_KEY: &str = "format";
const BASE_KEY: &str = "base";
const DELTA_PREFIX: &str = "delta/";

/// Below so many deltas no new base is written, however small the old one is.
const MIN_DELTAS: u64 = 256;
/// At so many one is, however large.
const MAX_DELTAS: u64 = 16_384;

/// What has to be written, and what lies on the disk.
#[derive(Default)]
pub(super) struct Journal {
    staged: ChangeSet,
    /// The numbers of the deltas on the disk.
    first_delta: u64,
    next_delta: u64,
    delta_bytes: usize,
    base_bytes: usize,
    new: bool,
}

pub(super) struct Loaded {
    pub(super) bdk: bdk_wallet::Wallet,
    pub(super) books: Books,
    pub(super) journal: Journal,
    pub(super) clock: u64,
}

/// Reads the wallet back, or makes a new one of no entries.
pub(super) fn load(
    seed: &Seed,
    network: Network,
    mut entries: Vec<(String, Vec<u8>)>,
) -> Result<Loaded, WalletError> {
    let (external, internal) = seed.descriptors(network);
    if entries.is_empty() {
        let create = bdk_wallet::Wallet::create(external, internal).network(network).lookahead(LOOKAHEAD);
        let bdk = create.create_wallet_no_persist().expect("the seed's descriptors are well formed");
        let journal = Journal { new: true, ..Default::default() };
        return Ok(Loaded { bdk, books: Books::default(), journal, clock: 0 });
    }
    entries.sort_unstable();
    let mut journal = Journal::default();
    let mut changes = ChangeSet::default();
    let mut books = Books::default();
    for (key, value) in &entries {
        if key == FORMAT_KEY {
            check_format(value)?;
        } else if key == BASE_KEY {
            journal.base_bytes = value.len();
            changes.merge(read(key, value)?);
        } else if let Some(number) = key.strip_prefix(DELTA_PREFIX) {
            let number = u64::from_str_radix(number, 16).map_err(|error| damaged(key, error))?;
            journal.read_delta(number, value.len());
            changes.merge(read(key, value)?);
        } else {
            books.read(key, value)?;
        }
    }
    let clock = latest_observation(&changes);
    prune_blocks(&mut changes);
    let bdk = bdk_wallet::Wallet::load()
        .descriptor(KeychainKind::External, Some(external))
        .descriptor(KeychainKind::Internal, Some(internal))
        .check_network(network)
        .lookahead(LOOKAHEAD)
        .load_wallet_no_persist(changes)
        .map_err(refused)?
        .ok_or_else(|| damaged(BASE_KEY, "there is none"))?;
    Ok(Loaded { bdk, books, journal, clock })
}

fn check_format(value: &[u8]) -> Result<(), WalletError> {
    if value == FORMAT.as_bytes() {
        return Ok(());
    }
    Err(WalletError::Newer(String::from_utf8_lossy(value).into_owned()))
}

fn refused(error: LoadError) -> WalletError {
    match error {
        LoadError::Mismatch(_) => WalletError::Foreign,
        other => damaged(BASE_KEY, other),
    }
}

pub(super) fn damaged(key: &str, why: impl ToString) -> WalletError {
    WalletError::Damaged { key: key.into(), why: why.to_string() }
}

pub(super) fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, WalletError> {
    serde_json::from_slice(value).map_err(|error| damaged(key, error))
}

pub(super) fn put(key: String, value: &impl Serialize) -> KvEntry {
    let value = serde_json::to_vec(value).expect("all keys of the wallet's maps are strings in JSON");
    KvEntry { namespace: NAMESPACE.into(), key, value: Some(value) }
}

fn latest_observation(changes: &ChangeSet) -> u64 {
    let graph = &changes.tx_graph;
    graph.last_seen.values().chain(graph.last_evicted.values()).copied().max().unwrap_or(0)
}

/// Forgets old blocks that hold nothing of the wallet: BDK walks the list of all that it knows.
fn prune_blocks(changes: &mut ChangeSet) {
    let blocks = &mut changes.local_chain.blocks;
    blocks.retain(|_, hash| hash.is_some());
    let Some(tip) = blocks.last_key_value().map(|(height, _)| *height) else { return };
    let holding: BTreeSet<u32> = changes.tx_graph.anchor_heights().collect();
    let recent = tip.saturating_sub(RECENT);
    blocks.retain(|height, _| *height == 0 || *height >= recent || holding.contains(height));
}

impl Journal {
    pub(super) fn stage(&mut self, changes: ChangeSet) {
        self.staged.merge(changes);
    }

    pub(super) fn take_writes(&mut self, bdk: &bdk_wallet::Wallet) -> Vec<KvEntry> {
        let staged = std::mem::take(&mut self.staged);
        if staged.is_empty() {
            return vec![];
        }
        if self.new || self.outweighs() {
            return self.rebase(bdk);
        }
        let entry = put(delta_key(self.next_delta), &staged);
        self.next_delta += 1;
        self.delta_bytes += entry.value.as_ref().map_or(0, Vec::len);
        vec![entry]
    }

    fn read_delta(&mut self, number: u64, bytes: usize) {
        if self.delta_bytes == 0 {
            self.first_delta = number;
        }
        self.next_delta = number + 1;
        self.delta_bytes += bytes;
    }

    fn outweighs(&self) -> bool {
        let deltas = self.next_delta - self.first_delta;
        deltas >= MAX_DELTAS || (deltas >= MIN_DELTAS && self.delta_bytes >= self.base_bytes)
    }

    /// A new base, and no deltas.
    fn rebase(&mut self, bdk: &bdk_wallet::Wallet) -> Vec<KvEntry> {
        let base = put(BASE_KEY.into(), &everything(bdk));
        self.base_bytes = base.value.as_ref().map_or(0, Vec::len);
        let deltas = (self.first_delta..self.next_delta).map(|number| KvEntry {
            namespace: NAMESPACE.into(),
            key: delta_key(number),
            value: None,
        });
        let mut writes: Vec<KvEntry> = deltas.collect();
        writes.push(base);
        if std::mem::take(&mut self.new) {
            let format = Some(FORMAT.as_bytes().to_vec());
            writes.push(KvEntry { namespace: NAMESPACE.into(), key: FORMAT_KEY.into(), value: format });
        }
        self.first_delta = self.next_delta;
        self.delta_bytes = 0;
        writes
    }
}

fn delta_key(number: u64) -> String {
    format!("{DELTA_PREFIX}{number:016x}")
}

/// A wallet of a change set that [`everything`] made.
pub(super) fn load_bdk(changes: ChangeSet) -> Result<bdk_wallet::Wallet, WalletError> {
    let load = bdk_wallet::Wallet::load().lookahead(LOOKAHEAD);
    load.load_wallet_no_persist(changes).map_err(refused)?.ok_or_else(|| damaged(BASE_KEY, "there is none"))
}

/// The change set that makes this wallet of nothing.
pub(super) fn everything(bdk: &bdk_wallet::Wallet) -> ChangeSet {
    let mut changes = ChangeSet {
        descriptor: Some(bdk.public_descriptor(KeychainKind::External).clone()),
        change_descriptor: Some(bdk.public_descriptor(KeychainKind::Internal).clone()),
        network: Some(bdk.network()),
        local_chain: bdk.local_chain().initial_changeset(),
        tx_graph: bdk.tx_graph().initial_changeset(),
        ..Default::default()
    };
    for (keychain, index) in bdk.spk_index().last_revealed_indices() {
        let descriptor = bdk.public_descriptor(keychain).descriptor_id();
        changes.indexer.last_revealed.insert(descriptor, index);
    }
    prune_blocks(&mut changes);
    changes
}
