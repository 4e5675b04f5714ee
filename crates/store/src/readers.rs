//! A few connections that only read. In a write-ahead log they see the last commit and never
//! block the writer.

use crate::error::StoreError;
use crate::schema;
use rusqlite::{Connection, Transaction};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// More readers at once than this wait for each other, so a burst of requests cannot use up the
/// process's files.
pub(crate) const CONNECTIONS: usize = 8;

#[derive(Debug)]
pub(crate) struct Readers {
    pub(crate) file: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    lent: usize,
}

/// A connection on loan; it goes back, or is forgotten after a failure.
struct Loan<'a> {
    readers: &'a Readers,
    conn: Option<Connection>,
}

impl Readers {
    pub(crate) fn new(file: PathBuf) -> Readers {
        Readers { file, pool: Mutex::default(), returned: Condvar::new() }
    }

    /// Runs `read` on one moment of the ledger: its statements all see the same commit.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut loan = self.lend()?;
        let mut conn = loan.conn.take().expect("a loan begins with its connection");
        // A connection that a failure leaves in doubt is closed instead of lent again.
        let value = {
            let transaction = conn.transaction()?;
            let value = read(&transaction)?;
            transaction.finish()?;
            value
        };
        loan.conn = Some(conn);
        Ok(value)
    }

    fn lend(&self) -> Result<Loan<'_>, StoreError> {
        let mut pool = self.pool();
        while pool.lent == CONNECTIONS {
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        pool.lent += 1;
        let idle = pool.idle.pop();
        drop(pool);
        let mut loan = Loan { readers: self, conn: idle };
        if loan.conn.is_none() {
            loan.conn = Some(schema::open_reader(&self.file)?);
        }
        Ok(loan)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // No code that holds the lock can leave the pool half changed.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        pool.lent -= 1;
        pool.idle.extend(self.conn.take());
        self.readers.returned.notify_one();
    }
}
