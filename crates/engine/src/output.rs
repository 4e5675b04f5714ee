//! What an engine wants done.

use crate::backend::{Command, Quantities, Route};
use crate::commit::{ChangeSet, Failure, Kind, State};
use crate::incoming::MAX_DESCRIPTION_BYTES;
use crate::input::Ticket;
use crate::request::{FINAL_CLTV, MAX_ATTEMPTS, MAX_HINTS, MAX_KEY_LENGTH, MAX_NOTE_BYTES, MAX_PARTS};
use crate::request::{MAX_RECORDS_BYTES, MAX_TIMEOUT_MS};
use sponte_proto::{Msat, PaymentId, Timestamp};

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
    /// The answer to a caller who asked what a payment would cost. Nothing is written.
    Quote(Ticket, Result<Result<Quoted, Failure>, PayError>),
    /// The answer to a caller who asked about payments to us, to be let out after the commit.
    Answer(Ticket, Result<(), ReceiveError>),
}

/// How a payment could be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The kind.
    pub kind: Kind,
    /// Why, and what speaks against it, for people.
    pub reason: String,
    /// The ways of its parts.
    pub routes: Vec<Route>,
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
    /// The key belongs to a payment with another destination, amount, kind, fee limit or records.
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
    /// A limit on parts that is zero or absurd.
    #[error("the limit on parts must be between 1 and {MAX_PARTS}: choose one in between")]
    BadParts,
    /// A final expiry that receivers refuse, or that leaves routes nothing.
    #[error("the final expiry must be {} to {} blocks: choose one in between", FINAL_CLTV.start(), FINAL_CLTV.end())]
    BadFinalCltv,
    /// Route hints without hops, or too many of them.
    #[error("there may be {MAX_HINTS} route hints of 1 to {MAX_HINTS} hops: give fewer, and no empty ones")]
    BadHints,
    /// A kind that only an invoice can ask for.
    #[error("this kind needs an invoice: use `sponte pay-invoice`")]
    NoInvoice,
    /// A record that tells the kind.
    #[error("record {} marks ECDH payments: send it with --kind ecdh", sponte_proto::ecdh::ECDH_RECORD.to_u64())]
    ReservedRecord,
    /// The invoice has expired.
    #[error("the invoice has expired: ask for a new one")]
    Expired,
    /// The invoice names no amount, and the caller neither.
    #[error("the invoice names no amount: say how much to pay")]
    NoAmount,
    /// The invoice names another amount than the caller.
    #[error("the invoice asks for {0}: pay that, or leave the amount out")]
    OtherAmount(Msat),
    /// The offer asks for more than the caller pays.
    #[error("the offer asks for at least {0}: pay that or more, or leave the amount out")]
    OfferAsksMore(Msat),
    /// The offer is of several things, and the caller does not say how many.
    #[error("the offer is for a number of items: say how many with --quantity")]
    NoQuantity,
    /// The offer is not made for so many.
    #[error("the offer is not made for so many items: ask for {0}")]
    BadQuantity(Quantities),
    /// A blinded path's end takes no records.
    #[error("payments of an offer carry no records and no message: leave them out, or use --note")]
    OfferedRecords,
    /// More than an issuer is told.
    #[error("the note has more than {MAX_NOTE_BYTES} bytes: shorten it")]
    LongNote,
    /// The issuer of the offer has not been asked for an invoice.
    #[error("the offer's issuer must be asked for an invoice first: ask it, then pay that")]
    InvoiceAwaited,
    /// The invoice is being paid, or is paid.
    #[error("payment {0} pays this invoice already: see `sponte payments show {0}`")]
    InvoicePaid(PaymentId),
    /// There is no such payment from this node.
    #[error("there is no such payment from this node: see `sponte payments list`")]
    UnknownPayment,
    /// The payment has ended.
    #[error("the payment is {} already: nothing to cancel", .0.as_str())]
    Ended(State),
}
