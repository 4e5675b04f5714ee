//! What can go wrong, by whose fault.

use sponte_engine::backend::Refusal;
use sponte_store::StoreError;
use std::io;

/// What ended a node that was not asked to stop. The process is to end with it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fatal {
    /// A commit failed. Nothing of it was seen by anybody.
    #[error("the node stopped, as it could not write: {0}")]
    Commit(#[source] StoreError),
    /// The ledger cannot be read.
    #[error("the node stopped, as it could not read its ledger: {0}")]
    Ledger(#[source] StoreError),
    /// What the backend depends on refused while the node started.
    #[error("the node did not start: {0}")]
    Backend(#[source] sponte_engine::backend::Refusal),
    /// A fault of the program. What was durable is durable.
    #[error("the node stopped by a fault of its own ({0}): please report this, then start it again")]
    Panicked(String),
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError<E> {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(StoreError),
    /// The operating system gave no thread.
    #[error("no thread could be started ({0}): free memory or processes, then start sponte again")]
    Thread(#[source] io::Error),
    /// The backend could not be made.
    #[error(transparent)]
    Backend(E),
    /// The start did not come to its first commit.
    #[error(transparent)]
    Fatal(Fatal),
}

/// Why there is no payment, or it is not known whether there is one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayError {
    /// The request was refused; nothing was written.
    #[error(transparent)]
    Refused(#[from] sponte_engine::PayError),
    /// The issuer of an offer gave no invoice; nothing was written.
    #[error(transparent)]
    NoInvoice(AdminError),
    /// Too many requests wait; nothing was written.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The node has stopped, perhaps after it took the request: the same key tells, once it runs
    /// again.
    #[error("the node has stopped: start it again, then repeat the request with the same key")]
    Stopped,
}

/// Why something that was asked about payments to us was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The request was refused; nothing was written.
    #[error(transparent)]
    Refused(#[from] sponte_engine::ReceiveError),
    /// The backend did not sign the invoice.
    #[error(transparent)]
    Unsigned(AdminError),
    /// The operating system gave no random bytes.
    #[error("the system gave no random bytes: see its log, then try again")]
    NoRandomness,
    /// Too many requests wait; nothing was written.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The node has stopped; whether it was done is not known.
    #[error("the node has stopped: start it again, then see what was done")]
    Stopped,
}

/// Why something that was asked of the node was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The backend refused.
    #[error(transparent)]
    Refused(Refusal),
    /// Too many requests wait.
    #[error("the node is busy: try again in a moment")]
    Busy,
    /// The node has stopped; whether it was done is not known.
    #[error("the node has stopped: start it again, then see what was done")]
    Stopped,
}

/// Why a payment could not be waited for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// There is no such payment.
    #[error("there is no such payment: check the id")]
    Unknown,
    /// The node has stopped.
    #[error("the node has stopped: start it again, then look for the payment")]
    Stopped,
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] StoreError),
}
