//! The chain as the wallet knows it, and how it follows.
//!
//! BDK's own chain cannot be shortened, only replaced from a block on; until the first block of
//! the new branch comes it still holds the old one. So the wallet keeps its own map of blocks,
//! which is right at any time, and judges confirmations by it. It also answers in logarithmic
//! time, where BDK walks a list from the tip.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bdk_wallet::ChangeSet;
use bdk_wallet::chain::local_chain::ApplyHeaderError;
use bdk_wallet::chain::{BlockId, ChainOracle, CheckPoint};
use bitcoin::block::{Block, Header};
use bitcoin::{BlockHash, Transaction};
use lightning::chain::{BlockLocator, Listen};

use super::{State, Wallet, journal};

/// Blocks that are kept at a restart behind the tip, whatever they hold: deeper reorganisations
/// than this are followed too, from the nearest block that is still known.
pub(super) const RECENT: u32 = 288;

/// Heights and hashes of the best chain. Has the genesis, recent blocks, and every block that
/// holds a transaction of the wallet.
pub(super) struct Blocks {
    hashes: BTreeMap<u32, BlockHash>,
}

impl Blocks {
    pub(super) fn from_tip(tip: &CheckPoint) -> Blocks {
        Blocks { hashes: tip.iter().map(|block| (block.height(), block.hash())).collect() }
    }

    pub(super) fn tip(&self) -> BlockId {
        let (height, hash) = self.hashes.last_key_value().expect("the genesis is never removed");
        BlockId { height: *height, hash: *hash }
    }

    pub(super) fn locator(&self) -> BlockLocator {
        let tip = self.tip();
        let mut locator = BlockLocator::new(tip.hash, tip.height);
        for (back, hash) in (1..).zip(&mut locator.previous_blocks) {
            *hash = tip.height.checked_sub(back).and_then(|height| self.hashes.get(&height)).copied();
        }
        locator
    }

    fn has(&self, height: u32, hash: BlockHash) -> bool {
        self.hashes.get(&height) == Some(&hash)
    }

    /// Makes this block the tip, on top of `previous` if that is given.
    pub(super) fn connect(&mut self, height: u32, hash: BlockHash, previous: Option<BlockHash>) {
        if let (Some(previous), Some(below)) = (previous, height.checked_sub(1)) {
            self.disconnect_to(below, previous);
        }
        self.hashes.split_off(&height.max(1));
        if height > 0 {
            self.hashes.insert(height, hash);
        }
    }

    /// Makes this block, of which the next one will be a child, the tip.
    fn disconnect_to(&mut self, height: u32, hash: BlockHash) {
        self.hashes.split_off(&(height + 1));
        if height > 0 && !self.has(height, hash) {
            self.hashes.insert(height, hash);
        }
    }

    /// The highest block below `height` that `chain` has too.
    fn common_below(&self, height: u32, chain: &CheckPoint) -> BlockId {
        chain
            .range(..height)
            .map(|block| block.block_id())
            .find(|block| self.has(block.height, block.hash))
            .expect("the genesis is in both")
    }
}

impl ChainOracle for Blocks {
    type Error = Infallible;

    fn is_block_in_chain(&self, block: BlockId, _tip: BlockId) -> Result<Option<bool>, Infallible> {
        Ok(self.hashes.get(&block.height).map(|hash| *hash == block.hash))
    }

    fn get_chain_tip(&self) -> Result<BlockId, Infallible> {
        Ok(self.tip())
    }
}

/// The wallet takes whole blocks and filtered ones, known ones again, and a block that does not
/// follow its tip as the beginning of another branch.
impl Listen for Wallet {
    fn filtered_block_connected(&self, header: &Header, txdata: &[(usize, &Transaction)], height: u32) {
        let txdata = txdata.iter().map(|(_, tx)| (*tx).clone()).collect();
        self.lock().connect(&Block { header: *header, txdata }, height);
    }

    fn block_connected(&self, block: &Block, height: u32) {
        self.lock().connect(block, height);
    }

    fn blocks_disconnected(&self, fork_point: BlockLocator) {
        self.lock().disconnect(fork_point.height, fork_point.block_hash);
    }
}

impl State {
    fn connect(&mut self, block: &Block, height: u32) {
        if !self.blocks.has(height, block.block_hash()) {
            self.replace_from(height, block.header.prev_blockhash);
            self.blocks.connect(height, block.block_hash(), Some(block.header.prev_blockhash));
        }
        if self.apply(block, height).is_err() {
            self.rebuild_below(height);
            if let Err(error) = self.apply(block, height) {
                tracing::error!(height, %error, "the wallet cannot connect a block: is it of this network?");
            }
        }
        self.absorb();
        self.books.tip_changed();
    }

    fn apply(&mut self, block: &Block, height: u32) -> Result<(), ApplyHeaderError> {
        let on = self.blocks.common_below(height, &self.bdk.latest_checkpoint());
        self.bdk.apply_block_connected_to(block, height, on)
    }

    /// BDK follows another branch from a block on that replaces one that it knows. Where it
    /// knows but few blocks (around the birthday, and far below the tip) there may be none, and
    /// its chain is cut by loading it anew.
    fn rebuild_below(&mut self, height: u32) {
        let known: BTreeMap<u32, BlockHash> =
            self.bdk.checkpoints().map(|block| (block.height(), block.hash())).collect();
        let kept: BTreeMap<u32, Option<BlockHash>> =
            self.blocks.hashes.range(..height).map(|(height, hash)| (*height, Some(*hash))).collect();
        let mut cut = ChangeSet::default();
        let dropped = known.keys().filter(|height| !kept.contains_key(height));
        cut.local_chain.blocks = dropped.map(|height| (*height, None)).chain(kept.clone()).collect();
        let mut all = journal::everything(&self.bdk);
        all.local_chain.blocks = kept;
        match journal::load_bdk(all) {
            Ok(bdk) => self.bdk = bdk,
            Err(error) => return tracing::error!(height, %error, "the wallet's chain cannot be cut"),
        }
        self.journal.stage(cut);
    }

    /// A block of this height and with this parent is none that we know.
    fn replace_from(&mut self, height: u32, previous: BlockHash) {
        let below = height.saturating_sub(1);
        let fork = if self.blocks.has(below, previous) { below } else { below.saturating_sub(1) };
        if self.blocks.tip().height > fork {
            self.reopen_above(fork);
        }
    }

    fn disconnect(&mut self, height: u32, hash: BlockHash) {
        self.reopen_above(height);
        self.blocks.disconnect_to(height, hash);
        self.books.tip_changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    fn hash(byte: u8) -> BlockHash {
        BlockHash::from_byte_array([byte; 32])
    }

    fn blocks(to: u8) -> Blocks {
        Blocks { hashes: (0..=to).map(|height| (height.into(), hash(height))).collect() }
    }

    #[test]
    fn the_locator_names_what_is_known() {
        let mut blocks = blocks(20);
        blocks.hashes.remove(&18);
        let locator = blocks.locator();
        assert_eq!((locator.height, locator.block_hash), (20, hash(20)));
        assert_eq!(locator.get_hash_at_height(19), Some(hash(19)));
        assert_eq!(locator.get_hash_at_height(18), None);
        assert_eq!(locator.get_hash_at_height(8), Some(hash(8)));
        assert_eq!(locator.get_hash_at_height(7), None);
    }

    #[test]
    fn a_branch_replaces_what_is_above_its_fork() {
        let mut blocks = blocks(5);
        blocks.disconnect_to(3, hash(3));
        assert_eq!(blocks.tip(), BlockId { height: 3, hash: hash(3) });
        blocks.connect(4, hash(44), Some(hash(3)));
        assert_eq!(blocks.tip(), BlockId { height: 4, hash: hash(44) });
        blocks.connect(4, hash(45), Some(hash(33)));
        assert_eq!(blocks.hashes[&3], hash(33));
        blocks.disconnect_to(0, hash(9));
        assert_eq!(blocks.tip(), BlockId { height: 0, hash: hash(0) });
    }
}
