//! Sets that are not complete: the parts that came, and what they may take of the memory.

use crate::backend::{Claimable, Purpose};
use crate::commit::{Reason, WaitingPart};
use sponte_proto::amp::{MAX_SHARDS, SetId, Shard};
use sponte_proto::{BlockHeight, Msat, PaymentHash, PaymentId, PaymentSecret, Timestamp};
use std::collections::BTreeMap;

/// Sets that may wait for parts.
pub const MAX_SETS: usize = 1_000;
/// Sets that may wait to one AMP invoice; to an address that the sender chose only one.
pub const MAX_SETS_PER_ADDRESS: usize = 16;
/// What all waiting parts may take: their records, and half a kilobyte for each.
pub const MAX_WAITING_BYTES: usize = 16 << 20;
/// What a part takes without its records, roughly.
const PART_BYTES: usize = 512;

/// How long a shard waits for the next...
const AMP_PATIENCE_MS: u64 = 120_000;
/// ...and how long the first one waits for the last.
const AMP_LIMIT_MS: u64 = 600_000;
/// BOLT 4, "Basic Multi-Part Payments": at least 60 seconds from the first part.
const MPP_PATIENCE_MS: u64 = 60_000;

/// What is claimed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SetKey {
    /// A payment that is shown whole: its claim id.
    Single(PaymentId),
    /// Parts with one hash and payment secret.
    Mpp(PaymentHash, [u8; 32]),
    /// Shards with one payment address and set id.
    Amp([u8; 32], [u8; 32]),
}

impl SetKey {
    pub(super) fn of(claimable: &Claimable) -> SetKey {
        match &claimable.purpose {
            Purpose::Keysend { payment_data: Some(data), .. } => {
                SetKey::Mpp(claimable.hash, *data.payment_secret().as_bytes())
            }
            Purpose::Amp(shard) => {
                let addr = shard.payment_data.payment_secret().as_bytes();
                SetKey::Amp(*addr, shard.record.set_id.to_bytes())
            }
            _ => SetKey::Single(claimable.id),
        }
    }

    /// Address and set id, if it is AMP.
    pub(super) fn amp(self) -> Option<(PaymentSecret, SetId)> {
        match self {
            SetKey::Amp(addr, set_id) => Some((PaymentSecret::from_bytes(addr), SetId::from_bytes(set_id))),
            _ => None,
        }
    }
}

/// What the parts of a set are to be worth together. A total of zero says that of the part, as
/// Eclair reads it; AMP knows no such total.
pub(super) fn total(claimable: &Claimable) -> Msat {
    match &claimable.purpose {
        Purpose::Keysend { payment_data: Some(data), .. } if data.total() > Msat::ZERO => data.total(),
        Purpose::Amp(shard) => shard.payment_data.total(),
        _ => claimable.amount,
    }
}

/// A set that is not complete.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) total: Msat,
    pub(super) parts: Vec<Part>,
}

/// A part of it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) waiting: WaitingPart,
    /// Whether its row is in the ledger.
    pub(super) stored: bool,
}

impl Part {
    fn bytes(&self) -> usize {
        bytes(&self.waiting.claimable)
    }
}

/// What a part takes of [`MAX_WAITING_BYTES`].
fn bytes(claimable: &Claimable) -> usize {
    let records = claimable.records.iter().map(|(_, value)| value.len() + size_of::<u64>() * 4);
    PART_BYTES + records.sum::<usize>()
}

impl Set {
    pub(super) fn claimables(&self) -> impl Iterator<Item = &Claimable> {
        self.parts.iter().map(|part| &part.waiting.claimable)
    }

    /// What its parts pay, at most the money supply.
    pub(super) fn sum(&self) -> Msat {
        self.claimables().fold(Msat::ZERO, |sum, part| sum.checked_add(part.amount).unwrap_or(Msat::MAX))
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.parts.is_empty() && self.sum() >= self.total
    }

    /// The height at which the first part is lost.
    pub(super) fn claim_deadline(&self) -> Option<BlockHeight> {
        self.claimables().filter_map(|part| part.claim_deadline).min()
    }

    /// The hashes, each once.
    pub(super) fn hashes(&self) -> Vec<PaymentHash> {
        let mut hashes: Vec<_> = self.claimables().map(|part| part.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// The time at which the wait ends.
    pub(super) fn deadline(&self, key: SetKey) -> Option<Timestamp> {
        let arrivals = || self.parts.iter().map(|part| part.waiting.arrived_at);
        let (first, last) = (arrivals().min()?, arrivals().max()?);
        Some(match key {
            SetKey::Amp(..) => last.plus_millis(AMP_PATIENCE_MS).min(first.plus_millis(AMP_LIMIT_MS)),
            _ => first.plus_millis(MPP_PATIENCE_MS),
        })
    }

    /// Whether it has a shard with the same share and index.
    pub(super) fn repeats(&self, claimable: &Claimable) -> bool {
        let Purpose::Amp(new) = &claimable.purpose else { return false };
        self.claimables().any(|part| match &part.purpose {
            Purpose::Amp(old) => {
                old.record.child_index == new.record.child_index
                    && old.record.root_share == new.record.root_share
            }
            _ => false,
        })
    }

    /// Its shards, if it is AMP.
    pub(super) fn shards(&self) -> Vec<Shard> {
        let shard = |part: &Claimable| match &part.purpose {
            Purpose::Amp(shard) => Some(Shard {
                share: shard.record.root_share.clone(),
                child_index: shard.record.child_index,
                payment_hash: part.hash,
                amount: part.amount,
            }),
            _ => None,
        };
        self.claimables().filter_map(shard).collect()
    }
}

/// All sets that are not complete.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sets: BTreeMap<SetKey, Set>,
    bytes: usize,
}

impl Sets {
    pub(super) fn get(&self, key: SetKey) -> Option<&Set> {
        self.sets.get(&key)
    }

    /// The part that joined a set last.
    pub(super) fn last_part(&mut self, key: SetKey) -> Option<&mut Part> {
        self.sets.get_mut(&key)?.parts.last_mut()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = SetKey> {
        self.sets.keys().copied()
    }

    /// The sets to an AMP address.
    pub(super) fn keys_to(&self, addr: [u8; 32]) -> impl Iterator<Item = SetKey> {
        let range = SetKey::Amp(addr, [0; 32])..=SetKey::Amp(addr, [0xff; 32]);
        self.sets.range(range).map(|(key, _)| *key)
    }

    /// Adds a part to its set, or begins one.
    pub(super) fn add(&mut self, key: SetKey, part: Part) -> &mut Set {
        self.bytes += part.bytes();
        let total = total(&part.waiting.claimable);
        let set = self.sets.entry(key).or_insert_with(|| Set { total, parts: vec![] });
        set.parts.push(part);
        set
    }

    pub(super) fn remove(&mut self, key: SetKey) -> Option<Set> {
        let set = self.sets.remove(&key)?;
        self.bytes -= set.parts.iter().map(Part::bytes).sum::<usize>();
        Some(set)
    }

    /// Takes the parts of a hash out of a set, and the set away if it has no other.
    pub(super) fn remove_parts(&mut self, key: SetKey, hash: PaymentHash) -> Vec<Part> {
        let Some(set) = self.sets.get_mut(&key) else { return vec![] };
        let gone: Vec<_> = set.parts.extract_if(.., |part| part.waiting.claimable.hash == hash).collect();
        self.bytes -= gone.iter().map(Part::bytes).sum::<usize>();
        if set.parts.is_empty() {
            self.sets.remove(&key);
        }
        gone
    }

    /// Whether a part may join its set, and wait if it does not complete it. `Some`: if that set gives
    /// way. Sets that bring the least do, so that nobody shuts an invoice, or all of this node, for
    /// others without as much money as they bring.
    pub(super) fn check_limits(
        &self,
        key: SetKey,
        claimable: &Claimable,
        to_invoice: bool,
        waits: bool,
    ) -> Result<Option<SetKey>, Reason> {
        let set = self.sets.get(&key);
        if set.is_some_and(|set| set.parts.len() >= MAX_SHARDS) {
            return Err(Reason::Limit);
        }
        let new_set = set.is_none();
        let waiting_to = |addr: [u8; 32]| self.keys_to(addr).count();
        let mut full = vec![];
        match key {
            SetKey::Amp(addr, _) if new_set && !to_invoice && waiting_to(addr) > 0 => {
                return Err(Reason::Limit);
            }
            SetKey::Amp(addr, _) if new_set && waits && waiting_to(addr) >= MAX_SETS_PER_ADDRESS => {
                full.extend(self.poorest(self.keys_to(addr)));
            }
            _ if new_set && waits && self.sets.len() >= MAX_SETS => full.extend(self.poorest(self.keys())),
            _ => {}
        }
        if waits && self.bytes + bytes(claimable) > MAX_WAITING_BYTES {
            return Err(Reason::Limit);
        }
        match full.pop() {
            None => Ok(None),
            Some((poorest, sum)) if sum < claimable.amount => Ok(Some(poorest)),
            Some(_) => Err(Reason::Limit),
        }
    }

    fn poorest(&self, keys: impl Iterator<Item = SetKey>) -> Option<(SetKey, Msat)> {
        keys.filter_map(|key| Some((key, self.get(key)?.sum()))).min_by_key(|(_, sum)| *sum)
    }
}
