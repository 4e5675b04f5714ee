//! One HTLC along one way, as the engine wants it. What becomes of it, LDK's events tell.

use crate::Ldk;
use crate::convert::public_key;
use crate::onion_fields::onion_fields;
use crate::sent::SentHtlc;
use lightning::ln::channelmanager::{PaymentId, RecentPaymentDetails};
use lightning::ln::outbound_payment::{RecipientOnionFields, RetryableSendFailure};
use lightning::routing::router::{self, BlindedTail, Path, PaymentParameters, RouteParameters};
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::PaymentHash;
use lightning::util::ser::Readable as _;
use sponte_engine::backend::{BackendEvent, Route, RouteHop, Send, SendFailed};
use sponte_engine::commit::PartFailure;
use std::collections::HashSet;

impl Ldk {
    /// Gives an HTLC to LDK, a payment of its own.
    pub(crate) fn send(&mut self, send: &Send) {
        if self.try_send(send).is_none() {
            let failed = SendFailed { part: send.part, why: PartFailure::NEVER_LEFT };
            self.events.push(BackendEvent::PartFailed(failed));
        }
    }

    /// At start: the HTLCs whose end is still to be told; it may be among what is told next.
    pub(crate) fn recover_parts(&self) -> Vec<sponte_proto::PaymentId> {
        let known = self.node.manager.list_recent_payments().into_iter().map(|payment| match payment {
            RecentPaymentDetails::AwaitingInvoice { payment_id }
            | RecentPaymentDetails::Pending { payment_id, .. }
            | RecentPaymentDetails::Fulfilled { payment_id, .. }
            | RecentPaymentDetails::Abandoned { payment_id, .. } => {
                sponte_proto::PaymentId::from_bytes(payment_id.0)
            }
        });
        let mut parts: HashSet<_> = known.collect();
        self.interpreter().sent.retain(&parts);
        parts.extend(self.events.iter().filter_map(|event| match event {
            BackendEvent::PartSent { part, .. } => Some(*part),
            BackendEvent::PartFailed(failed) => Some(failed.part),
            _ => None,
        }));
        parts.into_iter().collect()
    }

    /// `None` if LDK refuses it.
    fn try_send(&self, send: &Send) -> Option<()> {
        let sent = &self.interpreter().sent;
        if sent.is_known(&send.part) {
            // A repeated command: its end is still to come.
            return Some(());
        }
        let path = path_of(&send.route)?;
        let fields = onion_fields(&send.payload, send.route.amount())?;
        let height = self.node.manager.current_best_block().height;
        let params = route_parameters(&path, &fields, height)?;
        let route = router::Route { paths: vec![path], route_params: Some(params) };
        if !sent.insert(send.part, SentHtlc::new(send)) {
            return None;
        }
        let (hash, id) = (PaymentHash(send.hash.to_bytes()), PaymentId(send.part.to_bytes()));
        let (result, drawn) = self.node.entropy.with_session_key(send.session_key.clone(), || {
            self.node.manager.send_payment_with_route(route, hash, fields, id)
        });
        match result {
            Ok(()) if drawn.is_one_onion() => Some(()),
            Ok(()) => {
                let part = send.part;
                tracing::error!(%part, ?drawn, "LDK made the onion with another key: what comes back cannot be read");
                Some(())
            }
            Err(why) => {
                sent.forget(&send.part);
                // It was sent before, and its end was told, or is going to be.
                let repeated = matches!(why, RetryableSendFailure::DuplicatePayment);
                tracing::warn!(part = %send.part, ?why, "LDK does not take an HTLC");
                repeated.then_some(())
            }
        }
    }
}

/// `None` if it goes nowhere, or through something that is no point of the curve.
fn path_of(route: &Route) -> Option<Path> {
    let hop = |hop: &RouteHop| {
        Some(router::RouteHop {
            pubkey: public_key(&hop.node)?,
            node_features: NodeFeatures::empty(),
            short_channel_id: hop.channel.to_u64(),
            channel_features: ChannelFeatures::empty(),
            fee_msat: hop.keeps.to_msat(),
            cltv_expiry_delta: hop.cltv_delta,
            maybe_announced_channel: hop.announced,
        })
    };
    let hops: Vec<_> = route.hops.iter().map(hop).collect::<Option<_>>()?;
    let tail = route.tail.as_ref().map(|tail| BlindedTail::read(&mut &tail.path[..]));
    (!hops.is_empty()).then_some(Path { hops, blinded_tail: tail.transpose().ok()? })
}

/// Parameters that refuse nothing: without any LDK has a fee limit of its own. `None` if the payload
/// has no room in an onion.
fn route_parameters(path: &Path, fields: &RecipientOnionFields, height: u32) -> Option<RouteParameters> {
    let last = path.hops.last()?;
    let mut payee = PaymentParameters::from_node_id(last.pubkey, last.cltv_expiry_delta);
    payee.max_total_cltv_expiry_delta = path.total_cltv_expiry_delta();
    let mut params = RouteParameters::from_payment_params_and_value(payee, path.final_value_msat());
    params.max_total_routing_fee_msat = None;
    // LDK does the same, and then wants the parameters that the route has.
    params.set_max_path_length(fields, false, height).ok()?;
    Some(params)
}
