//! `sponte run` and `sponte chain` as processes: starting, stopping, and what can be in the way.

mod common;

use common::process::{Chain, Process, run_command, until};
use common::{run, sponte};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

fn regtest_node() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["--network", "regtest", "init"]).well();
    dir
}

/// Starts a node that must refuse: its exit code and its one line.
#[track_caller]
fn refused(dir: &Path, url: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut command = run_command(dir, url);
    // Of a flag that is given twice the parser would complain.
    if more.is_empty() {
        return told(Process::start(command));
    }
    command = sponte(dir);
    command.arg("--dir").arg(dir.join("node")).args(["run", "--json", "--bitcoind-url", url]).args(more);
    if !more.contains(&"--bitcoind-user") {
        command.args(["--bitcoind-user", "sponte", "--bitcoind-password", "sponte"]);
    }
    told(Process::start(command))
}

#[track_caller]
fn told(process: Process) -> (Option<i32>, String) {
    let (code, log) = process.ended();
    let errors: Vec<&str> = log.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "not one line: {log}");
    assert!(!log.contains("panicked"), "{log}");
    (code, errors[0].to_owned())
}

#[test]
fn a_node_runs_and_stops_in_good_order() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let mut node = Process::start(run_command(dir.path(), &chain.url));
    let said = node.said();
    let info = run(dir.path(), &["info", "--json"]).json();
    assert_eq!(info["id"], said["node_id"]);
    assert_eq!(info["network"], "regtest");
    assert_eq!(info["height"], 120);
    assert!(run(dir.path(), &["audit"]).well().ends_with("clean\n"));
    let address = run(dir.path(), &["wallet", "address"]).well();
    assert!(address.starts_with("bcrt1q"), "{address}");

    let (code, line) = refused(dir.path(), &chain.url, &[]);
    assert_eq!(code, Some(14), "{line}");

    assert!(dir.path().join("node/api.addr").exists());
    node.stop();
    assert!(!dir.path().join("node/api.addr").exists());
    run(dir.path(), &["info"]).failed(10);
}

#[cfg(unix)]
#[test]
fn signals_stop_in_good_order() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    for signal in ["TERM", "INT"] {
        let mut node = Process::start(run_command(dir.path(), &chain.url));
        node.said();
        node.signal(signal);
        let (code, log) = node.ended();
        assert_eq!(code, Some(0), "{log}");
        assert!(!dir.path().join("node/api.addr").exists(), "{signal}");
    }
}

#[test]
fn a_killed_node_starts_again_and_is_the_same() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let mut node = Process::start(run_command(dir.path(), &chain.url));
    let before = node.said();
    node.kill();
    let line = run(dir.path(), &["info"]).failed(10);
    assert!(line.contains("no node runs on"), "{line}");
    let mut node = Process::start(run_command(dir.path(), &chain.url));
    assert_eq!(node.said()["node_id"], before["node_id"]);
    assert!(run(dir.path(), &["audit"]).well().ends_with("clean\n"));
    node.stop();
}

#[test]
fn bitcoind_may_start_later() {
    let dir = regtest_node();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let mut node = Process::start(run_command(dir.path(), &format!("http://{port}")));
    node.wait_for_log("waiting for bitcoind");
    let chain = Chain::at(dir.path(), &port.to_string());
    node.said();
    run(dir.path(), &["info"]).well();
    // And it may go.
    chain.kill();
    let warning = until("a warning of a stale chain", || {
        let info = run(dir.path(), &["info", "--json"]).json();
        let warnings = info["warnings"].as_array().expect("a list").clone();
        warnings.into_iter().find(|warning| warning["code"] == "stale_chain")
    });
    assert!(warning["message"].as_str().expect("text").contains("bitcoind"), "{warning}");
    node.stop();
}

#[test]
fn who_waits_for_bitcoind_can_be_stopped() {
    let dir = regtest_node();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let mut node = Process::start(run_command(dir.path(), &format!("http://{port}")));
    node.wait_for_log("waiting for bitcoind");
    let line = run(dir.path(), &["info"]).failed(8);
    assert!(line.contains("waiting for bitcoind"), "{line}");
    node.stop();
    run(dir.path(), &["info"]).failed(10);
}

/// Programs have the address from the configuration.
#[test]
fn who_asks_while_it_waits_for_bitcoind_is_told() {
    let dir = regtest_node();
    let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").to_string();
    let (api, url) = (free(), format!("http://{}", free()));
    let mut command = sponte(dir.path());
    command.arg("--dir").arg(dir.path().join("node")).args(["run", "--json", "--bitcoind-url", &url]);
    command.args(["--listen", "127.0.0.1:0", "--http-listen", &api]);
    command.args(["--bitcoind-user", "sponte", "--bitcoind-password", "sponte"]);
    let mut node = Process::start(command);
    node.wait_for_log("waiting for bitcoind");

    let token = fs::read_to_string(dir.path().join("node/token")).expect("made by init");
    let mut stream = TcpStream::connect(&api).expect("it listens");
    let head = format!("Authorization: Bearer {}\r\nHost: {api}\r\nConnection: close", token.trim());
    write!(stream, "GET /v1/info HTTP/1.1\r\n{head}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"code\":\"busy\""), "{answer}");
    node.stop();
}

#[test]
fn a_port_in_use_is_told() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    for (more, flag) in [
        (["--http-listen", &address, "--listen", "127.0.0.1:0"], "--http-listen"),
        (["--listen", &address, "--http-listen", "127.0.0.1:0"], "--listen"),
    ] {
        let (code, line) = refused(dir.path(), &chain.url, &more);
        assert_eq!(code, Some(15), "{line}");
        assert!(line.contains(&address) && line.contains(flag), "{line}");
    }
    let mut command = sponte(dir.path());
    command.args(["chain", "--listen", &address]);
    let (code, line) = told(Process::start(command));
    assert_eq!(code, Some(15), "{line}");
}

#[test]
fn a_wrong_password_or_chain_is_told() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let ports = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    let wrong = [&ports[..], &["--bitcoind-user", "sponte", "--bitcoind-password", "wrong"]].concat();
    let (code, line) = refused(dir.path(), &chain.url, &wrong);
    assert_eq!(code, Some(16), "{line}");
    assert!(line.contains("password") && !line.contains("wrong"), "{line}");

    let signet = tempfile::tempdir().expect("a folder");
    run(signet.path(), &["--network", "signet", "init"]).well();
    let (code, line) = refused(signet.path(), &chain.url, &[]);
    assert_eq!(code, Some(16), "{line}");
    assert!(line.contains("regtest"), "{line}");
}

#[test]
fn settings_that_cannot_be() {
    let dir = regtest_node();
    let url = "http://127.0.0.1:1";
    for (more, said) in [
        (["--http-listen", "0.0.0.0:0"], "loopback only"),
        (["--cltv-delta", "3"], "cltv_delta"),
        (["--log", "a=b=c"], "log filter"),
        (["--announce", "nowhere"], "host:port"),
    ] {
        let (code, line) = refused(dir.path(), url, &more);
        assert_eq!(code, Some(11), "{line}");
        assert!(line.contains(said), "{line}");
    }
    fs::remove_file(dir.path().join("node/token")).expect("there");
    let (code, line) = refused(dir.path(), url, &[]);
    assert_eq!(code, Some(11), "{line}");

    let mainnet = tempfile::tempdir().expect("a folder");
    run(mainnet.path(), &["--network", "mainnet", "init"]).well();
    let (code, line) = refused(mainnet.path(), url, &[]);
    assert_eq!(code, Some(11), "{line}");
    assert!(line.contains("allow_mainnet = true"), "{line}");
    let allowed = mainnet.path().join("node/sponte.toml");
    let settings = fs::read_to_string(&allowed).expect("there");
    fs::write(&allowed, format!("allow_mainnet = true\n{settings}")).expect("ours");
    let (code, line) = refused(mainnet.path(), url, &["--failpoints", "fail=2"]);
    assert_eq!(code, Some(11), "{line}");
    assert!(line.contains("for crash tests"), "{line}");
}

#[test]
fn a_seed_that_was_damaged_is_told() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    fs::write(dir.path().join("node/seed"), "abandon abandon\n").expect("ours");
    let (code, line) = refused(dir.path(), &chain.url, &[]);
    assert_eq!(code, Some(11), "{line}");
    assert!(line.contains("restore it from your copy"), "{line}");
}

#[test]
fn a_newer_or_unreadable_database_is_told_and_left_alone() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let mut node = Process::start(run_command(dir.path(), &chain.url));
    node.said();
    node.stop();
    let path = dir.path().join("node/sponte.db");
    let good = fs::read(&path).expect("a database");

    // `user_version` of the file format of SQLite: big-endian, at offset 60.
    let mut file = fs::OpenOptions::new().write(true).open(&path).expect("ours");
    file.seek(SeekFrom::Start(60)).expect("long enough");
    file.write_all(&9_999u32.to_be_bytes()).expect("written");
    drop(file);
    let (code, line) = refused(dir.path(), &chain.url, &[]);
    assert_eq!(code, Some(19), "{line}");
    assert!(line.contains("newer"), "{line}");

    fs::write(&path, vec![b'x'; 5_000]).expect("written");
    let (code, line) = refused(dir.path(), &chain.url, &[]);
    assert_eq!(code, Some(19), "{line}");
    assert_eq!(fs::read(&path).expect("there"), vec![b'x'; 5_000]);

    fs::write(&path, good).expect("written");
    let mut node = Process::start(run_command(dir.path(), &chain.url));
    node.said();
    node.stop();
}

#[test]
fn a_database_that_is_gone_is_told_and_not_made_anew() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let path = dir.path().join("node/sponte.db");
    for empty in [false, true] {
        match empty {
            true => fs::write(&path, b"").expect("written"),
            false => fs::remove_file(&path).expect("`init` made it"),
        }
        let (code, line) = refused(dir.path(), &chain.url, &[]);
        assert_eq!(code, Some(19), "{line}");
        assert!(line.contains("sponte.db is missing or empty"), "{line}");
        assert!(line.contains("do NOT start from an older copy or an empty folder"), "{line}");
        assert_eq!(path.exists(), empty, "it is left as it is");
    }
}

#[test]
fn a_full_disk_stops_the_node_and_loses_nothing() {
    let dir = regtest_node();
    let chain = Chain::start(dir.path());
    let mut command = run_command(dir.path(), &chain.url);
    command.env("SPONTE_FAILPOINTS", "fail=2");
    let mut node = Process::start(command);
    node.said();
    let ended = run(dir.path(), &["wallet", "address"]);
    assert_ne!(ended.code, 0, "an address that is not durable is not shown: {ended:?}");
    assert!(node.rest().is_empty(), "one object, which was said at the start");
    let (code, line) = told(node);
    assert_eq!(code, Some(18), "{line}");
    assert!(line.contains("disk is full") && line.contains("make room"), "{line}");
    let mut node = Process::start(run_command(dir.path(), &chain.url));
    node.said();
    assert!(run(dir.path(), &["audit"]).well().ends_with("clean\n"));
    node.stop();
}

#[test]
fn a_chain_mines_by_itself_if_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = sponte(dir.path());
    command.args(["chain", "--json", "--listen", "127.0.0.1:0", "--mine-every", "20ms"]);
    let mut process = Process::start(command);
    let said = process.said();
    assert_eq!((said["user"].as_str(), said["password"].as_str()), (Some("sponte"), Some("sponte")));
    let node = regtest_node();
    let mut running = Process::start(run_command(node.path(), said["url"].as_str().expect("text")));
    running.said();
    until("a block", || {
        run(node.path(), &["info", "--json"]).json()["height"].as_u64().filter(|height| *height > 125)
    });
    running.stop();
    process.stop();
}
