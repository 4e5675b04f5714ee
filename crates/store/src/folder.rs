//! The data directory: made for its owner only, and used by one process at a time.

use crate::error::OpenError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The database's name in the folder.
pub const DATABASE: &str = "sponte.db";
/// The write-ahead log's.
pub(crate) const LOG: &str = "sponte.db-wal";
const LOCK: &str = "lock";

/// Whether a process has the folder open. Looking takes a shared lock for a moment: whoever opens
/// the folder just then should try again.
///
/// # Errors
/// The system does not let us look.
pub fn is_in_use(dir: &Path) -> io::Result<bool> {
    let lock = match File::open(dir.join(LOCK)) {
        Ok(lock) => lock,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(why) => return Err(why),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(why)) => Err(why),
    }
}

/// A folder that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The lock goes with the open file, so the operating system frees it however we end.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, and takes its lock.
    pub(crate) fn open(path: &Path) -> Result<Folder, OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            |source| OpenError::Io { path, source }
        };
        create_private_dir(path).map_err(io(path))?;
        let lock_path = path.join(LOCK);
        let lock = open_private(&lock_path).map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path: lock_path, source }),
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database: there, empty if it is new, and readable by its owner only. The log and its
    /// index take their mode from it.
    ///
    /// One that must not be new is looked at before SQLite sees it, which of an empty file throws
    /// the log away.
    pub(crate) fn database(&self, create: bool) -> Result<PathBuf, OpenError> {
        let path = self.path.join(DATABASE);
        if !create {
            match fs::metadata(&path) {
                Ok(found) if found.len() > 0 => {}
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(OpenError::Io { path, source });
                }
                _ => return Err(OpenError::Missing { file: path }),
            }
        }
        match open_private(&path).and_then(|file| restrict(&file)) {
            Ok(()) => Ok(path),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }
}

#[cfg(unix)]
fn create_private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// A file that was copied here may come with any mode.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata()?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("new/deeper");
        assert!(!is_in_use(&path).expect("looked"), "there is none");
        let first = Folder::open(&path).expect("free");
        assert!(is_in_use(&path).expect("looked"));
        let second = Folder::open(&path).expect_err("taken");
        assert!(matches!(&second, OpenError::Locked { dir } if *dir == path), "{second}");
        drop(first);
        assert!(!is_in_use(&path).expect("looked"));
        Folder::open(&path).expect("free again");
    }

    #[cfg(unix)]
    #[test]
    fn the_database_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let folder = Folder::open(dir.path()).expect("free");
        let database = folder.database(true).expect("made");
        assert_eq!(mode(&database), 0o600);
        fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).expect("ours");
        assert_eq!(mode(&folder.database(true).expect("there")), 0o600);
    }

    #[test]
    fn a_file_in_place_of_the_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("file");
        fs::write(&path, b"").expect("written");
        assert!(matches!(Folder::open(&path), Err(OpenError::Io { .. })));
    }
}
