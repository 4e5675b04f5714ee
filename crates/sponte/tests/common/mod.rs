//! Starting the binary in tests.

#![allow(dead_code, reason = "not every test file uses all of it")]

pub mod process;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The binary in a world of its own: no variable, home or folder of the machine reaches it.
pub fn sponte(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sponte"));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("SPONTE_") || name_text.starts_with("XDG_") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", dir.join("home")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The binary on a node's folder, ended.
pub fn run(dir: &Path, args: &[&str]) -> Ended {
    let output =
        sponte(dir).arg("--dir").arg(dir.join("node")).args(args).output().expect("the binary starts");
    Ended::from(output)
}

/// The same with something on stdin.
pub fn run_with_stdin(dir: &Path, args: &[&str], stdin: &str) -> Ended {
    let mut command = sponte(dir);
    command.arg("--dir").arg(dir.join("node")).args(args).stdin(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A command that refuses before it reads closes the pipe: its exit code tells.
    let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
    Ended::from(child.wait_with_output().expect("it ends"))
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Ended {
    /// It went well: what it said on stdout.
    #[track_caller]
    pub fn well(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// It went well: the one object on stdout.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        one_object(&self.stdout)
    }

    /// It failed with this code: the one line on stderr.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "not one line: {self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        self.stderr
    }
}

/// Reads the one object that a command with `--json` prints.
#[track_caller]
pub fn one_object(stdout: &str) -> serde_json::Value {
    assert_eq!(stdout.lines().count(), 1, "not one line: {stdout}");
    let value: serde_json::Value = serde_json::from_str(stdout).expect("JSON");
    assert!(value.is_object(), "{value}");
    value
}
