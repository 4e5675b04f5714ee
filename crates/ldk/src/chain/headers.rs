//! The last headers of the chain that is followed, to find the fork point of a reorg.

use std::collections::VecDeque;

use bitcoin::BlockHash;
use lightning::chain::BlockLocator;
use lightning_block_sync::poll::{Poll, ValidatedBlockHeader};
use lightning_block_sync::{BlockSourceResult, HeaderCache};

/// Headers known at the start: deeper reorgs are found too, by asking for older ones.
const KNOWN_AT_START: usize = 144;
/// Headers kept: a week.
const KEPT: usize = 1008;

/// The newest headers of one chain without gaps, never empty.
#[derive(Clone, Debug)]
pub(super) struct RecentHeaders(VecDeque<ValidatedBlockHeader>);

impl RecentHeaders {
    /// The headers up to `tip`, from `cache` as far as it knows them and else from `poller`.
    pub async fn up_to(
        tip: ValidatedBlockHeader,
        cache: &HeaderCache,
        poller: &impl Poll,
    ) -> BlockSourceResult<Self> {
        let mut headers = Self(VecDeque::from([tip]));
        while headers.0.len() < KNOWN_AT_START && headers.oldest().height > 0 {
            match cache.look_up(&headers.oldest().header.prev_blockhash) {
                Some(known) => headers.0.push_front(*known),
                None => headers.extend_back(poller).await?,
            }
        }
        Ok(headers)
    }

    pub fn tip(&self) -> &ValidatedBlockHeader {
        self.0.back().expect("there is always a tip")
    }

    pub fn oldest(&self) -> &ValidatedBlockHeader {
        self.0.front().expect("there is always a tip")
    }

    /// The header at `height`, if it is among those kept.
    pub fn at(&self, height: u32) -> Option<&ValidatedBlockHeader> {
        let index = height.checked_sub(self.oldest().height)?;
        self.0.get(usize::try_from(index).ok()?)
    }

    /// Whether the block `hash` at `height` is on the chain that is followed.
    pub fn contains(&self, hash: &BlockHash, height: u32) -> bool {
        self.at(height).is_some_and(|h| h.header.block_hash() == *hash)
    }

    /// Learns the header before the oldest.
    pub async fn extend_back(&mut self, poller: &impl Poll) -> BlockSourceResult<()> {
        let older = poller.look_up_previous_header(self.oldest()).await?;
        self.0.push_front(older);
        Ok(())
    }

    /// Advances to the next block.
    pub fn push(&mut self, header: ValidatedBlockHeader) {
        debug_assert_eq!(header.header.prev_blockhash, self.tip().header.block_hash());
        self.0.push_back(header);
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// Forgets all above `height`, which must be kept.
    pub fn truncate_to(&mut self, height: u32) {
        debug_assert!(self.at(height).is_some());
        let above = self.tip().height.saturating_sub(height) as usize;
        self.0.truncate(self.0.len().saturating_sub(above).max(1));
    }

    /// The block at `height` with as much of its ancestry as a locator holds.
    pub fn locator(&self, height: u32) -> Option<BlockLocator> {
        let mut locator = self.at(height)?.to_block_locator();
        for (ancestor, below) in locator.previous_blocks.iter_mut().zip(1..) {
            let Some(known) = height.checked_sub(below).and_then(|h| self.at(h)) else {
                break;
            };
            *ancestor = Some(known.header.block_hash());
        }
        Some(locator)
    }
}
