//! What waits for the writer, and how much of it goes into one transaction.

use crate::error::StoreError;
use crate::writer::{Commit, Completion};
use sponte_engine::commit::Transaction;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, TryRecvError};

/// One commit takes no more submissions than this...
const BATCH_SUBMISSIONS: usize = 256;
/// ...and begins no further one after so many bytes.
const BATCH_BYTES: usize = 16 << 20;
/// Roughly what a row of the ledger takes.
const ROW_BYTES: usize = 512;

/// What comes to the writer's thread.
pub(crate) enum Message {
    Submit(Box<Submission>),
    Close,
}

/// A transaction and whoever waits for it. Dropped unwritten, it says so: nobody waits for ever.
pub(crate) struct Submission {
    pub(crate) transaction: Transaction,
    end: Option<Completion>,
}

impl Submission {
    pub(crate) fn new(transaction: Transaction, end: Completion) -> Submission {
        Submission { transaction, end: Some(end) }
    }

    pub(crate) fn complete(mut self, result: Result<Commit, StoreError>) {
        if let Some(end) = self.end.take() {
            end(result);
        }
    }

    /// What it adds to a batch that writes `keys`: of the writes to a key the last one is written,
    /// so the others take nothing.
    fn bytes(&self, keys: &mut HashMap<(String, String), usize>) -> usize {
        let mut kv = 0;
        for entry in &self.transaction.kv.entries {
            let bytes = entry.key.len() + entry.value.as_ref().map_or(0, Vec::len);
            let before = keys.insert((entry.namespace.clone(), entry.key.clone()), bytes);
            kv += bytes.saturating_sub(before.unwrap_or(0));
        }
        kv + self.transaction.changes.rows() * ROW_BYTES
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end(Err(StoreError::Closed));
        }
    }
}

/// The receiving end, cut into batches.
pub(crate) struct Queue {
    messages: Receiver<Message>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(messages: Receiver<Message>) -> Queue {
        Queue { messages, closed: false }
    }

    /// Waits for a submission, and takes what else is there, in order. `None` once the store
    /// closes and nothing is left.
    pub(crate) fn next_batch(&mut self) -> Option<Vec<Submission>> {
        let mut batch = vec![];
        let (mut bytes, mut keys) = (0, HashMap::new());
        while batch.len() < BATCH_SUBMISSIONS && bytes < BATCH_BYTES {
            let message = if batch.is_empty() && !self.closed {
                self.messages.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.messages.try_recv()
            };
            match message {
                Ok(Message::Submit(submission)) => {
                    bytes += submission.bytes(&mut keys);
                    batch.push(*submission);
                }
                Ok(Message::Close) => self.closed = true,
                Err(TryRecvError::Disconnected) => {
                    self.closed = true;
                    break;
                }
                Err(TryRecvError::Empty) => break,
            }
        }
        if batch.is_empty() { None } else { Some(batch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;

    fn submission(bytes: usize) -> Message {
        static KEYS: AtomicU64 = AtomicU64::new(0);
        let key = KEYS.fetch_add(1, Ordering::Relaxed).to_string();
        written_to(&key, bytes)
    }

    fn written_to(key: &str, bytes: usize) -> Message {
        let mut transaction = Transaction::default();
        transaction.kv.put("test", key, vec![0; bytes]);
        Message::Submit(Box::new(Submission::new(transaction, Box::new(|_| {}))))
    }

    fn batches(messages: impl IntoIterator<Item = Message>) -> Vec<usize> {
        let (sender, receiver) = mpsc::channel();
        messages.into_iter().for_each(|message| sender.send(message).expect("received"));
        drop(sender);
        let mut queue = Queue::new(receiver);
        std::iter::from_fn(|| queue.next_batch()).map(|batch| batch.len()).collect()
    }

    #[test]
    fn all_that_waits_is_one_batch() {
        assert_eq!(batches((0..100).map(|_| submission(1))), [100]);
    }

    #[test]
    fn batches_are_bounded() {
        assert_eq!(batches((0..300).map(|_| submission(1))), [256, 44]);
        assert_eq!(batches((0..5).map(|_| submission(BATCH_BYTES / 2))), [2, 2, 1]);
        assert_eq!(batches((0..2).map(|_| submission(BATCH_BYTES * 2))), [1, 1]);
    }

    #[test]
    fn what_is_written_over_in_the_same_batch_takes_nothing() {
        assert_eq!(batches((0..9).map(|_| written_to("manager", BATCH_BYTES - 100))), [9]);
    }

    #[test]
    fn what_came_before_and_with_the_close_is_written() {
        assert_eq!(batches([submission(1), Message::Close, submission(1)]), [2]);
        assert_eq!(batches([Message::Close]), [0; 0]);
    }

    #[test]
    fn dropped_means_told() {
        let (sender, receiver) = mpsc::channel();
        let end: Completion = Box::new(move |result| sender.send(result).expect("received"));
        drop(Submission::new(Transaction::default(), end));
        assert!(matches!(receiver.recv().expect("told"), Err(StoreError::Closed)));
    }
}
