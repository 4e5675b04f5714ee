//! Routes to a destination that is reached by blinded paths alone.

use crate::Ldk;
use crate::convert::msat;
use bitcoin::secp256k1::{PublicKey, Secp256k1};
use lightning::blinded_path::payment::BlindedPaymentPath;
use lightning::blinded_path::{IntroductionNode, NodeIdLookUp as _};
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::offers::invoice::Bolt12Invoice;
use lightning::routing::router::{BlindedTail, PaymentParameters, RouteParameters};
use lightning::util::ser::Writeable as _;
use sponte_engine::backend::{BlindedWays, RouteRequest, Tail};
use std::collections::HashSet;

/// What tells the paths of an invoice, in their order.
pub(super) struct Tails(Vec<PublicKey>);

impl Tails {
    /// Which one LDK has put behind a route. `None` if it is none of them.
    pub(super) fn tail(&self, tail: &BlindedTail) -> Option<Tail> {
        let number = self.0.iter().position(|point| *point == tail.blinding_point)?;
        Some(Tail {
            number: u32::try_from(number).ok()?,
            of: u32::try_from(self.0.len()).ok()?,
            amount: msat(tail.final_value_msat),
            path: tail.encode(),
        })
    }
}

impl Ldk {
    /// What LDK's router is asked. `None` if the invoice is none, or no onion has room for its paths.
    pub(super) fn blinded_parameters(
        &self,
        request: &RouteRequest,
        ways: &BlindedWays,
    ) -> Option<(RouteParameters, Tails)> {
        let invoice = Bolt12Invoice::try_from(ways.invoice.clone()).ok()?;
        // What is told by its blinding point must have one of its own.
        let mut points = HashSet::new();
        let paths = invoice.payment_paths().iter().filter(|path| points.insert(path.blinding_point()));
        let paths: Vec<BlindedPaymentPath> = paths.cloned().map(|path| self.beyond_us(path)).collect();
        let tails = Tails(paths.iter().map(BlindedPaymentPath::blinding_point).collect());
        let payee =
            PaymentParameters::blinded(paths).with_bolt12_features(invoice.invoice_features().clone());
        let mut payee = payee.expect("the payee is blinded");
        payee.max_path_count = u8::try_from(request.max_parts).unwrap_or(u8::MAX).max(1);
        payee.previously_failed_channels = request.avoid.iter().map(|channel| channel.to_u64()).collect();
        payee.previously_failed_blinded_path_idxs = ways.avoid.iter().copied().map(u64::from).collect();
        let mut params = RouteParameters::from_payment_params_and_value(payee, request.amount.to_msat());
        params.max_total_routing_fee_msat = Some(request.max_fee.to_msat());
        let fields = RecipientOnionFields::spontaneous_empty(request.amount.to_msat());
        let height = self.node.manager.current_best_block().height;
        params.set_max_path_length(&fields, false, height).ok()?;
        Some((params, tails))
    }

    /// A path that begins with us goes on at its second node: the router knows no way to ourselves. What
    /// it costs stays what the invoice says.
    fn beyond_us(&self, mut path: BlindedPaymentPath) -> BlindedPaymentPath {
        let first = match path.introduction_node() {
            IntroductionNode::NodeId(id) => Some(*id),
            IntroductionNode::DirectedShortChannelId(direction, channel) => {
                let peer = self.node.manager.next_node_id(*channel);
                peer.map(|peer| *direction.select_pubkey(&self.node.id, &peer))
            }
        };
        if first == Some(self.node.id) {
            let (keys, manager) = (&*self.node.keys, &*self.node.manager);
            // If there is nothing beyond us the router passes it over.
            let _ = path.advance_path_by_one(keys, manager, &Secp256k1::new());
        }
        path
    }
}
