//! One attempt of an outgoing keysend, and why it could not leave.

use crate::Ldk;
use crate::convert::{channel_id, ldk_preimage, msat, node_id, public_key};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::PaymentId;
use lightning::ln::outbound_payment::{
    RecipientCustomTlvs, RecipientOnionFields, Retry, RetryableSendFailure,
};
use lightning::routing::gossip;
use lightning::routing::router::{InFlightHtlcs, Path, PaymentParameters, RouteParameters, Router as _};
use sponte_engine::backend::{BackendEvent, Send, SendFailure, SentPart};
use sponte_proto::Msat;

impl Ldk {
    /// Gives one attempt to LDK. What comes of it follows in the same step.
    pub(crate) fn send(&mut self, send: &Send) {
        let attempt = send.attempt;
        let event = match self.try_send(send) {
            Ok(parts) => BackendEvent::Dispatched { attempt, parts },
            Err(why) => BackendEvent::AttemptFailed { attempt, why },
        };
        self.events.push(event);
    }

    fn try_send(&self, send: &Send) -> Result<Vec<SentPart>, SendFailure> {
        let destination = public_key(&send.destination).ok_or(SendFailure::BadDestination)?;
        if destination == self.node.id {
            return Err(SendFailure::SelfPayment);
        }
        self.spendable(send)?;
        let params = route_parameters(send, destination);
        let records = send.records.iter().map(|(kind, value)| (kind, value.to_vec())).collect();
        let records = RecipientCustomTlvs::new(records).map_err(|()| SendFailure::RecordsTooLarge)?;
        let onion = RecipientOnionFields::spontaneous_empty(send.amount.to_msat()).with_custom_tlvs(records);
        let id = PaymentId(send.attempt.to_bytes());
        let preimage = ldk_preimage(&send.preimage);
        let sent = self.node.manager.send_spontaneous_payment(
            Some(preimage),
            onion,
            id,
            params.clone(),
            Retry::Attempts(0),
        );
        let given = self.node.router.take_route(id);
        match (sent, given) {
            (Ok(_), Some(given)) => {
                let parts = given.route.paths.iter().zip(given.channels);
                Ok(parts.map(|(path, channel)| sent_part(path, channel)).collect())
            }
            // LDK accepts a payment only with a route that it asked the router for.
            (Ok(_), None) => Ok(vec![]),
            (Err(RetryableSendFailure::OnionPacketSizeExceeded), _) => Err(SendFailure::RecordsTooLarge),
            (Err(RetryableSendFailure::RouteNotFound), _) => Err(self.why_no_route(destination, params)),
            // An attempt has an id of its own; a second send of it is a repeated command, and
            // the first one's end is still to come.
            (Err(RetryableSendFailure::DuplicatePayment), _) => Ok(vec![]),
            (Err(RetryableSendFailure::PaymentExpired), _) => {
                Err(SendFailure::NoRoute { destination_known: true })
            }
        }
    }

    /// A keysend is one HTLC on one of our channels: refuses what no channel can carry.
    fn spendable(&self, send: &Send) -> Result<(), SendFailure> {
        let channels = self.node.manager.list_channels();
        let largest = |usable: bool| {
            let limits = channels.iter().filter(|c| c.is_channel_ready && c.is_usable == usable);
            limits.map(|c| c.next_outbound_htlc_limit_msat.max(offline_limit(c))).max().unwrap_or(0)
        };
        let (online, offline) = (largest(true), largest(false));
        let amount = send.amount.to_msat();
        if amount <= online {
            return Ok(());
        }
        if amount <= offline {
            return Err(SendFailure::PeersOffline);
        }
        Err(SendFailure::InsufficientBalance { spendable: msat(online.max(offline)) })
    }

    /// Asks once more without a fee limit, then as if our channels held enough: tells a dear route,
    /// one too long for the records, and a balance without the fee from no route.
    fn why_no_route(&self, destination: PublicKey, mut params: RouteParameters) -> SendFailure {
        let mut channels = self.node.manager.list_usable_channels();
        let limit = params.max_total_routing_fee_msat.take().unwrap_or(u64::MAX);
        if let Some(cheapest) = self.cheapest(&params, &channels) {
            return match cheapest > limit {
                true => SendFailure::FeeLimitTooLow { cheapest: msat(cheapest) },
                // Not the fee: LDK looks only for routes that leave the records room.
                false => SendFailure::RecordsTooLarge,
            };
        }
        if self.away(&destination, params.final_value_msat) {
            return SendFailure::PeersOffline;
        }
        let spendable = channels.iter().map(|c| c.next_outbound_htlc_limit_msat).max().unwrap_or(0);
        for channel in &mut channels {
            channel.next_outbound_htlc_limit_msat = Msat::MAX.to_msat();
        }
        match self.cheapest(&params, &channels) {
            Some(_) => SendFailure::InsufficientBalance { spendable: msat(spendable) },
            None => SendFailure::NoRoute { destination_known: self.knows(&destination) },
        }
    }

    /// The fee of the route that the router prefers.
    fn cheapest(&self, params: &RouteParameters, channels: &[ChannelDetails]) -> Option<u64> {
        let first_hops: Vec<&ChannelDetails> = channels.iter().collect();
        let (payer, inflight) = (&self.node.id, InFlightHtlcs::new());
        let route = self.node.router.find_route(payer, params, Some(&first_hops), inflight);
        route.ok().map(|route| route.get_total_fees())
    }

    /// A peer of ours that could be paid directly if it were connected.
    fn away(&self, peer: &PublicKey, amount_msat: u64) -> bool {
        let channels = self.node.manager.list_channels_with_counterparty(peer);
        channels.iter().any(|c| c.is_channel_ready && offline_limit(c) >= amount_msat)
    }

    fn in_graph(&self, node: &PublicKey) -> bool {
        self.node.graph.read_only().node(&gossip::NodeId::from_pubkey(node)).is_some()
    }

    fn knows(&self, node: &PublicKey) -> bool {
        self.in_graph(node)
            || self.node.manager.list_channels().iter().any(|c| c.counterparty.node_id == *node)
    }
}

fn sent_part(path: &Path, channel: lightning::ln::types::ChannelId) -> SentPart {
    SentPart {
        channel: channel_id(channel),
        amount: msat(path.final_value_msat()),
        fee: msat(path.fee_msat()),
        route: path.hops.iter().map(|hop| node_id(&hop.pubkey)).collect(),
    }
}

/// What an unconnected channel could send: LDK says nothing while it is not usable.
fn offline_limit(channel: &ChannelDetails) -> u64 {
    if channel.is_usable { 0 } else { channel.outbound_capacity_msat }
}

fn route_parameters(send: &Send, destination: PublicKey) -> RouteParameters {
    let final_cltv = u32::from(send.final_cltv.to_u16());
    let mut payee = PaymentParameters::for_keysend(destination, final_cltv, false);
    payee.max_path_count = 1;
    payee.previously_failed_channels.clone_from(&send.avoid);
    let mut params = RouteParameters::from_payment_params_and_value(payee, send.amount.to_msat());
    params.max_total_routing_fee_msat = Some(send.max_fee.min(Msat::MAX).to_msat());
    params
}
