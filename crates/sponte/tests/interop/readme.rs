//! The README's path on a bitcoind, whose cookie lies where it always does.

use crate::common::process::until;
use crate::world::{Chain, Node, funded};
use serde_json::json;

#[test]
#[ignore = "needs bitcoind: ci/peers/install"]
fn from_init_to_a_payment_and_back_to_the_wallet() {
    let chain = Chain::start();
    let (mut alice, mut bob) = (Node::start(&chain), Node::start(&chain));
    chain.fund(&alice, 0.02);
    assert_eq!(alice.spendable(), 2_000_000);

    alice.ask(&["channel", "open", &bob.peer(), "1000000sat", "--announce"]);
    funded(&chain);
    usable(&alice, &bob);
    alice.pays(&bob, "200000sat");

    // A new cookie, and the nodes stay what they are.
    chain.restart();
    chain.mine(1);
    let height = chain.call("getblockcount", json!([]));
    until("a block of the new start", || {
        [&alice, &bob].iter().all(|node| node.ask(&["info"])["height"] == height).then_some(())
    });
    bob.pays(&alice, "50sat");

    let id = alice.channel()["id"].as_str().expect("an id").to_owned();
    alice.ask(&["channel", "close", &id]);
    home(&chain, &alice, &bob);
    for node in [&mut alice, &mut bob] {
        node.process.close_stdin();
    }
}

fn usable(alice: &Node, bob: &Node) {
    until("a usable channel at both ends", || {
        [alice, bob].iter().all(|node| node.channel()["state"] == "usable").then_some(())
    });
}

/// Both have theirs in the wallet, less fees, and the books agree.
fn home(chain: &Chain, alice: &Node, bob: &Node) {
    until("the money in the wallets", || {
        chain.mine(1);
        (alice.spendable() > 1_795_000 && bob.spendable() > 199_000).then_some(())
    });
    for node in [alice, bob] {
        assert_eq!(node.ask(&["audit"])["clean"], true);
    }
}
