//! The database file: whose it is, how old, and how connections to it are set up.

use crate::error::{OpenError, StoreError};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Says in the file's header that it is ours: "spnt".
const APPLICATION_ID: i32 = 0x7370_6e74;

/// One after the other; the file's `user_version` counts those that are done.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_ledger.sql"),
    include_str!("migrations/0002_receive.sql"),
    include_str!("migrations/0003_counters.sql"),
    include_str!("migrations/0004_send.sql"),
    include_str!("migrations/0005_offers.sql"),
];

/// Longer than a checkpoint takes; only another program on the file could hold it so long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// What stays of the log when it starts anew, however large it was.
const LOG_SIZE_LIMIT_BYTES: u32 = 64 << 20;
/// Pages of a large batch stay in memory until its commit.
const WRITER_CACHE_KIB: i32 = 32 << 10;
const STATEMENTS: usize = 64;

/// The writer's connection, the schema brought up to date, or made if `create` allows it.
pub(crate) fn open_writer(file: &Path, create: bool) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(file, flags).map_err(|e| unreadable(file, e))?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(|e| unreadable(file, e))?;
    // Before anything is written: a file that is not ours stays as it is.
    let version = version(&conn, file)?;
    if version == 0 && !create {
        return Err(OpenError::Missing { file: file.to_owned() });
    }
    let mode = set_up(&conn).map_err(|e| unreadable(file, e))?;
    if mode != "wal" {
        return Err(OpenError::NoLog { file: file.to_owned(), mode });
    }
    migrate(&mut conn, version, file)?;
    Ok(conn)
}

/// A connection that cannot write. The file is one that [`open_writer`] has seen.
pub(crate) fn open_reader(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// Answers how SQLite logs now: it falls back in silence where there is no shared memory, and
/// then all that is known here of commits, readers and crashes is of another log.
fn set_up(conn: &Connection) -> rusqlite::Result<String> {
    let mode = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    // Each commit is on the disk before it returns.
    conn.pragma_update(None, "synchronous", "full")?;
    // Also on macOS, where a plain fsync leaves it in the disk's own cache.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "journal_size_limit", LOG_SIZE_LIMIT_BYTES)?;
    // Negative: KiB instead of pages.
    conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(mode)
}

/// How many migrations are done; zero for a new file, and for one whose creation was cut short.
fn version(conn: &Connection, file: &Path) -> Result<usize, OpenError> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i32>(0));
    let header = || -> rusqlite::Result<(i32, i32, i32)> {
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (application, version, objects) = header().map_err(|e| unreadable(file, e))?;
    let foreign = || OpenError::Unreadable { file: file.into(), why: "it is another program's".into() };
    match application {
        0 if version == 0 && objects == 0 => return Ok(0),
        APPLICATION_ID => {}
        _ => return Err(foreign()),
    }
    let version = u32::try_from(version).map_err(|_| foreign())?;
    let known = u32::try_from(MIGRATIONS.len()).expect("few migrations");
    if version > known {
        return Err(OpenError::Newer { file: file.into(), found: version, known });
    }
    Ok(version as usize)
}

/// All of it in one transaction, the header's numbers included: a crash leaves the file as it
/// was, and the next start goes on from there. Foreign keys are off meanwhile, as a table that is
/// made anew is dropped under those that refer to it; whether all still refer to something is
/// looked at before the commit.
fn migrate(conn: &mut Connection, done: usize, file: &Path) -> Result<(), OpenError> {
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    // Without effect within a transaction.
    conn.pragma_update(None, "foreign_keys", false).map_err(|e| unreadable(file, e))?;
    let dangling = migrate_all(conn, done).map_err(|e| unreadable(file, e))?;
    if dangling {
        let why = "rows refer to rows that are not there".into();
        return Err(OpenError::Unreadable { file: file.to_owned(), why });
    }
    conn.pragma_update(None, "foreign_keys", true).map_err(|e| unreadable(file, e))
}

/// Answers whether rows refer to others that are not there: then nothing was changed.
fn migrate_all(conn: &mut Connection, done: usize) -> rusqlite::Result<bool> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in &MIGRATIONS[done..] {
        transaction.execute_batch(sql)?;
    }
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Ok(true);
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()?;
    Ok(false)
}

fn unreadable(file: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Unreadable { file: file.to_owned(), why: error.to_string() }
        }
        _ => OpenError::Store(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_on_the_disk_before_it_returns() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("sponte.db");
        std::fs::write(&file, b"").expect("written");
        let conn = open_writer(&file, true).expect("new");
        let number = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
        // 2 is `FULL`: the log is synced by every commit, not by checkpoints only.
        assert_eq!(number("PRAGMA synchronous"), 2);
        assert_eq!((number("PRAGMA fullfsync"), number("PRAGMA checkpoint_fullfsync")), (1, 1));
        assert_eq!(number("PRAGMA foreign_keys"), 1);
        let mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a word");
        assert_eq!(mode, "wal");
    }

    /// A database in memory stands for a file system without shared memory.
    #[test]
    fn another_log_is_noticed() {
        let conn = Connection::open_in_memory().expect("there is memory");
        assert_eq!(set_up(&conn).expect("no error of SQLite's"), "memory");
    }

    #[test]
    fn a_reader_cannot_write() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("sponte.db");
        std::fs::write(&file, b"").expect("written");
        let _writer = open_writer(&file, true).expect("new");
        let reader = open_reader(&file).expect("there");
        reader.execute("DELETE FROM kv", []).expect_err("read-only");
    }
}
