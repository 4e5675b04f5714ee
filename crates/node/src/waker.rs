//! How anything tells the loop that the backend has work.

use crate::message::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

/// Asks for a step. Cheap to clone, and to call from any thread: wakes before the step has begun
/// are one.
#[derive(Clone, Debug)]
pub struct Waker {
    asked: Arc<AtomicBool>,
    messages: Sender<Message>,
}

impl Waker {
    pub(crate) fn new(messages: Sender<Message>) -> Waker {
        Waker { asked: Arc::default(), messages }
    }

    /// Asks for a step. Whatever the caller did before is seen by the poll of that step.
    pub fn wake(&self) {
        if !self.asked.swap(true, Ordering::AcqRel) {
            // A node that has stopped needs no wake.
            let _ = self.messages.send(Message::Wake);
        }
    }

    /// From now on a wake asks for another step.
    pub(crate) fn begin_step(&self) {
        self.asked.swap(false, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn wakes_before_a_step_are_one() {
        let (messages, inbox) = mpsc::channel();
        let waker = Waker::new(messages);
        waker.wake();
        waker.clone().wake();
        assert_eq!(inbox.try_iter().count(), 1);
        waker.begin_step();
        waker.wake();
        assert_eq!(inbox.try_iter().count(), 1);
    }
}
