//! An offer (BOLT 12), and the invoice that its issuer gives for it, as whoever speaks Lightning reads them.

use super::ReadInvoice;
use sponte_proto::{Msat, NodeId, PaymentHash, Timestamp};
use std::fmt;

/// What can be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payable {
    /// BOLT 11, or an AMP invoice.
    Invoice(Box<ReadInvoice>),
    /// BOLT 12: whoever pays it asks its issuer for an invoice each time.
    Offer(Box<ReadOffer>),
}

/// What an offer says. It is of this node's chain, in bitcoin, and asks for nothing that a payer must
/// know and the backend does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOffer {
    /// The offer itself, however it was given: in small letters, with nothing around it.
    pub text: String,
    /// The key that its issuer signs with. It may be that of no node.
    pub issuer: NodeId,
    /// What one of it costs at least; `None` if the payer chooses.
    pub amount: Option<Msat>,
    /// How many of it may be asked for at once.
    pub quantities: Quantities,
    /// Until when invoices are given.
    pub expires_at: Option<Timestamp>,
    /// What it is for; empty if it does not say. Anybody's text.
    pub description: String,
}

/// How many of what is offered may be asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantities {
    /// One, and no number is named.
    One,
    /// A number up to this one.
    UpTo(u64),
    /// Any number but zero.
    Any,
}

impl fmt::Display for Quantities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantities::One => f.write_str("one, without --quantity"),
            Quantities::UpTo(most) => write!(f, "1 to {most}"),
            Quantities::Any => f.write_str("1 or more"),
        }
    }
}

/// Asks the issuer of an offer for an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceRequest {
    /// [`ReadOffer::text`].
    pub offer: String,
    /// What is to be paid, for all of them.
    pub amount: Msat,
    /// How many of it.
    pub quantity: Option<u32>,
    /// What the issuer is told.
    pub note: Option<String>,
    /// How long an answer is waited for, milliseconds.
    pub patience_ms: u64,
}

/// The invoice that an issuer gave. It is an answer to what was asked, of the offer's issuer, over
/// the amount that was asked for, and its signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferInvoice {
    /// The invoice, as the backend reads it again.
    pub invoice: Vec<u8>,
    /// What it is paid with.
    pub hash: PaymentHash,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// Whether it may be paid in parts.
    pub in_parts: bool,
}
