//! The books held against wallet and channels.

use crate::fake::{Fate, PATIENCE, World, channel, node, open, request, start};
use sponte_engine::backend::{
    BackendEvent, Channel, ChannelPending, ChannelState, WalletBalance, WalletTx, WalletTxKind, WalletTxState,
};
use sponte_node::{AuditError, Verdict, audit};
use sponte_proto::{Msat, Sat, Txid};
use sponte_store::Failpoints;

fn sat(sat: u64) -> Sat {
    Sat::new(sat).expect("below the supply")
}

fn as_listed(ours: Option<Msat>) -> Channel {
    Channel {
        id: channel(1),
        peer: node(5),
        state: ChannelState::Usable,
        short_channel_id: None,
        funding: None,
        value: sat(1_000),
        balance: ours,
        sendable: Msat::ZERO,
        receivable: Msat::ZERO,
        htlcs: 0,
        announced: true,
        outbound: true,
        confirmations: None,
        waiting_for: None,
        closing_txids: vec![],
        to_come: Sat::ZERO,
    }
}

#[tokio::test]
async fn the_books_agree_until_somebody_takes_money() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let running = start(&store, &world).expect("starts");
    let handle = running.handle();
    let mut commits = handle.commits();
    let wallet = |byte, kind| {
        let txid = Txid::from_bytes([byte; 32]);
        BackendEvent::WalletTx(WalletTx { txid, state: WalletTxState::Seen, kind })
    };
    let pending = ChannelPending {
        channel: channel(1),
        peer: node(5),
        value: sat(1_000),
        ours: sat(1_000).to_msat(),
        funded_by_us: true,
    };
    for event in [
        wallet(1, WalletTxKind::Deposit(sat(5_000))),
        wallet(2, WalletTxKind::Funding { value: sat(1_000), fee: sat(3) }),
        BackendEvent::ChannelPending(pending),
    ] {
        commits.borrow_and_update();
        world.tell(event);
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it is written");
    }
    world.state().wallet = WalletBalance { unconfirmed: sat(3_997), ..WalletBalance::default() };
    world.state().channels = vec![as_listed(Some(sat(1_000).to_msat()))];
    let report = audit(&handle).await.expect("reads");
    assert!(report.ok, "{report:?}");
    assert!(report.lines.iter().all(|line| line.verdict == Verdict::Agrees), "{report:?}");

    let id = handle.pay(request("k")).await.expect("begun");
    handle.payment_ended(id, PATIENCE).await.expect("it ends");
    let report = audit(&handle).await.expect("reads");
    assert!(!report.ok, "the channel says what it had before");
    world.state().channels = vec![as_listed(Msat::new(1_000_000 - 50_005))];
    assert!(audit(&handle).await.expect("reads").ok);

    world.state().wallet.unconfirmed = sat(3_996);
    let report = audit(&handle).await.expect("reads");
    let differing = report.lines.iter().filter(|line| line.verdict == Verdict::Differs);
    let texts: Vec<_> = differing.map(|line| line.text.clone()).collect();
    assert_eq!(texts, ["on chain: the books say 3997000 msat, the wallet 3996000 msat (+1000 msat)"]);
    running.stop().await.expect("stops");
}

/// A channel is listed when its funding is made, and booked when both sides have signed.
#[tokio::test]
async fn a_channel_under_way_is_no_difference() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let running = start(&store, &world).expect("starts");
    let handle = running.handle();
    let mut commits = handle.commits();
    commits.borrow_and_update();
    world.tell(BackendEvent::WalletTx(WalletTx {
        txid: Txid::from_bytes([2; 32]),
        state: WalletTxState::Seen,
        kind: WalletTxKind::Funding { value: sat(1_000), fee: sat(3) },
    }));
    world.tell(BackendEvent::WalletTx(WalletTx {
        txid: Txid::from_bytes([1; 32]),
        state: WalletTxState::Seen,
        kind: WalletTxKind::Deposit(sat(5_000)),
    }));
    while handle.ledger().last_event_seq().expect("reads") < 2 {
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("it goes on").expect("it is written");
    }
    world.state().wallet = WalletBalance { unconfirmed: sat(3_997), ..WalletBalance::default() };
    let under_way = Channel { state: ChannelState::Pending, ..as_listed(Some(sat(1_000).to_msat())) };
    world.state().channels = vec![under_way.clone()];
    let report = audit(&handle).await.expect("reads");
    assert!(report.ok, "{report:?}");
    let not_now = report.lines.iter().filter(|line| line.verdict == Verdict::NotNow);
    assert_eq!(not_now.count(), 1, "{report:?}");

    world.state().channels = vec![Channel { value: sat(999), ..under_way }];
    let report = audit(&handle).await.expect("reads");
    let differs = report.lines.iter().filter(|line| line.verdict == Verdict::Differs);
    let texts: Vec<_> = differs.map(|line| line.text.clone()).collect();
    assert_eq!(texts, ["opening: the books say 1000000 msat, channels under way 999000 msat (+1000 msat)"]);
    running.stop().await.expect("stops");
}

#[tokio::test]
async fn a_difference_that_no_second_reading_shows_is_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::default();
    let running = start(&store, &world).expect("starts");
    let channel = as_listed(Msat::new(1));
    {
        let mut state = world.state();
        (state.channels, state.restless) = (vec![channel], true);
    }
    let report = audit(&running.handle()).await.expect("reads");
    assert!(report.ok, "{report:?}");
    let not_now = report.lines.iter().find(|line| line.verdict == Verdict::NotNow).expect("one");
    assert!(not_now.text.contains("audit again"), "{report:?}");
    running.stop().await.expect("stops");
}

#[tokio::test]
async fn one_audit_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let running = start(&store, &World::default()).expect("starts");
    let (handle, other) = (running.handle(), running.handle());
    let (first, second) = tokio::join!(audit(&handle), audit(&other));
    assert!(first.expect("reads").ok);
    assert!(matches!(second, Err(AuditError::Busy)), "{second:?}");
    assert!(audit(&other).await.expect("reads").ok, "the first has ended");
    running.stop().await.expect("stops");
}

#[tokio::test]
async fn a_channel_with_htlcs_has_no_one_number() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path(), Failpoints::default());
    let world = World::with_fate(Fate::Held);
    let running = start(&store, &world).expect("starts");
    let handle = running.handle();
    handle.pay(request("k")).await.expect("begun");
    world.state().channels = vec![Channel { htlcs: 1, ..as_listed(None) }];
    let report = audit(&handle).await.expect("reads");
    assert!(report.ok, "{report:?}");
    assert_eq!(report.lines.iter().filter(|line| line.verdict == Verdict::NotNow).count(), 1);
    running.stop().await.expect("stops");
}
