//! What comes to the loop.

use crate::answers::{Answers, Caller};
use crate::paying::{PayAnswer, QuoteAnswer};
use crate::receiving::{Answer, Asked};
use sponte_engine::backend::Admin;
use sponte_engine::{PayRequest, Receive};
use sponte_proto::PaymentId;
use sponte_store::{Commit, StoreError};

/// What comes to the loop. Requests are bounded by the permits that their callers hold; the rest
/// by what the loop itself began.
pub(crate) enum Message {
    /// The backend has work.
    Wake,
    /// A caller wants to pay.
    Pay(Box<PayRequest>, Caller<PayAnswer>),
    /// A caller wants to know what a payment would cost.
    Quote(Box<PayRequest>, Caller<QuoteAnswer>),
    /// A caller wants no further attempt of a payment.
    Cancel(PaymentId, Caller<PayAnswer>),
    /// Somebody asks about payments to us.
    Ask(Asked, Caller<Answer>),
    /// Somebody asks what is taken and held, and whether that was set at run time.
    Policy(Caller<(Receive, bool)>),
    /// Somebody asks something of the backend.
    Admin(Box<dyn FnOnce(&Answers) -> Admin + Send>),
    /// A submission, and how it ended.
    Committed(u64, Result<Commit, StoreError>),
    /// Stop in good order.
    Stop,
}
