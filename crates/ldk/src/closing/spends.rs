//! Transactions that close channels, in blocks that are replayed at the start.

use crate::Ldk;
use crate::convert::txid;
use bitcoin::OutPoint;
use bitcoin::block::Header;
use lightning::chain::transaction::TransactionData;
use lightning::chain::{BlockLocator, Listen};
use sponte_proto::{ChannelId, Txid};
use std::collections::HashMap;
use std::sync::Mutex;

/// Watches blocks for what spends fundings.
pub(crate) struct FundingSpends {
    fundings: HashMap<OutPoint, ChannelId>,
    seen: Mutex<Vec<(ChannelId, Txid)>>,
}

impl FundingSpends {
    pub(crate) fn of(fundings: HashMap<OutPoint, ChannelId>) -> FundingSpends {
        FundingSpends { fundings, seen: Mutex::default() }
    }
}

impl Listen for FundingSpends {
    fn filtered_block_connected(&self, _: &Header, transactions: &TransactionData, _: u32) {
        if self.fundings.is_empty() {
            return;
        }
        for (_, tx) in transactions {
            for channel in tx.input.iter().filter_map(|input| self.fundings.get(&input.previous_output)) {
                let seen = (*channel, txid(tx.compute_txid()));
                self.seen.lock().expect("no panic while it is held").push(seen);
            }
        }
    }

    /// It was broadcast, and may confirm again.
    fn blocks_disconnected(&self, _: BlockLocator) {}
}

impl Ldk {
    /// Remembers what was seen, before LDK tells that the channels have closed.
    pub(crate) fn note_spends(&mut self, spends: FundingSpends) {
        for (channel, txid) in spends.seen.into_inner().expect("no panic while it is held") {
            self.note_closing_txid(channel, txid);
        }
    }
}
