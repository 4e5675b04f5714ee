//! `sponte demo`: what it says, and that nothing of it stays, however it ends.
//!
//! Each test has a folder for temporary files of its own, which all processes of its demo inherit
//! by name: that is how they are found.

#![cfg(unix)]

mod common;

use common::{one_object, sponte};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A demo under way.
struct Demo {
    place: TempDir,
    process: Child,
    stderr: Option<BufReader<std::process::ChildStderr>>,
}

/// How one ended.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Demo {
    fn start(args: &[&str]) -> Demo {
        let place = tempfile::tempdir().expect("a folder");
        let temporary = place.path().join("tmp");
        std::fs::create_dir(&temporary).expect("made");
        let mut command = sponte(place.path());
        command.env("TMPDIR", temporary).arg("demo").args(args);
        let mut process = command.spawn().expect("the binary starts");
        let stderr = process.stderr.take().map(BufReader::new);
        Demo { place, process, stderr }
    }

    fn temporary(&self) -> PathBuf {
        self.place.path().join("tmp")
    }

    /// Reads what it says on stderr until a line begins so; gives all that it read.
    fn until(&mut self, beginning: &str) -> String {
        let mut said = String::new();
        let stderr = self.stderr.as_mut().expect("not taken yet");
        loop {
            let start = said.len();
            let read = stderr.read_line(&mut said).expect("text");
            assert!(read > 0, "it ended before `{beginning}`: {said}");
            if said[start..].starts_with(beginning) {
                return said;
            }
        }
    }

    fn signal(&self, signal: &str) {
        kill(self.process.id(), signal);
    }

    fn end(&mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let mut rest = self.stderr.take().expect("taken once");
        rest.read_to_string(&mut stderr).expect("text");
        self.process.stdout.take().expect("piped").read_to_string(&mut stdout).expect("text");
        Ended { status: self.process.wait().expect("it ends"), stdout, stderr }
    }

    /// No file and no process is left.
    #[track_caller]
    fn assert_nothing_stays(&self) {
        let files: Vec<_> = std::fs::read_dir(self.temporary()).expect("there").collect();
        assert!(files.is_empty(), "{files:?}");
        let processes = self.processes();
        assert!(processes.is_empty(), "{processes:?}");
    }

    /// The same for a demo that could not wait for it.
    #[track_caller]
    fn wait_until_nothing_stays(&self) {
        let deadline = Instant::now() + PATIENCE;
        let stays = || {
            let files = std::fs::read_dir(self.temporary()).expect("there").count();
            files > 0 || !self.processes().is_empty()
        };
        while stays() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.assert_nothing_stays();
    }

    /// Ids and command lines of the demo's processes, where the system tells.
    fn processes(&self) -> Vec<(u32, String)> {
        let mark = self.temporary().display().to_string();
        let Ok(all) = std::fs::read_dir("/proc") else { return vec![] };
        let all = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let of_demo = |id: &u32| {
            let variables = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            *id != self.process.id() && String::from_utf8_lossy(&variables).contains(&mark)
        };
        all.filter(of_demo).map(|id| (id, command_line(id))).collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A test that failed leaves nothing either.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command_line(id: u32) -> String {
    let words = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

fn kill(id: u32, signal: &str) {
    let sent = Command::new("kill").args(["-s", signal, &id.to_string()]).status().expect("kill is there");
    assert!(sent.success(), "{signal} to {id}");
}

fn object(stdout: &str) -> Value {
    one_object(stdout)
}

#[test]
fn every_step_goes_as_it_should() {
    let mut demo = Demo::start(&["--json"]);
    let ended = demo.end();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    demo.assert_nothing_stays();

    let report = object(&ended.stdout);
    assert_eq!(report["ok"], true);
    let steps = report["steps"].as_array().expect("a list");
    let keys = [
        "amount_msat",
        "attempts",
        "fee_msat",
        "from",
        "kind",
        "latency_ms",
        "name",
        "outcome",
        "parts",
        "to",
    ];
    for step in steps {
        let mut have: Vec<_> = step.as_object().expect("an object").keys().collect();
        have.sort();
        assert_eq!(have, keys);
        let routed = step["parts"] != 0 && !(step["from"] == "alice" && step["to"] == "bob");
        let free = step["outcome"] == "canceled";
        // Of bob's to carol, once she is back, the direct way may be usable a moment later than others.
        if step["from"] != "bob" {
            assert_eq!(step["fee_msat"].as_u64().expect("a number") > 0, routed && !free, "{step}");
        }
    }
    let text = |step: &Value, name: &str| step[name].as_str().expect("a text").to_owned();
    let told: Vec<_> = steps
        .iter()
        .map(|step| {
            let ends = format!("{} to {}", text(step, "from"), text(step, "to"));
            // What is too large for two ways goes out in three parts, or more where one found too little.
            let parts = step["parts"].as_u64().expect("a number").min(3);
            (ends, text(step, "kind"), parts, text(step, "outcome"))
        })
        .collect();
    let expected = [
        ("alice to bob", "keysend", 1, "settled"),
        ("alice to carol", "keysend", 1, "settled"),
        ("alice to carol", "keysend", 1, "settled"),
        ("alice to carol", "keysend", 0, "failed"),
        ("alice to carol", "keysend", 1, "settled"),
        ("alice to carol", "mpp-keysend", 2, "settled"),
        ("alice to carol", "amp-invoice", 1, "settled"),
        ("alice to carol", "amp-invoice", 1, "settled"),
        ("alice to carol", "ecdh", 1, "settled"),
        ("alice to carol", "amp", 1, "settled"),
        ("alice to carol", "keysend", 1, "canceled"),
        ("bob to carol", "keysend", 1, "settled"),
        ("alice to carol", "keysend", 1, "settled"),
        ("alice to carol", "amp", 3, "settled"),
        ("carol to alice", "keysend", 1, "settled"),
    ];
    let expected =
        expected.map(|(ends, kind, parts, outcome)| (ends.into(), kind.into(), parts, outcome.into()));
    assert_eq!(told, expected);
    let last = steps.last().expect("there are some");
    assert!(last["attempts"].as_u64() >= Some(2), "the first way fails: {last}");
}

#[test]
fn ctrl_c_leaves_nothing() {
    for moment in ["starting a private chain", "starting alice", "opening", "carol killed"] {
        let mut demo = Demo::start(&[]);
        demo.until(moment);
        demo.signal("INT");
        let ended = demo.end();
        assert_eq!(ended.status.code(), Some(23), "{moment}: {ended:?}");
        assert!(
            ended.stderr.ends_with("error: interrupted; everything is stopped and removed\n"),
            "{ended:?}"
        );
        demo.assert_nothing_stays();
    }
}

#[test]
fn a_demo_that_is_killed_leaves_nothing() {
    for moment in ["starting a private chain", "starting alice", "opening", "carol killed"] {
        let mut demo = Demo::start(&[]);
        demo.until(moment);
        demo.signal("KILL");
        demo.process.wait().expect("it ends");
        demo.wait_until_nothing_stays();
    }
}

/// As by `killall sponte`.
#[cfg(target_os = "linux")]
#[test]
fn a_demo_that_is_ended_with_all_its_children_leaves_nothing() {
    for moment in ["opening", "carol killed"] {
        let mut demo = Demo::start(&[]);
        demo.until(moment);
        for (id, _) in demo.processes() {
            // One of them may be on its way out.
            let _ = Command::new("kill").args(["-s", "TERM", &id.to_string()]).output();
        }
        demo.signal("TERM");
        let ended = demo.end();
        assert_eq!(ended.status.code(), Some(23), "{moment}: {ended:?}");
        demo.assert_nothing_stays();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_node_that_dies_is_told() {
    let mut demo = Demo::start(&["--json", "--serve"]);
    demo.until("It goes on running");
    let bobs = |(_, line): &&(u32, String)| line.contains("/bob");
    let (bob, _) = demo.processes().iter().find(bobs).cloned().expect("bob runs");
    kill(bob, "KILL");
    let ended = demo.end();
    assert_eq!(ended.status.code(), Some(23), "{ended:?}");
    assert!(ended.stderr.contains("error: bob ended by itself"), "{ended:?}");
    // The payments were made before.
    assert_eq!(object(&ended.stdout)["ok"], true);
    demo.assert_nothing_stays();
}

#[test]
fn a_served_demo_can_be_talked_to() {
    let mut demo = Demo::start(&["--serve"]);
    demo.until("It goes on running");
    let said = demo.until("mine a block:");
    let commands: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let ours = |word: &str| *commands.iter().find(|line| line.contains(word)).expect("told");
    for command in [ours(" info "), ours(" channel list "), ours(" pay ")] {
        let ended =
            Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output().expect("sh is there");
        assert!(ended.status.success(), "{command}: {ended:?}");
    }
    demo.signal("INT");
    let ended = demo.end();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stdout.contains("Every step went as it should"), "{ended:?}");
    demo.assert_nothing_stays();
}

#[test]
fn no_folder_of_anybody_else_is_removed() {
    let place = tempfile::tempdir().expect("a folder");
    let precious = place.path().join("precious");
    std::fs::create_dir(&precious).expect("made");
    let ended = sponte(Path::new(place.path())).args(["demo", "--remove-at-end"]).arg(&precious).output();
    assert!(!ended.expect("starts").status.success() && precious.exists());
}
