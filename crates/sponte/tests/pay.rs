//! Two nodes on a private chain, driven by the command as a user would.

mod common;

use common::process::{Chain, Process, run_command, until};
use common::{Ended, one_object, run, sponte};
use serde_json::Value;
use tempfile::TempDir;

struct Node {
    dir: TempDir,
    process: Process,
    id: String,
    address: String,
}

impl Node {
    fn start(chain: &Chain) -> Node {
        let dir = tempfile::tempdir().expect("a folder");
        run(dir.path(), &["--network", "regtest", "init"]).well();
        let mut process = Process::start(run_command(dir.path(), &chain.url));
        let said = process.said();
        let text = |name: &str| said[name].as_str().expect("text").to_owned();
        Node { dir, process, id: text("node_id"), address: text("listening") }
    }

    fn run(&self, args: &[&str]) -> Ended {
        run(self.dir.path(), args)
    }

    fn ask(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).json()
    }
}

/// Alice has coins and a channel to bob.
fn alice_and_bob() -> (Chain, Node, Node) {
    let dir = tempfile::tempdir().expect("a folder");
    let chain = Chain::start(dir.path());
    let (alice, bob) = (Node::start(&chain), Node::start(&chain));
    let address = alice.ask(&["wallet", "address"])["address"].clone();
    chain.call("sendtoaddress", &serde_json::json!([address, 0.01]));
    chain.mine(1);
    until("coins", || {
        let balance = alice.ask(&["wallet"]);
        balance["spendable_sat"].as_u64().filter(|sat| *sat >= 1_000_000)
    });
    let peer = format!("{}@{}", bob.id, bob.address);
    alice.ask(&["channel", "open", &peer, "200000sat"]);
    until("the funding transaction", || {
        let pool = chain.call("getrawmempool", &serde_json::json!([]));
        pool.as_array().is_some_and(|pool| !pool.is_empty()).then_some(())
    });
    chain.mine(6);
    usable(&alice, &bob);
    (chain, alice, bob)
}

fn usable(alice: &Node, bob: &Node) {
    until("a usable channel at both ends", || {
        let usable = |node: &Node| node.ask(&["channel"])["channels"][0]["state"] == "usable";
        (usable(alice) && usable(bob)).then_some(())
    });
}

#[test]
fn a_payment_and_its_trouble() {
    let (chain, alice, bob) = alice_and_bob();
    pays_with_records(&alice, &bob);
    pays_an_invoice(&alice, &bob);
    tells_the_end_without_the_peer(&alice, &bob);
    says_why_it_does_not_pay(&alice, &bob);
    #[cfg(unix)]
    says_that_it_is_still_in_flight(&alice, &bob);
    #[cfg(unix)]
    who_is_interrupted_has_the_key(&alice, &bob);
    for node in [&alice, &bob] {
        let audit = node.ask(&["audit"]);
        assert_eq!(audit["clean"], true, "{audit}");
    }
    closes(&chain, &alice);
}

fn pays_with_records(alice: &Node, bob: &Node) {
    let pay = [
        "pay",
        &bob.id,
        "50sat",
        "-m",
        "hello",
        "--record",
        "7629169=json:{\"a\": 1}",
        "--record",
        "70000=hex:00ff",
        "--id",
        "coffee",
    ];
    let text = alice.run(&pay).well();
    assert!(text.contains("50 sat") && text.contains("coffee"), "{text}");
    let again = alice.ask(&pay);
    assert_eq!(again["outcome"], "settled");
    assert_eq!(again["attempt_count"], 1);
    let line = alice.run(&["pay", &bob.id, "51sat", "--id", "coffee"]).failed(6);
    assert!(line.contains("another payment"), "{line}");

    let received = bob.ask(&["payments", "list", "--direction", "in"]);
    let payments = received["payments"].as_array().expect("a list");
    assert_eq!(payments.len(), 1, "paid once: {received}");
    let id = payments[0]["id"].as_str().expect("text");
    let tree = bob.run(&["payments", "show", id]).well();
    for line in [
        "received 50 sat by keysend",
        "record 34349334 (message): hello",
        "record 7629169 (boost): {\"a\": 1}",
        "record 70000: 2 bytes 00ff",
    ] {
        assert!(tree.contains(line), "no `{line}` in\n{tree}");
    }
    let tree = alice.run(&["payments", "show", "--key", "coffee"]).well();
    assert!(tree.contains("attempt 1 settled") && tree.contains(&bob.id), "{tree}");
    assert!(tree.contains("why keysend: one path carries the amount"), "{tree}");
    let quote = alice.run(&["pay", &bob.id, "50sat", "--dry-run"]).well();
    assert!(quote.starts_with("would pay 50 sat by keysend\n") && quote.contains(&bob.id), "{quote}");
    for unknown in [&["--key", "tea"][..], &[&"0".repeat(64)]] {
        let line = alice.run(&[&["payments", "show"], unknown].concat()).failed(4);
        assert!(line.contains("`sponte payments list --dir "), "{line}");
    }
}

fn pays_an_invoice(alice: &Node, bob: &Node) {
    let text = bob.run(&["invoice", "create", "40sat", "-d", "soup", "--expiry", "2h"]).well();
    let invoice = text.strip_suffix('\n').expect("one line");
    assert!(invoice.starts_with("lnbcrt400n1") && !invoice.contains('\n'), "nothing else: {text}");
    for _ in 0..2 {
        let paid = alice.ask(&["pay-invoice", invoice]);
        assert_eq!((&paid["outcome"], &paid["attempt_count"]), (&"settled".into(), &1.into()), "{paid}");
    }
    let made = bob.ask(&["invoice", "create"]);
    let lives =
        made["expires_at_ms"].as_u64().zip(made["created_at_ms"].as_u64()).map(|(end, from)| end - from);
    assert_eq!((lives, &made["description"], made.get("amount_msat")), (Some(3_600_000), &"".into(), None));
    let any = made["bolt11"].as_str().expect("text");
    let paid = alice.ask(&["pay-invoice", any, "30sat"]);
    assert_eq!((&paid["outcome"], &paid["hash"]), (&"settled".into(), &made["hash"]), "{paid}");

    let received = bob.ask(&["payments", "list", "--direction", "in"]);
    let all = received["payments"].as_array().expect("a list");
    let invoices = all.iter().filter(|payment| payment["kind"] == "bolt11");
    let amounts: Vec<_> = invoices.map(|payment| payment["amount_msat"].as_u64()).collect();
    assert_eq!(amounts, [Some(30_000), Some(40_000)], "{received}");
    let id = all[0]["id"].as_str().expect("text");
    let tree = bob.run(&["payments", "show", id]).well();
    assert!(tree.contains("received 30 sat by bolt11"), "{tree}");
}

/// What became of a key is known here: the peer need not be there.
fn tells_the_end_without_the_peer(alice: &Node, bob: &Node) {
    alice.run(&["pay", &bob.id, "4sat", "--id", "tip"]).well();
    alice.run(&["peer", "disconnect", &bob.id]).well();
    let gone = format!("{}@127.0.0.1:1", bob.id);
    let again = alice.ask(&["pay", &gone, "4sat", "--id", "tip"]);
    assert_eq!((&again["outcome"], &again["attempt_count"]), (&"settled".into(), &1.into()));
    alice.run(&["pay", &gone, "5sat", "--id", "tip"]).failed(6);
    alice.run(&["pay", &gone, "5sat", "--id", "fresh"]).failed(7);
    alice.run(&["peer", "connect", &format!("{}@{}", bob.id, bob.address)]).well();
    usable(alice, bob);
}

fn says_why_it_does_not_pay(alice: &Node, bob: &Node) {
    let stranger = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";
    for (args, code, said) in [
        (&["pay", &bob.id, "0sat", "--id", "none"][..], 2, "zero"),
        (&["pay", &alice.id, "5sat", "--id", "self"], 20, "this node"),
        (&["pay", stranger, "5sat", "--dry-run"], 20, "public graph"),
        (&["pay-invoice", "soup"], 2, "no invoice"),
        (&["payments", "cancel", "--key", "coffee"], 5, "settled already"),
        (&["payments", "cancel", &"0".repeat(64)], 4, "no payment has this id"),
        (&["pay", stranger, "5sat", "--id", "stranger"], 20, "public graph"),
        (&["pay", &bob.id, "20000000btc", "--id", "all"], 20, "channels can send"),
        (&["peer", "disconnect", stranger], 4, "no such peer"),
        (&["peer", "connect", &format!("{stranger}@127.0.0.1:1")], 7, "127.0.0.1:1"),
        (&["channel", "open", &bob.id, "9btc"], 5, "sat"),
        (&["channel", "close", &"0".repeat(64)], 4, "channel"),
        (&["wallet", "send", "nowhere", "5000sat"], 2, "address"),
        (
            &["wallet", "send", "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry", "1btc"],
            5,
            "sat",
        ),
    ] {
        let line = alice.run(args).failed(code);
        assert!(line.contains(said), "{args:?}: {line}");
    }
    let ended = alice.run(&["pay", stranger, "5sat", "--json"]);
    let object = one_object(&ended.stdout);
    assert_eq!((object["outcome"].as_str(), ended.code), (Some("failed"), 20));
    assert!(object["failure"]["code"].is_string(), "{object}");
}

/// Bob's process stands still with the HTLC in it, so nobody can know.
#[cfg(unix)]
fn says_that_it_is_still_in_flight(alice: &Node, bob: &Node) {
    bob.process.signal("STOP");
    let pay = ["pay", &bob.id, "7sat", "--id", "tea", "--timeout", "1s", "--json"];
    let ended = alice.run(&pay);
    let object = one_object(&ended.stdout);
    assert_eq!(ended.code, 21, "{ended:?}");
    assert_eq!(object["outcome"], "still_in_flight");
    assert_eq!(object["state"], "pending");
    assert!(ended.stderr.contains("may yet be paid"), "{}", ended.stderr);
    bob.process.signal("CONT");
    until("the end of what was in flight", || {
        let ended = alice.run(&pay);
        (ended.code == 0).then(|| assert_eq!(one_object(&ended.stdout)["outcome"], "settled"))
    });
}

/// Alice's process stands still before she can answer, then bob's with the HTLC in it.
#[cfg(unix)]
fn who_is_interrupted_has_the_key(alice: &Node, bob: &Node) {
    for (still, json) in [(alice, false), (alice, true), (bob, false), (bob, true)] {
        still.process.signal("STOP");
        let mut command = sponte(alice.dir.path());
        command.arg("--dir").arg(alice.dir.path().join("node")).args(["pay", &bob.id, "3sat"]);
        command.args(json.then_some("--json"));
        let mut paying = Process::spawn(command);
        let line = paying.wait_for_log("key ");
        let key = line.split(['"', ' ', ':']).nth(1).expect("a key").to_owned();
        if still.id == bob.id {
            until("a payment that waits", || {
                let pending = alice.ask(&["payments", "list", "--state", "pending"]);
                pending["payments"].as_array().is_some_and(|list| !list.is_empty()).then_some(())
            });
        }
        paying.signal("INT");
        if json {
            let said = paying.said();
            assert!(
                said["outcome"] == "still_in_flight" || said["error"]["code"] == "still_in_flight",
                "{said}"
            );
            assert!(said.to_string().contains(&key), "{said}");
        }
        let (code, log) = paying.ended();
        assert_eq!(code, Some(21), "{log}");
        still.process.signal("CONT");
        let end = alice.ask(&["pay", &bob.id, "3sat", "--id", &key]);
        assert_eq!((&end["outcome"], &end["attempt_count"]), (&"settled".into(), &1.into()), "{end}");
    }
}

fn closes(chain: &Chain, alice: &Node) {
    let channels = alice.ask(&["channel"]);
    let id = channels["channels"][0]["id"].as_str().expect("text").to_owned();
    alice.run(&["channel", "close", &id]).well();
    until("the closing transaction to be told, and what is waited for", || {
        let channel = alice.ask(&["channel"])["channels"][0].clone();
        let told = channel["closing_txids"].as_array().is_some_and(|txids| !txids.is_empty());
        (told && channel["waiting_for"].is_string()).then_some(())
    });
    // It is told as long as something is.
    until("the channel's end", || {
        chain.mine(1);
        let channels = alice.ask(&["channel"]);
        let listed = channels["channels"].as_array().expect("a list");
        listed.iter().all(|channel| channel["state"] == "closed").then_some(())
    });
}
