//! The whole chain side against `sponte-chain`, which verifies everything.

use std::sync::Arc;

use bitcoin::script::Builder;
use bitcoin::{Address, Amount, BlockHash, ScriptBuf, TxOut, Txid, Witness, opcodes};
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::{BlockLocator, Listen};
use sponte_chain::{ChainHandle, RunningServer, Server, ServerConfig};

use super::*;

/// A server on a runtime of its own, since the chain source blocks.
struct Regtest {
    runtime: tokio::runtime::Runtime,
    server: RunningServer,
}

impl Regtest {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(ServerConfig::default())).unwrap();
        Self { runtime, server }
    }

    fn chain(&self) -> &ChainHandle {
        self.server.chain()
    }

    fn config(&self) -> RpcConfig {
        let auth = RpcAuth::Password {
            user: self.server.user().to_owned(),
            password: self.server.password().to_owned(),
        };
        RpcConfig::new(self.server.url(), auth)
    }

    fn source(&self) -> ChainSource {
        ChainSource::connect(self.config(), options(), Network::Regtest).unwrap()
    }

    fn active(&self) -> Vec<BlockHash> {
        let regtest = self.chain().lock();
        let chain = regtest.chain();
        (0..=chain.height()).map(|height| chain.block_hash_at(height).unwrap()).collect()
    }

    /// Replaces the blocks above `height` by `blocks` others, paid to somebody else: the same
    /// payee and second would make the very block that was invalidated.
    fn reorganize(&self, height: u32, blocks: u32) {
        let stale = self.active()[height as usize + 1];
        self.chain().invalidate(&stale).unwrap();
        self.chain().mine_to(blocks, &anyone()).unwrap();
    }

    /// A confirmed coin that anyone can spend.
    fn coin(&self, sats: u64) -> OutPoint {
        let txid = self.chain().send(&anyone(), Amount::from_sat(sats)).unwrap();
        let regtest = self.chain().lock();
        let tx = regtest.chain().mempool_entry(&txid).unwrap().tx.clone();
        drop(regtest);
        self.chain().mine(1).unwrap();
        let pays = |output: &TxOut| output.script_pubkey == anyone().script_pubkey();
        let vout = tx.output.iter().position(pays).unwrap();
        OutPoint::new(txid, u32::try_from(vout).unwrap())
    }

    fn until_in_mempool(&self, txids: &[Txid]) {
        let end = std::time::Instant::now() + super::super::testing::DEADLINE;
        while self.chain().mempool_txids() != txids {
            assert!(std::time::Instant::now() < end, "waited in vain for {txids:?}");
            std::thread::yield_now();
        }
    }
}

fn true_script() -> ScriptBuf {
    Builder::new().push_opcode(opcodes::OP_TRUE).into_script()
}

fn anyone() -> Address {
    Address::p2wsh(&true_script(), Network::Regtest)
}

/// A transaction that moves `coin` on to anyone.
fn moving(coin: OutPoint, sats: u64) -> Transaction {
    let mut tx = spending(&[coin], sats);
    tx.input[0].witness = Witness::from_slice(&[true_script().as_bytes()]);
    tx.output[0].script_pubkey = anyone().script_pubkey();
    tx
}

#[test]
fn wrong_password_and_wrong_network_are_told() {
    let regtest = Regtest::start();
    let error = ChainSource::connect(regtest.config(), options(), Network::Signet).unwrap_err();
    assert!(matches!(error, ChainError::WrongNetwork { .. }), "{error}");
    let mut config = regtest.config();
    config.auth = RpcAuth::Password { user: "sponte".into(), password: "wrong".into() };
    let error = ChainSource::connect(config, options(), Network::Regtest).unwrap_err();
    assert!(matches!(error, ChainError::WrongPassword { .. }), "{error}");
}

#[test]
fn catch_up_over_two_hundred_blocks_and_a_reorg_while_stopped() {
    let regtest = Regtest::start();
    let start = regtest.active();
    let tip = start.len() - 1;
    let listeners = [0, 50, tip].map(|height| {
        let first = height.saturating_sub(12);
        Recorder::with(u32::try_from(first).unwrap(), &start[first..=height])
    });
    let synchronize = |source: &ChainSource| {
        let each = listeners.iter().map(|one| (one.locator(), one as &dyn Listen));
        source.synchronize(each.collect::<Vec<(BlockLocator, _)>>()).unwrap()
    };
    regtest.chain().mine(200).unwrap();
    assert_eq!(synchronize(&regtest.source()).height() as usize, tip + 200);

    regtest.reorganize(u32::try_from(tip).unwrap() + 195, 8);
    synchronize(&regtest.source());
    let active = regtest.active();
    for (listener, first) in listeners.iter().zip([0, 38, tip - 12]) {
        assert_eq!(listener.hashes(), &active[first..]);
        assert_eq!(listener.disconnections(), 1);
    }
}

#[test]
fn reorgs_and_payments_are_told_while_running() {
    let regtest = Regtest::start();
    let source = regtest.source();
    let synced = source.synchronize(vec![]).unwrap();
    let first = synced.height() as usize - 12;
    let mut feed = Feed::start(&source, synced);
    let height = regtest.chain().height();
    regtest.chain().mine(3).unwrap();
    feed.until_tip(height + 3);
    regtest.reorganize(height + 1, 4);
    feed.until_tip(height + 5);
    assert_eq!(feed.recorder.hashes(), &regtest.active()[first..]);

    source.watched().watch_scripts([anyone().script_pubkey()]);
    let txid = regtest.chain().send(&anyone(), Amount::from_sat(70_000)).unwrap();
    feed.until("the payment", |event| match event {
        ChainEvent::Mempool { new, .. } => new.iter().find(|(tx, _)| tx.compute_txid() == txid).map(drop),
        _ => None,
    });
    regtest.chain().mine(1).unwrap();
    let mut confirmed = false;
    feed.until("its confirmation, then its end in the mempool", |event| match event {
        ChainEvent::BlockConnected { block, .. } => {
            confirmed = block.txdata.iter().any(|tx| tx.compute_txid() == txid);
            None
        }
        ChainEvent::Mempool { gone, .. } => gone.contains(&txid).then(|| assert!(confirmed)),
        _ => None,
    });
}

#[test]
fn a_package_is_verified_accepted_and_confirmed_without_submitpackage() {
    let regtest = Regtest::start();
    let parent = moving(regtest.coin(50_000), 49_000);
    let child = moving(OutPoint::new(parent.compute_txid(), 0), 48_000);
    let source = regtest.source();
    let mut feed = Feed::start(&source, source.synchronize(vec![]).unwrap());
    let broadcaster = source.broadcaster();
    let kind = || TransactionType::Sweep { channels: vec![] };
    broadcaster.broadcast_transactions(&[(&child, kind()), (&parent, kind())]);
    broadcaster.release(broadcaster.take());
    let txids = [parent.compute_txid(), child.compute_txid()];
    regtest.until_in_mempool(&txids);

    let height = regtest.chain().height();
    regtest.chain().mine(1).unwrap();
    feed.until_tip(height + 1);
    // Confirmed is fine, too.
    broadcaster.release(vec![Package::new(vec![child.clone()], "again")]);
    let bad = moving(OutPoint::new(child.compute_txid(), 0), 60_000);
    broadcaster.release(vec![Package::new(vec![bad.clone()], "bad")]);
    feed.thread.stop();
    assert_eq!(broadcaster.refusal(&txids[1]), None);
    let refusal = broadcaster.refusal(&bad.compute_txid()).unwrap();
    assert!(refusal.contains("bad-txns-in-belowout"), "{refusal}");
}

#[test]
fn fees_and_tips_come_from_the_chain() {
    let regtest = Regtest::start();
    let source = regtest.source();
    let fees: Arc<Fees> = source.fees();
    let rate = fees.get_est_sat_per_1000_weight(ConfirmationTarget::OutputSpendingFee);
    assert_eq!(rate, 500, "2 sat/vB");
    let tip = source.best_tip().unwrap();
    assert_eq!(tip.block_hash, regtest.chain().tip_hash());
    assert_eq!(tip.height, regtest.chain().height());
    drop(source);
    regtest.runtime.block_on(regtest.server.stop()).unwrap();
}
