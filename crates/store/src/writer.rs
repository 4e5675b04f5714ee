//! The one writer: a thread that turns what waits into one commit after the other.

use crate::books::Books;
use crate::error::StoreError;
use crate::failpoints::Active;
use crate::queue::{Message, Queue, Submission};
use crate::{apply, checkpoint::Checkpoint};
use rusqlite::{Connection, TransactionBehavior};
use sponte_engine::commit::Transaction;
use std::sync::mpsc::{Receiver, Sender};

/// Told once how a submission ended. Runs on the writer's thread, between two commits: it must
/// not block, nor drop the [`Store`](crate::Store).
pub type Completion = Box<dyn FnOnce(Result<Commit, StoreError>) + Send>;

/// A submission that is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The number of the commit since the store was opened, from 1; submissions that were
    /// written together share it. Zero for an empty submission that needed none.
    pub number: u64,
    /// The `seq` of the last event that this submission wrote, if it wrote any.
    pub last_event_seq: Option<u64>,
}

/// Where transactions are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    messages: Sender<Message>,
}

impl Writer {
    pub(crate) fn new(messages: Sender<Message>) -> Writer {
        Writer { messages }
    }

    /// Queues a transaction; never blocks. `end` is called exactly once, in the order of
    /// submission: with `Ok` after the commit is on the disk, with an error if nothing of the
    /// transaction was written. After the first error every later submission ends in one too.
    pub fn submit(&self, transaction: Transaction, end: Completion) {
        let message = Message::Submit(Box::new(Submission::new(transaction, end)));
        // A store that is closed gives the message back, and dropping it tells the submitter.
        let _ = self.messages.send(message);
    }

    pub(crate) fn close(&self) {
        let _ = self.messages.send(Message::Close);
    }
}

/// Writes batches until the store closes. Fails with what stopped it, if anything did.
pub(crate) fn run(
    conn: Connection,
    failpoints: Active,
    messages: Receiver<Message>,
) -> Result<(), StoreError> {
    let checkpoint = Checkpoint::of(&conn);
    let mut thread =
        Thread { conn, checkpoint, failpoints, books: Books::default(), commits: 0, stopped: None };
    let mut queue = Queue::new(messages);
    while let Some(batch) = queue.next_batch() {
        thread.write(batch);
    }
    match thread.stopped {
        Some(error) => Err(error),
        None => {
            thread.checkpoint.finish(&thread.conn);
            Ok(())
        }
    }
}

struct Thread {
    conn: Connection,
    checkpoint: Checkpoint,
    failpoints: Active,
    books: Books,
    commits: u64,
    stopped: Option<StoreError>,
}

impl Thread {
    fn write(&mut self, mut batch: Vec<Submission>) {
        if let Some(error) = &self.stopped {
            let why = error.to_string();
            return end_all(&mut batch, |_| Err(StoreError::Stopped(why.clone())));
        }
        if batch.iter().all(|submission| submission.transaction.is_empty()) {
            return end_all(&mut batch, |_| Ok(Commit::default()));
        }
        match self.commit(&mut batch) {
            // After the completions, as nobody waits for it.
            Ok(()) => self.checkpoint.if_due(&self.conn),
            Err(error) => {
                // The balances in memory may be those of rows that were rolled back.
                self.stopped = Some(error.clone());
                end_all(&mut batch, |_| Err(error.clone()));
            }
        }
    }

    fn commit(&mut self, batch: &mut Vec<Submission>) -> Result<(), StoreError> {
        self.commits += 1;
        self.failpoints.before_rows(&self.conn, self.commits)?;
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut events = Vec::with_capacity(batch.len());
        for submission in batch.iter() {
            events.push(apply::changes(&transaction, &mut self.books, &submission.transaction.changes)?);
        }
        self.books.flush(&transaction)?;
        apply::kv(&transaction, batch.iter().map(|submission| &submission.transaction))?;

        let number = self.commits;
        let done = |at: usize| Ok(Commit { number, last_event_seq: events[at] });
        if self.failpoints.early() {
            end_all(batch, done);
        }
        self.failpoints.before_commit(number)?;
        transaction.commit()?;
        self.failpoints.after_commit(number)?;
        end_all(batch, done);
        Ok(())
    }
}

/// Ends every submission in order; `batch` is empty then.
fn end_all(batch: &mut Vec<Submission>, result: impl Fn(usize) -> Result<Commit, StoreError>) {
    for (at, submission) in batch.drain(..).enumerate() {
        submission.complete(result(at));
    }
}
