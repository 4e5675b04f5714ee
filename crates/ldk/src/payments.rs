//! LDK's events of payments, as the engine's.

use crate::Ldk;
use crate::convert::{channel_id, msat};
use lightning::events::{
    Event, HTLCHandlingFailureType, InboundHTLCLocator, OutboundHTLCLocator, PathFailure,
    PaymentFailureReason,
};
use lightning::routing::router::Path;
use lightning::routing::scoring::ScoreUpdate;
use lightning::types::payment::PaymentPreimage;
use sponte_engine::backend::{BackendEvent, Forward, SendFailure};
use sponte_proto::{ChannelId, Msat, PaymentId, Preimage};
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
            Event::PaymentSent { payment_id: Some(id), payment_preimage, fee_paid_msat, .. } => {
                Some(BackendEvent::Sent {
                    attempt: PaymentId::from_bytes(id.0),
                    preimage: preimage(payment_preimage),
                    fee: msat(fee_paid_msat.unwrap_or(0)),
                })
            }
            Event::PaymentFailed { payment_id, reason, .. } => Some(BackendEvent::AttemptFailed {
                attempt: PaymentId::from_bytes(payment_id.0),
                why: why(reason),
            }),
            Event::PaymentPathSuccessful { path, .. } => {
                self.score(|scorer, now| scorer.payment_path_successful(&path, now));
                None
            }
            Event::PaymentPathFailed {
                payment_id: Some(id),
                payment_failed_permanently,
                failure,
                path,
                short_channel_id,
                ..
            } => {
                self.learn(&path, short_channel_id, payment_failed_permanently, &failure);
                Some(BackendEvent::PartFailed {
                    attempt: PaymentId::from_bytes(id.0),
                    channel: short_channel_id,
                    by_recipient: payment_failed_permanently,
                })
            }
            Event::PaymentForwarded { prev_htlcs, next_htlcs, outbound_amount_forwarded_msat, .. } => {
                forward(&prev_htlcs, &next_htlcs, outbound_amount_forwarded_msat)
            }
            other => return Some(other),
        };
        self.events.extend(event);
        None
    }

    /// A failed path teaches the graph and the scorer.
    fn learn(&self, path: &Path, at: Option<u64>, by_recipient: bool, failure: &PathFailure) {
        if let PathFailure::OnPath { network_update: Some(update) } = failure {
            self.node.graph.handle_network_update(update);
        }
        match at {
            Some(scid) => self.score(|scorer, now| scorer.payment_path_failed(path, scid, now)),
            // The destination refused it: every channel on the way has carried it.
            None if by_recipient => self.score(|scorer, now| scorer.probe_successful(path, now)),
            None => {}
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

fn why(reason: Option<PaymentFailureReason>) -> SendFailure {
    match reason {
        Some(PaymentFailureReason::RecipientRejected) => SendFailure::RecipientRefused,
        _ => SendFailure::OnTheWay,
    }
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
