//! A process of a test, ended with its owner.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A program that runs, with all that it says in a file.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says is added to `log`.
    pub fn start(mut command: Command, log: &Path) -> Process {
        let file = || File::options().create(true).append(true).open(log).expect("the folder is ours");
        command.stdin(Stdio::null()).stdout(file()).stderr(file());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Process { child, log: log.to_owned() }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The last lines that it said.
    pub fn last_words(&self) -> String {
        let all = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&all);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the last words in {}\n{}", self.log.display(), self.last_words());
        }
    }
}

/// Ports of loopback that were free a moment ago. Another process may take one before it is used, so whoever
/// uses them tries again with others.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
