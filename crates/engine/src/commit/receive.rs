//! Rows of payments to us.

use super::words;
use crate::backend::Claimable;
use sponte_proto::amp::{Root, SetId};
use sponte_proto::{
    BlockHeight, ChannelId, CltvExpiry, Msat, NodeId, PaymentHash, PaymentId, PaymentSecret, Preimage,
    Timestamp,
};

/// What only an incoming payment has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// What its parts were paid to; of a payment to an AMP invoice that of the invoice.
    pub payment_addr: Option<PaymentSecret>,
    /// Names the set, if it is AMP.
    pub set_id: Option<SetId>,
    /// What all preimages of an AMP set follow from.
    pub root: Option<Root>,
    /// Who signed its message.
    pub sender: Option<NodeId>,
    /// It is held no longer than until this height.
    pub deadline_height: Option<BlockHeight>,
}

/// What a part is known by and locked to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartClaim {
    /// [`Claimable::id`], or of an outgoing part [`Send::part`](crate::backend::Send::part).
    pub id: Option<PaymentId>,
    /// What it is locked to.
    pub hash: Option<PaymentHash>,
    /// What claims it; of an outgoing part once it is paid.
    pub preimage: Option<Preimage>,
    /// The lowest expiry of its HTLCs; unknown of an outgoing part.
    pub expiry: Option<CltvExpiry>,
}

/// A part of a set that is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPart {
    /// What arrived.
    pub claimable: Claimable,
    /// It was paid to an invoice of ours.
    pub to_invoice: bool,
    /// When.
    pub arrived_at: Timestamp,
}

impl WaitingPart {
    /// What the backend knows it by.
    pub const fn claim(&self) -> PaymentId {
        self.claimable.id
    }
}

/// An AMP invoice, payable any number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmpInvoiceRow {
    /// What tells its payments.
    pub payment_addr: PaymentSecret,
    /// The invoice as a payer reads it.
    pub bolt11: String,
    /// The least that a payment must be worth; any if there is none.
    pub amount: Option<Msat>,
    /// For the payer.
    pub description: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: InvoiceState,
    /// Payments that are settled. The store counts; what is written here is not looked at.
    pub payments: u64,
    /// What they brought. The store adds up; what is written here is not looked at.
    pub received: Msat,
}

/// Where an invoice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceState {
    /// Payable until it expires.
    Open,
    /// Never payable again.
    Canceled,
}

words!(InvoiceState { Open = "open", Canceled = "canceled" });

/// What an invoice received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmpReceived {
    /// [`AmpInvoiceRow::payment_addr`].
    pub payment_addr: PaymentSecret,
    /// One, or zero if a payment that was counted before brought more.
    pub payments: u32,
    /// How much.
    pub amount: Msat,
}

/// HTLCs that were refused, or whose set never became complete: no rows, so that a peer cannot make
/// the ledger grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Where they came from.
    pub channel: ChannelId,
    /// Hours since the Unix epoch.
    pub hour: u64,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// What they carried, at most the money supply.
    pub amount: Msat,
}

/// Why HTLCs were refused. The sender is told less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nothing that this node can claim, or an address that it does not know.
    Unknown,
    /// A kind that is off.
    Off,
    /// Its preimage does not open its hash.
    Preimage,
    /// Less or more than is taken.
    Amount,
    /// More bytes of records than are taken.
    Records,
    /// The hash, the set or the one-shot address was paid before, or waits already.
    Repeated,
    /// The invoice is canceled or has expired.
    Invoice,
    /// The total is zero, or not that of the set or the invoice.
    Total,
    /// The shares of the set do not fit together.
    Shares,
    /// It expires too soon.
    Expiry,
    /// Too many parts, sets or bytes wait.
    Limit,
    /// The set was not complete in time.
    Timeout,
    /// It should have been held, and could not be for long enough.
    Hold,
}

words!(Reason {
    Unknown = "unknown",
    Off = "off",
    Preimage = "preimage",
    Amount = "amount",
    Records = "records",
    Repeated = "repeated",
    Invoice = "invoice",
    Total = "total",
    Shares = "shares",
    Expiry = "expiry",
    Limit = "limit",
    Timeout = "timeout",
    Hold = "hold",
});

/// A setting that was replaced at run time. It wins over the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    /// Which.
    pub key: String,
    /// Its bytes, with a version of their own; `None` deletes it.
    pub value: Option<Vec<u8>>,
}
