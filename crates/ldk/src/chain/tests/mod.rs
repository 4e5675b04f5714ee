//! Scenarios of the chain side.

mod regtest;
mod running;
mod sending;
mod start;

use std::time::Duration;

use bitcoin::{Network, OutPoint, Transaction};

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
