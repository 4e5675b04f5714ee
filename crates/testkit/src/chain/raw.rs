//! What raw nodes want of their chain.

use super::{Chain, Kind};
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction};
use sponte_raw::RawChain;

impl RawChain for Chain {
    async fn tip(&self) -> Option<(BlockHash, u32)> {
        match &self.0 {
            Kind::Private(server) => server.chain().tip().await,
            Kind::Bitcoind(chain) => chain.tip().await.ok(),
        }
    }

    async fn block(&self, height: u32) -> Option<Block> {
        match &self.0 {
            Kind::Private(server) => server.chain().block(height).await,
            Kind::Bitcoind(chain) => {
                let hash = chain.hash_at(height).await.ok()?;
                chain.block(&hash).await.ok()
            }
        }
    }

    async fn broadcast(&self, transaction: Transaction) {
        match &self.0 {
            Kind::Private(server) => server.chain().broadcast(transaction).await,
            Kind::Bitcoind(chain) => {
                let taken = chain.broadcast(&transaction).await;
                tracing::debug!(target: "raw", ?taken, "broadcast");
            }
        }
    }

    async fn give(&self, script: ScriptBuf, value: Amount) -> Option<OutPoint> {
        match &self.0 {
            Kind::Private(server) => server.chain().give(script, value).await,
            Kind::Bitcoind(chain) => chain.send(script, value).await.ok(),
        }
    }
}
