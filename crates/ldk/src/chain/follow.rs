//! Follows bitcoind's best chain block by block, across reorgs.
//!
//! `SpvClient` does the same, but calls its listener from within and hides why it stopped; here a
//! full queue must hold up the fetching only, and the reason is told to the user.

use std::sync::Arc;

use lightning_block_sync::BlockData;
use lightning_block_sync::poll::{ChainPoller, ChainTip, Poll, ValidatedBlockHeader};

use super::blocks::Blocks;
use super::error::from_block_source;
use super::event::{Closed, EventSender};
use super::headers::RecentHeaders;
use super::outbox::Outbox;
use super::{ChainError, ChainEvent, ChainStatus};

pub(super) type Poller = ChainPoller<Arc<Blocks>, Blocks>;

/// Why following stopped for now.
pub(super) enum Halt {
    /// Nobody reads the queue any more.
    Closed,
    /// Trouble with bitcoind; what was told so far stands, and the next try goes on from there.
    Chain(ChainError),
}

impl From<Closed> for Halt {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl From<ChainError> for Halt {
    fn from(error: ChainError) -> Self {
        Self::Chain(error)
    }
}

pub(super) struct Follower {
    pub poller: Poller,
    pub headers: RecentHeaders,
    pub outbox: Arc<Outbox>,
    pub status: Arc<ChainStatus>,
}

impl Follower {
    /// Tells everything between our tip and bitcoind's; true if there was something to tell.
    pub async fn advance(&mut self, events: &EventSender) -> Result<bool, Halt> {
        let ours = *self.headers.tip();
        let best = self.poller.poll_chain_tip(ours).await;
        match best.map_err(from_block_source)? {
            ChainTip::Common => Ok(false),
            // Two blocks at one height: bitcoind has seen another one first. Nobody is behind.
            ChainTip::Worse(tip) if tip.height >= ours.height => Ok(false),
            ChainTip::Worse(tip) => {
                Err(Halt::Chain(ChainError::Behind { height: tip.height, ours: ours.height }))
            }
            ChainTip::Better(tip) => {
                self.switch_to(tip, events).await?;
                Ok(true)
            }
        }
    }

    async fn switch_to(&mut self, best: ValidatedBlockHeader, events: &EventSender) -> Result<(), Halt> {
        let (fork_height, path) = self.path_to(best).await?;
        if fork_height < self.headers.tip().height {
            let fork_point =
                self.headers.locator(fork_height).expect("path_to found the fork point among the headers");
            let fork_point = Box::new(fork_point);
            events.send(ChainEvent::Disconnected { fork_point }).await?;
            self.headers.truncate_to(fork_height);
            self.note_tip();
        }
        for header in path.into_iter().rev() {
            self.connect(header, events).await?;
        }
        let tip = self.headers.tip();
        events
            .send(ChainEvent::Tip {
                hash: tip.header.block_hash(),
                height: tip.height,
                time_s: tip.header.time,
            })
            .await?;
        Ok(())
    }

    async fn connect(&mut self, header: ValidatedBlockHeader, events: &EventSender) -> Result<(), Halt> {
        let block = self.poller.fetch_block(&header).await;
        let block = block.map_err(from_block_source)?;
        let BlockData::FullBlock(block) = &*block else {
            return Err(ChainError::nonsense("getblock", "only a header came").into());
        };
        let block = Arc::new(block.clone());
        self.outbox.block_connected(&block, header.height);
        let height = header.height;
        events.send(ChainEvent::BlockConnected { block, height }).await?;
        self.headers.push(header);
        self.note_tip();
        Ok(())
    }

    /// The height of the fork point, and the headers above it up to `best`, newest first.
    async fn path_to(
        &mut self,
        best: ValidatedBlockHeader,
    ) -> Result<(u32, Vec<ValidatedBlockHeader>), ChainError> {
        let mut path = vec![best];
        let mut first = best;
        loop {
            let parent_height = first
                .height
                .checked_sub(1)
                .ok_or_else(|| ChainError::nonsense("getblockheader", "its chain has another first block"))?;
            let parent = first.header.prev_blockhash;
            while self.headers.oldest().height > parent_height {
                let older = self.headers.extend_back(&self.poller).await;
                older.map_err(from_block_source)?;
            }
            if self.headers.contains(&parent, parent_height) {
                return Ok((parent_height, path));
            }
            let previous = self.poller.look_up_previous_header(&first).await;
            first = previous.map_err(from_block_source)?;
            path.push(first);
        }
    }

    fn note_tip(&self) {
        let tip = self.headers.tip();
        self.status.note_tip(&tip.header, tip.height);
    }
}
