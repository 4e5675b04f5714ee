//! What is written is read back, and what is foreign is refused.

use super::*;
use crate::wallet::{Payout, WalletError};

#[test]
fn every_state_survives_a_restart() {
    let mut node = Node::with_coins(&[100_000, 50_000]);
    let deposit = node.deposit_tx(30_000);
    node.see(&deposit);
    node.commit();
    let sent =
        node.wallet.send(&stranger_address(), Payout::Exactly(sats(20_000)), fee_rate(1), Sat::ZERO).unwrap();
    node.commit();
    for step in 0..12 {
        let before = (node.wallet.best_block(), node.wallet.balance(sats(1)), node.wallet.evictable());
        node.restart();
        let after = (node.wallet.best_block(), node.wallet.balance(sats(1)), node.wallet.evictable());
        assert_eq!(before, after, "step {step}");
        assert_eq!(node.commit(), vec![], "nothing is told twice, step {step}");
        match step {
            0 => node.mine(vec![deposit.clone()]),
            2 => drop(node.disconnect(2)),
            3 => node.mine(vec![]),
            4 => {
                node.wallet.apply_mempool(vec![], vec![deposit.compute_txid()]);
            }
            5 => node.mine(vec![sent.tx.clone()]),
            _ => node.mine_empty(1),
        }
        node.commit();
        if step == 2 {
            // What BDK holds cannot be shortened: after a restart the chain is followed again.
            node.mine_empty(1);
            node.commit();
        }
    }
    assert_eq!(node.kind(deposit.compute_txid()), None);
}

#[test]
fn what_was_not_committed_never_was() {
    let mut node = Node::with_coins(&[100_000]);
    let sent =
        node.wallet.send(&stranger_address(), Payout::Exactly(sats(20_000)), fee_rate(1), Sat::ZERO).unwrap();
    node.restart();
    assert_eq!(node.wallet.total(), sats(100_000));
    assert_eq!(node.commit(), vec![]);
    let again =
        node.wallet.send(&stranger_address(), Payout::Exactly(sats(20_000)), fee_rate(1), Sat::ZERO).unwrap();
    assert_eq!(again, sent, "the same history makes the same transaction");
}

#[test]
fn deltas_become_a_base() {
    let mut node = Node::with_coins(&[100_000]);
    for _ in 0..700 {
        node.mine_empty(1);
        node.commit();
    }
    let deltas = node.disk.keys().filter(|key| key.starts_with("delta/")).count();
    assert!((1..400).contains(&deltas), "{deltas}");
    node.restart();
    assert_eq!(node.wallet.total(), sats(100_000));
    assert_eq!(node.wallet.best_block().height, node.height());
    let known = node.wallet.lock().bdk.checkpoints().count();
    assert!(known < 300, "{known} blocks, though one holds coins and few are recent");
    node.disconnect(3);
    node.mine_empty(4);
    node.commit();
    assert_eq!(node.wallet.total(), sats(100_000));
}

#[test]
fn other_words_and_networks_are_refused() {
    let node = Node::with_coins(&[1_000]);
    let entries: Vec<_> = node.disk.clone().into_iter().collect();
    let other = Seed::generate([3; 32]);
    let open = |seed: &Seed, network| Wallet::create_or_load(seed, network, entries.clone(), None).err();
    assert!(matches!(open(&other, NETWORK), Some(WalletError::Foreign)));
    assert!(matches!(open(&seed(), Network::Signet), Some(WalletError::Foreign)));
    assert!(matches!(open(&seed(), Network::Bitcoin), Some(WalletError::Foreign)));
    assert!(open(&seed(), NETWORK).is_none());
}

#[test]
fn damage_and_newer_formats_are_told_apart() {
    let node = Node::with_coins(&[1_000]);
    let with = |key: &str, value: &[u8]| {
        let mut disk = node.disk.clone();
        disk.insert(key.into(), value.into());
        open(&disk).err()
    };
    assert!(matches!(with("format", b"2"), Some(WalletError::Newer(format)) if format == "2"));
    let keys = ["base", "delta/00000000000000ff", "delta/zz", "tx/zz", "note/x", "hello"];
    for key in keys {
        let error = with(key, b"\"?\"");
        assert!(matches!(&error, Some(WalletError::Damaged { key: at, .. }) if at == key), "{error:?}");
    }
    let mut disk = node.disk.clone();
    disk.remove("base");
    assert!(matches!(open(&disk).err(), Some(WalletError::Damaged { .. })));
}
