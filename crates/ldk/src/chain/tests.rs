//! Scenarios of the chain side against a bitcoind that misbehaves on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bitcoin::constants::ChainHash;
use bitcoin::{BlockHash, Network, OutPoint, ScriptBuf, Transaction};
use lightning::chain::chaininterface::{ConfirmationTarget, FeeEstimator};
use lightning::chain::{BlockLocator, Listen};
use lightning::routing::utxo::{UtxoLookup, UtxoResult};
use lightning::util::wakers::Notifier;

use super::package::tests::{coin, spending};
use super::testing::{FakeBitcoind, Feed, Recorder, Trouble};
use super::*;

fn options() -> ChainOptions {
    ChainOptions {
        poll_interval: Duration::from_millis(5),
        mempool_interval: Duration::from_millis(5),
        fee_interval: Duration::from_millis(5),
        max_backoff: Duration::from_millis(20),
        queue_capacity: 4,
    }
}

fn connect(bitcoind: &FakeBitcoind) -> ChainSource {
    ChainSource::connect(bitcoind.config(), options(), Network::Regtest).unwrap()
}

/// A running chain thread that starts at the present tip.
fn run(bitcoind: &FakeBitcoind) -> (ChainSource, Feed) {
    let source = connect(bitcoind);
    let synced = source.synchronize(vec![]).unwrap();
    let feed = Feed::start(&source, synced);
    (source, feed)
}

fn child_of(parent: &Transaction, sats: u64) -> Transaction {
    spending(&[OutPoint::new(parent.compute_txid(), 0)], sats)
}

#[test]
fn refusals_at_the_start_say_what_to_do() {
    let bitcoind = FakeBitcoind::start();
    let refused = |network| ChainSource::connect(bitcoind.config(), options(), network);

    let error = refused(Network::Bitcoin).unwrap_err();
    assert!(matches!(error, ChainError::WrongNetwork { .. }), "{error}");
    bitcoind.set_trouble(Some(Trouble::WarmingUp));
    let error = refused(Network::Regtest).unwrap_err();
    assert!(matches!(error, ChainError::WarmingUp { .. }), "{error}");

    bitcoind.set_trouble(None);
    bitcoind.with(|state| {
        state.network = "signet";
        state.downloading = true;
    });
    let error = refused(Network::Signet).unwrap_err();
    assert!(matches!(error, ChainError::Syncing { .. }), "{error}");
}

#[test]
fn patience_waits_for_a_bitcoind_that_starts_and_for_nothing_else() {
    let mut bitcoind = FakeBitcoind::start();
    let config = bitcoind.config();
    bitcoind.stop();
    let asked: Arc<AtomicUsize> = Arc::default();
    let bitcoind = std::sync::Mutex::new(bitcoind);
    let patience: Patience = {
        let asked = asked.clone();
        let bitcoind = Arc::new(bitcoind);
        Arc::new(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) == 1 {
                bitcoind.lock().unwrap().start_again();
            }
            true
        })
    };
    let connect =
        |config, network| ChainSource::connect_patiently(config, options(), network, patience.clone());
    assert!(connect(config.clone(), Network::Regtest).is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let error = connect(config, Network::Signet).unwrap_err();
    assert!(matches!(error, ChainError::WrongNetwork { .. }), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn listeners_at_different_heights_meet_at_the_tip() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(220);
    let chain = bitcoind.active();
    let behind = [0, 20, 219, 220].map(|height: u32| {
        let known = &chain[..=height as usize];
        let first = height.saturating_sub(15);
        Recorder::with(first, &known[first as usize..])
    });
    let listeners = behind.iter().map(|recorder| (recorder.locator(), recorder as &dyn Listen)).collect();

    let synced = connect(&bitcoind).synchronize(listeners).unwrap();
    assert_eq!(synced.height(), 220);
    assert_eq!(synced.locator().previous_blocks[11], Some(chain[208]));
    for recorder in &behind {
        assert_eq!(recorder.hashes().last(), chain.last());
        assert_eq!(recorder.disconnections(), 0);
    }
}

#[test]
fn a_reorg_while_stopped_is_found_by_ancestry_alone() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(30);
    let old = bitcoind.active();
    let here = Recorder::with(10, &old[10..]);
    let there = Recorder::with(10, &old[10..=26]);
    // A bitcoind that has never seen the stale blocks, as one that was set up anew.
    bitcoind.reorganize(25, 8);
    bitcoind.with(|state| {
        let chain = &mut state.chain;
        chain.blocks.retain(|hash, _| chain.active.contains(hash));
    });

    let listeners: Vec<(BlockLocator, &dyn Listen)> =
        vec![(here.locator(), &here), (there.locator(), &there)];
    connect(&bitcoind).synchronize(listeners).unwrap();
    let new = bitcoind.active();
    for recorder in [&here, &there] {
        assert_eq!(recorder.disconnections(), 1);
        assert_eq!(recorder.hashes(), &new[10..]);
    }
}

#[test]
fn a_listener_of_another_chain_is_refused() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(3);
    let block = BlockHash::from_raw_hash(coin(9).txid.to_raw_hash());
    let locator = BlockLocator::new(block, 2);
    let stranger = Recorder::with(2, &[locator.block_hash]);
    let error = connect(&bitcoind).synchronize(vec![(locator, &stranger)]).unwrap_err();
    assert!(matches!(error, ChainError::UnknownBlock { height: 2, .. }), "{error}");
}

#[test]
fn a_pruned_block_is_named() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(9);
    bitcoind.with(|state| state.pruned_below = 5);
    let chain = bitcoind.active();
    let old = Recorder::with(0, &chain[..=2]);
    let error = connect(&bitcoind).synchronize(vec![(old.locator(), &old)]).unwrap_err();
    assert_eq!(error, ChainError::Pruned { block: chain[3] });
}

#[test]
fn locators_carry_their_ancestry() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(20);
    let (source, chain) = (connect(&bitcoind), bitcoind.active());
    let tip = source.best_tip().unwrap();
    assert_eq!((tip.height, tip.block_hash), (20, chain[20]));
    assert_eq!(tip.previous_blocks[11], Some(chain[8]));
    let low = source.locator(3).unwrap();
    assert_eq!(low.previous_blocks[..4], [Some(chain[2]), Some(chain[1]), Some(chain[0]), None]);
    assert_eq!(source.block_hash(7).unwrap(), chain[7]);
    assert!(source.block_hash(21).is_err());
}

#[test]
fn blocks_and_reorgs_are_told_while_running() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(10);
    let (source, mut feed) = run(&bitcoind);
    // More blocks than the queue holds.
    bitcoind.generate(40);
    feed.until_tip(50);
    bitcoind.reorganize(45, 7);
    feed.until_tip(52);
    // Below where this run began.
    bitcoind.reorganize(8, 50);
    let fork = feed.until("the deep fork", |event| match event {
        ChainEvent::Disconnected { fork_point } => Some(**fork_point),
        _ => None,
    });
    assert_eq!((fork.height, fork.block_hash), (8, bitcoind.active()[8]));
    assert_eq!(fork.previous_blocks[0], Some(bitcoind.active()[7]));
    drop(feed);
    assert_eq!(source.status().snapshot().last_error, None);
}

#[test]
fn the_same_chain_comes_out_whatever_the_reorgs() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(30);
    let (source, mut feed) = run(&bitcoind);
    for (fork, blocks) in [(30, 3), (31, 4), (33, 9), (32, 20), (50, 5)] {
        bitcoind.reorganize(fork, blocks);
        feed.until_tip(fork + blocks);
        assert_eq!(feed.recorder.hashes(), &bitcoind.active()[18..]);
    }
    let tip = source.status().snapshot().tip.unwrap();
    assert_eq!((tip.height, Some(&tip.hash)), (55, bitcoind.active().last()));
}

#[test]
fn a_chain_with_less_work_is_waited_out() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(10);
    let (_source, mut feed) = run(&bitcoind);
    feed.until_status(true).unwrap();
    bitcoind.with(|state| state.chain.rewind_to(5));
    let trouble = feed.until_status(false).unwrap_err();
    assert!(trouble.contains("behind"), "{trouble}");
    assert_eq!(feed.recorder.disconnections(), 0);
    bitcoind.generate(6);
    feed.until_tip(11);
}

#[test]
fn an_outage_is_told_and_survived() {
    let mut bitcoind = FakeBitcoind::start();
    bitcoind.generate(5);
    let (source, mut feed) = run(&bitcoind);
    feed.until_status(true).unwrap();
    bitcoind.stop();
    let trouble = feed.until_status(false).unwrap_err();
    assert!(trouble.contains("cannot be reached"), "{trouble}");
    assert_eq!(source.status().snapshot().last_error, Some(trouble));

    bitcoind.generate(3);
    bitcoind.start_again();
    feed.until_tip(8);
    feed.until_status(true).unwrap();
    assert_eq!(source.status().snapshot().last_error, None);
}

#[test]
fn a_chain_swapped_under_us_is_refused() {
    let bitcoind = FakeBitcoind::start();
    let (_source, mut feed) = run(&bitcoind);
    bitcoind.with(|state| state.network = "main");
    let trouble = feed.until_status(false).unwrap_err();
    assert!(trouble.contains("\"main\""), "{trouble}");
}

#[test]
fn the_queue_is_bounded_and_dropping_it_ends_the_thread() {
    let bitcoind = FakeBitcoind::start();
    let (_source, mut feed) = run(&bitcoind);
    feed.until_status(true).unwrap();
    bitcoind.forget_calls();
    bitcoind.generate(50);
    feed.thread.poll_now();
    // Four fit into the queue and one waits for room; fees are asked for meanwhile.
    bitcoind.until("five blocks fetched", |state| state.count("getblock") == 5);
    let fees = bitcoind.with(|state| state.count("getmempoolinfo"));
    bitcoind.until("more fee polls", |state| state.count("getmempoolinfo") > fees + 3);
    assert_eq!(bitcoind.with(|state| state.count("getblock")), 5);
    // Stops although nobody reads.
    feed.thread.stop();
}

#[test]
fn the_mempool_is_told_as_far_as_the_wallet_cares() {
    let bitcoind = FakeBitcoind::start();
    bitcoind.generate(1);
    let (source, mut feed) = run(&bitcoind);
    let script = ScriptBuf::from_bytes(vec![0x51]);
    source.watched().watch_scripts([script.clone()]);

    let mut payment = spending(&[coin(1)], 1_000);
    payment.output[0].script_pubkey = script;
    let stranger = spending(&[coin(2)], 2_000);
    let ours = spending(&[coin(3)], 3_000);
    bitcoind.submit(&stranger);
    let paid = bitcoind.submit(&payment);
    let told = feed.until("the payment", |event| match event {
        ChainEvent::Mempool { new, gone } => Some((new.clone(), gone.clone())),
        _ => None,
    });
    assert_eq!(told.0.iter().map(|(tx, _)| tx).collect::<Vec<_>>(), [&payment]);
    assert!(told.0[0].1 > 1_500_000_000);

    source.watched().watch_txids([paid, ours.compute_txid()]);
    let spender = child_of(&payment, 900);
    bitcoind.submit(&spender);
    bitcoind.submit(&ours);
    let mut new_ones = vec![];
    feed.until("our own and the one that spends ours", |event| {
        if let ChainEvent::Mempool { new, .. } = event {
            new_ones.extend(new.iter().map(|(tx, _)| tx.compute_txid()));
        }
        (new_ones.len() == 2).then_some(())
    });
    assert!(new_ones.contains(&spender.compute_txid()));

    bitcoind.with(|state| state.chain.mempool.retain(|tx| *tx == stranger));
    let mut lost = vec![];
    feed.until("what was evicted", |event| {
        if let ChainEvent::Mempool { gone, .. } = event {
            lost.extend(gone.iter().copied());
        }
        (lost.len() == 3).then_some(())
    });
    let fetched = bitcoind.with(|state| state.count("getrawtransaction"));
    assert_eq!(fetched, 4, "each transaction is fetched once");
}

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
        assert_eq!(singly, if knows_packages { 0 } else { 2 });
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
        assert!(done.wait_timeout(testing::DEADLINE), "no answer");
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
