//! Broadcast, fees and lookups, against a bitcoind that misbehaves on demand.

use std::sync::Arc;

use bitcoin::constants::ChainHash;
use lightning::chain::chaininterface::{ConfirmationTarget, FeeEstimator};
use lightning::routing::utxo::{UtxoLookup, UtxoResult};
use lightning::util::wakers::Notifier;

use super::super::testing::DEADLINE;
use super::*;

#[test]
fn a_transaction_is_sent_after_its_release_and_again_until_it_confirms() {
    let mut bitcoind = FakeBitcoind::start();
    bitcoind.generate(1);
    let (source, mut feed) = run(&bitcoind);
    let tx = spending(&[coin(1)], 1_000);
    let broadcaster = source.broadcaster();
    broadcaster.broadcast(Package::new(vec![tx.clone()], "wallet"));
    let step = broadcaster.take();
    feed.until_status(true).unwrap();
    assert_eq!(bitcoind.with(|state| state.count("sendrawtransaction")), 0);

    // Released while bitcoind is gone: sent when it is back.
    bitcoind.stop();
    feed.until_status(false).unwrap_err();
    broadcaster.release(step);
    bitcoind.start_again();
    bitcoind.until("the broadcast", |state| state.chain.mempool == [tx.clone()]);

    // Evicted and mined past: sent again.
    bitcoind.with(|state| state.chain.mempool.clear());
    bitcoind.generate(1);
    feed.until_tip(2);
    bitcoind.until("the rebroadcast", |state| state.chain.mempool == [tx.clone()]);

    bitcoind.generate(1);
    feed.until_tip(3);
    bitcoind.forget_calls();
    bitcoind.generate(1);
    feed.until_tip(4);
    feed.thread.stop();
    assert_eq!(bitcoind.with(|state| state.count("sendrawtransaction")), 0);
}

#[test]
fn packages_go_together_if_bitcoind_can_and_else_one_by_one() {
    for knows_packages in [true, false] {
        let bitcoind = FakeBitcoind::start();
        bitcoind.with(|state| state.knows_packages = knows_packages);
        let (source, feed) = run(&bitcoind);
        let parent = spending(&[coin(1)], 1_000);
        let child = child_of(&parent, 900);
        let package = Package::new(vec![child.clone(), parent.clone()], "anchor bump");
        source.broadcaster().release(vec![package]);
        let expected = [parent, child];
        bitcoind.until("the package", |state| state.chain.mempool == expected);
        feed.thread.stop();
        let singly = bitcoind.with(|state| state.count("sendrawtransaction"));
        assert_eq!(singly == 0, knows_packages);
    }
}

#[test]
fn what_is_known_already_is_no_refusal_and_a_conflict_is() {
    let bitcoind = FakeBitcoind::start();
    let confirmed = spending(&[coin(1)], 1_000);
    let waiting = spending(&[coin(2)], 1_000);
    let rival = spending(&[coin(2)], 2_000);
    bitcoind.submit(&confirmed);
    bitcoind.generate(1);
    bitcoind.submit(&waiting);

    let (source, feed) = run(&bitcoind);
    let broadcaster = source.broadcaster();
    let single = |tx: &Transaction| Package::new(vec![tx.clone()], "test");
    broadcaster.release([&confirmed, &waiting, &rival].map(single).to_vec());
    // A stop sends what was released before.
    feed.thread.stop();
    assert_eq!(bitcoind.with(|state| state.count("sendrawtransaction")), 3);
    assert_eq!(broadcaster.refusal(&confirmed.compute_txid()), None);
    assert_eq!(broadcaster.refusal(&waiting.compute_txid()), None);
    let refusal = broadcaster.refusal(&rival.compute_txid());
    assert_eq!(refusal.as_deref(), Some("txn-mempool-conflict"));
}

#[test]
fn fees_follow_bitcoind() {
    let bitcoind = FakeBitcoind::start();
    let (source, mut feed) = run(&bitcoind);
    let fees = source.fees();
    let urgent = || fees.get_est_sat_per_1000_weight(ConfirmationTarget::UrgentOnChainSweep);
    assert_eq!(urgent(), 253);
    assert!(!fees.estimated());

    bitcoind.with(|state| state.feerate_btc_per_kvb = Some(0.000_2));
    let seen = bitcoind.with(|state| state.count("getmempoolinfo"));
    bitcoind.until("two fee polls", |state| state.count("getmempoolinfo") > seen + 2);
    assert_eq!(urgent(), 5_000);
    assert!(source.status().snapshot().fees_estimated);
    feed.until_status(true).unwrap();
}

#[test]
fn announced_channels_are_looked_up() {
    let bitcoind = FakeBitcoind::start();
    let funding = spending(&[coin(1)], 123_456);
    bitcoind.submit(&funding);
    bitcoind.generate(5);
    let (source, _feed) = run(&bitcoind);
    let checker = source.utxo_checker();

    let scid = |height: u64, index: u64, vout: u64| height << 40 | index << 16 | vout;
    let look_up = |scid| {
        let notifier = Arc::new(Notifier::new());
        let done = notifier.get_future();
        let chain = ChainHash::REGTEST;
        let UtxoResult::Async(_) = checker.get_utxo(&chain, scid, notifier) else {
            panic!("the lookup was refused");
        };
        assert!(done.wait_timeout(DEADLINE), "no answer");
        bitcoind.with(|state| std::mem::take(&mut state.calls))
    };
    let calls = look_up(scid(1, 1, 0));
    let asked = serde_json::json!([funding.compute_txid(), 0, false]);
    assert!(calls.contains(&("gettxout".to_owned(), asked)), "{calls:?}");
    // The block is remembered.
    assert!(!look_up(scid(1, 1, 1)).iter().any(|(name, _)| name == "getblock"));
    look_up(scid(1, 7, 0));
    look_up(scid(900, 0, 0));

    let elsewhere = checker.get_utxo(&ChainHash::BITCOIN, 0, Arc::new(Notifier::new()));
    assert!(matches!(elsewhere, UtxoResult::Sync(Err(_))));
}
