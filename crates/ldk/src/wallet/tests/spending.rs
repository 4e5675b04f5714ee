//! Money goes out, with the reserve left behind.

use super::*;
use crate::wallet::{Payout, reserve_for};
use sponte_engine::backend::RefusalKind;

fn send(
    node: &Node,
    sat: u64,
    reserve: u64,
) -> Result<crate::wallet::SentCoins, sponte_engine::backend::Refusal> {
    node.wallet.send(&stranger_address(), Payout::Exactly(sats(sat)), fee_rate(2), sats(reserve))
}

#[test]
fn what_is_sent_is_signed_counted_and_labelled() {
    let mut node = Node::with_coins(&[40_000, 60_000]);
    let coins = coins_of(&node.wallet);
    let sent = send(&node, 70_000, 0).unwrap();
    assert_signed(&sent.tx, &coins);
    node.commit();
    let txid = sent.tx.compute_txid();
    let kind = WalletTxKind::Withdrawal { amount: sats(70_000), fee: sent.fee };
    assert_eq!(node.kind(txid), Some(&kind));
    assert_eq!(node.wallet.total().to_sat(), 30_000 - sent.fee.to_sat());
    assert_eq!(sent.fee.to_sat().div_ceil(sent.tx.vsize() as u64), 2 + 1, "2 sat/vbyte and a little");
    assert_eq!(node.wallet.evictable(), vec![]);
    assert_eq!(node.wallet.to_rebroadcast().len(), 1);
    let change = node.wallet.balance(Sat::ZERO);
    assert_eq!((change.spendable, change.confirmed), (node.wallet.total(), Sat::ZERO));
    send(&node, 10_000, 0).expect("its change may be spent");
    let order: Vec<_> = node.wallet.to_rebroadcast().iter().map(|tx| tx.compute_txid()).collect();
    assert_eq!(order[0], txid, "parents first");
}

#[test]
fn what_was_sent_counts_although_a_mempool_lost_it_or_a_block_took_its_coin_from_there() {
    let mut node = Node::with_coins(&[]);
    let deposit = node.deposit_tx(50_000);
    node.see(&deposit);
    node.mine(vec![deposit.clone()]);
    let sent = send(&node, 20_000, 0).unwrap();
    node.commit();
    let left = node.wallet.total();
    node.wallet.apply_mempool(vec![], vec![deposit.compute_txid(), sent.tx.compute_txid()]);
    assert_eq!(node.commit(), vec![]);
    assert_eq!(node.wallet.total(), left);
    assert_eq!(node.wallet.to_rebroadcast().len(), 1);
}

#[test]
fn the_reserve_stays() {
    let node = Node::with_coins(&[40_000, 60_000]);
    let refusal = send(&node, 90_000, 10_000).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert!(refusal.message.contains("90000sat can be spent, as 10000sat are kept"), "{}", refusal.message);
    let sent = send(&node, 89_000, 10_000).unwrap();
    assert!(node.wallet.total() >= sats(10_000), "{sent:?}");
}

#[test]
fn everything_but_the_reserve() {
    for reserve in [0, 10_000, 100] {
        let mut node = Node::with_coins(&[40_000, 60_000]);
        let sent = node.wallet.send(&stranger_address(), Payout::All, fee_rate(2), sats(reserve)).unwrap();
        node.commit();
        let left = if reserve == 100 { 294 } else { reserve };
        assert_eq!(node.wallet.total().to_sat(), left);
        assert_eq!(sent.amount.to_sat() + sent.fee.to_sat() + left, 100_000);
        let kind = WalletTxKind::Withdrawal { amount: sent.amount, fee: sent.fee };
        assert_eq!(node.kind(sent.tx.compute_txid()), Some(&kind));
    }
    let node = Node::with_coins(&[10_200]);
    let all = |reserve| node.wallet.send(&stranger_address(), Payout::All, fee_rate(2), sats(reserve));
    assert_eq!(all(10_000).unwrap_err().kind, RefusalKind::Conflict);
    assert_eq!(all(20_000).unwrap_err().kind, RefusalKind::Conflict);
}

#[test]
fn to_oneself_only_the_fee_is_spent() {
    let mut node = Node::with_coins(&[50_000]);
    let own = node.wallet.new_address();
    for payout in [Payout::Exactly(sats(20_000)), Payout::All] {
        let sent = node.wallet.send(&own, payout, fee_rate(1), Sat::ZERO).unwrap();
        node.commit();
        let kind = WalletTxKind::Withdrawal { amount: Sat::ZERO, fee: sent.fee };
        assert_eq!(node.kind(sent.tx.compute_txid()), Some(&kind));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let node = Node::with_coins(&[50_000]);
    let refusal = |address: &str, sat, rate| {
        let payout = Payout::Exactly(sats(sat));
        node.wallet.send(address, payout, rate, Sat::ZERO).unwrap_err()
    };
    let rate = fee_rate(1);
    let mainnet = refusal("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", 1_000, rate);
    assert_eq!(mainnet.kind, RefusalKind::Invalid);
    assert!(mainnet.message.contains("not for regtest"), "{}", mainnet.message);
    assert_eq!(refusal("bcrt1qqqq", 1_000, rate).kind, RefusalKind::Invalid);
    assert_eq!(refusal("", 1_000, rate).kind, RefusalKind::Invalid);
    let dust = refusal(&stranger_address(), 329, rate);
    assert!(dust.message.contains("at least 330sat"), "{}", dust.message);
    assert_eq!(refusal(&stranger_address(), 0, rate).kind, RefusalKind::Invalid);
    assert_eq!(refusal(&stranger_address(), 1_000, FeeRate::MAX).kind, RefusalKind::Invalid);
    assert_eq!(refusal(&stranger_address(), Sat::MAX.to_sat(), rate).kind, RefusalKind::Conflict);
    assert_eq!(refusal(&stranger_address(), 45_000, fee_rate(9_800)).kind, RefusalKind::Conflict);
    assert_eq!(refusal(&stranger_address(), 45_000, fee_rate(10_000)).kind, RefusalKind::Invalid);
}

#[test]
fn unconfirmed_coins_of_others_are_not_spent() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    node.see(&deposit);
    assert_eq!(send(&node, 10_000, 0).unwrap_err().kind, RefusalKind::Conflict);
    node.mine(vec![deposit]);
    send(&node, 10_000, 0).unwrap();
}

#[test]
fn a_funding_waits_for_its_broadcast_and_can_be_cancelled() {
    let mut node = Node::with_coins(&[100_000]);
    let fund =
        |node: &Node, sat| node.wallet.fund_channel(stranger(), sats(sat), fee_rate(2), reserve_for(1));
    assert_eq!(fund(&node, 95_000).unwrap_err().kind, RefusalKind::Conflict);
    let coins = coins_of(&node.wallet);
    let funding = fund(&node, 50_000).unwrap();
    assert_signed(&funding, &coins);
    let txid = funding.compute_txid();
    node.commit();
    let fee = sats(50_000 - node.wallet.total().to_sat());
    assert_eq!(node.kind(txid), Some(&WalletTxKind::Funding { value: sats(50_000), fee }));
    node.restart();
    assert_eq!(node.wallet.unbroadcast_fundings(), vec![txid]);
    assert_eq!(node.wallet.to_rebroadcast(), vec![]);
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, Sat::ZERO, "its change waits with it");
    assert!(node.wallet.cancel(txid));
    assert!(!node.wallet.cancel(txid));
    assert_eq!(node.commit()[0].state, WalletTxState::Gone);
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, sats(100_000));
    assert_eq!(node.wallet.unbroadcast_fundings(), vec![]);
    let again = fund(&node, 60_000).unwrap();
    node.wallet.mark_broadcast(again.compute_txid());
    node.commit();
    assert_eq!(node.wallet.unbroadcast_fundings(), vec![]);
    assert_eq!(node.wallet.to_rebroadcast().len(), 1);
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, node.wallet.total());
}

#[test]
fn a_funding_that_was_seen_is_broadcast() {
    let mut node = Node::with_coins(&[100_000, 100_000]);
    let fund = |node: &Node| node.wallet.fund_channel(stranger(), sats(50_000), fee_rate(2), Sat::ZERO);
    let funding = fund(&node).unwrap();
    node.mine(vec![funding]);
    node.commit();
    node.disconnect(1);
    node.mine_empty(2);
    node.commit();
    assert_eq!(node.wallet.unbroadcast_fundings(), vec![]);
    let funding = fund(&node).unwrap();
    node.see(&funding);
    assert_eq!(node.wallet.unbroadcast_fundings(), vec![]);
}

#[test]
fn a_cancelled_funding_that_appears_all_the_same_counts() {
    let mut node = Node::with_coins(&[100_000]);
    let funding = node.wallet.fund_channel(stranger(), sats(50_000), fee_rate(2), Sat::ZERO).unwrap();
    node.wallet.cancel(funding.compute_txid());
    node.commit();
    let other = send(&node, 20_000, 0).unwrap();
    node.mine(vec![funding.clone()]);
    node.commit();
    assert!(matches!(node.kind(funding.compute_txid()), Some(WalletTxKind::Funding { .. })));
    assert_eq!(node.kind(other.tx.compute_txid()), None);
}

#[test]
fn nothing_but_our_own_unconfirmed_transactions_can_be_cancelled() {
    let mut node = Node::with_coins(&[100_000]);
    let deposit = node.deposit_tx(5_000);
    node.see(&deposit);
    assert!(!node.wallet.cancel(deposit.compute_txid()));
    let sent = send(&node, 20_000, 0).unwrap();
    node.mine(vec![sent.tx.clone()]);
    assert!(!node.wallet.cancel(sent.tx.compute_txid()));
}

#[test]
fn a_swept_channel_is_named() {
    let mut node = Node::new();
    let (one, two) = (strange_outpoint(1001), strange_outpoint(1002));
    node.wallet.note_spendable(channel(1), one, sats(30_000));
    node.wallet.note_spendable(channel(2), two, sats(20_000));
    node.commit();
    node.restart();
    let sweep = tx(&[one, two], &[(node.wallet.change_script(), 49_000)]);
    node.see(&sweep);
    node.commit();
    let inputs = vec![(channel(1), sats(30_000)), (channel(2), sats(20_000))];
    let kind = WalletTxKind::Sweep { inputs, fee: sats(1_000) };
    assert_eq!(node.kind(sweep.compute_txid()), Some(&kind));
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, Sat::ZERO, "it may be replaced");
}

#[test]
fn a_note_that_comes_late_corrects_what_was_told() {
    let mut node = Node::new();
    let output = strange_outpoint(1001);
    let sweep = tx(&[output], &[(node.wallet.change_script(), 9_000)]);
    node.see(&sweep);
    node.commit();
    assert_eq!(node.kind(sweep.compute_txid()), Some(&WalletTxKind::Deposit(sats(9_000))));
    node.wallet.note_channel_output(channel(1), output);
    let states: Vec<_> = node.commit().iter().map(|change| change.state).collect();
    assert_eq!(states, [WalletTxState::Gone, WalletTxState::Seen]);
    let inputs = vec![(channel(1), sats(9_000))];
    assert_eq!(node.kind(sweep.compute_txid()), Some(&WalletTxKind::Sweep { inputs, fee: Sat::ZERO }));
}

/// Impossible in a valid chain, but whoever feeds us blocks may be wrong: the coins of a
/// transaction that is confirmed only by its grandchild were counted beside what they became.
#[test]
fn a_child_that_is_confirmed_without_its_parent_has_spent_its_coins() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(30_000);
    node.see(&deposit);
    let spend = |node: &Node, coin: OutPoint, sat| tx(&[coin], &[(node.wallet.change_script(), sat)]);
    let child = spend(&node, OutPoint::new(deposit.compute_txid(), 0), 20_000);
    let grandchild = spend(&node, OutPoint::new(child.compute_txid(), 0), 10_000);
    node.mine(vec![child]);
    node.mine(vec![grandchild]);
    for _ in 0..8 {
        node.mine_empty(1);
        node.commit();
    }
    assert_eq!(node.wallet.balance(Sat::ZERO).confirmed, sats(10_000));
}
