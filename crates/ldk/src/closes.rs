//! Closings that callers wait for, until LDK has begun them.

use crate::Ldk;
use crate::convert::ldk_channel_id;
use crate::opening::api_refusal;
use lightning::ln::channel_state::{ChannelDetails, ChannelShutdownState, OutboundHTLCStateDetails};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::util::errors::APIError;
use sponte_engine::backend::{Refusal, RefusalKind, Reply};
use sponte_proto::ChannelId;
use std::time::{Duration, Instant};

/// How long a busy channel is asked to close; peers that are there answer within much less.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);

/// A cooperative close that LDK has not begun.
pub(crate) struct Close {
    channel: LdkChannelId,
    give_up: Instant,
    reply: Reply<()>,
}

impl Ldk {
    /// Begins to close a channel.
    pub(crate) fn close_channel(&mut self, id: ChannelId, force: bool, reply: Reply<()>) {
        let channel = ldk_channel_id(id);
        let Some(details) = self.details(channel) else {
            let message = "no open channel has this id: see `sponte channel list`";
            return reply(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if force {
            let reason = "closed by its operator".to_owned();
            let peer = details.counterparty.node_id;
            let closed = self.node.manager.force_close_broadcasting_latest_txn(&channel, &peer, reason);
            return reply(closed.map_err(api_refusal));
        }
        if let Err(refusal) = closable(&details) {
            return reply(Err(refusal));
        }
        self.closes.push(Close { channel, give_up: Instant::now() + BEGIN_WITHIN, reply });
        self.begin_closes();
    }

    /// LDK begins only while nothing of the channel is being written and no HTLC of ours is on its way to the
    /// peer: of a busy channel that is a moment now and then, so each step asks again.
    pub(crate) fn begin_closes(&mut self) {
        for close in std::mem::take(&mut self.closes) {
            match self.begin_close(&close) {
                Some(result) => (close.reply)(result),
                None => self.closes.push(close),
            }
        }
    }

    /// `None`: not yet.
    fn begin_close(&self, close: &Close) -> Option<Result<(), Refusal>> {
        let Some(details) = self.details(close.channel) else {
            let message = "it has closed meanwhile: see `sponte channel list`";
            return Some(Err(Refusal::new(RefusalKind::Conflict, message)));
        };
        if is_closing(&details) {
            // The peer was faster.
            return Some(Ok(()));
        }
        match self.node.manager.close_channel(&close.channel, &details.counterparty.node_id) {
            Ok(()) => Some(Ok(())),
            Err(APIError::ChannelUnavailable { .. } | APIError::APIMisuseError { .. }) => {
                let refused = closable(&details).err();
                refused.or_else(|| (Instant::now() >= close.give_up).then(busy)).map(Err)
            }
            Err(error) => Some(Err(api_refusal(error))),
        }
    }

    /// Whether a `shutdown` that the handler holds may leave now: it holds each until here.
    pub(crate) fn release_shutdowns(&self) -> bool {
        let mut released = false;
        for (peer, channel) in self.node.handler.waiting_shutdowns() {
            let channels = self.node.manager.list_channels_with_counterparty(&peer);
            if !channels.iter().any(|details| details.channel_id == channel && is_adding(details)) {
                self.node.handler.release_shutdown(channel);
                released = true;
            }
        }
        released
    }

    /// Whether a caller waits for the channel to become quiet enough to close: it gets no new HTLC of ours.
    pub(crate) fn is_to_close(&self, channel: LdkChannelId) -> bool {
        self.closes.iter().any(|close| close.channel == channel)
    }

    fn details(&self, channel: LdkChannelId) -> Option<ChannelDetails> {
        self.node.manager.list_channels().into_iter().find(|details| details.channel_id == channel)
    }
}

/// An HTLC of ours is not in the peer's commitment for good.
fn is_adding(details: &ChannelDetails) -> bool {
    let adding = Some(OutboundHTLCStateDetails::AwaitingRemoteRevokeToAdd);
    details.pending_outbound_htlcs.iter().any(|htlc| htlc.state == adding)
}

fn is_closing(details: &ChannelDetails) -> bool {
    let state = details.channel_shutdown_state;
    state.is_some_and(|state| state != ChannelShutdownState::NotShuttingDown)
}

fn closable(details: &ChannelDetails) -> Result<(), Refusal> {
    let message = if is_closing(details) {
        "it is closing already: `sponte channel list` shows what is waited for"
    } else if !details.is_channel_ready {
        "its funding is not confirmed yet: wait for a block, or close it with --force"
    } else if !details.is_usable {
        "its peer is not connected: wait, or close it with --force"
    } else {
        return Ok(());
    };
    Err(Refusal::new(RefusalKind::Conflict, message))
}

fn busy() -> Refusal {
    let message = "the channel forwards too much to begin now: try again";
    Refusal::new(RefusalKind::Conflict, message)
}
