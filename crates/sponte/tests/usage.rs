//! Wrong command lines and missing nodes: one line, a documented exit code.

mod common;

use common::{one_object, run, sponte};

const ID: &str = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";

#[test]
fn wrong_values_say_why() {
    let dir = tempfile::tempdir().expect("a folder");
    for (args, said) in [
        (&["pay", ID, "50"][..], "`50` has no unit"),
        (&["pay", ID, "0.5msat"], "finer than one msat"),
        (&["pay", ID, "22000000btc"], "more than 21,000,000 btc"),
        (&["pay", "xyz", "50sat"], "66 hex digits"),
        (&["pay", &format!("{ID}@host"), "50sat"], "host:port"),
        (&["pay", ID, "50sat", "--record", "70000=00"], "hex:.., text:.. or json:.."),
        (&["pay", ID, "50sat", "--record", "70000=json:{"], "bad JSON"),
        (&["pay", ID, "50sat", "--record", "10=hex:00"], "below 65536"),
        (&["pay", ID, "50sat", "--timeout", "60"], "`60s`"),
        (&["pay", ID, "50sat", "--max-fee", "1"], "has no unit"),
        (&["pay", ID, "50sat", "--max-fee", "1.5"], "a share such as 0.5%"),
        (&["pay", ID, "50sat", "--max-fee", "x%"], "0.25%"),
        (&["pay", ID, "50sat", "--kind", "bolt11"], "keysend, mpp-keysend, amp, ecdh"),
        (&["pay", ID, "50sat", "--route-hint", "x"], "NODE:SCID:BASE_MSAT:PPM:CLTV"),
        (&["pay", ID, "50sat", "--final-cltv", "41"], "42..=800"),
        (&["pay-invoice"], "<INVOICE>"),
        (&["payments", "cancel"], "<PAYMENT ID>"),
        (&["pay", ID, "50sat", "--id", ""], "1 to 128"),
        (&["pay", ID, "50sat", "-m", &"x".repeat(70_000)], "70000 bytes"),
        (&["wallet", "send", "bc1q", "5"], "has no unit"),
        (&["channel", "close", "12"], "64 hex digits"),
        (&["payments", "show"], "<PAYMENT ID>"),
        (&["payments", "list", "--limit", "0"], "1..=1000"),
        (&["--network", "testnet", "info"], "testnet4"),
        (&["frobnicate"], "frobnicate"),
    ] {
        let line = run(dir.path(), args).failed(2);
        assert!(line.contains(said), "{args:?}: {line}");
    }
}

#[test]
fn with_json_a_wrong_command_line_is_an_object() {
    let dir = tempfile::tempdir().expect("a folder");
    let ended = run(dir.path(), &["pay", ID, "50", "--json"]);
    let object = one_object(&ended.stdout);
    assert_eq!(object["error"]["code"], "usage");
    ended.failed(2);
}

#[test]
fn no_riddle_when_no_node_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let line = run(dir.path(), &["info"]).failed(12);
    assert!(line.contains("sponte init --dir"), "{line}");
    run(dir.path(), &["init"]).well();
    for args in [
        &["info"][..],
        &["pay", ID, "50sat"],
        &["pay-invoice", "lnbc1"],
        &["payments"],
        &["wallet"],
        &["channel"],
        &["peer"],
        &["audit"],
    ] {
        let line = run(dir.path(), args).failed(10);
        assert!(line.contains("no node runs on") && line.contains("sponte run --dir"), "{args:?}: {line}");
    }
}

/// What a node left behind that was killed: an address at which somebody else listens by now.
#[test]
fn a_stale_address_is_sent_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["init"]).well();
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    stranger.set_nonblocking(true).expect("a socket");
    let address = stranger.local_addr().expect("bound");
    std::fs::write(dir.path().join("node/api.addr"), address.to_string()).expect("written");
    let line = run(dir.path(), &["info"]).failed(10);
    assert!(line.contains("no node runs on"), "{line}");
    assert!(stranger.accept().is_err(), "the token would be theirs");
}

/// A node that has just died: the address was read before.
#[test]
fn an_address_without_a_node_is_no_riddle_either() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["init"]).well();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    std::fs::write(dir.path().join("node/api.addr"), gone.to_string()).expect("written");
    let lock = std::fs::File::create(dir.path().join("node/lock")).expect("ours");
    lock.lock().expect("free");
    let line = run(dir.path(), &["info"]).failed(10);
    assert!(line.contains("no node runs on"), "{line}");
    let line = run(dir.path(), &["pay", ID, "50sat", "--id", "coffee"]).failed(10);
    assert!(line.contains("--id coffee"), "{line}");
}

#[test]
fn a_folder_is_of_one_network() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["--network", "regtest", "init"]).well();
    let line = run(dir.path(), &["--network", "signet", "info"]).failed(11);
    assert!(line.contains("a folder of regtest, not of signet"), "{line}");
}

#[test]
fn settings_with_a_mistake_name_the_line() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &["init"]).well();
    let path = dir.path().join("node/sponte.toml");
    std::fs::write(&path, "network = \"signet\"\nalais = \"x\"\n").expect("written");
    let line = run(dir.path(), &["info"]).failed(11);
    assert!(line.contains("line 2") && line.contains("alais"), "{line}");
}

#[test]
fn without_a_folder_the_platforms_is_taken_one_per_network() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = sponte(dir.path()).args(["--network", "testnet4", "--json", "init"]).output().expect("starts");
    let made = one_object(&String::from_utf8(made.stdout).expect("text"));
    let path = made["dir"].as_str().expect("a path");
    assert!(path.starts_with(dir.path().to_str().expect("text")) && path.ends_with("testnet4"), "{path}");
    let line = common::Ended::from(sponte(dir.path()).arg("info").output().expect("starts")).failed(12);
    assert!(line.contains("signet") && line.contains("`sponte init`"), "{line}");
}

#[test]
fn completions_and_help_need_no_node() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(run(dir.path(), &["completions", "bash"]).well().contains("_sponte"));
    assert!(run(dir.path(), &["--help"]).well().contains("still_in_flight"));
    assert!(run(dir.path(), &["init", "--help"]).well().contains("does NOT bring back channels"));
    assert!(run(dir.path(), &["--version"]).well().starts_with("sponte "));
}
