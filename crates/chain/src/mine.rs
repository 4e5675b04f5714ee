//! Makes blocks out of the mempool, with the proof of work of regtest.

use std::collections::HashSet;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Weight, Witness, WitnessMerkleNode,
};

use crate::block_check::{MAX_BLOCK_SIGOPS_COST, REGTEST_BITS, height_script};
use crate::chain::{Chain, block_subsidy};
use crate::mempool::MempoolEntry;
use crate::reject::BlockRejected;
use crate::time::UnixTime;

/// What the header, the coinbase and the count of transactions may take of a block.
const RESERVED_WEIGHT: Weight = Weight::from_wu(4_000);
/// BIP 141: what comes before the commitment in its output.
const COMMITMENT_MAGIC: [u8; 4] = [0xaa, 0x21, 0xa9, 0xed];
const WITNESS_RESERVED_VALUE: [u8; 32] = [0; 32];
/// BIP 9's version bits, none set.
const BLOCK_VERSION: i32 = 0x2000_0000;

impl Chain {
    /// Mines `count` blocks one after the other; `script` gets subsidies and fees.
    ///
    /// # Errors
    /// [`BlockRejected`] `time-too-new` if the median time past has run ahead of `now` by two
    /// hours, as it does after tens of thousands of blocks in one moment. The blocks before
    /// that stay.
    pub fn mine(
        &mut self,
        count: u32,
        script: &Script,
        now: UnixTime,
    ) -> Result<Vec<BlockHash>, BlockRejected> {
        (0..count)
            .map(|_| {
                let block = self.assemble_block(script, now);
                self.submit_block(block, now)
            })
            .collect()
    }

    /// A solved block on top of the tip with as much of the mempool as fits.
    pub fn assemble_block(&mut self, script: &Script, now: UnixTime) -> Block {
        let tip = self.tip();
        let (prev_blockhash, height) = (tip.hash, tip.height + 1);
        let time = now.as_secs().max(tip.median_time_secs + 1);
        let chosen = self.choose_transactions();
        let fees: Amount = chosen.iter().map(|entry| entry.fee).sum();
        let transactions: Vec<Transaction> = chosen.iter().map(|entry| entry.tx.as_ref().clone()).collect();
        self.extra_nonce += 1;
        let reward = TxOut { value: block_subsidy(height) + fees, script_pubkey: script.to_owned() };
        let coinbase = coinbase(height, self.extra_nonce, reward, &transactions);
        let mut block = Block {
            header: Header {
                version: BlockVersion::from_consensus(BLOCK_VERSION),
                prev_blockhash,
                merkle_root: TxMerkleNode::all_zeros(),
                time,
                bits: CompactTarget::from_consensus(REGTEST_BITS),
                nonce: 0,
            },
            txdata: std::iter::once(coinbase).chain(transactions).collect(),
        };
        block.header.merkle_root =
            block.compute_merkle_root().expect("a block with a coinbase has a merkle root");
        solve(&mut block.header);
        block
    }

    /// The waiting transactions for the next block, parents before children.
    fn choose_transactions(&self) -> Vec<&MempoolEntry> {
        let room = Weight::MAX_BLOCK - RESERVED_WEIGHT;
        let total: Weight = self.mempool.entries().map(|entry| entry.tx.weight()).sum();
        if total <= room && self.sigops_of_all() <= MAX_BLOCK_SIGOPS_COST {
            return self.mempool.entries().collect();
        }
        self.choose_best(room)
    }

    /// Takes the entries with the best feerate, each with its ancestors.
    fn choose_best(&self, mut room: Weight) -> Vec<&MempoolEntry> {
        let mut by_feerate: Vec<(u64, &MempoolEntry)> = self
            .mempool
            .entries()
            .map(|entry| {
                let package = self.mempool.ancestor_package(&entry.txid);
                (package.fee.to_sat() * 1000 / package.vsize_vb.max(1), entry)
            })
            .collect();
        by_feerate.sort_by_key(|(rate, _)| std::cmp::Reverse(*rate));
        let mut sigops_left = MAX_BLOCK_SIGOPS_COST;
        let mut chosen: HashSet<Txid> = HashSet::new();
        for (_, entry) in by_feerate {
            let mut package = self.mempool.with_ancestors([entry.txid].into());
            package.retain(|txid| !chosen.contains(txid));
            let entries = || package.iter().filter_map(|txid| self.mempool.entry(txid));
            let weight: Weight = entries().map(|entry| entry.tx.weight()).sum();
            let sigops: usize = entries().map(|entry| self.entry_sigops(entry)).sum();
            if weight <= room && sigops <= sigops_left {
                room -= weight;
                sigops_left -= sigops;
                chosen.extend(package);
            }
        }
        self.mempool.entries().filter(|entry| chosen.contains(&entry.txid)).collect()
    }

    fn sigops_of_all(&self) -> usize {
        self.mempool.entries().map(|entry| self.entry_sigops(entry)).sum()
    }

    fn entry_sigops(&self, entry: &MempoolEntry) -> usize {
        entry.tx.total_sigop_cost(|outpoint| {
            let coin = self.coins.coin(outpoint).map(|coin| &coin.output);
            coin.or_else(|| self.mempool.output(outpoint)).cloned()
        })
    }
}

fn coinbase(height: u32, extra_nonce: u64, reward: TxOut, others: &[Transaction]) -> Transaction {
    let mut script_sig = height_script(height).into_bytes();
    let nonce = ScriptBuf::builder().push_slice(extra_nonce.to_le_bytes()).into_script();
    script_sig.extend_from_slice(nonce.as_bytes());
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(script_sig),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[WITNESS_RESERVED_VALUE]),
        }],
        output: vec![reward, commitment(others)],
    }
}

/// The output that commits to the witnesses of the whole block (BIP 141).
fn commitment(others: &[Transaction]) -> TxOut {
    // The coinbase cannot commit to itself: zeros stand in its place.
    let leaves = std::iter::once(bitcoin::Wtxid::all_zeros())
        .chain(others.iter().map(Transaction::compute_wtxid))
        .map(|wtxid| wtxid.to_raw_hash());
    let root: WitnessMerkleNode = bitcoin::merkle_tree::calculate_root(leaves)
        .map(WitnessMerkleNode::from_raw_hash)
        .expect("the coinbase is always a leaf");
    let hash = Block::compute_witness_commitment(&root, &WITNESS_RESERVED_VALUE);
    let mut payload = [0; 36];
    payload[..4].copy_from_slice(&COMMITMENT_MAGIC);
    payload[4..].copy_from_slice(hash.as_byte_array());
    TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(payload) }
}

/// Finds the nonce. Every second one will do, so the search ends long before the last.
pub(crate) fn solve(header: &mut Header) {
    let target = header.target();
    while header.validate_pow(target).is_err() {
        header.nonce = header.nonce.wrapping_add(1);
    }
}
