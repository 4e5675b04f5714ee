//! What the node wants of its chain.

use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction};

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
