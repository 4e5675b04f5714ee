//! A BOLT 11 invoice, as whoever speaks Lightning reads it.

use super::RouteHint;
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, PaymentHash, PaymentSecret, Timestamp};

/// What a BOLT 11 invoice says. Its signature is good, it is of this node's chain, and it asks
/// for nothing that a payer must know and the engine does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadInvoice {
    /// The invoice itself, however it was given: in small letters, with nothing around it.
    pub text: String,
    /// Who is paid.
    pub destination: NodeId,
    /// What it asks for; `None` if the payer chooses.
    pub amount: Option<Msat>,
    /// What it is paid with; `None` of an AMP invoice, whose hash means nothing.
    pub hash: Option<PaymentHash>,
    /// Its payment secret, or of an AMP invoice its payment address.
    pub payment_addr: PaymentSecret,
    /// What it wants to be told (BOLT 11, field `m`).
    pub metadata: Option<Vec<u8>>,
    /// Blocks that it wants between the tip and the final HTLC's expiry.
    pub min_final_cltv: CltvExpiryDelta,
    /// Ways to the destination that the network does not know.
    pub hints: Vec<Vec<RouteHint>>,
    /// Whether it may be paid in parts: with `basic_mpp`, and by AMP always.
    pub in_parts: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// What it is for; empty if it holds only a hash of that. Anybody's text.
    pub description: String,
}
