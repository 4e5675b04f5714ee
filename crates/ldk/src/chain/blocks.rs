//! Blocks and headers for `lightning-block-sync`, fetched from bitcoind.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{BlockHash, Network};
use lightning_block_sync::{BlockData, BlockHeaderData, BlockSource, BlockSourceResult};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::to_block_source;
use super::rpc::{Rpc, code};
use super::{ChainError, Patience};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What we read of `getblockchaininfo`.
#[derive(Deserialize)]
pub(super) struct BlockchainInfo {
    pub chain: String,
    pub blocks: u32,
    pub headers: u32,
    pub bestblockhash: BlockHash,
    #[serde(default)]
    pub initialblockdownload: bool,
}

/// The blocks of one network as bitcoind tells them; with patience, transient failures are waited
/// out here, so that a synchronization never stops half way because of one.
pub(super) struct Blocks {
    pub rpc: Arc<Rpc>,
    pub network: Network,
    pub patience: Option<Patience>,
}

impl Blocks {
    /// `getblockchaininfo` of a bitcoind on the right network.
    pub async fn info(&self) -> Result<BlockchainInfo, ChainError> {
        self.patiently(|| self.info_once()).await
    }

    /// Like [`Self::info`], but a bitcoind that has not the whole chain yet is an error: LDK
    /// would take its old tip for the present.
    pub async fn synced_info(&self) -> Result<BlockchainInfo, ChainError> {
        self.patiently(|| async {
            let info = self.info_once().await?;
            // A private chain whose last block is old says that it is downloading, for ever.
            let downloading = info.initialblockdownload && info.blocks < info.headers;
            if downloading && self.network != Network::Regtest {
                return Err(ChainError::Syncing { blocks: info.blocks, headers: info.headers });
            }
            Ok(info)
        })
        .await
    }

    pub async fn hash_at(&self, height: u32) -> Result<BlockHash, ChainError> {
        self.patiently(|| self.rpc.call("getblockhash", json!([height]))).await
    }

    pub async fn header(&self, hash: &BlockHash) -> Result<BlockHeaderData, ChainError> {
        const METHOD: &str = "getblockheader";
        let value: Value = self.patiently(|| self.rpc.call(METHOD, json!([hash]))).await?;
        BlockHeaderData::try_from(value).map_err(|()| ChainError::nonsense(METHOD, "not a header"))
    }

    async fn block(&self, hash: &BlockHash) -> Result<BlockData, ChainError> {
        const METHOD: &str = "getblock";
        let answer: Result<String, _> = self.patiently(|| self.rpc.call(METHOD, json!([hash, 0]))).await;
        let hex = answer.map_err(|e| match &e {
            ChainError::Rpc { code: code::MISC, message, .. } if message.contains("pruned") => {
                ChainError::Pruned { block: *hash }
            }
            _ => e,
        })?;
        let block = deserialize_hex(&hex).map_err(|e| ChainError::nonsense(METHOD, e))?;
        Ok(BlockData::FullBlock(block))
    }

    async fn info_once(&self) -> Result<BlockchainInfo, ChainError> {
        let info: BlockchainInfo = self.rpc.call("getblockchaininfo", json!([])).await?;
        let wanted = self.network.to_core_arg();
        if info.chain != wanted {
            return Err(ChainError::WrongNetwork { found: info.chain, wanted: wanted.to_owned() });
        }
        Ok(info)
    }

    async fn patiently<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match &self.patience {
                Some(keep_waiting) if error.is_transient() && keep_waiting(&error) => {}
                _ => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl BlockSource for Blocks {
    async fn get_header(&self, hash: &BlockHash, _height: Option<u32>) -> BlockSourceResult<BlockHeaderData> {
        self.header(hash).await.map_err(to_block_source)
    }

    async fn get_block(&self, hash: &BlockHash) -> BlockSourceResult<BlockData> {
        self.block(hash).await.map_err(to_block_source)
    }

    async fn get_best_block(&self) -> BlockSourceResult<(BlockHash, Option<u32>)> {
        let info = self.info().await.map_err(to_block_source)?;
        Ok((info.bestblockhash, Some(info.blocks)))
    }
}
