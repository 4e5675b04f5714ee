//! The folder of one node: what lies in it, and who may read it.
//!
//! | file | what | mode |
//! |---|---|---|
//! | `seed` | the 24 words | 0600 |
//! | `birthday` | of a restored seed: the height from which the chain is searched | 0600 |
//! | `token` | what a client of the API must know | 0600 |
//! | `sponte.toml` | settings | 0600 |
//! | `api.addr` | where the running node serves its API | 0600 |
//! | the rest | the store's: database and lock | 0600 |

use crate::failure::{Failure, storage};
use crate::network::Network;
use sponte_api::Code;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The longest file of ours that is read, in bytes: none comes near it.
const LONGEST: u64 = 1 << 20;

/// The folder of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The folder that is named, or else the platform's, one per network.
    ///
    /// # Errors
    /// None is named, and the platform knows no home.
    pub fn locate(named: Option<&Path>, network: Network) -> Result<DataDir, Failure> {
        if let Some(path) = named {
            return Ok(DataDir(path.to_owned()));
        }
        let project = directories::ProjectDirs::from("", "", "sponte").ok_or_else(|| {
            Failure::new(
                Code::BadConfig,
                "this user has no home directory; say where the node lives with --dir",
            )
        })?;
        Ok(DataDir(project.data_dir().join(network.as_str())))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The seed.
    pub fn seed(&self) -> PathBuf {
        self.0.join("seed")
    }

    /// The height from which a restored wallet is searched for.
    pub fn birthday(&self) -> PathBuf {
        self.0.join("birthday")
    }

    /// The token of the API.
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// The settings.
    pub fn settings(&self) -> PathBuf {
        self.0.join("sponte.toml")
    }

    /// The address that the running node serves its API at.
    pub fn api_address(&self) -> PathBuf {
        self.0.join("api.addr")
    }

    /// Makes the folder, for this user alone; one that is there must be a folder.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn create(&self) -> Result<(), Failure> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).map_err(|why| storage("create the folder", &self.0, &why))
    }

    /// Takes away every right of other users to the folder, whoever made it.
    ///
    /// # Errors
    /// It belongs to another user.
    pub fn make_private(&self) -> Result<(), Failure> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&self.0, private)
                .map_err(|why| storage("make private", &self.0, &why))?;
        }
        Ok(())
    }

    /// Whether a node was made here.
    pub fn is_initialised(&self) -> bool {
        self.seed().exists()
    }

    /// Whether it has the memory of a node whose seed is gone: another seed must not take it over.
    pub fn lacks_its_seed(&self) -> bool {
        !self.is_initialised() && self.0.join(sponte_store::DATABASE).exists()
    }

    /// As a flag for the user to repeat: ` --dir ..`, empty for the default folder.
    pub fn flag(&self, network: Network) -> String {
        match DataDir::locate(None, network) {
            Ok(default) if default == *self && network == Network::default() => String::new(),
            Ok(default) if default == *self => format!(" --network {network}"),
            _ => format!(" --dir {}", quoted(&self.0)),
        }
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:\\".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Writes a file of mode 0600 that must not be there yet; it appears whole or not at all.
///
/// Answers whether it was written: `false` if there was one already, which stays as it is.
///
/// # Errors
/// The system does not let us.
pub fn create_exclusive(path: &Path, content: &[u8]) -> Result<bool, Failure> {
    let failed = |why: std::io::Error| storage("write", path, &why);
    let temporary = written_beside(path, content).map_err(failed)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => sync_folder(path).map(|()| true).map_err(failed),
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(failed(refused.error)),
    }
}

/// Writes a file of mode 0600 in place of the one that is there.
///
/// # Errors
/// The system does not let us.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |why: std::io::Error| storage("write", path, &why);
    let temporary = written_beside(path, content).map_err(failed)?;
    temporary.persist(path).map_err(|refused| failed(refused.error))?;
    sync_folder(path).map_err(failed)
}

fn written_beside(path: &Path, content: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().expect("every file of ours lies in the node's folder");
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// A new name is durable once its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().expect("every file of ours lies in the node's folder");
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Reads a file of ours; `None` if it is not there.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is far too long to be ours.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |why: std::io::Error| storage("read", path, &why);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(failed(why)),
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_a_shell() {
        assert_eq!(quoted(Path::new("/tmp/a-b.c")), "/tmp/a-b.c");
        assert_eq!(quoted(Path::new("/tmp/a b")), "'/tmp/a b'");
        assert_eq!(quoted(Path::new("/tmp/it's")), r"'/tmp/it'\''s'");
    }

    #[test]
    fn a_file_is_written_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("seed");
        assert_eq!(create_exclusive(&path, b"one"), Ok(true));
        assert_eq!(create_exclusive(&path, b"two"), Ok(false));
        assert_eq!(read(&path), Ok(Some("one".into())));
        replace(&path, b"three").expect("written");
        assert_eq!(read(&path), Ok(Some("three".into())));
        assert_eq!(read(&folder.path().join("other")), Ok(None));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a folder");
        let dir = DataDir(parent.path().join("deep/node"));
        dir.create().expect("made");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(dir.path()), 0o700);
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
        dir.make_private().expect("ours");
        assert_eq!(mode(dir.path()), 0o700);
        create_exclusive(&dir.token(), b"secret").expect("written");
        replace(&dir.api_address(), b"1.2.3.4:5").expect("written");
        assert_eq!((mode(&dir.token()), mode(&dir.api_address())), (0o600, 0o600));
    }

    #[test]
    fn a_file_in_the_way_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "").expect("written");
        let failure = DataDir(path.clone()).create().expect_err("no folder");
        assert_eq!(failure.code, Code::Storage);
        assert!(failure.message.contains(&path.display().to_string()), "{}", failure.message);
    }
}
