//! Checks announced channels against the UTXO set, for gossip.
//!
//! `GossipVerifier` would fetch the whole funding block, 3 megabytes of hex, for each channel;
//! here the block's list of txids and `gettxout` are enough. A pruned bitcoind cannot tell old
//! blocks, so channels in them stay unknown.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitcoin::constants::ChainHash;
use bitcoin::{Amount, BlockHash, Network, ScriptBuf, TxOut, Txid};
use lightning::routing::utxo::{UtxoFuture, UtxoLookup, UtxoLookupError, UtxoResult};
use lightning::util::wakers::Notifier;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ChainError;
use super::rpc::Rpc;

/// Lookups that may wait. LDK itself stops reading from peers at about 32.
const MAX_WAITING: usize = 256;
/// Lookups asked at once.
const MAX_IN_FLIGHT: usize = 4;
/// LDK handles no other gossip of a peer while a lookup is open.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Blocks whose txids are remembered: about 100 kilobytes each.
const MAX_BLOCKS: usize = 32;
/// BOLT 7 asks for six confirmations before an announcement; our bitcoind may be a block late.
const MIN_CONFIRMATIONS: u32 = 5;

/// The UTXO lookup given to `P2PGossipSync`. It answers once the chain thread runs; lookups beyond
/// the bound, and those that bitcoind cannot answer in time, count as unknown.
pub struct UtxoChecker {
    chain_hash: ChainHash,
    lookups: mpsc::Sender<Lookup>,
}

impl UtxoChecker {
    pub(super) fn new(network: Network) -> (Self, Lookups) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let checker = Self { chain_hash: ChainHash::using_genesis_block_const(network), lookups: sender };
        (checker, Lookups(receiver))
    }
}

impl UtxoLookup for UtxoChecker {
    fn get_utxo(&self, chain_hash: &ChainHash, scid: u64, notifier: Arc<Notifier>) -> UtxoResult {
        if *chain_hash != self.chain_hash {
            return UtxoResult::Sync(Err(UtxoLookupError::UnknownChain));
        }
        let future = UtxoFuture::new(notifier);
        let lookup = Lookup { scid, future: Some(future.clone()) };
        match self.lookups.try_send(lookup) {
            Ok(()) => UtxoResult::Async(future),
            Err(_) => UtxoResult::Sync(Err(UtxoLookupError::UnknownTx)),
        }
    }
}

/// An open question, which is answered when dropped.
struct Lookup {
    scid: u64,
    future: Option<UtxoFuture>,
}

impl Drop for Lookup {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            future.resolve(Err(UtxoLookupError::UnknownTx));
        }
    }
}

/// The latest answers, kept until LDK has surely collected them.
///
/// LDK looks whether an answer is there, and if it is not, whether anybody but itself holds the
/// future. Whoever answers between the two looks and lets go of it at once is taken for one who
/// gave up: the channel is dropped, with all updates that wait for it, and peers tell it once.
///
/// LDK asks nothing new between the two, so it is past them once more is answered than may wait.
#[derive(Default)]
pub(crate) struct Answered(VecDeque<UtxoFuture>);

impl Answered {
    const MOST: usize = 2 * MAX_WAITING;

    pub(crate) fn answer(&mut self, future: UtxoFuture, output: Option<TxOut>) {
        future.resolve(output.ok_or(UtxoLookupError::UnknownTx));
        self.0.push_back(future);
        if self.0.len() > Self::MOST {
            self.0.pop_front();
        }
    }
}

/// The waiting lookups.
pub(super) struct Lookups(mpsc::Receiver<Lookup>);

impl Lookups {
    /// Answers lookups, for ever.
    pub async fn serve(&mut self, rpc: Arc<Rpc>) {
        let blocks = Arc::new(RecentBlocks::default());
        let mut open = JoinSet::new();
        let mut answered = Answered::default();
        loop {
            tokio::select! {
                Some(lookup) = self.0.recv(), if open.len() < MAX_IN_FLIGHT => {
                    open.spawn(look_up(lookup, rpc.clone(), blocks.clone()));
                }
                Some(looked_up) = open.join_next() => {
                    // A panic has answered it.
                    let Ok((mut lookup, output)) = looked_up else { continue };
                    if let Some(future) = lookup.future.take() {
                        answered.answer(future, output);
                    }
                }
                else => return,
            }
        }
    }
}

async fn look_up(lookup: Lookup, rpc: Arc<Rpc>, blocks: Arc<RecentBlocks>) -> (Lookup, Option<TxOut>) {
    let scid = lookup.scid;
    let found = tokio::time::timeout(TIMEOUT, find(&rpc, &blocks, scid)).await;
    let output = match found {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            tracing::debug!(scid, %error, "cannot look up an announced channel");
            None
        }
        Err(_) => {
            tracing::debug!(scid, "bitcoind is too slow to look up an announced channel");
            None
        }
    };
    (lookup, output)
}

/// What we read of `gettxout`.
#[derive(Deserialize)]
struct Unspent {
    confirmations: u32,
    value: f64,
    #[serde(rename = "scriptPubKey")]
    script_pubkey: UnspentScript,
}

#[derive(Deserialize)]
struct UnspentScript {
    hex: ScriptBuf,
}

#[derive(Deserialize)]
struct BlockTxids {
    tx: Vec<Txid>,
}

async fn find(rpc: &Rpc, blocks: &RecentBlocks, scid: u64) -> Result<Option<TxOut>, ChainError> {
    // BOLT 7, "Definition of short_channel_id": 3 bytes height, 3 bytes index, 2 bytes output.
    let height = (scid >> 40) as u32;
    let index = ((scid >> 16) & 0xff_ffff) as usize;
    let vout = (scid & 0xffff) as u32;
    let Some(txid) = blocks.txid(rpc, height, index).await? else {
        return Ok(None);
    };
    let unspent: Option<Unspent> = rpc.call("gettxout", json!([txid, vout, false])).await?;
    let Some(unspent) = unspent.filter(|it| it.confirmations >= MIN_CONFIRMATIONS) else {
        return Ok(None);
    };
    let value = Amount::from_btc(unspent.value).map_err(|e| ChainError::nonsense("gettxout", e))?;
    Ok(Some(TxOut { value, script_pubkey: unspent.script_pubkey.hex }))
}

/// The txids of blocks asked for last, by hash: the block at a height changes with a reorg.
#[derive(Default)]
struct RecentBlocks(Mutex<VecDeque<(BlockHash, Arc<[Txid]>)>>);

impl RecentBlocks {
    async fn txid(&self, rpc: &Rpc, height: u32, index: usize) -> Result<Option<Txid>, ChainError> {
        let hash: BlockHash = match rpc.call("getblockhash", json!([height])).await {
            Ok(hash) => hash,
            // A height beyond the tip: a lie of the peer, or our bitcoind is behind.
            Err(ChainError::Rpc { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(txids) = self.known(hash) {
            return Ok(txids.get(index).copied());
        }
        let block: BlockTxids = rpc.call("getblock", json!([hash, 1])).await?;
        let txids: Arc<[Txid]> = block.tx.into();
        let txid = txids.get(index).copied();
        self.remember(hash, txids);
        Ok(txid)
    }

    fn known(&self, hash: BlockHash) -> Option<Arc<[Txid]>> {
        let blocks = self.0.lock().expect("no holder of this lock can panic");
        let found = blocks.iter().find(|(known, _)| *known == hash);
        found.map(|(_, txids)| txids.clone())
    }

    fn remember(&self, hash: BlockHash, txids: Arc<[Txid]>) {
        let mut blocks = self.0.lock().expect("no holder of this lock can panic");
        if blocks.iter().any(|(known, _)| *known == hash) {
            return;
        }
        if blocks.len() >= MAX_BLOCKS {
            blocks.pop_front();
        }
        blocks.push_back((hash, txids));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::package::tests::{coin, spending};
    use crate::chain::testing::{FakeBitcoind, block_on};
    use crate::chain::{RpcAuth, RpcConfig};

    fn scid(height: u64, index: u64, vout: u64) -> u64 {
        height << 40 | index << 16 | vout
    }

    #[test]
    fn an_output_is_found_once_it_is_buried() {
        let bitcoind = FakeBitcoind::start();
        let funding = spending(&[coin(1)], 123_456);
        bitcoind.submit(&funding);
        bitcoind.generate(4);
        let rpc = Rpc::new(&bitcoind.config(), Arc::default()).unwrap();
        let blocks = RecentBlocks::default();
        let find = |scid| block_on(find(&rpc, &blocks, scid)).unwrap();

        assert_eq!(find(scid(1, 1, 0)), None, "four confirmations are too few");
        bitcoind.generate(1);
        assert_eq!(find(scid(1, 1, 0)).as_ref(), Some(&funding.output[0]));
        assert_eq!(find(scid(1, 1, 1)), None, "no such output");
        assert_eq!(find(scid(1, 2, 0)), None, "no such transaction");
        assert_eq!(find(scid(99, 0, 0)), None, "no such block");
    }

    #[test]
    fn an_output_is_found_where_a_reorg_has_put_it() {
        let bitcoind = FakeBitcoind::start();
        let funding = spending(&[coin(1)], 123_456);
        bitcoind.generate(6);
        let rpc = Rpc::new(&bitcoind.config(), Arc::default()).unwrap();
        let blocks = RecentBlocks::default();
        let find = || block_on(find(&rpc, &blocks, scid(1, 1, 0))).unwrap();

        assert_eq!(find(), None, "the first block at this height does not hold it");
        bitcoind.reorganize(0, 0);
        bitcoind.submit(&funding);
        bitcoind.generate(7);
        assert_eq!(find().as_ref(), Some(&funding.output[0]));
        assert_eq!(find().as_ref(), Some(&funding.output[0]));
        assert_eq!(bitcoind.with(|state| state.count("getblock")), 2, "each block is asked for once");
    }

    #[test]
    fn a_coin_of_a_verifying_chain_is_found_until_it_is_spent() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = sponte_chain::ServerConfig::default();
        let server = runtime.block_on(sponte_chain::Server::start(config)).unwrap();
        let auth =
            RpcAuth::Password { user: server.user().to_owned(), password: server.password().to_owned() };
        let rpc = Rpc::new(&RpcConfig::new(server.url(), auth), Arc::default()).unwrap();
        let find = || block_on(find(&rpc, &RecentBlocks::default(), scid(1, 0, 0))).unwrap();
        let coin = find().expect("a coin of the faucet");
        assert_eq!(coin.value, Amount::from_int_btc(50));
        let faucet = server.chain().lock().faucet_address();
        assert_eq!(coin.script_pubkey, faucet.script_pubkey());

        server.chain().send(&faucet, Amount::from_sat(1_000)).unwrap();
        let spent = {
            let regtest = server.chain().lock();
            let mut waiting = regtest.chain().mempool_entries();
            waiting.next().unwrap().tx.input[0].previous_output
        };
        server.chain().mine(1).unwrap();
        let height = (1..100).find(|height| {
            let regtest = server.chain().lock();
            let block = regtest.chain().block_hash_at(*height).unwrap();
            let block = regtest.chain().block(&block).unwrap();
            block.block.txdata[0].compute_txid() == spent.txid
        });
        let gone = scid(height.unwrap().into(), 0, spent.vout.into());
        let looked_up = block_on(super::find(&rpc, &RecentBlocks::default(), gone)).unwrap();
        assert_eq!(looked_up, None);
    }

    #[test]
    fn a_lookup_is_answered_even_if_nobody_serves() {
        let (checker, lookups) = UtxoChecker::new(Network::Regtest);
        let notifier = Arc::new(Notifier::new());
        let done = notifier.get_future();
        let asked = checker.get_utxo(&ChainHash::REGTEST, 0, notifier.clone());
        assert!(matches!(asked, UtxoResult::Async(_)));
        drop(lookups);
        done.wait();
        let refused = checker.get_utxo(&ChainHash::REGTEST, 0, notifier);
        assert!(matches!(refused, UtxoResult::Sync(Err(_))));
    }

    #[test]
    fn waiting_lookups_are_bounded() {
        let (checker, _lookups) = UtxoChecker::new(Network::Regtest);
        let ask = |_| checker.get_utxo(&ChainHash::REGTEST, 0, Arc::new(Notifier::new()));
        let answers: Vec<_> = (0..=MAX_WAITING).map(ask).collect();
        assert!(matches!(answers[MAX_WAITING - 1], UtxoResult::Async(_)));
        assert!(matches!(answers[MAX_WAITING], UtxoResult::Sync(Err(_))));
    }
}
