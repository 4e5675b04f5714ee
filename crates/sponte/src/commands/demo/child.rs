//! A child process of the same binary.
//!
//! Its stdin is a pipe: when that closes, because it is asked to stop or because the demo is no
//! more, the child ends. Its stdout goes to the [janitor](super::janitor), which learns from it
//! when the child has ended.

use super::until::failed;
use crate::failure::Failure;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{ChildStdout, Command};

/// How long a child may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(15);

/// A child process that runs until it is stopped.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: tokio::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts `command`, which is to end when its stdin closes; stderr goes to the file `log`.
    ///
    /// # Errors
    /// The system starts no process, or cannot write the file.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Child, Failure> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(|why| crate::failure::storage("write", log, &why))?;
        command.stdin(Stdio::piped()).stderr(file);
        let process = command.spawn().map_err(|why| not_started(name, &why))?;
        Ok(Child { name: name.to_owned(), process, log: log.to_owned() })
    }

    /// Its stdout, if it was asked for and not taken yet.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// Refuses a child that has ended by itself, with its last words.
    ///
    /// # Errors
    /// It has ended.
    pub fn require_running(&mut self) -> Result<(), Failure> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(why) => Err(failed(format!("cannot tell whether {} runs: {why}", self.name))),
        }
    }

    fn ended(&self, status: ExitStatus) -> Failure {
        let words = last_words(&std::fs::read_to_string(&self.log).unwrap_or_default());
        failed(format!("{} ended by itself ({status}), its last words: {words}", self.name))
    }

    /// Closes its stdin and waits for its end; one that does not end is killed.
    pub async fn stop(mut self) {
        drop(self.process.stdin.take());
        if tokio::time::timeout(STOP, self.process.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends it as a power failure would: without a chance to say goodbye.
    pub async fn kill(mut self) {
        // One that ended meanwhile is as dead.
        let _ = self.process.kill().await;
    }
}

/// A command of the same binary that sees none of the user's settings, and hears none of the
/// terminal's signals: those are the demo's to act upon.
pub fn command(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPONTE_") && name != "SPONTE_LOG" {
            command.env_remove(name);
        }
    }
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// What is said when the system starts no process.
pub fn not_started(name: &str, why: &std::io::Error) -> Failure {
    failed(format!("cannot start {name}: {why}"))
}

/// The line that says why, if there is one, or else the last.
pub fn last_words(log: &str) -> String {
    let error = log.lines().rev().find_map(|line| line.strip_prefix("error: "));
    error.or_else(|| log.lines().last()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_matters() {
        assert_eq!(last_words("a\nerror: the disk is full\nb\n"), "the disk is full");
        assert_eq!(last_words("a\nb\n"), "b");
        assert_eq!(last_words(""), "it said nothing");
    }
}
