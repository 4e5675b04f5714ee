//! What an engine is told.

use crate::backend::{BackendEvent, Recovered};
use crate::commit::{AttemptRow, PartRow, PaymentRow, TransferRow};
use crate::request::PayRequest;
use sponte_proto::{PaymentHash, PaymentId};

/// What an engine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// What the backend saw, and the fact that [`Engine::question`](crate::Engine::question)
    /// asked for, [`Fact::None`] if it asked for none.
    Backend(BackendEvent, Fact),
    /// A caller wants to pay, and the ledger's payment of the
    /// [`Engine::payment_id`](crate::Engine::payment_id) of its key, whatever became of it.
    Pay(PayRequest, Ticket, Option<Box<PaymentRow>>),
    /// What the backend still knows, once, after its buffered events and before it sends
    /// anything. Nothing that waited before the stop is tried again earlier.
    Recovered(Recovered),
    /// The time that an [`Output::Timeout`](crate::Output::Timeout) named has come. Harmless if
    /// it comes early or for nothing.
    Time,
}

/// A caller who waits for an [`Output::Reply`](crate::Output::Reply).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What must be looked up in the ledger, rows that are not durable yet included, before an event
/// is handed in: the engine's memory holds only what is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Is there an incoming payment with this hash that has not failed, or any with this id?
    /// [`Fact::Received`]
    Received(PaymentHash, PaymentId),
    /// The payment with this id. [`Fact::Payment`]
    Payment(PaymentId),
    /// The attempt with this id, with its payment and parts. [`Fact::Attempt`]
    Attempt(PaymentId),
    /// All transfers whose key starts with one of these. [`Fact::Transfers`]
    Transfers(Vec<String>),
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fact {
    /// Nothing was asked.
    #[default]
    None,
    /// Whether there is such a payment.
    Received(bool),
    /// The payment, if there is one.
    Payment(Option<Box<PaymentRow>>),
    /// The attempt, if there is one.
    Attempt(Option<Box<PastAttempt>>),
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
