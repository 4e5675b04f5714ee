//! Over whom an issuer is asked, and the way back.

use crate::Ldk;
use bitcoin::secp256k1::PublicKey;
use lightning::blinded_path::IntroductionNode;
use lightning::blinded_path::NodeIdLookUp as _;
use lightning::ln::msgs::SocketAddress;
use lightning::offers::offer::Offer;
use lightning::onion_message::messenger::Destination;
use lightning::routing::gossip;

/// No more ways to an issuer than these are looked at.
const MOST: usize = 8;

/// A way to the issuer.
pub(super) struct Way {
    pub destination: Destination,
    /// The first node of it.
    pub first: PublicKey,
    pub reach: Reach,
}

/// Whether a message can be given to the first node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is this node.
    Us,
    Connected,
    /// It could be, at one of these addresses.
    At(Vec<String>),
}

impl Ldk {
    /// The ways to an offer's issuer on which a message may start, those over peers first.
    pub(super) fn ways(&self, offer: &Offer) -> Vec<Way> {
        let paths = offer.paths().iter().cloned().map(Destination::BlindedPath);
        let direct = offer.issuer_signing_pubkey().filter(|_| offer.paths().is_empty());
        let destinations = paths.chain(direct.map(Destination::Node)).take(MOST);
        let mut ways: Vec<Way> = destinations.filter_map(|destination| self.way(destination)).collect();
        ways.sort_by_key(|way| matches!(way.reach, Reach::At(_)));
        ways
    }

    fn way(&self, mut destination: Destination) -> Option<Way> {
        destination.resolve(&self.node.graph.read_only());
        let first = match &destination {
            Destination::Node(id) => *id,
            Destination::BlindedPath(path) => match path.introduction_node() {
                IntroductionNode::NodeId(id) => *id,
                IntroductionNode::DirectedShortChannelId(direction, channel) => {
                    let peer = self.node.manager.next_node_id(*channel)?;
                    *direction.select_pubkey(&self.node.id, &peer)
                }
            },
        };
        let reach = self.reach(first)?;
        Some(Way { destination, first, reach })
    }

    /// `None` if no message can get there.
    fn reach(&self, id: PublicKey) -> Option<Reach> {
        if id == self.node.id {
            return Some(Reach::Us);
        }
        if let Some(peer) = self.node.peers.peer_by_node_id(&id) {
            return peer.init_features.supports_onion_messages().then_some(Reach::Connected);
        }
        let known = self.peers.address(&id).into_iter();
        let announced = self.announced_addresses(id);
        let addresses: Vec<String> = known.chain(announced).collect();
        (!addresses.is_empty()).then_some(Reach::At(addresses))
    }

    fn announced_addresses(&self, id: PublicKey) -> Vec<String> {
        let graph = self.node.graph.read_only();
        let node = graph.node(&gossip::NodeId::from_pubkey(&id));
        let Some(info) = node.and_then(|node| node.announcement_info.as_ref()) else { return vec![] };
        if !info.features().supports_onion_messages() {
            return vec![];
        }
        let plain = |address: &&SocketAddress| {
            matches!(
                address,
                SocketAddress::TcpIpV4 { .. }
                    | SocketAddress::TcpIpV6 { .. }
                    | SocketAddress::Hostname { .. }
            )
        };
        info.addresses().iter().filter(plain).map(ToString::to_string).collect()
    }
}
