//! What a block must be before its transactions are looked at: bitcoind's `CheckBlock` and
//! its contextual halves.

use std::collections::HashSet;

use bitcoin::constants::WITNESS_SCALE_FACTOR;
use bitcoin::{Block, Script, ScriptBuf, Weight};

use crate::block_tree::BlockNode;
use crate::locks::{self, Moment};
use crate::reject::Reason;
use crate::sanity::check_transaction;
use crate::time::UnixTime;

/// Regtest never retargets: every block has this difficulty.
pub(crate) const REGTEST_BITS: u32 = 0x207f_ffff;

/// How far a block's time may be ahead of the clock.
const MAX_FUTURE_SECS: u32 = 2 * 60 * 60;

/// The most signature operations of a block, weighted (BIP 141).
pub(crate) const MAX_BLOCK_SIGOPS_COST: usize = 80_000;

/// Checks all that needs the parent's place in the tree, but no coins.
///
/// # Errors
/// The reason in the words of bitcoind, such as `high-hash`.
pub(crate) fn check_block(block: &Block, parent: &BlockNode, now: UnixTime) -> Result<(), Reason> {
    check_header(block, parent, now)?;
    check_body(block)?;
    let moment = Moment { height: parent.height + 1, parent_median_secs: parent.median_time_secs };
    if !block.txdata.iter().all(|tx| locks::is_final(tx, moment)) {
        return Err(Reason::with("bad-txns-nonfinal", "non-final transaction"));
    }
    check_height(block, moment.height)?;
    check_witness(block)?;
    if block.weight() > Weight::MAX_BLOCK {
        return Err(Reason::with("bad-blk-weight", "weight limit failed"));
    }
    Ok(())
}

fn check_header(block: &Block, parent: &BlockNode, now: UnixTime) -> Result<(), Reason> {
    let header = &block.header;
    if header.bits.to_consensus() != REGTEST_BITS {
        return Err(Reason::with("bad-diffbits", "incorrect proof of work"));
    }
    if header.validate_pow(header.target()).is_err() {
        return Err(Reason::with("high-hash", "proof of work failed"));
    }
    if header.time <= parent.median_time_secs {
        return Err(Reason::with("time-too-old", "block's timestamp is too early"));
    }
    if header.time > now.plus_secs(MAX_FUTURE_SECS).as_secs() {
        return Err(Reason::with("time-too-new", "block timestamp too far in the future"));
    }
    if header.version.to_consensus() < 4 {
        return Err(Reason::with("bad-version", "rejected block of an old version"));
    }
    Ok(())
}

fn check_body(block: &Block) -> Result<(), Reason> {
    let too_long = block.txdata.len() * WITNESS_SCALE_FACTOR > Weight::MAX_BLOCK.to_wu() as usize;
    if block.txdata.is_empty() || too_long {
        return Err(Reason::with("bad-blk-length", "size limits failed"));
    }
    // A repeated tail of transactions has the same merkle root (CVE-2012-2459).
    let mut txids = HashSet::with_capacity(block.txdata.len());
    if !block.txdata.iter().all(|tx| txids.insert(tx.compute_txid())) {
        return Err(Reason::with("bad-txns-duplicate", "duplicate transaction"));
    }
    if !block.check_merkle_root() {
        return Err(Reason::with("bad-txnmrklroot", "hashMerkleRoot mismatch"));
    }
    if !block.txdata[0].is_coinbase() {
        return Err(Reason::with("bad-cb-missing", "first tx is not coinbase"));
    }
    if block.txdata[1..].iter().any(|tx| tx.is_coinbase()) {
        return Err(Reason::with("bad-cb-multiple", "more than one coinbase"));
    }
    block.txdata.iter().try_for_each(check_transaction)
}

/// BIP 34: the coinbase begins with the height of its block.
fn check_height(block: &Block, height: u32) -> Result<(), Reason> {
    let expected = height_script(height);
    if !block.txdata[0].input[0].script_sig.as_bytes().starts_with(expected.as_bytes()) {
        return Err(Reason::with("bad-cb-height", "block height mismatch in coinbase"));
    }
    Ok(())
}

/// BIP 141: witnesses are committed to in the coinbase. A block without any needs no commitment,
/// but one that is there must be right.
fn check_witness(block: &Block) -> Result<(), Reason> {
    let coinbase = &block.txdata[0];
    if !coinbase.output.iter().any(|output| is_commitment(&output.script_pubkey)) {
        let has_witness = block.txdata.iter().flat_map(|tx| &tx.input).any(|input| !input.witness.is_empty());
        return match has_witness {
            true => Err(Reason::with("unexpected-witness", "unexpected witness data found")),
            false => Ok(()),
        };
    }
    let reserved = &coinbase.input[0].witness;
    if reserved.len() != 1 || reserved[0].len() != 32 {
        return Err(Reason::with("bad-witness-nonce-size", "invalid witness reserved value size"));
    }
    if !block.check_witness_commitment() {
        return Err(Reason::with("bad-witness-merkle-match", "witness merkle commitment mismatch"));
    }
    Ok(())
}

fn is_commitment(script: &Script) -> bool {
    script.len() >= 38 && script.as_bytes().starts_with(&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed])
}

/// The push of a height with which a coinbase begins.
pub(crate) fn height_script(height: u32) -> ScriptBuf {
    ScriptBuf::builder().push_int(i64::from(height)).into_script()
}
