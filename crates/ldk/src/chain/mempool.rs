//! Looks through bitcoind's mempool for what the wallet watches.
//!
//! The work is bounded for mainnet, where 300,000 transactions may wait: each is fetched once, at
//! most [`MAX_FETCHED`] per poll, the newest arrivals first, and no more than [`MAX_SEEN`] are
//! remembered. So a payment that arrives while we run is told within a poll or two; one that was
//! already there at our start may be told late, or only when it confirms.

use std::collections::{HashSet, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{BlockHash, Transaction, Txid};
use serde_json::json;

use super::rpc::{Rpc, code};
use super::{ChainError, ChainEvent, WatchedScripts};

/// Transactions fetched per poll.
const MAX_FETCHED: usize = 400;
/// Transactions remembered as seen: 32 bytes each.
const MAX_SEEN: usize = 500_000;

/// The part of the chain thread that reads the mempool.
#[derive(Default)]
pub(super) struct MempoolWatch {
    /// Listed at the last poll and either looked at or in a queue.
    seen: HashSet<Txid>,
    /// Arrived between two polls.
    fresh: VecDeque<Txid>,
    /// There at the first poll.
    backlog: VecDeque<Txid>,
    told: HashSet<Txid>,
    started: bool,
}

impl MempoolWatch {
    /// One poll; `tip` is the block up to which everything has been told.
    pub async fn poll(
        &mut self,
        rpc: &Rpc,
        watched: &WatchedScripts,
        tip: BlockHash,
    ) -> Result<Option<ChainEvent>, ChainError> {
        if watched.is_empty() {
            return Ok(None);
        }
        // Before the listing: what is watched afterwards may have come in after it.
        let own = watched.txids();
        let listed: HashSet<Txid> = rpc.call("getrawmempool", json!([false])).await?;
        let best: BlockHash = rpc.call("getbestblockhash", json!([])).await?;
        if best != tip {
            // A block came in between: what it confirmed must not look evicted.
            return Ok(None);
        }
        self.note_listing(&listed);
        self.look_again_at(own.intersection(&listed).copied());
        let new = self.fetch(rpc, watched).await?;
        // Last, so that a failure above loses nothing.
        let gone = self.take_gone(&own, &listed);
        let nothing = new.is_empty() && gone.is_empty();
        Ok((!nothing).then_some(ChainEvent::Mempool { new, gone }))
    }

    /// Queues what is new, forgets what is no longer there.
    fn note_listing(&mut self, listed: &HashSet<Txid>) {
        self.seen.retain(|txid| listed.contains(txid));
        self.fresh.retain(|txid| listed.contains(txid));
        self.backlog.retain(|txid| listed.contains(txid));
        let queue = if self.started { &mut self.fresh } else { &mut self.backlog };
        self.started = true;
        for txid in listed {
            if self.seen.len() >= MAX_SEEN {
                break;
            }
            if self.seen.insert(*txid) {
                queue.push_back(*txid);
            }
        }
    }

    /// What was told and is no longer there, and what is watched and is not there. The latter may
    /// never have come, or have left before this run: it is said until it is watched no more.
    fn take_gone(&mut self, own: &HashSet<Txid>, listed: &HashSet<Txid>) -> Vec<Txid> {
        let gone = self.told.union(own).copied().filter(|txid| !listed.contains(txid)).collect();
        self.told.retain(|txid| listed.contains(txid));
        gone
    }

    /// Our own transactions, which may have been seen before they were watched, come first.
    fn look_again_at(&mut self, own: impl Iterator<Item = Txid>) {
        for txid in own {
            if !self.told.contains(&txid) {
                self.fresh.retain(|queued| *queued != txid);
                self.backlog.retain(|queued| *queued != txid);
                self.fresh.push_front(txid);
            }
        }
    }

    async fn fetch(
        &mut self,
        rpc: &Rpc,
        watched: &WatchedScripts,
    ) -> Result<Vec<(Transaction, u64)>, ChainError> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_s = now_s.map_or(0, |since| since.as_secs());
        let mut new = Vec::new();
        for _ in 0..MAX_FETCHED {
            let Some(txid) = self.fresh.front().or(self.backlog.front()).copied() else {
                break;
            };
            match fetch_one(rpc, &txid).await {
                Ok(Some(tx)) if watched.concern(&tx, &txid) => {
                    self.told.insert(txid);
                    new.push((tx, now_s));
                }
                Ok(_) => {}
                // What was found before the failure must not be lost.
                Err(_) if !new.is_empty() => break,
                Err(error) => return Err(error),
            }
            if self.fresh.pop_front().is_none() {
                self.backlog.pop_front();
            }
        }
        Ok(new)
    }
}

/// `None` if it has left the mempool since it was listed.
async fn fetch_one(rpc: &Rpc, txid: &Txid) -> Result<Option<Transaction>, ChainError> {
    const METHOD: &str = "getrawtransaction";
    let hex: String = match rpc.call(METHOD, json!([txid])).await {
        Ok(hex) => hex,
        Err(error) if error.code() == Some(code::NOT_FOUND) => return Ok(None),
        Err(error) => return Err(error),
    };
    let tx = deserialize_hex(&hex).map_err(|e| ChainError::nonsense(METHOD, e))?;
    Ok(Some(tx))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bitcoin::hashes::Hash;

    use super::*;
    use crate::chain::package::tests::{coin, spending};
    use crate::chain::testing::{FakeBitcoind, block_on};

    fn txids(range: std::ops::Range<u8>) -> HashSet<Txid> {
        range.map(|n| Txid::from_byte_array([n; 32])).collect()
    }

    #[test]
    fn arrivals_go_before_the_backlog_and_nothing_is_queued_twice() {
        let mut watch = MempoolWatch::default();
        watch.note_listing(&txids(0..10));
        assert_eq!((watch.fresh.len(), watch.backlog.len()), (0, 10));
        watch.note_listing(&txids(0..12));
        assert_eq!((watch.fresh.len(), watch.backlog.len()), (2, 10));
        watch.note_listing(&txids(5..12));
        assert_eq!((watch.fresh.len(), watch.backlog.len()), (2, 5));
        assert_eq!(watch.seen.len(), 7);
    }

    #[test]
    fn only_what_was_told_or_is_watched_is_told_gone() {
        let mut watch = MempoolWatch::default();
        watch.note_listing(&txids(0..4));
        watch.told = txids(0..2);
        let none = HashSet::new();
        assert_eq!(watch.take_gone(&none, &txids(1..2)), [Txid::from_byte_array([0; 32])]);
        assert!(watch.take_gone(&none, &txids(1..2)).is_empty());
        assert_eq!(watch.take_gone(&txids(1..3), &txids(1..2)), [Txid::from_byte_array([2; 32])]);
    }

    #[test]
    fn what_is_watched_and_never_came_is_told_gone_until_it_is_forgotten() {
        let bitcoind = FakeBitcoind::start();
        let absent = spending(&[coin(1)], 1).compute_txid();
        let watched = WatchedScripts::default();
        watched.watch_txids([absent]);
        let rpc = Rpc::new(&bitcoind.config(), Arc::default()).unwrap();
        let (mut watch, tip) = (MempoolWatch::default(), bitcoind.active()[0]);
        let mut poll = || block_on(watch.poll(&rpc, &watched, tip)).unwrap();
        for _ in 0..2 {
            let Some(ChainEvent::Mempool { gone, .. }) = poll() else { panic!("its absence was not told") };
            assert_eq!(gone, [absent]);
        }
        watched.forget_txids([&absent]);
        assert!(poll().is_none());
    }

    #[test]
    fn nothing_is_told_of_a_mempool_after_a_block_not_yet_told() {
        let bitcoind = FakeBitcoind::start();
        let ours = spending(&[coin(1)], 1);
        let watched = WatchedScripts::default();
        watched.watch_txids([bitcoind.submit(&ours)]);
        let rpc = Rpc::new(&bitcoind.config(), Arc::default()).unwrap();
        let mut watch = MempoolWatch::default();
        let mut poll = |tip| block_on(watch.poll(&rpc, &watched, tip)).unwrap();

        let genesis = bitcoind.active()[0];
        assert!(poll(BlockHash::all_zeros()).is_none());
        assert!(matches!(poll(genesis), Some(ChainEvent::Mempool { .. })));
        bitcoind.generate(1);
        assert!(poll(genesis).is_none());
        let Some(ChainEvent::Mempool { new, gone }) = poll(bitcoind.active()[1]) else {
            panic!("its end was not told");
        };
        assert_eq!((new.len(), gone), (0, vec![ours.compute_txid()]));
    }

    #[test]
    fn a_failure_half_way_loses_nothing() {
        let bitcoind = FakeBitcoind::start();
        let ours = spending(&[coin(1)], 1);
        let watched = WatchedScripts::default();
        watched.watch_txids([bitcoind.submit(&ours)]);
        let rpc = Rpc::new(&bitcoind.config(), Arc::default()).unwrap();
        let (mut watch, tip) = (MempoolWatch::default(), bitcoind.active()[0]);
        block_on(watch.poll(&rpc, &watched, tip)).unwrap();

        bitcoind.with(|state| state.chain.mempool.clear());
        bitcoind.submit(&spending(&[coin(2)], 2));
        bitcoind.with(|state| state.hides_transactions = true);
        block_on(watch.poll(&rpc, &watched, tip)).unwrap_err();
        bitcoind.with(|state| state.hides_transactions = false);
        let Some(ChainEvent::Mempool { gone, .. }) = block_on(watch.poll(&rpc, &watched, tip)).unwrap()
        else {
            panic!("the eviction was not told");
        };
        assert_eq!(gone, [ours.compute_txid()]);
    }
}
