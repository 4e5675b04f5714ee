//! Money comes in, is confirmed, and sometimes is not.

use super::*;
use crate::wallet::GAP;
use WalletTxState::{Confirmed, Gone, Seen};

#[test]
fn the_first_addresses_are_those_of_bip84() {
    let wallet = Wallet::create_or_load(&seed(), Network::Bitcoin, vec![], None).unwrap();
    assert_eq!(wallet.new_address(), "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
    assert_eq!(wallet.new_address(), "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g");
    let change = Address::from_script(&wallet.change_script(), Network::Bitcoin).unwrap();
    assert_eq!(change.to_string(), "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el");
}

#[test]
fn a_deposit_is_seen_then_confirmed_six_deep() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    node.see(&deposit);
    let tell = |state| {
        vec![WalletTx { txid: id(deposit.compute_txid()), state, kind: WalletTxKind::Deposit(sats(50_000)) }]
    };
    assert_eq!(node.commit(), tell(Seen));
    let balance = node.wallet.balance(Sat::ZERO);
    assert_eq!(
        (balance.unconfirmed, balance.confirmed, balance.spendable),
        (sats(50_000), Sat::ZERO, Sat::ZERO)
    );
    node.mine(vec![deposit.clone()]);
    let balance = node.wallet.balance(sats(10_000));
    assert_eq!((balance.unconfirmed, balance.confirmed), (Sat::ZERO, sats(50_000)));
    assert_eq!((balance.reserve, balance.spendable), (sats(10_000), sats(40_000)));
    node.mine_empty(4);
    assert_eq!(node.commit(), vec![]);
    node.mine_empty(1);
    assert_eq!(node.commit(), tell(Confirmed));
    node.mine_empty(3);
    assert_eq!(node.commit(), vec![]);
}

#[test]
fn a_deposit_that_leaves_the_mempool_is_gone_and_may_come_back() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    node.see(&deposit);
    node.commit();
    assert_eq!(node.wallet.evictable(), vec![deposit.compute_txid()]);
    node.wallet.apply_mempool(vec![], vec![deposit.compute_txid()]);
    assert_eq!(node.commit()[0].state, Gone);
    assert_eq!(node.wallet.total(), Sat::ZERO);
    assert_eq!(node.wallet.evictable(), vec![]);
    node.see(&deposit);
    assert_eq!(node.commit()[0].state, Seen);
    node.wallet.apply_mempool(vec![], vec![deposit.compute_txid()]);
    node.commit();
    node.mine(vec![deposit]);
    assert_eq!(node.commit()[0].state, Seen);
    assert_eq!(node.wallet.total(), sats(50_000));
}

#[test]
fn what_builds_on_a_transaction_that_is_gone_is_gone_too() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    let coin = OutPoint::new(deposit.compute_txid(), 0);
    let child = tx(&[coin], &[(node.wallet.change_script(), 40_000)]);
    node.see(&deposit);
    node.see(&child);
    node.commit();
    assert_eq!(node.wallet.total(), sats(40_000));
    node.wallet.apply_mempool(vec![], vec![deposit.compute_txid()]);
    assert_eq!(node.commit().len(), 2);
    assert_eq!(node.wallet.total(), Sat::ZERO);
}

#[test]
fn of_two_conflicting_deposits_the_later_one_counts_until_a_block_decides() {
    let mut node = Node::new();
    let first = node.deposit_tx(50_000);
    let second = tx(&[first.input[0].previous_output], &[(script_of(&node.wallet.new_address()), 60_000)]);
    node.see(&first);
    node.commit();
    node.see(&second);
    let states: Vec<_> = node.commit().iter().map(|change| (change.txid, change.state)).collect();
    assert_eq!(states, [(id(first.compute_txid()), Gone), (id(second.compute_txid()), Seen)]);
    node.mine(vec![first.clone()]);
    node.commit();
    assert_eq!(node.wallet.total(), sats(50_000));
    node.disconnect(1);
    node.commit();
    node.mine(vec![second]);
    node.commit();
    assert_eq!(node.wallet.total(), sats(60_000));
}

#[test]
fn a_reorganisation_takes_confirmations_back() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    node.mine(vec![deposit.clone()]);
    node.mine_empty(3);
    node.commit();
    node.disconnect(4);
    assert_eq!(node.wallet.best_block().height, 0);
    assert_eq!(node.wallet.balance(Sat::ZERO).unconfirmed, sats(50_000), "before any other block");
    node.mine_empty(5);
    assert_eq!(node.commit(), vec![], "it may still come");
    assert_eq!(node.wallet.evictable(), vec![deposit.compute_txid()]);
    node.wallet.apply_mempool(vec![], vec![deposit.compute_txid()]);
    assert_eq!(node.commit()[0].state, Gone);
    node.mine(vec![deposit]);
    node.mine_empty(5);
    assert_eq!(node.commit()[0].state, Confirmed);
}

#[test]
fn a_deep_reorganisation_with_a_double_spend_is_told() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    node.mine(vec![deposit.clone()]);
    node.mine_empty(9);
    assert_eq!(node.commit()[0].state, Confirmed);
    node.disconnect(10);
    let double = tx(&[deposit.input[0].previous_output], &[(stranger(), 1_000)]);
    node.mine(vec![double]);
    node.mine_empty(11);
    assert_eq!(node.commit()[0].state, Gone);
    assert_eq!(node.wallet.total(), Sat::ZERO);
}

#[test]
fn a_coinbase_matures() {
    let mut node = Node::new();
    let script = script_of(&node.wallet.new_address());
    let coinbase = tx(&[OutPoint::null()], &[(script, 70_000)]);
    node.mine(vec![]);
    let block = block(node.chain[0].block_hash(), vec![coinbase]);
    node.disconnect(1);
    node.chain.push(block.clone());
    node.wallet.block_connected(&block, 1);
    node.commit();
    assert_eq!(node.wallet.balance(Sat::ZERO).immature, sats(70_000));
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, Sat::ZERO);
    node.mine_empty(99);
    node.commit();
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, sats(70_000));
    node.disconnect(100);
    node.mine_empty(1);
    assert_eq!(node.commit()[0].state, Gone);
}

#[test]
fn filtered_blocks_do_as_well() {
    let mut node = Node::new();
    let deposit = node.deposit_tx(50_000);
    let block = block(node.chain[0].block_hash(), vec![tx(&[OutPoint::null()], &[]), deposit]);
    node.wallet.filtered_block_connected(&block.header, &[(1, &block.txdata[1])], 1);
    assert_eq!(node.wallet.balance(Sat::ZERO).confirmed, sats(50_000));
    assert_eq!(node.wallet.best_block().block_hash, block.block_hash());
}

#[test]
fn a_restored_seed_finds_its_coins_behind_its_birthday() {
    let mut node = Node::new();
    node.mine_empty(10);
    let birthday = (node.height(), node.chain.last().unwrap().block_hash());
    for _ in 0..3 {
        // As far apart as addresses are ever handed out.
        (1..GAP).for_each(|_| drop(node.wallet.new_address()));
        let deposit = node.deposit_tx(50_000);
        node.mine(vec![deposit]);
    }
    let sent = node
        .wallet
        .send(&stranger_address(), crate::wallet::Payout::Exactly(sats(20_000)), fee_rate(2), Sat::ZERO)
        .unwrap();
    node.mine(vec![sent.tx]);
    let restored = Wallet::create_or_load(&seed(), NETWORK, vec![], Some(birthday)).unwrap();
    assert_eq!(restored.best_block().height, 10);
    for (height, block) in (0..).zip(&node.chain).skip(11) {
        restored.block_connected(block, height);
    }
    assert_eq!(restored.total(), node.wallet.total());
    let told: i128 = restored.poll_changes().iter().map(|change| effect(&change.kind)).sum();
    assert_eq!(told, i128::from(restored.total().to_sat()));
    assert_eq!(restored.best_block().block_hash, node.wallet.best_block().block_hash);
}

#[test]
fn the_birthday_itself_may_be_reorganised() {
    let mut node = Node::new();
    node.mine_empty(3);
    let birthday = (node.height(), node.chain.last().unwrap().block_hash());
    node.wallet = Wallet::create_or_load(&seed(), NETWORK, vec![], Some(birthday)).unwrap();
    node.commit();
    node.disconnect(2);
    let deposit = node.deposit_tx(50_000);
    node.mine(vec![deposit]);
    node.commit();
    node.restart();
    node.mine_empty(6);
    node.commit();
    node.restart();
    assert_eq!(node.wallet.total(), sats(50_000));
    assert_eq!(node.wallet.best_block().block_hash, node.chain.last().unwrap().block_hash());
}

#[test]
fn addresses_come_round_when_too_many_wait() {
    let mut node = Node::new();
    let addresses: Vec<_> = (0..2 * GAP + 7).map(|_| node.wallet.new_address()).collect();
    let different: std::collections::BTreeSet<_> = addresses.iter().collect();
    assert_eq!(different.len() as u32, GAP);
    let paid = tx(&[strange_outpoint(1)], &[(script_of(&addresses[10]), 1_000)]);
    node.mine(vec![paid]);
    assert!(!different.contains(&node.wallet.new_address()));
}

#[test]
fn strangers_transactions_are_ignored() {
    let mut node = Node::new();
    let foreign = tx(&[strange_outpoint(1)], &[(stranger(), 1_000)]);
    let ours = node.deposit_tx(1_000);
    assert!(!node.wallet.is_relevant(&foreign));
    assert!(node.wallet.is_relevant(&ours));
    assert!(node.wallet.watched_scripts().contains(&ours.output[0].script_pubkey));
    node.see(&foreign);
    node.mine(vec![foreign]);
    assert_eq!(node.commit(), vec![]);
}
