//! Payments from us, as a backend sends them: routes are asked for, then each HTLC is sent along
//! one of them by itself. Which, with what and when again is the engine's.

use crate::commit::PartFailure;
use sponte_proto::amp::AmpRecord;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{
    ChannelId, CltvExpiryDelta, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records, ShortChannelId,
};
use std::fmt;
use zeroize::Zeroizing;

/// Which question an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// Whose payment's.
    pub payment: PaymentId,
    /// Counts the questions for it since the start.
    pub number: u32,
}

/// Asks for routes that carry an amount together, each in an HTLC of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRequest {
    /// For the answer.
    pub query: Query,
    /// Who is paid.
    pub destination: NodeId,
    /// What the destination is to get.
    pub amount: Msat,
    /// What all routes together may cost.
    pub max_fee: Msat,
    /// So many routes at most; at least one.
    pub max_parts: u32,
    /// Blocks between our tip and each final HTLC's expiry.
    pub final_cltv: CltvExpiryDelta,
    /// The longest payload that the destination is to read, without its length in front, bytes.
    pub payload_bytes: usize,
    /// Channels (short channel ids) that failed before.
    pub avoid: Vec<ShortChannelId>,
    /// Channels to the destination that the network does not know, each a way from a node that it
    /// knows.
    pub hints: Vec<Vec<RouteHint>>,
    /// The destination is reached by blinded paths alone.
    pub blinded: Option<Box<BlindedWays>>,
}

/// The ways to a destination that hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindedWays {
    /// The invoice that names them ([`OfferInvoice::invoice`](super::OfferInvoice::invoice)).
    pub invoice: Vec<u8>,
    /// Those that failed before, by [`Tail::number`].
    pub avoid: Vec<u32>,
}

/// One hop of a way to a destination that the network does not know (BOLT 11, field `r`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteHint {
    /// The node at whose end the channel begins.
    pub node: NodeId,
    /// The channel.
    pub channel: ShortChannelId,
    /// What the node asks for each HTLC.
    pub fee_base: Msat,
    /// And for each millionth of its amount.
    pub fee_ppm: u32,
    /// The blocks that it asks for.
    pub cltv_delta: CltvExpiryDelta,
}

/// What came of a [`RouteRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    /// Which.
    pub query: Query,
    /// Routes whose amounts add up to what was asked for, or more where a channel's minimum wants
    /// it; never none.
    pub found: Result<Vec<Route>, NoRoutes>,
    /// Who is paid.
    pub destination: Destination,
}

/// The way of one HTLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Our channel.
    pub channel: ChannelId,
    /// The nodes that it passes, at least one; the destination last, or the node at which its tail
    /// begins.
    pub hops: Vec<RouteHop>,
    /// How it goes on where nobody sees it.
    pub tail: Option<Tail>,
}

/// The blinded end of a route (BOLT 4, "Route Blinding").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Which of the invoice's blinded paths, from 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// What the destination gets.
    pub amount: Msat,
    /// The backend's own.
    pub path: Vec<u8>,
}

/// One hop of a [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteHop {
    /// Who.
    pub node: NodeId,
    /// The channel that leads to it, as our onion names it.
    pub channel: ShortChannelId,
    /// What it keeps: its fee; of the destination, the amount; before a tail, all that the tail costs.
    pub keeps: Msat,
    /// The blocks that it asks for; of the destination, those between our tip and its expiry.
    pub cltv_delta: u32,
    /// Whether the network knows the channel.
    pub announced: bool,
}

impl Route {
    /// What the destination gets.
    pub fn amount(&self) -> Msat {
        match &self.tail {
            Some(tail) => tail.amount,
            None => self.hops.last().map_or(Msat::ZERO, |hop| hop.keeps),
        }
    }

    /// What the way costs.
    pub fn fee(&self) -> Msat {
        let others = match &self.tail {
            Some(_) => &self.hops[..],
            None => self.hops.split_last().map_or(&[][..], |(_, others)| others),
        };
        let sum = others.iter().try_fold(Msat::ZERO, |sum, hop| sum.checked_add(hop.keeps));
        sum.unwrap_or(Msat::MAX)
    }

    /// The nodes that it passes, the destination last if it is one of them.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.hops.iter().map(|hop| hop.node).collect()
    }
}

/// What is known of who is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// A node of the public graph, or a peer of ours.
    pub known: bool,
    /// It says that it takes keysend (bit 55).
    pub keysend: bool,
    /// It says that it takes AMP (bit 31).
    pub amp: bool,
    /// It says that it takes payments in parts (bit 17).
    pub mpp: bool,
}

/// Why there are no routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoutes {
    /// The destination is this node.
    SelfPayment,
    /// The destination's bytes name no point on the curve.
    BadDestination,
    /// The records do not fit into the onion of any route.
    RecordsTooLarge,
    /// The channels cannot send so much.
    InsufficientBalance {
        /// What they can send now, in so many parts.
        spendable: Msat,
    },
    /// Channels exist that could, but their peers are not connected.
    PeersOffline,
    /// Routes exist, but cost more than the limit.
    FeeLimitTooLow {
        /// What the cheapest cost.
        cheapest: Msat,
    },
    /// None is known.
    NoRoute,
}

/// Sends one HTLC. Ends in [`PartSent`](super::BackendEvent::PartSent) or
/// [`PartFailed`](super::BackendEvent::PartFailed). It leaves with the commit of its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Its id: unique, never used again.
    pub part: PaymentId,
    /// Along this way.
    pub route: Route,
    /// What it is locked to.
    pub hash: PaymentHash,
    /// What its onion is made with.
    pub session_key: SessionKey,
    /// What the destination reads beside amount and expiry.
    pub payload: Payload,
}

/// What a destination reads beside amount and expiry (BOLT 4, `payload`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// What all HTLCs of the payment carry together, where no payment secret goes with it: at the end
    /// of a blinded path (record 18).
    pub total: Option<Msat>,
    /// Record 8.
    pub payment_data: Option<PaymentData>,
    /// Record 14.
    pub amp: Option<AmpRecord>,
    /// Record 16.
    pub payment_metadata: Option<Vec<u8>>,
    /// Record 5482373484.
    pub keysend: Option<Preimage>,
    /// All others, from 65,536 on.
    pub records: Records,
}

/// The secret that an onion is made with. Who has it can read what comes back, and of an ECDH
/// payment knows the preimage. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(Zeroizing<[u8; 32]>);

impl SessionKey {
    /// From 32 bytes, a number of the curve's field.
    pub fn from_bytes(bytes: [u8; 32]) -> SessionKey {
        SessionKey(Zeroizing::new(bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// How an HTLC of ours ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailed {
    /// Which.
    pub part: PaymentId,
    /// How, as far as it is known.
    pub why: PartFailure,
}
