//! What can go wrong, each in one line that says what to do next.

use crate::books::BooksError;
use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What to do about a memory that is lost. An older state of a channel was revoked: whoever
/// broadcasts it, as a node does that starts from a copy, loses all that is in the channel.
const LOST: &str = "do NOT start from an older copy or an empty folder, which can cost all that is in channels; repair the file, or ask the peers to close by force and run `sponte init --restore` in a new directory";

/// Why a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder's lock is taken.
    #[error("another sponte runs on {dir}: stop it, or choose another data directory")]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "{file} was written by a newer sponte (schema {found}, this one knows {known}): run that version, or choose another data directory"
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this version knows.
        known: u32,
    },
    /// The database was never made, or is there no more.
    #[error("{file} is missing or empty: {LOST}")]
    Missing {
        /// The database.
        file: PathBuf,
    },
    /// Not a database, another program's, or damaged.
    #[error("{file} cannot be read as a sponte database ({why}): {LOST}")]
    Unreadable {
        /// The database.
        file: PathBuf,
        /// What was found.
        why: String,
    },
    /// The file system has no write-ahead log.
    #[error(
        "{file} cannot have a write-ahead log there (SQLite took `{mode}` instead): put the data directory on a local disk"
    )]
    NoLog {
        /// The database.
        file: PathBuf,
        /// What there is instead.
        mode: String,
    },
    /// The operating system refused the folder or a file in it.
    #[error("{path} cannot be used ({source}): check that the folder can be written by you")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database failed while it was set up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a read or a write failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room for a commit. What was confirmed before is on the disk.
    #[error("the disk is full, nothing confirmed is lost: make room, then start sponte again")]
    DiskFull,
    /// The rows cannot be true, whoever asked for them.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// A constraint of the schema refused a row: a fault of the program.
    #[error("the ledger refused a row ({0}): please report this, then start sponte again")]
    Refused(String),
    /// Bytes in the file are not what was once written.
    #[error("the database holds something unreadable ({0}): {LOST}")]
    Damaged(String),
    /// The database or the operating system failed.
    #[error("the database failed ({0}): check the disk, then start sponte again")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// An earlier commit failed, so nothing is written any more.
    #[error("nothing is written after a failed commit ({0}): start sponte again")]
    Stopped(String),
    /// The store was closed before this could be written.
    #[error("the store is closed: start sponte again")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::Error;
        match &error {
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..) => return StoreError::Damaged(error.to_string()),
            _ => {}
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::DiskFull,
            Some(ErrorCode::ConstraintViolation) => StoreError::Refused(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged(error.to_string())
            }
            _ => StoreError::Failed(Arc::new(error)),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
            _ => StoreError::Failed(Arc::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_one_line() {
        let io = || io::Error::from(io::ErrorKind::PermissionDenied);
        let messages = [
            OpenError::Locked { dir: "d".into() }.to_string(),
            OpenError::Newer { file: "f".into(), found: 2, known: 1 }.to_string(),
            OpenError::Missing { file: "f".into() }.to_string(),
            OpenError::Unreadable { file: "f".into(), why: "w".into() }.to_string(),
            StoreError::Damaged("w".into()).to_string(),
            OpenError::NoLog { file: "f".into(), mode: "m".into() }.to_string(),
            OpenError::Io { path: "p".into(), source: io() }.to_string(),
            StoreError::from(io()).to_string(),
            StoreError::DiskFull.to_string(),
            StoreError::Closed.to_string(),
        ];
        for message in messages {
            assert!(message.lines().count() == 1 && message.contains(": "), "{message}");
        }
    }

    #[test]
    fn no_message_sends_to_an_old_copy() {
        for message in [
            OpenError::Missing { file: "f".into() }.to_string(),
            OpenError::Unreadable { file: "f".into(), why: "w".into() }.to_string(),
            StoreError::Damaged("w".into()).to_string(),
        ] {
            assert!(message.contains("do NOT start from an older copy or an empty folder"), "{message}");
            assert!(message.contains("`sponte init --restore` in a new directory"), "{message}");
        }
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            Some("database or disk is full".into()),
        );
        assert!(matches!(StoreError::from(full), StoreError::DiskFull));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(matches!(StoreError::from(full), StoreError::DiskFull));
    }
}
