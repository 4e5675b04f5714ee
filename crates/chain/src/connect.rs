//! Joins blocks to the active branch and takes them off again.

use std::collections::HashMap;
use std::sync::Arc;

use bitcoin::{Amount, Block, BlockHash, OutPoint, Transaction, Txid};

use crate::block_check::MAX_BLOCK_SIGOPS_COST;
use crate::chain::{Chain, block_subsidy};
use crate::coins::Coin;
use crate::locks::{self, Moment};
use crate::reject::Reason;
use crate::scripts;
use crate::spend::check_amounts;
use crate::time::UnixTime;

/// What a block spent: for each transaction but the coinbase, the coins of its inputs.
#[derive(Debug, Default)]
pub(crate) struct BlockUndo {
    spent: Vec<Vec<Coin>>,
}

impl BlockUndo {
    pub(crate) fn spent(&self) -> &[Vec<Coin>] {
        &self.spent
    }
}

impl Chain {
    /// Makes the best branch the active one. Returns the last block that proved invalid on
    /// the way, if any did.
    pub(crate) fn activate_best(&mut self, now: UnixTime) -> Option<(BlockHash, Reason)> {
        let mut returned = Vec::new();
        let mut failure = None;
        while self.tree.best() != self.tip().hash {
            let best = self.tree.best();
            let fork = self.tree.fork_point(&self.tip().hash, &best);
            while self.tip().hash != fork {
                returned.push(self.disconnect_tip());
            }
            for hash in self.tree.path(&fork, &best) {
                if let Err(reason) = self.connect(hash) {
                    self.tree.fail(&hash).expect("the path leads through known blocks");
                    failure = Some((hash, reason));
                    break;
                }
            }
        }
        if !returned.is_empty() {
            self.refill_mempool(returned, now);
        }
        failure
    }

    /// Joins a block to the tip, or changes nothing.
    fn connect(&mut self, hash: BlockHash) -> Result<(), Reason> {
        let node = self.tree.known(&hash);
        let block = Arc::clone(&node.block);
        let height = node.height;
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let undo = self.spend_block(&block, &txids, height)?;
        for (place, txid) in txids.iter().enumerate() {
            self.tx_index.insert(*txid, (hash, place));
            self.mempool.remove_confirmed(txid, &block.txdata[place]);
        }
        self.undo.insert(hash, undo);
        self.active.push(hash);
        Ok(())
    }

    fn spend_block(&mut self, block: &Block, txids: &[Txid], height: u32) -> Result<BlockUndo, Reason> {
        let mut undo = BlockUndo::default();
        let mut fees = Amount::ZERO;
        let mut sigops = block.txdata[0].total_sigop_cost(|_| None);
        self.coins.add_outputs(txids[0], &block.txdata[0], height);
        let mut result = Ok(());
        for (tx, txid) in block.txdata.iter().zip(txids).skip(1) {
            result = self.spend_transaction(tx, *txid, height, &mut undo).and_then(|spent| {
                fees += spent.fee;
                sigops += spent.sigops;
                if sigops > MAX_BLOCK_SIGOPS_COST {
                    return Err(Reason::with("bad-blk-sigops", "out-of-bounds SigOpCount"));
                }
                Ok(())
            });
            if result.is_err() {
                break;
            }
        }
        let result = result.and_then(|()| check_reward(&block.txdata[0], height, fees));
        if let Err(reason) = result {
            self.unspend_block(block, txids, undo);
            return Err(reason);
        }
        Ok(undo)
    }

    /// Moves the coins of one transaction; on failure the coins are as before.
    fn spend_transaction(
        &mut self,
        tx: &Transaction,
        txid: Txid,
        height: u32,
        undo: &mut BlockUndo,
    ) -> Result<Spent, Reason> {
        let mut spent = Vec::with_capacity(tx.input.len());
        let result = self.check_spend(tx, height, &mut spent);
        if result.is_err() {
            for (input, coin) in tx.input.iter().zip(spent) {
                self.coins.add(input.previous_output, coin);
            }
            return result;
        }
        undo.spent.push(spent);
        self.coins.add_outputs(txid, tx, height);
        result
    }

    fn check_spend(&mut self, tx: &Transaction, height: u32, spent: &mut Vec<Coin>) -> Result<Spent, Reason> {
        for input in &tx.input {
            let coin = self.coins.take(&input.previous_output).ok_or_else(|| {
                Reason::with("bad-txns-inputs-missingorspent", "CheckTxInputs: inputs missing/spent")
            })?;
            spent.push(coin);
        }
        let fee = check_amounts(tx, spent, height)?;
        let moment = Moment { height, parent_median_secs: self.median_before(height) };
        let heights: Vec<u32> = spent.iter().map(|coin| coin.height).collect();
        if !locks::are_relative_locks_over(tx, &heights, moment, |h| self.median_before(h)) {
            return Err(Reason::with("bad-txns-nonfinal", "contains a non-BIP68-final transaction"));
        }
        let sigops = sigop_cost(tx, spent);
        if !self.verified.contains(&tx.compute_wtxid()) {
            let outputs: Vec<_> = spent.iter().map(|coin| &coin.output).collect();
            scripts::verify(tx, &outputs, scripts::IN_BLOCK)?;
        }
        Ok(Spent { fee, sigops })
    }

    /// Takes the last block off the active branch.
    fn disconnect_tip(&mut self) -> Arc<Block> {
        let hash = self.active.pop().expect("the genesis block is never disconnected");
        let block = Arc::clone(&self.tree.known(&hash).block);
        let undo = self.undo.remove(&hash).expect("every connected block has undo data");
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        for txid in &txids {
            self.tx_index.remove(txid);
        }
        self.unspend_block(&block, &txids, undo);
        block
    }

    /// Takes back the transactions that `undo` speaks of, and the coinbase.
    fn unspend_block(&mut self, block: &Block, txids: &[Txid], undo: BlockUndo) {
        let done = block.txdata.iter().zip(txids).skip(1).zip(undo.spent);
        for ((tx, txid), spent) in done.collect::<Vec<_>>().into_iter().rev() {
            self.coins.take_outputs(*txid, tx);
            for (input, coin) in tx.input.iter().zip(spent) {
                self.coins.add(input.previous_output, coin);
            }
        }
        self.coins.take_outputs(txids[0], &block.txdata[0]);
    }

    /// Gives the transactions of blocks that left the active branch back to the mempool, those
    /// of the oldest block first, and then everything that waited before.
    fn refill_mempool(&mut self, disconnected: Vec<Arc<Block>>, now: UnixTime) {
        let waiting = self.mempool.drain();
        for block in disconnected.into_iter().rev() {
            for tx in &block.txdata[1..] {
                // What became invalid or conflicts with the new branch is dropped, as in bitcoind.
                let _ = self.accept_returned(Arc::new(tx.clone()), now);
            }
        }
        for entry in waiting {
            let _ = self.accept_returned(entry.tx, entry.time);
        }
    }
}

struct Spent {
    fee: Amount,
    sigops: usize,
}

/// The weighted signature operations of a transaction that spends `spent`.
pub(crate) fn sigop_cost(tx: &Transaction, spent: &[Coin]) -> usize {
    let outputs: HashMap<OutPoint, &Coin> =
        tx.input.iter().map(|input| input.previous_output).zip(spent).collect();
    tx.total_sigop_cost(|outpoint| outputs.get(outpoint).map(|coin| coin.output.clone()))
}

fn check_reward(coinbase: &Transaction, height: u32, fees: Amount) -> Result<(), Reason> {
    let paid: Amount = coinbase.output.iter().map(|output| output.value).sum();
    let allowed = block_subsidy(height) + fees;
    if paid > allowed {
        return Err(Reason::with(
            "bad-cb-amount",
            format!("coinbase pays too much (actual={} vs limit={})", paid.to_sat(), allowed.to_sat()),
        ));
    }
    Ok(())
}
