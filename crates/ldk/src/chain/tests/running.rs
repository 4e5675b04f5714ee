//! What the running thread tells, against a bitcoind that misbehaves on demand.

use std::collections::HashSet;

use bitcoin::ScriptBuf;

use super::*;

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
fn the_queue_is_bounded_and_a_stop_does_not_wait_for_its_reader() {
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

    let spender = child_of(&payment, 900);
    bitcoind.with(|state| {
        source.watched().watch_txids([paid, ours.compute_txid()]);
        for tx in [&spender, &ours] {
            state.chain.submit(tx.clone()).unwrap();
        }
    });
    let mut new_ones = vec![];
    feed.until("our own and the one that spends ours", |event| {
        if let ChainEvent::Mempool { new, .. } = event {
            new_ones.extend(new.iter().map(|(tx, _)| tx.compute_txid()));
        }
        (new_ones.len() == 2).then_some(())
    });
    assert!(new_ones.contains(&spender.compute_txid()));

    bitcoind.with(|state| state.chain.mempool.retain(|tx| *tx == stranger));
    let mut lost = HashSet::new();
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
fn the_thread_ends_when_nobody_can_hear_it() {
    let bitcoind = FakeBitcoind::start();
    let (_source, mut feed) = run(&bitcoind);
    feed.until_status(true).unwrap();
    let Feed { thread, events, .. } = feed;
    drop(events);
    bitcoind.generate(1);
    let end = std::time::Instant::now() + super::super::testing::DEADLINE;
    while !thread.is_finished() {
        assert!(std::time::Instant::now() < end, "it goes on");
        std::thread::yield_now();
    }
}
