//! The chain: the block tree, its active branch, the coins of that branch and the mempool.

use std::collections::{HashMap, HashSet};

use bitcoin::constants::genesis_block;
use bitcoin::{Amount, Block, BlockHash, Network, OutPoint, Script, Transaction, Txid, Wtxid};

use crate::block_check::check_block;
use crate::block_tree::{BlockNode, BlockTree};
use crate::coins::{Coin, Coins};
use crate::connect::BlockUndo;
use crate::locks::Moment;
use crate::mempool::{Mempool, MempoolEntry, Package};
use crate::policy::Policy;
use crate::reject::{BlockRejected, UnknownBlock};
use crate::time::UnixTime;

/// Regtest halves the subsidy every 150 blocks.
const HALVING_INTERVAL: u32 = 150;

/// What the miner of a block at `height` may create out of nothing.
pub fn block_subsidy(height: u32) -> Amount {
    let halvings = height / HALVING_INTERVAL;
    Amount::from_sat(Amount::from_int_btc(50).to_sat().checked_shr(halvings).unwrap_or(0))
}

/// A full regtest node without network, disk or clock.
///
/// Every transaction and block that gets in has been verified by the rules of consensus, the
/// scripts by Bitcoin Core's own interpreter; the active branch is the valid one with the most
/// work. Time is an argument.
#[derive(Debug)]
pub struct Chain {
    pub(crate) tree: BlockTree,
    /// The active branch, by height.
    pub(crate) active: Vec<BlockHash>,
    pub(crate) coins: Coins,
    /// What each block of the active branch spent.
    pub(crate) undo: HashMap<BlockHash, BlockUndo>,
    /// In which block of the active branch a transaction is, and at which place.
    pub(crate) tx_index: HashMap<Txid, (BlockHash, usize)>,
    pub(crate) mempool: Mempool,
    /// Transactions whose scripts have succeeded; an id with witnesses fixes everything the
    /// interpreter looks at, so they need not run again in a block or after a reorg.
    pub(crate) verified: HashSet<Wtxid>,
    pub(crate) policy: Policy,
    /// Makes every mined coinbase unlike any other.
    pub(crate) extra_nonce: u64,
}

impl Chain {
    /// A chain of the regtest genesis block alone.
    pub fn new(policy: Policy) -> Self {
        let genesis = genesis_block(Network::Regtest);
        let hash = genesis.block_hash();
        Self {
            tree: BlockTree::new(genesis),
            active: vec![hash],
            coins: Coins::default(),
            undo: HashMap::new(),
            tx_index: HashMap::new(),
            mempool: Mempool::default(),
            verified: HashSet::new(),
            policy,
            extra_nonce: 0,
        }
    }

    /// Takes a block, and makes its branch the active one if that has the most work.
    ///
    /// # Errors
    /// [`BlockRejected`] if the block, or its branch, breaks a rule; the active branch is then
    /// the best of the others.
    pub fn submit_block(&mut self, block: Block, now: UnixTime) -> Result<BlockHash, BlockRejected> {
        let hash = block.block_hash();
        if self.tree.node(&hash).is_some() {
            return Err(if self.tree.has_failed(&hash) {
                BlockRejected::DuplicateInvalid
            } else {
                BlockRejected::Duplicate
            });
        }
        let parent = self.tree.node(&block.header.prev_blockhash).ok_or(BlockRejected::UnknownParent)?;
        if self.tree.has_failed(&parent.hash) {
            return Err(BlockRejected::InvalidParent);
        }
        check_block(&block, parent, now)?;
        self.tree.insert(hash, block);
        match self.activate_best(now) {
            Some((failed, reason)) if failed == hash => Err(reason.into()),
            _ => Ok(hash),
        }
    }

    /// Treats a block and all that stand on it as invalid, until it is reconsidered.
    ///
    /// The transactions of the blocks that leave the active branch return to the mempool.
    ///
    /// # Errors
    /// [`UnknownBlock`] if no such block exists. To invalidate the genesis block does nothing.
    pub fn invalidate_block(&mut self, hash: &BlockHash, now: UnixTime) -> Result<(), UnknownBlock> {
        self.tree.fail(hash)?;
        self.activate_best(now);
        Ok(())
    }

    /// Takes [`Chain::invalidate_block`] back, for the block, all before it and all after it.
    ///
    /// # Errors
    /// [`UnknownBlock`] if no such block exists.
    pub fn reconsider_block(&mut self, hash: &BlockHash, now: UnixTime) -> Result<(), UnknownBlock> {
        self.tree.forgive(hash)?;
        self.activate_best(now);
        Ok(())
    }

    /// The rules of the mempool.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sets what `estimatesmartfee` answers.
    pub fn set_estimated_fee(&mut self, rate: Option<bitcoin::FeeRate>) {
        self.policy.estimated_fee = rate;
    }

    /// The last block of the active branch.
    pub fn tip(&self) -> &BlockNode {
        self.tree.known(self.active.last().expect("the genesis block is always active"))
    }

    /// The height of the last block of the active branch.
    pub fn height(&self) -> u32 {
        self.tip().height
    }

    /// A block of any branch.
    pub fn block(&self, hash: &BlockHash) -> Option<&BlockNode> {
        self.tree.node(hash)
    }

    /// The hash of the block of the active branch at `height`.
    pub fn block_hash_at(&self, height: u32) -> Option<BlockHash> {
        self.active.get(height as usize).copied()
    }

    /// Whether a block is on the active branch.
    pub fn is_active(&self, node: &BlockNode) -> bool {
        self.block_hash_at(node.height) == Some(node.hash)
    }

    /// The coins each transaction of an active block spent, in the order of its inputs; the
    /// coinbase is left out.
    pub fn spent_by_block(&self, hash: &BlockHash) -> Option<&[Vec<Coin>]> {
        self.undo.get(hash).map(BlockUndo::spent)
    }

    /// An unspent output of the active branch; the mempool is not looked at.
    pub fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.coins.coin(outpoint)
    }

    /// The unspent outputs that `script` guards, oldest first; the mempool is not looked at.
    pub fn coins_of(&self, script: &Script) -> impl Iterator<Item = OutPoint> + '_ {
        self.coins.of_script(script)
    }

    /// How many unspent outputs there are.
    pub fn coin_count(&self) -> usize {
        self.coins.len()
    }

    /// The sum of all unspent outputs.
    pub fn coin_total(&self) -> Amount {
        self.coins.total()
    }

    /// The block of the active branch a transaction is in.
    pub fn confirmed_in(&self, txid: &Txid) -> Option<&BlockNode> {
        self.tx_index.get(txid).map(|(hash, _)| self.tree.known(hash))
    }

    /// A transaction of the active branch.
    pub fn confirmed_transaction(&self, txid: &Txid) -> Option<&Transaction> {
        let (hash, place) = self.tx_index.get(txid)?;
        self.tree.known(hash).block.txdata.get(*place)
    }

    /// A waiting transaction.
    pub fn mempool_entry(&self, txid: &Txid) -> Option<&MempoolEntry> {
        self.mempool.entry(txid)
    }

    /// All waiting transactions in the order of arrival: parents before children.
    pub fn mempool_entries(&self) -> impl Iterator<Item = &MempoolEntry> {
        self.mempool.entries()
    }

    /// How many transactions wait, their size and their fees.
    pub fn mempool_total(&self) -> Package {
        Package {
            count: self.mempool.len() as u64,
            vsize_vb: self.mempool.vsize_vb(),
            fee: self.mempool.total_fee(),
        }
    }

    /// A number that rises with every change of the mempool.
    pub fn mempool_sequence(&self) -> u64 {
        self.mempool.changes()
    }

    /// Drops every waiting transaction.
    pub fn forget_mempool(&mut self) {
        let all = self.mempool.entries().map(|entry| entry.txid).collect();
        self.mempool.remove_all(&all);
    }

    /// A waiting transaction and everything waiting that it spends.
    pub fn ancestors(&self, entry: &MempoolEntry) -> Package {
        self.mempool.ancestor_package(&entry.txid)
    }

    /// A waiting transaction and everything waiting that spends it.
    pub fn descendants(&self, entry: &MempoolEntry) -> Package {
        self.mempool.descendant_package(&entry.txid)
    }

    /// The waiting transaction that spends an output.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.mempool.spender(outpoint)
    }

    /// The place in the chain of a transaction that the next block would take.
    pub(crate) fn next_moment(&self) -> Moment {
        let tip = self.tip();
        Moment { height: tip.height + 1, parent_median_secs: tip.median_time_secs }
    }

    /// The median time past of the active block before `height`, whence time locks count.
    pub(crate) fn median_before(&self, height: u32) -> u32 {
        let hash = self.active[height.saturating_sub(1) as usize];
        self.tree.known(&hash).median_time_secs
    }
}
