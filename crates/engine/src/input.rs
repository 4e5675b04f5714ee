//! What an engine is told.

use crate::backend::{BackendEvent, Recovered};
use crate::commit::{AmpInvoiceRow, AttemptRow, PartRow, PaymentRow, TransferRow};
use crate::receive::Receive;
use crate::request::PayRequest;
use sponte_proto::amp::SetId;
use sponte_proto::{PaymentHash, PaymentId, PaymentSecret};

/// What an engine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// What the backend saw, and the fact that [`Engine::question`](crate::Engine::question)
    /// asked for, [`Fact::None`] if it asked for none.
    Backend(BackendEvent, Fact),
    /// A caller wants to pay, and what the ledger knows of the
    /// [`Engine::payment_id`](crate::Engine::payment_id) of its key and of its invoice.
    Pay(Box<PayRequest>, Ticket, KnownPayments),
    /// A caller wants to know what a payment would cost.
    Quote(Box<PayRequest>, Ticket),
    /// A caller wants no further attempt of a payment, and the ledger's payment of that id,
    /// whatever became of it.
    Cancel(PaymentId, Ticket, Option<Box<PaymentRow>>),
    /// A held payment is to be claimed or failed, and the ledger's payment of that id, whatever
    /// became of it.
    Decide(PaymentId, Decision, Ticket, Option<Box<PaymentRow>>),
    /// An AMP invoice that the backend has signed. Its address must be random.
    AmpInvoice(Box<AmpInvoiceRow>, Ticket),
    /// An AMP invoice is never to be paid again: the ledger's row of it.
    CancelAmpInvoice(Option<Box<AmpInvoiceRow>>, Ticket),
    /// From now on other payments are taken; `None` for what the configuration says.
    Receive(Option<Box<Receive>>, Ticket),
    /// What the backend still knows, once, after its buffered events and before it sends
    /// anything. Nothing that waited before the stop is tried again earlier.
    Recovered(Recovered),
    /// The time that an [`Output::Timeout`](crate::Output::Timeout) named has come. Harmless if
    /// it comes early or for nothing.
    Time,
}

/// What the ledger knows of a request to pay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPayments {
    /// The payment of its key, whatever became of it.
    pub of_key: Option<Box<PaymentRow>>,
    /// A payment of its invoice's hash that is pending or settled.
    pub of_invoice: Option<PaymentId>,
}

/// What becomes of a held payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is claimed.
    Settle,
    /// It is failed.
    Cancel,
}

/// A caller who waits for an [`Output::Reply`](crate::Output::Reply) or an
/// [`Output::Answer`](crate::Output::Answer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What must be looked up in the ledger, rows that are not durable yet included, before an event
/// is handed in: the engine's memory holds only what is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is there an incoming part with this hash that has not failed, or any with this claim id?
    /// [`Fact::Received`]
    Received(PaymentHash, PaymentId),
    /// What is known of an AMP set, and of a part of it. [`Fact::Amp`]
    Amp(AmpQuestion),
    /// The incoming part with this claim id, with its payment. [`Fact::Part`]
    Part(PaymentId),
    /// The outgoing part with this claim id, with its payment and attempt. [`Fact::SentPart`]
    SentPart(PaymentId),
    /// All transfers whose key starts with one of these. [`Fact::Transfers`]
    Transfers(Vec<String>),
}

/// What must be known of an AMP set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmpQuestion {
    /// To whom.
    pub payment_addr: PaymentSecret,
    /// Which set.
    pub set_id: SetId,
    /// As in [`Question::Received`].
    pub hash: PaymentHash,
    /// As in [`Question::Received`].
    pub claim: PaymentId,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fact {
    /// Nothing was asked.
    #[default]
    None,
    /// Whether there is such a part.
    Received(bool),
    /// What is known of the set.
    Amp(Box<AmpFact>),
    /// The part, if there is one.
    Part(Option<Box<PastPart>>),
    /// The part's attempt, if there is one.
    SentPart(Option<Box<PastAttempt>>),
    /// The transfers, in any order.
    Transfers(Vec<TransferRow>),
}

/// An attempt that the engine has forgotten, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAttempt {
    /// Whose attempt.
    pub payment: PaymentRow,
    /// The attempt.
    pub attempt: AttemptRow,
    /// Its parts, and no other attempt's.
    pub parts: Vec<PartRow>,
}

/// What is known of an AMP set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmpFact {
    /// The invoice with this address.
    pub invoice: Option<AmpInvoiceRow>,
    /// Whether there is any payment to this address.
    pub address_paid: bool,
    /// Whether there is one with this set id.
    pub set_paid: bool,
    /// As in [`Fact::Received`].
    pub received: bool,
}

/// An incoming part that the engine has forgotten, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastPart {
    /// Whose part.
    pub payment: PaymentRow,
    /// All parts of that payment, in the order of their numbers.
    pub parts: Vec<PartRow>,
}
