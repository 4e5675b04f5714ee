//! Every block ever accepted, on whatever branch, and which of them may lead the chain.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::pow::Work;
use bitcoin::{Block, BlockHash};

use crate::reject::UnknownBlock;

/// How many block times the median time past is taken of.
const MEDIAN_TIME_SPAN: usize = 11;

/// A block and its place in the tree.
#[derive(Clone, Debug)]
pub struct BlockNode {
    /// The whole block.
    pub block: Arc<Block>,
    /// Its hash.
    pub hash: BlockHash,
    /// Its distance from the genesis block.
    pub height: u32,
    /// The expected work of this block and all before it.
    pub chainwork: Work,
    /// The median of its own and the ten preceding block times, in seconds since 1970.
    pub median_time_secs: u32,
    children: Vec<BlockHash>,
    /// The order of arrival: among branches of equal work the first one leads.
    arrival: u64,
    /// Found invalid, declared invalid, or on top of such a block.
    failed: bool,
}

impl BlockNode {
    /// The header of the block.
    pub fn header(&self) -> &Header {
        &self.block.header
    }

    fn rank(&self) -> Rank {
        (self.chainwork, Reverse(self.arrival), self.hash)
    }
}

type Rank = (Work, Reverse<u64>, BlockHash);

/// The tree of blocks. It checks nothing but that a parent is known.
#[derive(Debug)]
pub(crate) struct BlockTree {
    nodes: HashMap<BlockHash, BlockNode>,
    /// All blocks that have not failed; the greatest should be the tip.
    candidates: BTreeSet<Rank>,
    arrivals: u64,
}

impl BlockTree {
    pub(crate) fn new(genesis: Block) -> Self {
        let node = BlockNode {
            hash: genesis.block_hash(),
            height: 0,
            chainwork: genesis.header.work(),
            median_time_secs: genesis.header.time,
            block: Arc::new(genesis),
            children: Vec::new(),
            arrival: 0,
            failed: false,
        };
        Self {
            candidates: BTreeSet::from([node.rank()]),
            nodes: HashMap::from([(node.hash, node)]),
            arrivals: 0,
        }
    }

    pub(crate) fn node(&self, hash: &BlockHash) -> Option<&BlockNode> {
        self.nodes.get(hash)
    }

    /// A node that the caller took from the tree itself.
    pub(crate) fn known(&self, hash: &BlockHash) -> &BlockNode {
        self.nodes.get(hash).expect("blocks are never removed from the tree")
    }

    pub(crate) fn has_failed(&self, hash: &BlockHash) -> bool {
        self.known(hash).failed
    }

    /// The block that should be the tip.
    pub(crate) fn best(&self) -> BlockHash {
        self.candidates.last().expect("the genesis block never fails").2
    }

    pub(crate) fn parent(&self, hash: &BlockHash) -> BlockHash {
        self.known(hash).header().prev_blockhash
    }

    /// Adds a block whose parent is in the tree.
    pub(crate) fn insert(&mut self, hash: BlockHash, block: Block) {
        self.arrivals += 1;
        let parent = self.known(&block.header.prev_blockhash);
        let node = BlockNode {
            hash,
            height: parent.height + 1,
            chainwork: parent.chainwork + block.header.work(),
            median_time_secs: self.median_time(&block.header),
            block: Arc::new(block),
            children: Vec::new(),
            arrival: self.arrivals,
            failed: parent.failed,
        };
        if !node.failed {
            self.candidates.insert(node.rank());
        }
        let parent_hash = node.header().prev_blockhash;
        self.nodes.insert(hash, node);
        self.node_mut(&parent_hash).children.push(hash);
    }

    /// Marks a block and all that stand on it as failed. The genesis block cannot fail.
    pub(crate) fn fail(&mut self, hash: &BlockHash) -> Result<(), UnknownBlock> {
        if self.node(hash).ok_or(UnknownBlock(*hash))?.height > 0 {
            self.mark_from(*hash, true);
        }
        Ok(())
    }

    /// Gives a block, all before it and all that stand on it another chance.
    pub(crate) fn forgive(&mut self, hash: &BlockHash) -> Result<(), UnknownBlock> {
        let mut at = self.node(hash).ok_or(UnknownBlock(*hash))?.hash;
        self.mark_from(at, false);
        while self.known(&at).height > 0 {
            at = self.parent(&at);
            if self.known(&at).failed {
                self.mark(&at, false);
            }
        }
        Ok(())
    }

    /// The last block that is on the branches of both.
    pub(crate) fn fork_point(&self, a: &BlockHash, b: &BlockHash) -> BlockHash {
        let (mut a, mut b) = (*a, *b);
        while a != b {
            if self.known(&a).height >= self.known(&b).height {
                a = self.parent(&a);
            } else {
                b = self.parent(&b);
            }
        }
        a
    }

    /// The blocks after `ancestor` up to and with `descendant`, in the order of the chain.
    pub(crate) fn path(&self, ancestor: &BlockHash, descendant: &BlockHash) -> Vec<BlockHash> {
        let mut path = Vec::new();
        let mut at = *descendant;
        while at != *ancestor {
            path.push(at);
            at = self.parent(&at);
        }
        path.reverse();
        path
    }

    /// The median time past of a block with this header.
    pub(crate) fn median_time(&self, header: &Header) -> u32 {
        let mut times = vec![header.time];
        let mut at = header.prev_blockhash;
        while let Some(node) = self.nodes.get(&at).filter(|_| times.len() < MEDIAN_TIME_SPAN) {
            times.push(node.header().time);
            at = node.header().prev_blockhash;
        }
        times.sort_unstable();
        times[times.len() / 2]
    }

    fn mark_from(&mut self, hash: BlockHash, failed: bool) {
        let mut open = vec![hash];
        while let Some(hash) = open.pop() {
            self.mark(&hash, failed);
            open.extend_from_slice(&self.known(&hash).children);
        }
    }

    fn mark(&mut self, hash: &BlockHash, failed: bool) {
        let node = self.node_mut(hash);
        node.failed = failed;
        let rank = node.rank();
        if failed {
            self.candidates.remove(&rank);
        } else {
            self.candidates.insert(rank);
        }
    }

    fn node_mut(&mut self, hash: &BlockHash) -> &mut BlockNode {
        self.nodes.get_mut(hash).expect("blocks are never removed from the tree")
    }
}
