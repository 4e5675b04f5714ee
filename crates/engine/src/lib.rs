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
//! use sponte_engine::{Config, Engine, Input, NodeSecret, Output, PayRequest, Ticket};
//! use sponte_proto::{Msat, NodeId, Records, Timestamp};
//!
//! let us = NodeId::from_bytes([2; 33])?;
//! let carol = NodeId::from_bytes([3; 33])?;
//! let config = Config::new(us, NodeSecret::new([7; 32]));
//! let mut engine = Engine::new(config, Snapshot::default());
//!
//! let now = Timestamp::from_millis(1_700_000_000_000);
//! let request = PayRequest {
//!     key: "coffee".into(),
//!     destination: carol,
//!     amount: Msat::from_sat(50).expect("below the supply"),
//!     max_fee: None,
//!     timeout_ms: 60_000,
//!     max_attempts: 10,
//!     records: Records::new(),
//! };
//! // The ledger, which is empty, has no payment with this id.
//! let _id = engine.payment_id(&request.key);
//! engine.handle_input(Input::Pay(request, Ticket(1), None), now);
//!
//! let mut rows = ChangeSet::default();
//! let mut sends = 0;
//! let mut wake_at = None;
//! while let Some(output) = engine.poll_output() {
//!     match output {
//!         Output::Persist(changes) => rows.extend(*changes),
//!         Output::Backend(_command) => sends += 1,
//!         Output::Timeout(at) => wake_at = Some(at),
//!         // The answer may be seen only once `rows` are durable.
//!         Output::Reply(ticket, answer) => assert!(ticket == Ticket(1) && answer.is_ok()),
//!         Output::Answer(..) => unreachable!("nothing was asked about payments to us"),
//!     }
//! }
//! assert_eq!((rows.payments.len(), rows.attempts.len(), sends), (1, 1, 1));
//! assert_eq!(wake_at, None, "an attempt is on its way: its end is an event, not a time");
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
mod outgoing;
mod output;
mod receive;
mod request;
mod retry;
mod step;

pub use config::{Config, NodeSecret};
pub use engine::Engine;
pub use fees::default_max_fee;
pub use incoming::{
    MAX_DESCRIPTION_BYTES, MAX_SETS, MAX_SETS_PER_ADDRESS, MAX_WAITING_BYTES, check_amp_invoice,
};
pub use input::{AmpFact, AmpQuestion, Decision, Fact, Input, PastAttempt, PastPart, Question, Ticket};
pub use output::{Output, PayError, ReceiveError};
pub use receive::{Hold, Receive, Short};
pub use request::{MAX_ATTEMPTS, MAX_KEY_LENGTH, MAX_RECORDS_BYTES, MAX_TIMEOUT_MS, PayRequest};
