//! Rows of payments from us.

use super::Kind;
use crate::backend::RouteHint;
use sponte_proto::amp::Share;
use sponte_proto::failure::FailureCode;
use sponte_proto::{CltvExpiryDelta, PaymentHash, PaymentSecret, ShortChannelId};

/// What only an outgoing payment has: how it may be sent, and how far that got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The kind that the caller wants; `None` if the node chooses.
    pub asked: Option<Kind>,
    /// Whether another kind is tried if the destination refuses one.
    pub fall_back: bool,
    /// So many HTLCs may be on their way at once.
    pub max_parts: u32,
    /// Blocks between our tip and the final HTLC's expiry.
    pub final_cltv: CltvExpiryDelta,
    /// Ways to a destination that the network does not know.
    pub hints: Vec<Vec<RouteHint>>,
    /// The invoice that is paid.
    pub invoice: Option<Box<PaidInvoice>>,
    /// How often HTLCs left: once for each attempt, and once more each time that parts of it failed and
    /// were sent again. Smaller parts in place of one that was too large for a channel are no further
    /// try. Counts against [`PaymentRow::max_attempts`](super::PaymentRow::max_attempts).
    pub tries: u32,
    /// The caller wants no further attempt.
    pub canceled: bool,
    /// Why it is of its kind, and what speaks against it, for people.
    pub reason: String,
}

impl Plan {
    /// The hash of the invoice that is paid, if it has one.
    pub fn invoice_hash(&self) -> Option<PaymentHash> {
        self.invoice.as_ref()?.hash
    }
}

/// What an invoice says, as far as it is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidInvoice {
    /// The invoice as it was given; of an offer the offer.
    pub text: String,
    /// What it is paid with; `None` of an AMP invoice, which is paid any number of times, and of an
    /// offer whose invoice has not come yet.
    pub hash: Option<PaymentHash>,
    /// Its payment secret, or of an AMP invoice its payment address. An offer's has none: whoever pays
    /// by a blinded path proves with it where the path comes from.
    pub payment_addr: Option<PaymentSecret>,
    /// What it wants to be told.
    pub metadata: Option<Vec<u8>>,
    /// What only an offer has.
    pub offered: Option<Offered>,
}

/// What was asked of an offer's issuer, and what it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The invoice (BOLT 12, `invoice`), as the backend reads it; empty until it has come.
    pub invoice: Vec<u8>,
    /// How many of what is offered.
    pub quantity: Option<u32>,
    /// What the issuer is told.
    pub note: Option<String>,
}

impl PaidInvoice {
    /// Whether both ask for the same. Of an offer each question is answered by another invoice: which
    /// one is paid, no caller has chosen.
    pub fn is_same(&self, other: &PaidInvoice) -> bool {
        match (&self.offered, &other.offered) {
            (Some(one), Some(two)) => {
                (&self.text, one.quantity, &one.note) == (&other.text, two.quantity, &two.note)
            }
            _ => self == other,
        }
    }
}

/// What only an outgoing part has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartSent {
    /// Its share of the root, if it is AMP.
    pub share: Option<Share>,
    /// How it failed.
    pub failure: Option<PartFailure>,
}

/// How an HTLC failed, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartFailure {
    /// Who failed it: 0 is this node, and it never left; 1 the first of the route, and so on. `None`
    /// if nobody can tell: its channel was closed, or what came back could not be read.
    pub hop: Option<u32>,
    /// What that node said (BOLT 4, "Failure Messages").
    pub code: Option<FailureCode>,
    /// The channel to keep out of the next routes.
    pub channel: Option<ShortChannelId>,
}

impl PartFailure {
    /// It never left.
    pub const NEVER_LEFT: PartFailure = PartFailure { hop: Some(0), code: None, channel: None };
}
