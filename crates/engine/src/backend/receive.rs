//! Payments to us, as a backend shows them.

use sponte_proto::amp::AmpRecord;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{
    BlockHeight, ChannelId, CltvExpiry, Msat, PaymentHash, PaymentId, PaymentSecret, Preimage, Records,
    Timestamp, ecdh,
};

/// What a backend can claim or fail by itself. One payment may be many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimable {
    /// Unique for these HTLCs.
    pub id: PaymentId,
    /// What they are locked to.
    pub hash: PaymentHash,
    /// The sum that they carry.
    pub amount: Msat,
    /// The channel of each HTLC.
    pub channels: Vec<ChannelId>,
    /// The lowest expiry of them.
    pub expiry: Option<CltvExpiry>,
    /// The height at which the backend fails them by itself.
    pub claim_deadline: Option<BlockHeight>,
    /// Custom records, without those that tell the kind.
    pub records: Records,
    /// What tells the kind.
    pub purpose: Purpose,
}

/// What tells the kind of a [`Claimable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// bLIP-3: the sender gave the preimage.
    Keysend {
        /// What claims it.
        preimage: Preimage,
        /// What ties the parts of a set together, if the sender gave it. A backend may show a
        /// whole set as one [`Claimable`], or each part by itself.
        payment_data: Option<PaymentData>,
    },
    /// The preimage was derived from the secret shared with the sender.
    Ecdh {
        /// How it was derived.
        version: ecdh::Version,
        /// What claims it.
        preimage: Preimage,
    },
    /// A shard, whose preimage only its whole set gives away.
    Amp(Box<AmpShard>),
    /// An invoice that the backend made for [`Admin::Invoice`](super::Admin::Invoice), paid in full:
    /// all parts of it are one [`Claimable`]. The backend knows its invoices by their payment
    /// secrets, and shows nothing that is worth less than its invoice, or came after it expired.
    Bolt11 {
        /// What claims it.
        preimage: Preimage,
    },
    /// Something that this node never asked for and cannot claim.
    Unknown,
}

/// What the payload of a shard says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmpShard {
    /// The payment address, and what the set is to be worth.
    pub payment_data: PaymentData,
    /// The share, the set and the index.
    pub record: AmpRecord,
}

/// How the sender is told of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailAs {
    /// As for a hash that nobody knows: `incorrect_or_unknown_payment_details` (PERM|15).
    Unknown,
    /// As for a set whose parts did not all come in time: `mpp_timeout` (23).
    Timeout,
}

/// Which kinds are taken. One that is off looks as on a node that does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// bLIP-3 in one part, with or without a payment secret.
    pub keysend: bool,
    /// bLIP-3 in many parts.
    pub mpp_keysend: bool,
    /// AMP that nobody asked for.
    pub amp: bool,
    /// AMP to an invoice of ours.
    pub amp_invoice: bool,
    /// ECDH with its marker.
    pub ecdh1: bool,
    /// ECDH as it was published.
    pub ecdh0: bool,
}

impl Kinds {
    /// Whether any AMP is taken.
    pub const fn any_amp(&self) -> bool {
        self.amp || self.amp_invoice
    }

    /// Whether any ECDH is taken.
    pub const fn any_ecdh(&self) -> bool {
        self.ecdh1 || self.ecdh0
    }
}

impl Default for Kinds {
    /// All but `ecdh0`, which nothing in a payload tells.
    fn default() -> Kinds {
        Kinds { keysend: true, mpp_keysend: true, amp: true, amp_invoice: true, ecdh1: true, ecdh0: false }
    }
}

/// A claimed [`Claimable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// As in the [`Claimable`].
    pub id: PaymentId,
    /// What the HTLCs were locked to.
    pub hash: PaymentHash,
    /// Channel, amount and expiry of each.
    pub parts: Vec<ClaimedPart>,
}

/// One claimed HTLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedPart {
    /// Our channel.
    pub channel: ChannelId,
    /// What it carried.
    pub amount: Msat,
    /// When it would have expired.
    pub expiry: CltvExpiry,
}

/// HTLCs to us that are failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveFailed {
    /// What they are locked to.
    pub hash: PaymentHash,
    /// Their channels, as far as they are known.
    pub channels: Vec<ChannelId>,
    /// Others with this hash are being claimed: those that failed came too late to be of their
    /// set, and nothing is said of it.
    pub claiming: bool,
    /// Others with this hash still wait for a command: those that failed were refused by the
    /// backend, and nothing is said of the others.
    pub waiting: bool,
}

/// An AMP invoice to sign: BOLT 11 with `var_onion_optin`, `payment_secret` and AMP required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmpInvoiceRequest {
    /// What tells its payments; random.
    pub payment_addr: PaymentSecret,
    /// What it says to its payers.
    pub invoice: InvoiceTerms,
}

/// What an invoice is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceTerms {
    /// The least that a payment must be worth; any if there is none.
    pub amount: Option<Msat>,
    /// For the payer.
    pub description: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
}

/// An ordinary invoice of this node: BOLT 11 with `var_onion_optin` and `payment_secret` required and
/// `basic_mpp` offered. Its payment comes as [`Purpose::Bolt11`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeInvoice {
    /// What a payer is given.
    pub bolt11: String,
    /// What its payment will be locked to.
    pub hash: PaymentHash,
}
