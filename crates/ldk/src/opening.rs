//! Channels on their way: asked for here or by a peer, funded, pending, ready.

use crate::Ldk;
use crate::convert::{balance, channel_id, msat, node_id, public_key, sat, txid};
use crate::wallet::reserve_for;
use bitcoin::secp256k1::PublicKey;
use lightning::events::{Event, InboundChannelFunds};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::types::ChannelId;
use lightning::util::config::UserConfig;
use lightning::util::errors::APIError;
use sponte_engine::backend::{
    BackendEvent, ChannelOpened, ChannelPending, OpenChannel, Refusal, RefusalKind, Reply,
};
use sponte_proto::{Msat, Sat};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Within so many blocks a funding transaction should confirm.
const FUNDING_BLOCKS: u16 = 6;

/// How long a peer may think about a channel; LDK would wait for an hour.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// An opening that a caller waits for, by LDK's `user_channel_id`.
pub(crate) struct Opening {
    reply: Reply<ChannelOpened>,
    peer: PublicKey,
    /// The channel until the peer has answered, and when it was asked.
    unanswered: Option<(ChannelId, Instant)>,
}

impl Opening {
    /// The channel that the peer has not answered in time.
    fn overdue(&self, now: Instant) -> Option<ChannelId> {
        let overdue = |asked: Instant| now.saturating_duration_since(asked) >= ANSWER_WITHIN;
        self.unanswered.filter(|(_, asked)| overdue(*asked)).map(|(channel, _)| channel)
    }
}

impl Ldk {
    /// Opens a channel with a connected peer, or connects first.
    pub(crate) fn open_channel(&mut self, request: OpenChannel, reply: Reply<ChannelOpened>) {
        let refuse = |kind, message: &str| Err(Refusal::new(kind, message));
        let Some(peer) = public_key(&request.peer) else {
            return reply(refuse(RefusalKind::Invalid, "the node id is not a point on the curve: check it"));
        };
        if peer == self.node.id {
            return reply(refuse(
                RefusalKind::Invalid,
                "a channel with oneself is no channel: name another node",
            ));
        }
        if self.node.peers.peer_by_node_id(&peer).is_some() {
            return self.open_with_connected(peer, request, reply);
        }
        let address = request.address.clone().or_else(|| self.peers.address(&peer));
        let Some(address) = address else {
            let message = "not connected, and no address of it is known: give node_id@host:port";
            return reply(refuse(RefusalKind::Conflict, message));
        };
        let later = Arc::clone(&self.later);
        let id = request.peer;
        self.connect(
            &id,
            address,
            Box::new(move |connected| match connected {
                Ok(()) => {
                    let open = Box::new(move |ldk: &mut Ldk| ldk.open_with_connected(peer, request, reply));
                    later.lock().expect("no panic while it is held").push(open);
                }
                Err(refusal) => reply(Err(refusal)),
            }),
        );
    }

    fn open_with_connected(&mut self, peer: PublicKey, request: OpenChannel, reply: Reply<ChannelOpened>) {
        if let Err(refusal) = self.affordable(&request) {
            return reply(Err(refusal));
        }
        if request.push > request.value.to_msat() {
            let message =
                format!("a channel of {} cannot give {} away: push less", request.value, request.push);
            return reply(Err(Refusal::new(RefusalKind::Invalid, message)));
        }
        let mut config: UserConfig = self.config.user_config();
        config.channel_handshake_config.announce_for_forwarding = request.announce;
        let user_channel_id = self.random_user_channel_id();
        let (value, push) = (request.value.to_sat(), request.push.to_msat());
        match self.node.manager.create_channel(peer, value, push, user_channel_id, None, Some(config)) {
            Ok(channel) => {
                let unanswered = Some((channel, Instant::now()));
                self.opens.insert(user_channel_id, Opening { reply, peer, unanswered });
            }
            Err(APIError::APIMisuseError { err }) => {
                let err = err.trim_end_matches('.');
                let message =
                    format!("there cannot be such a channel ({err}): ask for a larger one, or push less");
                reply(Err(Refusal::new(RefusalKind::Invalid, message)));
            }
            Err(error) => reply(Err(api_refusal(error))),
        }
    }

    /// Keeps the reserve of all anchor channels, the new one too.
    fn affordable(&self, request: &OpenChannel) -> Result<(), Refusal> {
        let reserve = self.reserve(1);
        let balance = self.node.wallet.balance(reserve);
        if request.value <= balance.spendable {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalKind::Conflict,
            format!(
                "the wallet can spend {} ({} are kept for the fees of anchor channels), the channel needs \
                 {} and a miner's fee: send coins to `sponte wallet address`",
                balance.spendable, reserve, request.value
            ),
        ))
    }

    /// What the wallet keeps back for our anchor channels, closing ones too, and so many more. A
    /// channel of a peer counts once its funding is in the chain: the word of a peer costs nothing.
    pub(crate) fn reserve(&self, more: usize) -> Sat {
        let channels = self.node.manager.list_channels();
        let counts = |channel: &&ChannelDetails| {
            channel.is_outbound || channel.confirmations.is_some_and(|confirmations| confirmations > 0)
        };
        reserve_for(channels.iter().filter(counts).count() + self.funded_closings() + more)
    }

    fn random_user_channel_id(&self) -> u128 {
        use lightning::sign::EntropySource;
        let bytes = self.node.keys.get_secure_random_bytes();
        u128::from_be_bytes(bytes[..16].try_into().expect("16 of 32 bytes"))
    }

    /// Takes an event about an opening; gives back any other.
    pub(crate) fn handle_opening_event(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::OpenChannelRequest {
                temporary_channel_id,
                counterparty_node_id,
                funding_satoshis,
                channel_negotiation_type,
                ..
            } => {
                let value = sat(funding_satoshis);
                let refusal = self.refuse_inbound(&counterparty_node_id, value, &channel_negotiation_type);
                self.answer_inbound(temporary_channel_id, counterparty_node_id, refusal);
            }
            Event::FundingGenerationReady {
                temporary_channel_id,
                counterparty_node_id,
                channel_value_satoshis,
                output_script,
                user_channel_id,
            } => {
                if let Some(opening) = self.opens.get_mut(&user_channel_id) {
                    opening.unanswered = None;
                }
                let value = sat(channel_value_satoshis);
                self.fund(temporary_channel_id, counterparty_node_id, value, output_script);
            }
            Event::ChannelPending {
                channel_id: id,
                user_channel_id,
                counterparty_node_id,
                funding_txo,
                ..
            } => {
                self.channel_pending(id, user_channel_id, counterparty_node_id, funding_txo);
            }
            Event::ChannelReady { channel_id: id, counterparty_node_id, .. } => {
                let (channel, peer) = (channel_id(id), node_id(&counterparty_node_id));
                self.events.push(BackendEvent::ChannelReady { channel, peer });
                self.announce_due = true;
            }
            other => return Some(other),
        }
        None
    }

    /// The policy for channels that peers open to us: if any are wanted, anybody's, of at least
    /// `min_channel`, funded by the peer alone, at most `max_channels_per_peer` of one peer.
    fn refuse_inbound(&self, peer: &PublicKey, value: Sat, funds: &InboundChannelFunds) -> Option<String> {
        if !self.config.accept_channels {
            return Some("this node does not accept channels".into());
        }
        if matches!(funds, InboundChannelFunds::DualFunded) {
            return Some("this node does not fund channels that others open".into());
        }
        if value < self.config.min_channel {
            return Some(format!("channels to this node start at {}", self.config.min_channel));
        }
        // LDK does not list the one that asks.
        let channels = self.node.manager.list_channels_with_counterparty(peer);
        let theirs = channels.iter().filter(|channel| !channel.is_outbound).count();
        (theirs >= self.config.max_channels_per_peer)
            .then(|| format!("this node accepts {} channels of a peer", self.config.max_channels_per_peer))
    }

    fn answer_inbound(&self, id: ChannelId, peer: PublicKey, refusal: Option<String>) {
        let answered = match refusal {
            None => self.node.manager.accept_inbound_channel(&id, &peer, self.random_user_channel_id(), None),
            Some(reason) => {
                tracing::info!(%peer, reason, "refused a channel");
                self.node.manager.force_close_broadcasting_latest_txn(&id, &peer, reason)
            }
        };
        if let Err(error) = answered {
            tracing::warn!(%peer, ?error, "a channel request could not be answered");
        }
    }

    fn fund(&mut self, id: ChannelId, peer: PublicKey, value: Sat, script: bitcoin::ScriptBuf) {
        let fee_rate = self.node.fees.for_blocks(FUNDING_BLOCKS);
        // The channel that is being opened is listed, so it counts.
        let funding = self.node.wallet.fund_channel(script, value, fee_rate, self.reserve(0));
        let tx = match funding {
            Ok(tx) => tx,
            Err(refusal) => {
                let message = refusal.message.clone();
                self.refuse_opening_of(id, refusal);
                let _ = self.node.manager.force_close_broadcasting_latest_txn(&id, &peer, message);
                return;
            }
        };
        let funding = tx.compute_txid();
        self.our_fundings.insert(funding);
        if let Err(error) = self.node.manager.funding_transaction_generated(id, peer, tx) {
            self.node.wallet.cancel(funding);
            self.refuse_opening_of(id, api_refusal(error));
        }
    }

    fn channel_pending(
        &mut self,
        id: ChannelId,
        user_channel_id: u128,
        peer: PublicKey,
        funding: bitcoin::OutPoint,
    ) {
        let channels = self.node.manager.list_channels_with_counterparty(&peer);
        self.fundings.insert(funding, channel_id(id));
        match channels.iter().find(|channel| channel.channel_id == id) {
            Some(channel) => {
                self.our_fundings.remove(&funding.txid);
                let value = sat(channel.channel_value_satoshis);
                let ours = balance(channel).unwrap_or(Msat::ZERO);
                if channel.is_outbound {
                    self.node.handler.funded_by_us(id);
                }
                self.book_pending(id, peer, value, ours, channel.is_outbound);
            }
            // Closed before its event was handled; the closing's event tells its money.
            None => {
                self.pending_unbooked.insert(id, peer);
            }
        }
        self.node.wallet.mark_broadcast(funding.txid);
        if let Some(Opening { reply, .. }) = self.opens.remove(&user_channel_id) {
            reply(Ok(ChannelOpened { channel: channel_id(id), funding: txid(funding.txid) }));
        }
    }

    pub(crate) fn book_pending(
        &mut self,
        id: ChannelId,
        peer: PublicKey,
        value: Sat,
        ours: Msat,
        funded_by_us: bool,
    ) {
        let (channel, peer) = (channel_id(id), node_id(&peer));
        let pending = ChannelPending { channel, peer, value, ours, funded_by_us };
        self.events.push(BackendEvent::ChannelPending(pending));
    }

    /// A channel that closed while its money was not booked: books it first.
    pub(crate) fn book_late(
        &mut self,
        id: ChannelId,
        value_sat: Option<u64>,
        ours_msat: Option<u64>,
        ours: bool,
    ) {
        if let Some(peer) = self.pending_unbooked.remove(&id) {
            self.book_pending(id, peer, sat(value_sat.unwrap_or(0)), msat(ours_msat.unwrap_or(0)), ours);
        }
    }

    fn refuse_opening_of(&mut self, id: ChannelId, refusal: Refusal) {
        let channels = self.node.manager.list_channels();
        let user = channels.iter().find(|c| c.channel_id == id).map(|c| c.user_channel_id);
        if let Some(user) = user {
            self.refuse_opening(user, refusal);
        }
    }

    /// Answers the caller who waits for this opening, if one does.
    pub(crate) fn refuse_opening(&mut self, user_channel_id: u128, refusal: Refusal) {
        if let Some(Opening { reply, .. }) = self.opens.remove(&user_channel_id) {
            reply(Err(refusal));
        }
    }

    /// Ends the openings that their peers do not answer.
    pub(crate) fn refuse_overdue_openings(&mut self) {
        let now = Instant::now();
        let overdue = |(user, opening): (&u128, &Opening)| Some((*user, opening.peer, opening.overdue(now)?));
        for (user, peer, channel) in self.opens.iter().filter_map(overdue).collect::<Vec<_>>() {
            let message = "the peer does not answer: try again later, or open a channel with another";
            self.refuse_opening(user, Refusal::new(RefusalKind::Unavailable, message));
            let closed =
                self.node.manager.force_close_broadcasting_latest_txn(&channel, &peer, "no answer".into());
            if let Err(error) = closed {
                tracing::warn!(%peer, ?error, "an opening without an answer could not be ended");
            }
        }
    }
}

/// What LDK refuses, in the words of the door.
pub(crate) fn api_refusal(error: APIError) -> Refusal {
    match error {
        APIError::APIMisuseError { err } => Refusal::new(RefusalKind::Invalid, err),
        APIError::FeeRateTooHigh { err, feerate } => Refusal::new(
            RefusalKind::Conflict,
            format!("{err} ({feerate} sat/kw): try again when fees are lower"),
        ),
        APIError::InvalidRoute { err } => Refusal::new(RefusalKind::Invalid, err),
        APIError::ChannelUnavailable { err } => Refusal::new(RefusalKind::Conflict, err),
        APIError::MonitorUpdateInProgress => {
            Refusal::new(RefusalKind::Conflict, "the channel is being written: try again")
        }
        APIError::IncompatibleShutdownScript { .. } => {
            Refusal::new(RefusalKind::Invalid, "the peer does not accept the closing script")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::{Secp256k1, SecretKey};

    #[test]
    fn a_peer_has_a_minute_to_answer() {
        let peer = SecretKey::from_slice(&[1; 32]).expect("a valid scalar").public_key(&Secp256k1::new());
        let (channel, asked) = (ChannelId([2; 32]), Instant::now());
        let mut opening = Opening { reply: Box::new(|_| {}), peer, unanswered: Some((channel, asked)) };
        assert_eq!(opening.overdue(asked + Duration::from_secs(59)), None);
        assert_eq!(opening.overdue(asked + Duration::from_secs(60)), Some(channel));
        opening.unanswered = None;
        assert_eq!(opening.overdue(asked + Duration::from_secs(60)), None, "it has answered");
    }
}
