//! When the write-ahead log is moved into the database.

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::cell::Cell;
use std::ffi::c_int;
use std::time::Duration;

/// 4 MiB of pages: rarely enough to cost little, often enough that a start reads a short log.
const DUE_PAGES: c_int = 1000;
/// How long a stop waits for readers before it leaves the log where it is; it is as good there.
const FINISH_TIMEOUT: Duration = Duration::from_millis(200);

thread_local! {
    /// The hook is a plain function, and the writer's connection never leaves its thread.
    static LOG_PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// SQLite's own automatism checkpoints inside the commit that makes the log long, and whoever
/// waits for that commit waits for three more syncs. This one runs between two commits, on the
/// writer's thread: beside it the log would never be whole in the database, so never start anew.
pub(crate) struct Checkpoint(());

impl Checkpoint {
    /// Takes over from SQLite. On the thread that commits.
    pub(crate) fn of(conn: &Connection) -> Checkpoint {
        LOG_PAGES.set(0);
        conn.wal_hook(Some(note));
        Checkpoint(())
    }

    /// Moves what no reader needs any more. A failure costs nothing: the log keeps everything,
    /// and the next commit tries again or says what is wrong.
    pub(crate) fn if_due(&self, conn: &Connection) {
        if LOG_PAGES.get() >= DUE_PAGES {
            let _ = run(conn, "PRAGMA wal_checkpoint(PASSIVE)");
        }
    }

    /// Leaves an empty log behind, if no reader is in the way.
    pub(crate) fn finish(&self, conn: &Connection) {
        let _ = conn.busy_timeout(FINISH_TIMEOUT);
        let _ = run(conn, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

fn note(_: &Wal, pages: c_int) -> rusqlite::Result<()> {
    LOG_PAGES.set(pages);
    Ok(())
}

fn run(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.query_row(sql, [], |_| Ok(()))
}
