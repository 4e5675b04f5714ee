//! Who cleans up, however the demo ends.
//!
//! A process killed with SIGKILL can remove nothing, so a child of the demo does it: this
//! process. Its stdin is a pipe whose other end the demo and all its children hold as their
//! stdout. It ends when the last of them is gone, whatever became of them; then nobody writes
//! into the folder any more, and it is removed.

use super::child::{self, not_started};
use super::until::failed;
use crate::failure::{CommandResult, Done, Failure, storage};
use crate::interrupt::Interrupt;
use std::io::{self, PipeWriter};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How the demo's folders are named: nothing else is ever removed.
const PREFIX: &str = "sponte-demo-";
/// How long the janitor may take once everybody else has ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it tries.
const GLANCE: Duration = Duration::from_millis(50);

/// A folder that is removed once the demo and its children have ended.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    janitor: tokio::process::Child,
    /// What keeps the janitor waiting.
    presence: PipeWriter,
}

impl Folder {
    /// Makes one below the system's folder for such things, for this user alone.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn make(program: &Path) -> Result<Folder, Failure> {
        let place = std::env::temp_dir();
        let made = private_folder(&place);
        let folder = made.map_err(|why| storage("make a folder in", &place, &why))?;
        let (stdin, presence) = io::pipe().map_err(|why| not_started("the janitor", &why))?;
        let mut command = child::command(program, ["demo", "--remove-at-end"]);
        command.arg(folder.path()).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        let janitor = command.kill_on_drop(false).spawn().map_err(|why| not_started("the janitor", &why))?;
        // From here on it is the janitor's.
        Ok(Folder { path: TempDir::keep(folder), janitor, presence })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a child holds as its stdout, so that the folder stays while the child runs.
    ///
    /// # Errors
    /// The system has no more file descriptors.
    pub fn presence(&self) -> Result<Stdio, Failure> {
        let presence = self.presence.try_clone();
        Ok(presence.map_err(|why| failed(format!("cannot start a child: {why}")))?.into())
    }

    /// Lets go of the folder. When it returns, all children have ended and the folder is gone.
    ///
    /// # Errors
    /// Something is still there.
    pub async fn remove(mut self) -> Result<(), Failure> {
        drop(self.presence);
        // What one that was killed has left is removed here.
        let _ = tokio::time::timeout(2 * PATIENCE, self.janitor.wait()).await;
        let left = remove(&self.path);
        left.map_err(|why| {
            failed(format!("could not remove {}: {why}; remove it by hand", self.path.display()))
        })
    }
}

fn private_folder(place: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    builder.prefix(PREFIX).tempdir_in(place)
}

/// The janitor's own work: waits until nobody holds the other end of stdin, then removes.
///
/// Needs a runtime.
///
/// # Errors
/// The folder is none of the demo's, or the system does not let us.
pub fn clean_up(folder: &Path) -> CommandResult {
    let named = |name: &str| name.starts_with(PREFIX);
    if !folder.file_name().and_then(|name| name.to_str()).is_some_and(named) {
        return Err(failed(format!("{} is no folder of a demo", folder.display())));
    }
    // Who ends everybody at once, as killall does, ends this one by ending the others.
    let _deaf = Interrupt::listen()?;
    // What children say on stdout is for nobody; a pipe that breaks is as closed.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    remove(folder).map_err(|why| storage("remove", folder, &why))?;
    Ok(Done::Well)
}

/// The chain's stdout is the demo's, so the janitor does not wait for the chain. It writes nothing
/// but its log; still there are systems that do not remove a file that is open.
fn remove(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match std::fs::remove_dir_all(folder) {
            Ok(()) => return Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(why) if Instant::now() >= deadline => return Err(why),
            Err(_) => std::thread::sleep(GLANCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_look() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().expect("a folder");
        let folder = private_folder(place.path()).expect("made");
        let mode = std::fs::metadata(folder.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[tokio::test]
    async fn only_a_demos_folder_is_removed() {
        let place = tempfile::tempdir().expect("a folder");
        let precious = place.path().join("precious");
        std::fs::create_dir(&precious).expect("made");
        assert!(clean_up(&precious).is_err() && precious.exists());
        assert!(clean_up(Path::new("/")).is_err());
    }
}
