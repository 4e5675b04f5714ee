//! The folder as a whole: opened, written, read, closed.

use crate::error::{OpenError, StoreError};
use crate::failpoints::Failpoints;
use crate::folder::Folder;
use crate::ledger::Ledger;
use crate::readers::Readers;
use crate::writer::{self, Writer};
use crate::{schema, snapshot};
use sponte_engine::commit::Snapshot;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// How a store is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether a database is made where there is none. Off for a folder that has one already: a
    /// node that forgot its channels looks like a new one, and must not start as one.
    pub create: bool,
    /// Trouble on order, for crash tests.
    pub failpoints: Failpoints,
}

/// An open data directory: locked, its writer at work. Closed by [`Store::close`] or by drop.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
    readers: Arc<Readers>,
    /// Last, so that the lock goes after the writer has ended.
    _folder: Folder,
}

impl Store {
    /// Opens the folder and brings its schema up to date. With [`Options::create`] both folder and
    /// database are made if they are not there.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is changed in a folder that is locked, nor in a database that
    /// is newer, damaged or another program's.
    pub fn open(dir: &Path, options: Options) -> Result<Store, OpenError> {
        let folder = Folder::open(dir)?;
        let file = folder.database(options.create)?;
        let conn = schema::open_writer(&file, options.create)?;
        let io = |source| OpenError::Io { path: dir.to_owned(), source };
        let failpoints = options.failpoints.activate(folder.path()).map_err(io)?;
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer::run(conn, failpoints, receiver))
            .map_err(io)?;
        Ok(Store {
            writer: Writer::new(sender),
            thread: Some(thread),
            readers: Arc::new(Readers::new(file)),
            _folder: folder,
        })
    }

    /// A backend's committed state: all keys of a namespace with their values, in key order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn kv(&self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.readers.read(|conn| {
            let mut select =
                conn.prepare_cached("SELECT key, value FROM kv WHERE namespace = ?1 ORDER BY key")?;
            let rows = select.query_map([namespace], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What the engine goes on from, as of the last commit. Takes time for what is pending,
    /// however much has ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.readers.read(|conn| snapshot::read(conn))
    }

    /// Where transactions are handed in.
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// Where committed rows are read. Many reads at once wait for each other.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.readers.clone())
    }

    /// The same over connections of its own, the first open already: whoever reads there waits
    /// for no other reader, however many there are and however long they take.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn ledger_apart(&self) -> Result<Ledger, StoreError> {
        let readers = Arc::new(Readers::new(self.readers.file.clone()));
        readers.read(|_| Ok(()))?;
        Ok(Ledger::new(readers))
    }

    /// Writes what is queued, moves the log into the database and frees the folder. Later
    /// submissions end with [`StoreError::Closed`].
    ///
    /// # Errors
    /// What stopped the writer, if a commit failed.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.writer.close();
        thread.join().unwrap_or_else(|_| Err(StoreError::Stopped("a completion panicked".into())))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Whoever submitted was told of a failure by the submission's own completion.
        let _ = self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::CONNECTIONS;
    use std::time::Duration;

    #[test]
    fn a_ledger_apart_waits_for_no_other_reader() {
        let dir = tempfile::tempdir().expect("a folder");
        let options = Options { create: true, ..Options::default() };
        let store = Store::open(dir.path(), options).expect("opens");
        let apart = store.ledger_apart().expect("opens");
        let (held, all_held) = mpsc::channel();
        let (read, was_read) = mpsc::channel();
        thread::scope(|scope| {
            let mut ends = vec![];
            for _ in 0..CONNECTIONS {
                let (end, ended) = mpsc::channel::<()>();
                let (held, readers) = (held.clone(), store.readers.clone());
                ends.push(end);
                scope.spawn(move || {
                    readers.read(|_| {
                        held.send(()).expect("awaited");
                        // Until its other half is dropped.
                        let _ = ended.recv();
                        Ok(())
                    })
                });
            }
            (0..CONNECTIONS).for_each(|_| all_held.recv().expect("each begins"));
            scope.spawn(move || read.send(apart.last_event_seq().is_ok()));
            let answer = was_read.recv_timeout(Duration::from_secs(60));
            drop(ends);
            assert_eq!(answer, Ok(true));
        });
    }
}
