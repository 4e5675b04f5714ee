//! Commands that run until they are told to stop.

use super::{one_object, sponte};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine; a test that needs it has failed.
pub const LONG: Duration = Duration::from_secs(120);

/// A command that runs. Killed when it is dropped.
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    logged: String,
}

impl Process {
    /// Starts it; it ends when its stdin is closed.
    pub fn start(mut command: Command) -> Process {
        command.arg("--exit-on-stdin-close");
        Process::spawn(command)
    }

    /// Starts a command that ends by itself.
    pub fn spawn(mut command: Command) -> Process {
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().expect("piped"));
        let stderr = lines(child.stderr.take().expect("piped"));
        Process { child, stdin, stdout, stderr, logged: String::new() }
    }

    /// Waits for the one object that it prints when it is ready.
    pub fn said(&mut self) -> Value {
        match self.stdout.recv_timeout(LONG) {
            Ok(line) => one_object(&line),
            Err(why) => panic!("said nothing ({why}): {}", self.log()),
        }
    }

    /// Waits for a line of its log, which it answers.
    pub fn wait_for_log(&mut self, words: &str) -> String {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(line) = self.logged.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.logged.push_str(&(line + "\n")),
                Err(why) => panic!("no `{words}` ({why}) in: {}", self.logged),
            }
        }
    }

    /// What it logged so far.
    pub fn log(&mut self) -> &str {
        self.logged.extend(self.stderr.try_iter().map(|line| line + "\n"));
        &self.logged
    }

    /// Waits until it has closed its stdout: what it said since.
    pub fn rest(&self) -> Vec<String> {
        let deadline = Instant::now() + LONG;
        let next = || self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
        let rest = std::iter::from_fn(next).collect();
        assert!(Instant::now() < deadline, "it does not end: {rest:?}");
        rest
    }

    /// A signal, by its name.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill exists").success());
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end: exit code, and all that it logged.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + LONG;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("ours") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        };
        let rest: Vec<String> = self.stderr.iter().collect();
        self.logged.extend(rest.into_iter().map(|line| line + "\n"));
        (status.code(), std::mem::take(&mut self.logged))
    }

    /// Closes its stdin and waits for a clean end.
    pub fn stop(mut self) {
        self.close_stdin();
        let (code, log) = self.ended();
        assert_eq!(code, Some(0), "{log}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    receive
}

/// A private chain.
pub struct Chain {
    process: Process,
    /// `http://host:port`
    pub url: String,
}

impl Chain {
    /// On a free port.
    pub fn start(dir: &Path) -> Chain {
        Chain::at(dir, "127.0.0.1:0")
    }

    /// On this address.
    pub fn at(dir: &Path, address: &str) -> Chain {
        let mut command = sponte(dir);
        command.args(["chain", "--json", "--listen", address]);
        let mut process = Process::start(command);
        let url = process.said()["url"].as_str().expect("text").to_owned();
        Chain { process, url }
    }

    /// Asks its RPC.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        let body = serde_json::json!({"id": 1, "method": method, "params": params}).to_string();
        let host = self.url.strip_prefix("http://").expect("http");
        let mut stream = TcpStream::connect(host).expect("it listens");
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic c3BvbnRlOnNwb250ZQ==\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let mut answer: Value = serde_json::from_str(body).expect("JSON");
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Mines blocks to nobody's address.
    pub fn mine(&self, blocks: u32) {
        let address = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
        self.call("generatetoaddress", &serde_json::json!([blocks, address]));
    }

    /// `kill -9`.
    pub fn kill(self) {
        self.process.kill();
    }
}

/// `sponte run` on a folder that `sponte init` made, with free ports.
pub fn run_command(dir: &Path, url: &str) -> Command {
    let mut command = sponte(dir);
    command.arg("--dir").arg(dir.join("node")).args([
        "run",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
        "--poll-interval",
        "100ms",
        "--bitcoind-url",
        url,
        "--bitcoind-user",
        "sponte",
    ]);
    command.env("SPONTE_BITCOIND_PASSWORD", "sponte");
    command
}

/// Asks again until the answer is as wanted.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
