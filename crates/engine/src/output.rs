//! What an engine wants done.

use crate::backend::Command;
use crate::commit::{ChangeSet, State};
use crate::incoming::MAX_DESCRIPTION_BYTES;
use crate::input::Ticket;
use crate::request::{MAX_ATTEMPTS, MAX_KEY_LENGTH, MAX_RECORDS_BYTES, MAX_TIMEOUT_MS};
use sponte_proto::{PaymentId, Timestamp};

/// What an engine wants done. All that is drained after one input is one commit, or part of a
/// larger one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Rows to write, before what they say is seen by anybody.
    Persist(Box<ChangeSet>),
    /// Give this to the backend now.
    Backend(Command),
    /// Hand in [`Input::Time`](crate::Input::Time) at this time. Replaces the one before it.
    Timeout(Timestamp),
    /// The answer to a caller, to be let out after the commit.
    Reply(Ticket, Result<PaymentId, PayError>),
    /// The answer to a caller who asked about payments to us, to be let out after the commit.
    Answer(Ticket, Result<(), ReceiveError>),
}

/// Why what was asked about payments to us was not done. The caller's fault; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// There is no such payment.
    #[error("there is no such payment: see `sponte held list`")]
    UnknownPayment,
    /// The payment is not held, or not any more.
    #[error("the payment is {}, not held: there is nothing to decide", .0.as_str())]
    NotHeld(State),
    /// There is no such invoice.
    #[error("there is no such invoice: see `sponte amp-invoice list`")]
    UnknownInvoice,
    /// The invoice was canceled before.
    #[error("the invoice is canceled already: nothing to do")]
    InvoiceCanceled,
    /// A description that is too long for an invoice.
    #[error("the description has more than {MAX_DESCRIPTION_BYTES} bytes: choose a shorter one")]
    LongDescription,
    /// An invoice that has expired when it is made.
    #[error("the invoice would have expired already: choose a longer expiry")]
    BadExpiry,
    /// An invoice of nothing.
    #[error("the amount is zero: leave it out for any amount, or ask for at least 1msat")]
    ZeroAmount,
    /// A largest amount below the smallest.
    #[error("the largest amount is below the smallest: nothing could be received")]
    NoAmount,
    /// Payments are to be held for no time.
    #[error("payments are to be held for 0 minutes: choose a longer time, or hold none")]
    NoHoldTime,
}

/// Why a payment was not begun. The caller's fault; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayError {
    /// The key belongs to a payment with another destination, amount, fee limit or records.
    #[error("this key belongs to another payment: use a new key, or repeat the request as it was")]
    KeyReused,
    /// An empty or overlong key, or one with control or non-ASCII characters.
    #[error("a key is 1 to {MAX_KEY_LENGTH} printable ASCII characters: choose such a key")]
    BadKey,
    /// An amount of zero.
    #[error("the amount is zero: pay at least 1msat")]
    ZeroAmount,
    /// The destination is this node.
    #[error("the destination is this node: give the id of another node")]
    SelfPayment,
    /// A timeout that is zero or longer than a day.
    #[error("the timeout must be between 1 and {MAX_TIMEOUT_MS} milliseconds: choose one in between")]
    BadTimeout,
    /// A limit on attempts that is zero or absurd.
    #[error("the limit on attempts must be between 1 and {MAX_ATTEMPTS}: choose one in between")]
    BadAttempts,
    /// More than any onion holds.
    #[error("the records have more than {MAX_RECORDS_BYTES} bytes, and no onion holds them: send less")]
    RecordsTooLarge,
}
