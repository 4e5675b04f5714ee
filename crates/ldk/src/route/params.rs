//! What LDK's router is asked.

use super::path_length::max_path_length;
use crate::convert::public_key;
use bitcoin::secp256k1::PublicKey;
use lightning::routing::router::{
    DEFAULT_MAX_TOTAL_CLTV_EXPIRY_DELTA, PaymentParameters, RouteHint, RouteHintHop, RouteParameters,
};
use lightning::types::routing::RoutingFees;
use sponte_engine::backend::{self, RouteRequest};

/// `None` if no onion has room for the payload.
///
/// LDK splits only for a payee whose features say that it takes parts. Whether they go out in parts
/// is the engine's choice, so they always do.
pub(super) fn route_parameters(request: &RouteRequest, destination: PublicKey) -> Option<RouteParameters> {
    let final_cltv = u32::from(request.final_cltv.to_u16());
    let max_parts = u8::try_from(request.max_parts).unwrap_or(u8::MAX).max(1);
    let mut payee = PaymentParameters::for_keysend(destination, final_cltv, max_parts > 1)
        .with_route_hints(request.hints.iter().filter_map(|way| route_hint(way)).collect())
        .expect("the payee is not blinded");
    payee.max_path_count = max_parts;
    payee.max_path_length = max_path_length(request.payload_bytes)?;
    payee.previously_failed_channels = request.avoid.iter().map(|channel| channel.to_u64()).collect();
    // Whoever wants a far expiry leaves the hops before no less than half of what they usually have.
    payee.max_total_cltv_expiry_delta =
        DEFAULT_MAX_TOTAL_CLTV_EXPIRY_DELTA.max(final_cltv + DEFAULT_MAX_TOTAL_CLTV_EXPIRY_DELTA / 2);
    let mut params = RouteParameters::from_payment_params_and_value(payee, request.amount.to_msat());
    params.max_total_routing_fee_msat = Some(request.max_fee.to_msat());
    Some(params)
}

/// `None` if one of its nodes is none.
fn route_hint(way: &[backend::RouteHint]) -> Option<RouteHint> {
    let hop = |hint: &backend::RouteHint| {
        let fees = RoutingFees {
            base_msat: u32::try_from(hint.fee_base.to_msat()).unwrap_or(u32::MAX),
            proportional_millionths: hint.fee_ppm,
        };
        Some(RouteHintHop {
            src_node_id: public_key(&hint.node)?,
            short_channel_id: hint.channel.to_u64(),
            fees,
            cltv_expiry_delta: hint.cltv_delta.to_u16(),
            htlc_minimum_msat: None,
            htlc_maximum_msat: None,
        })
    };
    way.iter().map(hop).collect::<Option<Vec<_>>>().map(RouteHint)
}
