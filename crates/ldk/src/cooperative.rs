//! Closing transactions that both sides signed.
//!
//! LDK hands such a transaction out once, and leaves the channel's monitor as it was. So at the next
//! start it takes the channel for lost, and force-closes it in competition with the transaction that
//! is on its way, with coins of ours. What was signed is therefore stored, announced again at each
//! start, and left alone as long as it is announced.

use crate::Ldk;
use crate::chain::{COOPERATIVE_CLOSE, Package, REBROADCAST_BLOCKS};
use crate::convert::ldk_channel_id;
use crate::persist::Persister;
use bitcoin::Transaction;
use bitcoin::consensus::encode::{deserialize, serialize};
use sponte_proto::ChannelId;
use std::collections::BTreeMap;

/// Heights and closing transactions, by channel id.
const COOPERATIVE: &str = "ldk.cooperative";

/// The closing transaction of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Close {
    /// Our best block when it was signed.
    height: u32,
    tx: Transaction,
}

/// Those of the last [`REBROADCAST_BLOCKS`] blocks.
#[derive(Default)]
pub(crate) struct CooperativeCloses(BTreeMap<ChannelId, Close>);

impl CooperativeCloses {
    /// The namespace of the stored entries.
    pub(crate) const NAMESPACE: &str = COOPERATIVE;

    /// From what was stored.
    ///
    /// # Errors
    /// The key of an entry that makes no sense.
    pub(crate) fn load(entries: &[(String, Vec<u8>)]) -> Result<CooperativeCloses, String> {
        let read = |(id, bytes): &(String, Vec<u8>)| Some((id.parse().ok()?, Close::decode(bytes)?));
        let closes = entries.iter().map(|entry| read(entry).ok_or_else(|| entry.0.clone()));
        closes.collect::<Result<_, _>>().map(CooperativeCloses)
    }

    fn note(&mut self, id: ChannelId, close: Close, persister: &Persister) {
        if self.0.get(&id).is_some_and(|known| known.tx == close.tx) {
            return;
        }
        persister.put(COOPERATIVE, &id.to_string(), close.encode());
        self.0.insert(id, close);
    }

    /// Those that it forgets.
    fn forget_before(&mut self, height: u32, persister: &Persister) -> Vec<ChannelId> {
        let old = self.0.iter().filter(|(_, close)| close.height < height);
        let old: Vec<ChannelId> = old.map(|(id, _)| *id).collect();
        for id in &old {
            persister.delete(COOPERATIVE, &id.to_string());
            self.0.remove(id);
        }
        old
    }
}

impl Close {
    fn encode(&self) -> Vec<u8> {
        [self.height.to_be_bytes().to_vec(), serialize(&self.tx)].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Close> {
        let (height, tx) = bytes.split_first_chunk()?;
        Some(Close { height: u32::from_be_bytes(*height), tx: deserialize(tx).ok()? })
    }
}

impl Ldk {
    /// Puts what LDK wants broadcast of cooperative closes into the step's batch: its manager may
    /// not know their channels any more.
    pub(crate) fn note_cooperative_closes(&mut self, packages: &[Package]) {
        let height = self.node.manager.current_best_block().height;
        for package in packages.iter().filter(|package| package.purpose() == COOPERATIVE_CLOSE) {
            for tx in package.transactions() {
                let funding = tx.input.first().map(|input| input.previous_output);
                let Some(id) = funding.and_then(|funding| self.fundings.get(&funding)) else { continue };
                let close = Close { height, tx: tx.clone() };
                self.cooperative.note(*id, close, &self.node.persister);
            }
        }
    }

    /// At the start: LDK does not announce them again.
    pub(crate) fn announce_cooperative_closes(&self) {
        for close in self.cooperative.0.values() {
            let package = Package::new(vec![close.tx.clone()], COOPERATIVE_CLOSE);
            self.node.broadcaster.broadcast(package);
        }
    }

    /// Whether a closing transaction is on its way.
    pub(crate) fn closes_cooperatively(&self, id: ChannelId) -> bool {
        self.cooperative.0.contains_key(&id)
    }

    /// After a block: what is confirmed by now is forgotten. What is not will hardly be, as nobody can raise
    /// its fee: then our commitment transaction takes its place, whose fee can be. LDK does that by itself
    /// only at a start.
    pub(crate) fn forget_cooperative_closes(&mut self) {
        let height = self.node.manager.current_best_block().height;
        let before = height.saturating_sub(REBROADCAST_BLOCKS);
        for id in self.cooperative.forget_before(before, &self.node.persister) {
            let Ok(monitor) = self.node.monitor.get_monitor(ldk_channel_id(id)) else { continue };
            if self.awaits_its_end(id) {
                tracing::warn!(channel = %id, "its closing transaction does not confirm: it is closed by force");
                let node = &self.node;
                monitor.broadcast_latest_holder_commitment_txn(&node.broadcaster, &node.fees, &node.log);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Txid, Witness, absolute, transaction};
    use proptest::prelude::*;

    fn close(height: u32) -> Close {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        Close { height, tx: genesis.txdata[0].clone() }
    }

    fn stored(closes: &CooperativeCloses) -> Vec<(String, Vec<u8>)> {
        closes.0.iter().map(|(id, close)| (id.to_string(), close.encode())).collect()
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..40)
    }

    fn any_input() -> impl Strategy<Value = TxIn> {
        let witness = prop::collection::vec(any_bytes(), 0..4).prop_map(|items| Witness::from_slice(&items));
        (any::<([u8; 32], u32, u32)>(), any_bytes(), witness).prop_map(
            |((txid, vout, sequence), script, witness)| TxIn {
                previous_output: OutPoint::new(Txid::from_byte_array(txid), vout),
                script_sig: ScriptBuf::from_bytes(script),
                sequence: Sequence(sequence),
                witness,
            },
        )
    }

    fn any_close() -> impl Strategy<Value = Close> {
        let output = (any::<u64>(), any_bytes()).prop_map(|(sat, script)| TxOut {
            value: Amount::from_sat(sat),
            script_pubkey: ScriptBuf::from_bytes(script),
        });
        let inputs = prop::collection::vec(any_input(), 0..4);
        let outputs = prop::collection::vec(output, 0..4);
        (any::<(u32, i32, u32)>(), inputs, outputs).prop_map(
            |((height, version, lock_time), input, output)| {
                let version = transaction::Version(version);
                let lock_time = absolute::LockTime::from_consensus(lock_time);
                Close { height, tx: Transaction { version, lock_time, input, output } }
            },
        )
    }

    proptest! {
        #[test]
        fn closes_round_trip_and_are_read_whole_or_not_at_all(
            close in any_close(),
            cut in any::<prop::sample::Index>(),
            more: u8,
        ) {
            let mut bytes = close.encode();
            prop_assert_eq!(Close::decode(&bytes), Some(close));
            prop_assert_eq!(Close::decode(&bytes[..cut.index(bytes.len())]), None);
            bytes.push(more);
            prop_assert_eq!(Close::decode(&bytes), None);
        }

        #[test]
        fn bytes_that_are_read_are_written_the_same(
            close in any_close(),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut bytes = close.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(read) = Close::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Close::decode(&bytes);
        }
    }

    #[test]
    fn a_close_is_written_once_read_again_and_forgotten_in_the_end() {
        let (persister, id) = (Persister::default(), ChannelId::from_bytes([7; 32]));
        let mut closes = CooperativeCloses::default();
        closes.note(id, close(100), &persister);
        closes.note(id, close(110), &persister);
        assert_eq!(persister.take().0.entries.len(), 1);
        let mut loaded = CooperativeCloses::load(&stored(&closes)).unwrap();
        assert_eq!(loaded.0, closes.0);
        assert_eq!(loaded.0[&id].height, 100);
        assert_eq!(loaded.forget_before(100, &persister), []);
        assert_eq!(loaded.forget_before(101, &persister), [id]);
        assert!(loaded.0.is_empty());
        assert_eq!(persister.take().0.entries.len(), 1, "it is deleted");
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let id = ChannelId::from_bytes([7; 32]).to_string();
        for (key, bytes) in [(id.clone(), vec![0; 3]), (id, vec![0; 9]), ("x".into(), close(1).encode())] {
            assert_eq!(CooperativeCloses::load(&[(key.clone(), bytes)]).err(), Some(key));
        }
    }
}
