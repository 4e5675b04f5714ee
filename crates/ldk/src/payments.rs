//! LDK's events of payments, as the engine's.

use crate::Ldk;
use crate::convert::{channel_id, msat};
use lightning::events::{
    Event, HTLCHandlingFailureType, InboundHTLCLocator, OutboundHTLCLocator, PathFailure,
};
use lightning::routing::router::Path;
use lightning::routing::scoring::ScoreUpdate;
use lightning::types::payment::PaymentPreimage;
use sponte_engine::backend::{BackendEvent, Forward, SendFailed};
use sponte_engine::commit::PartFailure;
use sponte_proto::failure::FailureCode;
use sponte_proto::{ChannelId, Msat, PaymentId, Preimage, ShortChannelId};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Ldk {
    /// Takes an event about a payment; gives back any other.
    pub(crate) fn handle_payment_event(&mut self, event: Event) -> Option<Event> {
        let event = match event {
            Event::PaymentClaimable { .. } | Event::PaymentClaimed { .. } => self.received(event),
            Event::HTLCHandlingFailed {
                failure_type: HTLCHandlingFailureType::Receive { payment_hash },
                prev_channel_ids,
                ..
            } => Some(BackendEvent::ReceiveFailed(self.receive_failed(payment_hash, &prev_channel_ids))),
            Event::PaymentSent { payment_id: Some(id), payment_preimage, .. } => {
                let part = PaymentId::from_bytes(id.0);
                self.interpreter().sent.forget(&part);
                Some(BackendEvent::PartSent { part, preimage: preimage(payment_preimage) })
            }
            Event::PaymentFailed { payment_id, .. } => {
                let part = PaymentId::from_bytes(payment_id.0);
                let why = self.interpreter().sent.end(&part, None);
                self.interpreter().sent.forget(&part);
                Some(BackendEvent::PartFailed(SendFailed { part, why }))
            }
            Event::PaymentPathSuccessful { path, .. } => {
                self.score(|scorer, now| scorer.payment_path_successful(&path, now));
                None
            }
            Event::PaymentPathFailed { payment_id: Some(id), failure, path, short_channel_id, .. } => {
                // `PaymentFailed` follows.
                let guess = short_channel_id.map(ShortChannelId::new);
                let why = self.interpreter().sent.end(&PaymentId::from_bytes(id.0), guess);
                self.learn(&path, &why, &failure);
                None
            }
            Event::PaymentForwarded { prev_htlcs, next_htlcs, outbound_amount_forwarded_msat, .. } => {
                forward(&prev_htlcs, &next_htlcs, outbound_amount_forwarded_msat)
            }
            other => return Some(other),
        };
        self.events.extend(event);
        None
    }

    /// A failed path teaches the graph and the scorer. Whatever the destination says, every channel
    /// on the way has carried it, and a node that does not speak a kind is no worse a node.
    fn learn(&self, path: &Path, why: &PartFailure, failure: &PathFailure) {
        if why.hop.is_some_and(|hop| hop as usize == path.hops.len()) {
            return self.score(|scorer, now| scorer.probe_successful(path, now));
        }
        // A node that knows no next peer may only have lost its connection: LDK would take their channel
        // out of the graph, and the next payment would not find whoever is back.
        if let PathFailure::OnPath { network_update: Some(update) } = failure
            && why.code != Some(FailureCode::UNKNOWN_NEXT_PEER)
        {
            self.node.graph.handle_network_update(update);
        }
        // Of our own channels the balance is known; what nobody can read teaches nothing.
        let failed = why.channel.filter(|_| why.hop.is_some()).map(ShortChannelId::to_u64);
        let mut on_the_way = path.hops.iter().skip(1).map(|hop| hop.short_channel_id);
        if let Some(channel) = on_the_way.find(|channel| failed == Some(*channel)) {
            self.score(|scorer, now| scorer.payment_path_failed(path, channel, now));
        }
    }

    fn score(&self, teach: impl FnOnce(&mut crate::types::Scorer, Duration)) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        teach(&mut self.node.scorer.write().expect("no panic while it is held"), now);
    }
}

pub(crate) fn preimage(preimage: PaymentPreimage) -> Preimage {
    Preimage::from_bytes(preimage.0)
}

/// LDK names the amounts of both sides; of an outgoing side that it does not name, the event's
/// own sum is the one HTLC's.
fn forward(
    prev: &[InboundHTLCLocator],
    next: &[OutboundHTLCLocator],
    outbound_msat: u64,
) -> Option<BackendEvent> {
    let first = prev.first()?;
    let key = match first.htlc_id {
        Some(id) => format!("{}/{id}", channel_id(first.channel_id)),
        None => format!("{}/{outbound_msat}", channel_id(first.channel_id)),
    };
    let incoming: Vec<(ChannelId, Msat)> =
        prev.iter().filter_map(|htlc| Some((channel_id(htlc.channel_id), msat(htlc.amount_msat?)))).collect();
    let outgoing: Vec<(ChannelId, Msat)> = next
        .iter()
        .map(|htlc| {
            let single = (next.len() == 1).then_some(outbound_msat);
            (channel_id(htlc.channel_id), msat(htlc.amount_msat.or(single).unwrap_or(0)))
        })
        .collect();
    Some(BackendEvent::Forwarded(Forward { key, incoming, outgoing }))
}
