//! Routes for the engine: LDK's path finding, and what it finds told in the engine's words.

mod blinded;
mod none;
mod params;
mod path_length;
mod queue;

use crate::convert::{channel_id, msat, node_id, public_key};
use crate::{Ldk, Parts};
use bitcoin::secp256k1::PublicKey;
use blinded::Tails;
use lightning::ln::channel_state::ChannelDetails;
use lightning::routing::gossip;
use lightning::routing::router::{self, Path, RouteParameters, Router as _};
use lightning::routing::scoring::FixedPenaltyScorer;
use lightning::sign::EntropySource as _;
use params::route_parameters;
pub(crate) use queue::RouteQueue;
use sponte_engine::backend::{BackendEvent, Destination, NoRoutes, Route, RouteHop, RouteRequest, Routes};
use sponte_proto::{Features, ShortChannelId, amp, keysend, mpp};
use std::time::Instant;

/// One way of looking.
type Finder = fn(&Ldk, &RouteParameters, &[ChannelDetails]) -> Option<router::Route>;

impl Ldk {
    /// Looks for routes, for as many questions as a step has time for.
    pub(crate) fn answer_routes(&mut self) {
        while let Some(request) = self.route_queue.next() {
            let begun = Instant::now();
            self.route(&request);
            self.route_queue.took(begun.elapsed());
        }
    }

    fn route(&mut self, request: &RouteRequest) {
        let routes = Routes {
            query: request.query,
            found: self.find_routes(request),
            destination: self.destination(request),
        };
        self.events.push(BackendEvent::Routes(Box::new(routes)));
    }

    fn find_routes(&self, request: &RouteRequest) -> Result<Vec<Route>, NoRoutes> {
        let (params, tails) = self.parameters(request)?;
        let mut channels = self.node.manager.list_usable_channels();
        channels.retain(|channel| !self.is_to_close(channel.channel_id));
        let route = self.find_parts(Ldk::find, &params, &channels);
        let route = match route {
            Some(route) => route,
            None => self.look_why(request, params, &channels)?,
        };
        let routes = route.paths.iter().map(|path| route_of(path, &channels, tails.as_ref()));
        // A route begins with a channel that was offered.
        routes.collect::<Option<_>>().ok_or(NoRoutes::NoRoute)
    }

    /// What LDK's router is asked, unless it need not be.
    fn parameters(&self, request: &RouteRequest) -> Result<(RouteParameters, Option<Tails>), NoRoutes> {
        let destination = public_key(&request.destination).ok_or(NoRoutes::BadDestination)?;
        if destination == self.node.id {
            return Err(NoRoutes::SelfPayment);
        }
        self.spendable(request)?;
        if let Some(ways) = &request.blinded {
            let (params, tails) = self.blinded_parameters(request, ways).ok_or(NoRoutes::NoRoute)?;
            return Ok((params, Some(tails)));
        }
        let params = route_parameters(request, destination).ok_or(NoRoutes::RecordsTooLarge)?;
        Ok((params, None))
    }

    /// What LDK's router prefers.
    fn find(&self, params: &RouteParameters, channels: &[ChannelDetails]) -> Option<router::Route> {
        let first_hops: Vec<&ChannelDetails> = channels.iter().collect();
        let inflight = self.node.manager.compute_inflight_htlcs();
        self.node.router.find_route(&self.node.id, params, Some(&first_hops), inflight).ok()
    }

    /// What costs least, whatever is known of its channels.
    fn find_cheapest(&self, params: &RouteParameters, channels: &[ChannelDetails]) -> Option<router::Route> {
        let first_hops: Vec<&ChannelDetails> = channels.iter().collect();
        let Parts { id, graph, log, entropy, .. } = &self.node;
        let fees_alone = FixedPenaltyScorer::with_penalty(0);
        let seed = entropy.get_secure_random_bytes();
        router::find_route(id, params, graph, Some(&first_hops), log.clone(), &fees_alone, &(), &seed).ok()
    }

    /// LDK wants of each of n paths at least an n-th of the amount: of two channels with 60 and 45
    /// that is too much for 100. If more paths are allowed it may find as few.
    fn find_parts(
        &self,
        find: Finder,
        params: &RouteParameters,
        channels: &[ChannelDetails],
    ) -> Option<router::Route> {
        let most = params.payment_params.max_path_count;
        let found = find(self, params, channels);
        if found.is_some() || most < 2 {
            return found;
        }
        let mut params = params.clone();
        params.payment_params.max_path_count = most.saturating_mul(8);
        find(self, &params, channels).filter(|route| route.paths.len() <= most.into())
    }

    /// What is known of who is paid: its announcement, else its greeting if it is connected.
    fn destination(&self, request: &RouteRequest) -> Destination {
        if request.blinded.is_some() {
            return Destination { known: true, mpp: true, ..Destination::default() };
        }
        let Some(key) = public_key(&request.destination) else { return Destination::default() };
        // Peers first: whoever reads a peer's messages holds the peers, and then wants the graph.
        let peer = self.node.peers.peer_by_node_id(&key);
        let has_channel = self.has_channel_with(&key);
        let graph = self.node.graph.read_only();
        let node = graph.node(&gossip::NodeId::from_pubkey(&key));
        let announced = node.and_then(|node| node.announcement_info.as_ref());
        let flags = match (announced, &peer) {
            (Some(info), _) => info.features().le_flags(),
            (None, Some(peer)) => peer.init_features.le_flags(),
            (None, None) => &[],
        };
        let bytes: Vec<u8> = flags.iter().rev().copied().collect();
        let features = Features::decode(&bytes).unwrap_or_default();
        Destination {
            known: node.is_some() || peer.is_some() || has_channel,
            keysend: features.supports(keysend::KEYSEND_REQUIRED),
            amp: features.supports(amp::AMP_REQUIRED),
            mpp: features.supports(mpp::BASIC_MPP_REQUIRED),
        }
    }

    fn has_channel_with(&self, peer: &PublicKey) -> bool {
        !self.node.manager.list_channels_with_counterparty(peer).is_empty()
    }
}

fn route_of(path: &Path, channels: &[ChannelDetails], tails: Option<&Tails>) -> Option<Route> {
    let channel = first_channel(path, channels)?;
    let hop = |hop: &router::RouteHop| RouteHop {
        node: node_id(&hop.pubkey),
        channel: ShortChannelId::new(hop.short_channel_id),
        keeps: msat(hop.fee_msat),
        cltv_delta: hop.cltv_expiry_delta,
        announced: hop.maybe_announced_channel,
    };
    let tail = match &path.blinded_tail {
        Some(tail) => Some(tails?.tail(tail)?),
        None => None,
    };
    Some(Route { channel: channel_id(channel.channel_id), hops: path.hops.iter().map(hop).collect(), tail })
}

fn first_channel<'a>(path: &Path, channels: &'a [ChannelDetails]) -> Option<&'a ChannelDetails> {
    let hop = path.hops.first()?;
    let mut channels = channels.iter().filter(|channel| channel.counterparty.node_id == hop.pubkey);
    channels.find(|channel| channel.get_outbound_payment_scid() == Some(hop.short_channel_id))
}
