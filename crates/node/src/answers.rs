//! Callers who wait, and answers that may not be seen yet.

use sponte_engine::backend::{Refusal, Reply};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Somebody who waits. Dropped unanswered, it tells that the node has stopped.
pub(crate) struct Caller<T> {
    answer: oneshot::Sender<T>,
    /// Given back with the answer, so that what waits for the disk is bounded too.
    _permit: OwnedSemaphorePermit,
}

/// An answer on its way to a caller.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// Answers of the current step. They are let out when all that was submitted up to the step is
/// durable.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Vec<Answer>>>);

impl<T: Send + 'static> Caller<T> {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> (Caller<T>, oneshot::Receiver<T>) {
        let (answer, receiver) = oneshot::channel();
        (Caller { answer, _permit: permit }, receiver)
    }

    pub(crate) fn answer(self, value: T) -> Answer {
        // A caller that has gone does not mind.
        Box::new(move || drop(self.answer.send(value)))
    }
}

impl Answers {
    pub(crate) fn push(&self, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }

    pub(crate) fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a backend calls, in this step or a later one.
    pub(crate) fn reply<T: Send + 'static>(&self, caller: Caller<Result<T, Refusal>>) -> Reply<T> {
        let answers = self.clone();
        Box::new(move |result| answers.push(caller.answer(result)))
    }
}
