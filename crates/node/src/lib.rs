//! The loop that joins engine, store and one backend, and the door for everybody who asks
//! something of a running node.
//!
//! [`spawn`] starts one thread, `sponte-step`, which owns the backend and the engine and does
//! everything in steps (the crate `sponte-engine` says what a step's parts mean):
//!
//! 1. what is durable by now is told to the backend, and the answers that waited for it go out;
//! 2. requests and the backend's events go to the engine, what it decides goes to the backend at
//!    once, until neither has anything left;
//! 3. the backend seals the step, and its state and the engine's rows are submitted as one
//!    transaction.
//!
//! Nothing on that thread waits for a commit. An answer is let out when everything that was
//! submitted up to its own step is durable, so nobody ever sees what a crash could undo.
//!
//! After a failed commit the thread stops at once and completes nothing: [`Node::wait`] tells
//! why, and the process is to end. This is the only crate that reads the clock for the engine.

mod answers;
mod audit;
mod blocking;
mod clock;
mod error;
mod flights;
mod handle;
mod lookup;
mod message;
mod node;
mod paying;
mod reading;
mod receiving;
mod rows;
mod step;
mod waiters;
mod waker;

pub use audit::{AuditError, Line, Report, Verdict, audit};
pub use clock::now;
pub use error::{AdminError, Fatal, PayError, ReceiveError, StartError, WaitError};
pub use handle::Handle;
pub use node::{Node, spawn};
pub use receiving::NewInvoice;
pub use sponte_engine::{PayRequest as PaymentRequest, Quoted};
pub use waker::Waker;
