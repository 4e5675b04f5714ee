//! Connecting and catching up, against a bitcoind that misbehaves on demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::BlockHash;
use lightning::chain::{BlockLocator, Listen};

use super::*;

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
    let bitcoind = Mutex::new(bitcoind);
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
