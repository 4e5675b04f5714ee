//! Regtest blocks whose transactions nobody verifies.

use std::collections::{HashMap, HashSet};

use bitcoin::block::{Header, Version};
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction, TxIn, TxMerkleNode, TxOut, Txid,
    Work, absolute, transaction,
};

pub struct FakeBlock {
    pub block: Block,
    pub height: u32,
    pub chainwork: Work,
}

/// All blocks ever made, the active chain, and a mempool.
pub struct FakeChain {
    pub blocks: HashMap<BlockHash, FakeBlock>,
    pub active: Vec<BlockHash>,
    pub mempool: Vec<Transaction>,
    made: i64,
}

impl FakeChain {
    pub fn new() -> Self {
        let block = genesis_block(Network::Regtest);
        let hash = block.block_hash();
        let chainwork = block.header.work();
        let genesis = FakeBlock { block, height: 0, chainwork };
        Self { blocks: HashMap::from([(hash, genesis)]), active: vec![hash], mempool: Vec::new(), made: 0 }
    }

    pub fn height(&self) -> u32 {
        u32::try_from(self.active.len() - 1).unwrap()
    }

    pub fn tip(&self) -> BlockHash {
        *self.active.last().unwrap()
    }

    /// Mines the whole mempool into the next block, and more blocks after it.
    pub fn generate(&mut self, blocks: u32) {
        for _ in 0..blocks {
            self.mine();
        }
    }

    fn mine(&mut self) {
        let transactions = std::mem::take(&mut self.mempool);
        let parent = &self.blocks[&self.tip()];
        self.made += 1;
        let block = solve(&parent.block.header, self.made, transactions);
        let hash = block.block_hash();
        let mined =
            FakeBlock { height: parent.height + 1, chainwork: parent.chainwork + block.header.work(), block };
        self.blocks.insert(hash, mined);
        self.active.push(hash);
    }

    /// Makes `height` the tip again; the next blocks will be others.
    pub fn rewind_to(&mut self, height: u32) {
        self.active.truncate(height as usize + 1);
    }

    /// bitcoind's answer to a transaction: an error code and message, or its id.
    pub fn submit(&mut self, tx: Transaction) -> Result<Txid, (i64, &'static str)> {
        let txid = tx.compute_txid();
        let mut confirmed = self.active.iter().flat_map(|h| &self.blocks[h].block.txdata);
        if confirmed.any(|known| known.compute_txid() == txid) {
            return Err((-27, "Transaction outputs already in utxo set"));
        }
        if self.mempool.contains(&tx) {
            return Ok(txid);
        }
        let spent: HashSet<OutPoint> = self.mempool.iter().flat_map(inputs).collect();
        if inputs(&tx).any(|coin| spent.contains(&coin)) {
            return Err((-26, "txn-mempool-conflict"));
        }
        self.mempool.push(tx);
        Ok(txid)
    }
}

fn inputs(tx: &Transaction) -> impl Iterator<Item = OutPoint> + '_ {
    tx.input.iter().map(|input| input.previous_output)
}

fn solve(parent: &Header, number: i64, transactions: Vec<Transaction>) -> Block {
    let coinbase = Transaction {
        version: transaction::Version::ONE,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn { script_sig: Builder::new().push_int(number).into_script(), ..TxIn::default() }],
        output: vec![TxOut { value: Amount::from_sat(50_000), script_pubkey: ScriptBuf::new() }],
    };
    let mut block = Block {
        header: Header {
            version: Version::TWO,
            prev_blockhash: parent.block_hash(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: parent.time + 600,
            bits: parent.bits,
            nonce: 0,
        },
        txdata: [vec![coinbase], transactions].concat(),
    };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    block
}
