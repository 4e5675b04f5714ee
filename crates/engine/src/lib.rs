//! The decisions of a sponte node, sans-IO: what is sent again, what is claimed, what the books
//! say of it.
//!
//! An [`Engine`] takes [`Input`]s and gives [`Output`]s. It never does I/O, reads no clock, draws
//! no random number and spawns no thread: the same inputs at the same times give the same
//! outputs. It knows no Lightning implementation either, only the [`backend`] door.
//!
//! One law for whoever drives it: after every [`Engine::handle_input`], drain
//! [`Engine::poll_output`] until it gives nothing. What was drained together belongs into one
//! commit, together with what the backend wants written in that step.
//!
//! Some events may be repeats of what the ledger has already, and the engine remembers only what
//! is pending. [`Engine::question`] says what to look up before such an event is handed in, and
//! its [`Fact`] goes along with it; with a request to pay goes the payment that
//! [`Engine::payment_id`] names. The answers must count rows that are submitted and not durable yet.
//!
//! ```
//! use sponte_engine::commit::{ChangeSet, Snapshot};
//! use sponte_engine::{Config, Engine, Input, KnownPayments, NodeSecret, Output, PayRequest, Ticket};
//! use sponte_proto::{Msat, NodeId, Timestamp};
//!
//! let us = NodeId::from_bytes([2; 33])?;
//! let carol = NodeId::from_bytes([3; 33])?;
//! let config = Config::new(us, NodeSecret::new([7; 32]));
//! let mut engine = Engine::new(config, Snapshot::default());
//!
//! let now = Timestamp::from_millis(1_700_000_000_000);
//! let request = PayRequest::new("coffee", carol, Msat::from_sat(50).expect("below the supply"));
//! // The ledger, which is empty, has no payment with this id.
//! let _id = engine.payment_id(&request.key);
//! engine.handle_input(Input::Pay(Box::new(request), Ticket(1), KnownPayments::default()), now);
//!
//! let mut rows = ChangeSet::default();
//! let mut routes = 0;
//! while let Some(output) = engine.poll_output() {
//!     match output {
//!         Output::Persist(changes) => rows.extend(*changes),
//!         // Routes are looked for; the HTLCs follow when the backend has answered.
//!         Output::Backend(_command) => routes += 1,
//!         // The answer may be seen only once `rows` are durable.
//!         Output::Reply(ticket, answer) => assert!(ticket == Ticket(1) && answer.is_ok()),
//!         other => unreachable!("{other:?}"),
//!     }
//! }
//! assert_eq!((rows.payments.len(), routes), (1, 1));
//! # Ok::<(), sponte_proto::HexError>(())
//! ```

pub mod backend;
pub mod commit;

mod books;
mod config;
mod derive;
mod engine;
mod failure;
mod fees;
mod incoming;
mod input;
mod invoice;
mod outgoing;
mod output;
mod receive;
mod request;
mod retry;
mod step;

pub use config::{Config, NodeSecret};
pub use engine::Engine;
pub use fees::default_max_fee;
pub use incoming::{MAX_DESCRIPTION_BYTES, MAX_SETS, MAX_SETS_PER_ADDRESS, MAX_WAITING_BYTES, check_invoice};
pub use input::{
    AmpFact, AmpQuestion, Decision, Fact, Input, KnownPayments, PastAttempt, PastPart, Question, Ticket,
};
pub use output::{Output, PayError, Quoted, ReceiveError};
pub use receive::{Hold, Receive, Short};
pub use request::{
    FINAL_CLTV, MAX_ATTEMPTS, MAX_HINTS, MAX_KEY_LENGTH, MAX_PARTS, MAX_RECORDS_BYTES, MAX_TIMEOUT_MS,
    PayRequest,
};
