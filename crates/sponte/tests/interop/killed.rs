//! `kill -9` of the node while a payment is on its way to LND, or from it.

use crate::common::process::until;
use crate::world::{Chain, Node, funded};
use serde_json::{Value, json};
use sponte_peers::{Cell, Lnd, LndConfig, LndPay, Way};
use sponte_proto::{Msat, NodeId, PaymentHash, Preimage, Records, hex};
use std::time::Duration;
use tempfile::TempDir;

const ROW: &str = "sponte killed mid-payment";

/// alice, a process of ours, and lana, with a channel in which both have something.
struct Pair {
    chain: Chain,
    alice: Option<Node>,
    lana: Lnd,
    _dir: TempDir,
}

impl Pair {
    fn start(config: LndConfig) -> Pair {
        let (chain, dir) = (Chain::start(), tempfile::tempdir().expect("a folder"));
        let (alice, lana) = (Node::start(&chain), chain.lnd(dir.path(), config));
        chain.fund(&alice, 0.02);
        let tip = chain.call("getbestblockhash", json!([]));
        chain.runtime.block_on(lana.reached(tip.as_str().expect("a hash")));
        let peer = format!("{}@{}", lana.id(), lana.address());
        alice.ask(&["channel", "open", &peer, "1000000sat", "--push", "400000sat", "--announce"]);
        funded(&chain);
        let pair = Pair { chain, alice: Some(alice), lana, _dir: dir };
        pair.usable();
        // LND pays by what it has heard.
        until("LND's own channel in its graph", || {
            pair.chain.runtime.block_on(pair.lana.knows(1)).then_some(())
        });
        pair
    }

    fn alice(&self) -> &Node {
        self.alice.as_ref().expect("she runs")
    }

    fn usable(&self) {
        until("alice's channel", || (self.alice().channel()["state"] == "usable").then_some(()));
        self.chain.runtime.block_on(self.lana.has_active(1));
    }

    /// LND knows her old address only.
    fn kill_alice(&mut self) {
        let id: NodeId = self.alice().id.parse().expect("a node id");
        let dir = self.alice.take().expect("she runs").kill();
        self.chain.runtime.block_on(self.lana.disconnected(id));
        self.alice = Some(Node::restart(dir));
        self.chain.runtime.block_on(self.lana.connect(id, &self.alice().address));
        self.usable();
    }

    fn pay(&self, key: &str, more: &[&str]) -> Value {
        let lana = self.lana.id().to_string();
        let all = ["pay", &lana, "5000sat", "--kind", "keysend", "--record", "70001=text:odd", "--id", key];
        self.alice().ask(&[&all, more].concat())
    }

    fn audited(&self) {
        until("clean books", || {
            let channel = self.alice().channel();
            (channel["htlcs"] == 0).then(|| assert_eq!(self.alice().ask(&["audit"])["clean"], true))
        });
    }
}

fn begin(way: Way) -> Cell {
    Cell::new(env!("CARGO_TARGET_TMPDIR"), ROW, way)
}

#[test]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
fn what_sponte_pays_is_paid_once() {
    let cell = begin(Way::ToLnd);
    let hold = Some(Duration::from_secs(3_600));
    let mut pair = Pair::start(LndConfig { hold, ..LndConfig::default() });
    // Killed as soon as the answer is there, and while LND holds it.
    for (key, held) in [("one", false), ("two", true), ("three", false), ("four", true)] {
        let begun = pair.pay(key, &["--no-wait"]);
        let hash: PaymentHash = begun["hash"].as_str().and_then(|hash| hash.parse().ok()).expect("a hash");
        if held {
            pair.chain.runtime.block_on(pair.lana.holds(hash));
        }
        pair.kill_alice();
        // Either it had left, or it never will, and then another attempt has another hash.
        let hash = until("the payment to be held", || {
            let row = pair.pay(key, &["--no-wait"]);
            let hash: PaymentHash = row["hash"].as_str()?.parse().ok()?;
            let invoice = pair.chain.runtime.block_on(pair.lana.invoice_with(hash));
            invoice.filter(|invoice| invoice.state == "ACCEPTED").map(|_| hash)
        });
        let preimage = pair.chain.runtime.block_on(pair.lana.holds(hash)).preimage;
        pair.chain.runtime.block_on(pair.lana.settle(preimage));
        let told = pair.pay(key, &[]);
        assert_eq!(told["outcome"], "settled");
        assert_same(&pair, &told, hash);
    }
    let invoices = pair.chain.runtime.block_on(pair.lana.invoices());
    let settled = invoices.iter().filter(|invoice| invoice.state == "SETTLED").count();
    assert_eq!((settled, invoices.len()), (4, 4), "each once: {invoices:#?}");
    pair.audited();
    cell.passes();
}

#[test]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
fn what_lnd_pays_is_got_once() {
    let cell = begin(Way::FromLnd);
    let mut pair = Pair::start(LndConfig::default());
    let to: NodeId = pair.alice().id.parse().expect("a node id");
    let amount = Msat::from_sat(30_000).expect("in supply");
    let mut got = vec![];
    for (number, hold) in [(1, false), (2, true), (3, false), (4, true)] {
        let policy: &[&str] = if hold { &["--hold", "all"] } else { &["--hold", "none"] };
        pair.alice().ask(&[&["receive", "set"], policy].concat());
        let preimage = Preimage::from_bytes([number; 32]);
        let ask = LndPay::keysend(to, amount, preimage.clone(), &Records::new());
        let hash = preimage.payment_hash();
        // Or it shuns her for the one before.
        pair.chain.runtime.block_on(pair.lana.forget_failures());
        begins(&pair, ask.final_delta(144), hash);
        if hold {
            until("a held payment", || held(pair.alice()));
        }
        pair.kill_alice();
        if hold {
            let id = until("the held payment to be there still", || held(pair.alice()));
            pair.alice().ask(&["held", "settle", &id]);
        }
        let paid = until("LND's payment to end", || {
            let paid = pair.chain.runtime.block_on(pair.lana.payment(hash))?;
            (paid.status != "IN_FLIGHT").then_some(paid)
        });
        // Killed before she had it in, she never will: LND gives it up.
        if paid.status == "SUCCEEDED" || hold {
            assert_eq!((paid.status.as_str(), &paid.payment_preimage), ("SUCCEEDED", &preimage), "{paid:#?}");
            assert_eq!((paid.amount, paid.fee), (amount, Msat::ZERO), "{paid:#?}");
            got.push(preimage);
        }
        assert_settled(&pair, amount, &got);
    }
    pair.audited();
    cell.passes();
}

/// What she has paid, and what LND has got.
fn assert_same(pair: &Pair, told: &Value, hash: PaymentHash) {
    let invoice = pair.chain.runtime.block_on(pair.lana.invoice_with(hash)).expect("it was held");
    assert_eq!((invoice.state.as_str(), invoice.htlcs.len()), ("SETTLED", 1), "{invoice:#?}");
    assert_eq!((&told["hash"], &told["fee_msat"]), (&json!(hash.to_string()), &json!(0)));
    assert_eq!(told["preimage_hex"], hex(&invoice.preimage.to_bytes()));
    assert_eq!(told["amount_msat"], invoice.paid.to_msat());
    assert_eq!(invoice.htlcs[0].records.value(70_001), Some(&b"odd"[..]));
    assert_eq!(told["records"], json!([{ "type": 70_001, "value_hex": hex(b"odd"), "text": "odd" }]));
}

/// Lets LND begin, and does not wait for its answer.
fn begins(pair: &Pair, ask: LndPay, hash: PaymentHash) {
    pair.chain.runtime.block_on(async {
        let begun = async {
            while pair.lana.payment(hash).await.is_none_or(|payment| payment.attempts.is_empty()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = pair.lana.pay(ask) => {}
            () = begun => {}
        }
    });
}

fn held(node: &Node) -> Option<String> {
    let all = node.ask(&["held", "list"]);
    all["held"].as_array()?.first()?["id"].as_str().map(str::to_owned)
}

/// What she has got, each once and nothing else.
fn assert_settled(pair: &Pair, amount: Msat, got: &[Preimage]) {
    until("alice's rows", || {
        let all = pair.alice().ask(&["payments", "list", "--direction", "in"]);
        let rows = all["payments"].as_array()?;
        let settled = |preimage: &Preimage| {
            let hash = preimage.payment_hash().to_string();
            let mut of_hash = rows.iter().filter(|row| row["hash"] == hash);
            let row = of_hash.next().filter(|_| of_hash.next().is_none());
            row.filter(|row| row["state"] == "settled").is_some_and(|row| {
                row["preimage_hex"] == hex(&preimage.to_bytes())
                    && row["amount_msat"] == amount.to_msat()
                    && row["records"].as_array().is_some_and(Vec::is_empty)
            })
        };
        (rows.len() == got.len() && got.iter().all(settled)).then_some(())
    });
}
