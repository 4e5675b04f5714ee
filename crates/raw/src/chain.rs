//! What the node wants of its chain.

use bitcoin::{Address, Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction};
use sponte_chain::{ChainHandle, UnixTime};
use std::time::{SystemTime, UNIX_EPOCH};

/// A regtest chain without reorgs, and a faucet on it. Whoever cannot do a thing answers `None`
/// or nothing, and is asked again.
pub trait RawChain: Send + Sync + 'static {
    /// The newest block and its height.
    fn tip(&self) -> impl Future<Output = Option<(BlockHash, u32)>> + Send;

    /// The block at a height.
    fn block(&self, height: u32) -> impl Future<Output = Option<Block>> + Send;

    /// Brings a transaction into the mempool; what that does not take is nobody's business.
    fn broadcast(&self, transaction: Transaction) -> impl Future<Output = ()> + Send;

    /// Sends coins of the faucet, and says which output they are.
    fn give(&self, script: ScriptBuf, value: Amount) -> impl Future<Output = Option<OutPoint>> + Send;
}

/// The private chain of the same process.
impl RawChain for ChainHandle {
    async fn tip(&self) -> Option<(BlockHash, u32)> {
        let regtest = self.lock();
        let tip = regtest.chain().tip();
        Some((tip.hash, tip.height))
    }

    async fn block(&self, height: u32) -> Option<Block> {
        let regtest = self.lock();
        let hash = regtest.chain().block_hash_at(height)?;
        regtest.chain().block(&hash).map(|node| Block::clone(&node.block))
    }

    async fn broadcast(&self, transaction: Transaction) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixTime::from_secs(now.as_secs() as u32);
        let taken = self.lock().chain_mut().accept_transaction(transaction, now);
        tracing::debug!(target: "raw", ?taken, "broadcast");
    }

    async fn give(&self, script: ScriptBuf, value: Amount) -> Option<OutPoint> {
        let address = Address::from_script(&script, Network::Regtest).ok()?;
        let txid = self.send(&address, value).ok()?;
        let regtest = self.lock();
        let entry = regtest.chain().mempool_entry(&txid)?;
        let vout = entry.tx.output.iter().position(|output| output.script_pubkey == script)?;
        Some(OutPoint { txid, vout: vout as u32 })
    }
}
