//! Why there is no route: asked again as if one thing were otherwise.

use super::first_channel;
use crate::Ldk;
use crate::convert::msat;
use lightning::ln::channel_state::ChannelDetails;
use lightning::routing::router::{MAX_PATH_LENGTH_ESTIMATE, Route, RouteParameters};
use sponte_engine::backend::{NoRoutes, RouteRequest};
use sponte_proto::Msat;

impl Ldk {
    /// Refuses what our channels cannot carry in so many parts, wherever it goes.
    pub(super) fn spendable(&self, request: &RouteRequest) -> Result<(), NoRoutes> {
        let channels = self.node.manager.list_channels();
        let ready = || channels.iter().filter(|channel| channel.is_channel_ready);
        let online = most(ready().filter(|channel| channel.is_usable), request.max_parts);
        if request.amount <= online {
            return Ok(());
        }
        match most(ready(), request.max_parts) {
            all if request.amount <= all => Err(NoRoutes::PeersOffline),
            all => Err(NoRoutes::InsufficientBalance { spendable: all }),
        }
    }

    /// Finds what stands in the way: the fee limit, the records' size, peers that are away, the
    /// balance. It may be nothing: close to the fee limit LDK misses routes.
    pub(super) fn look_why(
        &self,
        request: &RouteRequest,
        mut params: RouteParameters,
        channels: &[ChannelDetails],
    ) -> Result<Route, NoRoutes> {
        params.max_total_routing_fee_msat = None;
        let limit = request.max_fee.to_msat();
        if let Some(mut route) = self.find_parts(Ldk::find, &params, channels) {
            // What the router prefers is what it trusts most, not what costs least.
            if route.get_total_fees() > limit
                && let Some(cheapest) = self.find_parts(Ldk::find_cheapest, &params, channels)
                && cheapest.get_total_fees() < route.get_total_fees()
            {
                route = cheapest;
            }
            let cheapest = route.get_total_fees();
            let dear = NoRoutes::FeeLimitTooLow { cheapest: msat(cheapest) };
            return if cheapest <= limit { Ok(route) } else { Err(dear) };
        }
        let longest = std::mem::replace(&mut params.payment_params.max_path_length, MAX_PATH_LENGTH_ESTIMATE);
        if longest < MAX_PATH_LENGTH_ESTIMATE && self.find(&params, channels).is_some() {
            return Err(NoRoutes::RecordsTooLarge);
        }
        let with_offline = self.with_offline(channels);
        if with_offline.len() > channels.len() && self.find(&params, &with_offline).is_some() {
            return Err(NoRoutes::PeersOffline);
        }
        let rich: Vec<ChannelDetails> = channels.iter().cloned().map(enriched).collect();
        let Some(route) = self.find(&params, &rich) else { return Err(NoRoutes::NoRoute) };
        // The fee may be all that is missing, or the channels that lead there hold too little.
        let fee = msat(route.get_total_fees());
        let all = most(channels.iter(), request.max_parts).saturating_sub(fee);
        params.final_value_msat = all.to_msat();
        let spendable = match self.find(&params, channels) {
            Some(_) => all,
            None => all.min(
                most(first_channels(&route, channels).into_iter(), request.max_parts).saturating_sub(fee),
            ),
        };
        Err(NoRoutes::InsufficientBalance { spendable })
    }

    /// As if all peers were connected.
    fn with_offline(&self, usable: &[ChannelDetails]) -> Vec<ChannelDetails> {
        let away = self.node.manager.list_channels().into_iter().filter(|channel| {
            channel.is_channel_ready && !channel.is_usable && channel.get_outbound_payment_scid().is_some()
        });
        let connected = away.map(|mut channel| {
            channel.is_usable = true;
            channel.next_outbound_htlc_limit_msat = channel.outbound_capacity_msat;
            channel
        });
        usable.iter().cloned().chain(connected).collect()
    }
}

/// As if the channel held enough for anything.
fn enriched(mut channel: ChannelDetails) -> ChannelDetails {
    channel.next_outbound_htlc_limit_msat = Msat::MAX.to_msat();
    channel
}

/// What so many of the channels can send together, one part each. LDK says nothing of what one can
/// whose peer is away.
fn most<'a>(channels: impl Iterator<Item = &'a ChannelDetails>, parts: u32) -> Msat {
    let limit = |channel: &ChannelDetails| match channel.is_usable {
        true => channel.next_outbound_htlc_limit_msat,
        false => channel.outbound_capacity_msat,
    };
    let mut limits: Vec<u64> = channels.map(limit).collect();
    limits.sort_unstable_by(|a, b| b.cmp(a));
    msat(limits.into_iter().take(parts as usize).fold(0, u64::saturating_add))
}

/// Those of our channels that a route begins with.
fn first_channels<'a>(route: &Route, channels: &'a [ChannelDetails]) -> Vec<&'a ChannelDetails> {
    let mut first: Vec<_> = route.paths.iter().filter_map(|path| first_channel(path, channels)).collect();
    first.sort_unstable_by_key(|channel| channel.channel_id);
    first.dedup_by_key(|channel| channel.channel_id);
    first
}
