//! The chain of a bitcoind, and what is done to it by JSON-RPC.

use super::coins::{self, FreeCoin};
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Address, Amount, Block, BlockHash, FeeRate, OutPoint, ScriptBuf, Transaction, TxOut, Txid};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sponte_peers::{Bitcoind, RpcError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Mutex;

/// As on the private chain: the first 21 coins can be spent at once.
const PREMINE_BLOCKS: u32 = sponte_chain::DEFAULT_PREMINE_BLOCKS;
const MATURE_COINS: usize = PREMINE_BLOCKS as usize - 99;
/// What the faucet pays.
pub(super) const RATE: FeeRate = FeeRate::from_sat_per_vb_u32(1);
/// bitcoind's refusal of a transaction whose coins are not there.
const MISSING_INPUTS: i64 = -25;

/// A bitcoind, and the coins that its first blocks paid.
pub(super) struct OnBitcoind {
    bitcoind: Bitcoind,
    coins: Mutex<VecDeque<FreeCoin>>,
    mined: AtomicU32,
}

impl OnBitcoind {
    pub(super) async fn on(bitcoind: Bitcoind) -> OnBitcoind {
        let chain = OnBitcoind { bitcoind, coins: Mutex::default(), mined: AtomicU32::new(0) };
        let hashes = chain.generate(PREMINE_BLOCKS, &coins::address()).await;
        let mut coins = chain.coins.lock().await;
        for hash in &hashes[..MATURE_COINS] {
            let block = chain.block(hash).await.expect("it has what it mined");
            let coinbase = &block.txdata[0];
            let outpoint = OutPoint { txid: coinbase.compute_txid(), vout: 0 };
            coins.push_back(FreeCoin { outpoint, value: coinbase.output[0].value });
        }
        drop(coins);
        chain
    }

    pub(super) fn bitcoind(&self) -> &Bitcoind {
        &self.bitcoind
    }

    /// Each time to another address: a block that replaces another of the same second would else be
    /// the same one.
    pub(super) async fn mine(&self, blocks: u32) {
        let number = self.mined.fetch_add(1, Ordering::Relaxed);
        self.generate(blocks, &coins::address_of(number)).await;
    }

    async fn generate(&self, blocks: u32, to: &Address) -> Vec<BlockHash> {
        let params = json!([blocks, to.to_string()]);
        self.ask("generatetoaddress", params).await.expect("bitcoind mines")
    }

    pub(super) async fn tip(&self) -> Result<(BlockHash, u32), RpcError> {
        let info: Value = self.ask("getblockchaininfo", json!([])).await?;
        Ok((read(info["bestblockhash"].clone()), read(info["blocks"].clone())))
    }

    pub(super) async fn hash_at(&self, height: u32) -> Result<BlockHash, RpcError> {
        self.ask("getblockhash", json!([height])).await
    }

    pub(super) async fn block(&self, hash: &BlockHash) -> Result<Block, RpcError> {
        let hex: String = self.ask("getblock", json!([hash, 0])).await?;
        Ok(deserialize_hex(&hex).expect("bitcoind's blocks are sound"))
    }

    pub(super) async fn mempool_txids(&self) -> Vec<Txid> {
        self.ask("getrawmempool", json!([])).await.expect("bitcoind answers")
    }

    pub(super) async fn invalidate(&self, hash: &BlockHash) {
        self.ask::<Value>("invalidateblock", json!([hash])).await.expect("the block is known");
    }

    pub(super) async fn broadcast(&self, transaction: &Transaction) -> Result<Txid, RpcError> {
        self.ask("sendrawtransaction", json!([serialize_hex(transaction)])).await
    }

    /// Pays to a script; the first output is it.
    pub(super) async fn send(&self, script_pubkey: ScriptBuf, value: Amount) -> Result<OutPoint, RpcError> {
        let (txid, _) = self.pay(vec![TxOut { value, script_pubkey }], RATE).await?;
        Ok(OutPoint { txid, vout: 0 })
    }

    /// Pays with the coin that has rested longest. One that is gone since the mempool was forgotten
    /// is left out.
    pub(super) async fn pay(
        &self,
        output: Vec<TxOut>,
        rate: FeeRate,
    ) -> Result<(Txid, Transaction), RpcError> {
        let mut coins = self.coins.lock().await;
        loop {
            let coin = coins.pop_front().expect("the faucet has a coin");
            let (tx, change) = coin.pay(output.clone(), rate);
            match self.broadcast(&tx).await {
                Ok(txid) => {
                    coins.push_back(change);
                    return Ok((txid, tx));
                }
                Err(RpcError::Refused { code: MISSING_INPUTS, .. }) => {}
                Err(error) => {
                    coins.push_front(coin);
                    return Err(error);
                }
            }
        }
    }

    pub(super) async fn ask<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        Ok(read(self.bitcoind.call(method, params).await?))
    }
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("bitcoind's answers have the shape that its help says")
}
