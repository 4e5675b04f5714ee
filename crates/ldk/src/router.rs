//! LDK's path finding, which remembers the route that it gave for a payment.
//!
//! `send_spontaneous_payment` finds its route itself, on the caller's thread, and tells it
//! nobody; the ledger wants to know it in the commit that sends it.

use crate::types::PathFinder;
use bitcoin::secp256k1::{PublicKey, Secp256k1, Signing, Verification};
use lightning::blinded_path::payment::{BlindedPaymentPath, ReceiveTlvs};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::PaymentId;
use lightning::ln::types::ChannelId;
use lightning::routing::router::{self, InFlightHtlcs, Path, Route, RouteParameters};
use lightning::sign::ReceiveAuthKey;
use lightning::types::payment::PaymentHash;
use std::sync::Mutex;

/// The router that `ChannelManager` has.
pub struct Router {
    finder: PathFinder,
    last: Mutex<Option<(PaymentId, Given)>>,
}

/// A route, and the channels of ours with which its paths begin. A channel may be closed as soon as
/// the route is given, and then be listed no more.
pub(crate) struct Given {
    pub route: Route,
    pub channels: Vec<ChannelId>,
}

impl Router {
    pub(crate) fn new(finder: PathFinder) -> Router {
        Router { finder, last: Mutex::new(None) }
    }

    /// The route last given to this payment. Empties the memory.
    pub(crate) fn take_route(&self, payment: PaymentId) -> Option<Given> {
        let last = self.last.lock().expect("no panic while it is held").take();
        last.filter(|(id, _)| *id == payment).map(|(_, given)| given)
    }
}

impl router::Router for Router {
    fn find_route(
        &self,
        payer: &PublicKey,
        params: &RouteParameters,
        first_hops: Option<&[&ChannelDetails]>,
        inflight: InFlightHtlcs,
    ) -> Result<Route, &'static str> {
        self.finder.find_route(payer, params, first_hops, inflight)
    }

    fn find_route_with_id(
        &self,
        payer: &PublicKey,
        params: &RouteParameters,
        first_hops: Option<&[&ChannelDetails]>,
        inflight: InFlightHtlcs,
        hash: PaymentHash,
        id: PaymentId,
    ) -> Result<Route, &'static str> {
        let route = self.finder.find_route_with_id(payer, params, first_hops, inflight, hash, id)?;
        let channels = first_channels(&route, first_hops.unwrap_or_default());
        let channels = channels.ok_or("the route does not begin with a channel of ours")?;
        let given = Given { route: route.clone(), channels };
        *self.last.lock().expect("no panic while it is held") = Some((id, given));
        Ok(route)
    }

    fn create_blinded_payment_paths<T: Signing + Verification>(
        &self,
        recipient: PublicKey,
        auth: ReceiveAuthKey,
        first_hops: Vec<ChannelDetails>,
        tlvs: ReceiveTlvs,
        amount_msat: Option<u64>,
        secp: &Secp256k1<T>,
    ) -> Result<Vec<BlindedPaymentPath>, ()> {
        self.finder.create_blinded_payment_paths(recipient, auth, first_hops, tlvs, amount_msat, secp)
    }
}

fn first_channels(route: &Route, first_hops: &[&ChannelDetails]) -> Option<Vec<ChannelId>> {
    let channel = |path: &Path| {
        let hop = path.hops.first()?;
        let mut channels = first_hops.iter().filter(|channel| channel.counterparty.node_id == hop.pubkey);
        let channel = channels.find(|c| c.get_outbound_payment_scid() == Some(hop.short_channel_id))?;
        Some(channel.channel_id)
    };
    route.paths.iter().map(channel).collect()
}
