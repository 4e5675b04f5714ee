//! LDK takes coins for the fees of closings.

use std::sync::Arc;

use super::*;
use crate::wallet::Payout;
use bitcoin::Psbt;
use lightning::chain::ClaimId;
use lightning::sign::ChangeDestinationSourceSync;
use lightning::util::logger::{Logger, Record};
use lightning::util::wallet_utils::{CoinSelectionSourceSync, Input, WalletSourceSync, WalletSync};

struct Silent;

impl Logger for Silent {
    fn log(&self, _record: Record) {}
}

const ANCHOR_SAT: u64 = 330;

/// Pays for the child of an anchor as `BumpTransactionEventHandlerSync` does.
fn bump(source: &WalletSync<Arc<Wallet>, Silent>, claim: u8, anchor: OutPoint, rate: u32) -> Transaction {
    let previous_utxo = TxOut { value: Amount::from_sat(ANCHOR_SAT), script_pubkey: stranger() };
    let must_spend = vec![Input { outpoint: anchor, previous_utxo, satisfaction_weight: 1_200 }];
    let selection =
        source.select_confirmed_utxos(Some(ClaimId([claim; 32])), must_spend, &[], rate, 400_000).unwrap();
    let mut outpoints = vec![anchor];
    outpoints.extend(selection.confirmed_utxos.iter().map(|utxo| utxo.outpoint()));
    let change = selection.change_output.unwrap();
    let tx = tx(&outpoints, &[(change.script_pubkey, change.value.to_sat())]);
    let mut psbt = Psbt::from_unsigned_tx(tx).unwrap();
    for (input, utxo) in psbt.inputs.iter_mut().skip(1).zip(selection.confirmed_utxos) {
        input.witness_utxo = Some(utxo.into_output());
    }
    source.sign_psbt(psbt).unwrap()
}

fn bumping(deposits: &[u64]) -> (Node, WalletSync<Arc<Wallet>, Silent>, Arc<Wallet>) {
    let node = Node::with_coins(deposits);
    // The same disk, behind a pointer that can be shared.
    let shared = Arc::new(open(&node.disk).unwrap());
    let source = WalletSync::new(Arc::clone(&shared), Silent);
    (node, source, shared)
}

/// Ends the step of a wallet that is not the node's.
fn commit(node: &mut Node, wallet: &Wallet) {
    let mut entries = vec![];
    let changes = wallet.poll_changes();
    entries.extend(wallet.take_writes());
    for change in changes {
        match change.state {
            WalletTxState::Gone => drop(node.told.remove(&change.txid)),
            state => drop(node.told.insert(change.txid, (state, change.kind))),
        }
    }
    for entry in entries {
        node.disk.insert(entry.key, entry.value.unwrap());
    }
    let sum: i128 = node.told.values().map(|(_, kind)| effect(kind)).sum();
    assert_eq!(sum, i128::from(wallet.total().to_sat()));
}

#[test]
fn a_bump_is_signed_counted_and_replaced_by_a_better_one() {
    let (mut node, source, wallet) = bumping(&[20_000]);
    let coins = coins_of(&wallet);
    let anchor = strange_outpoint(501);
    wallet.note_channel_output(channel(1), anchor);
    let first = bump(&source, 1, anchor, 1_000);
    assert_signed(&first, &coins);
    commit(&mut node, &wallet);
    let cost = sats(20_000 - wallet.total().to_sat());
    assert_eq!(node.kind(first.compute_txid()), Some(&WalletTxKind::Bump { cost }));
    assert_eq!(wallet.balance(Sat::ZERO).spendable, Sat::ZERO, "its coin is taken");
    let second = bump(&source, 1, anchor, 2_000);
    assert_eq!(second.input[1].previous_output, first.input[1].previous_output);
    commit(&mut node, &wallet);
    assert_eq!(node.kind(first.compute_txid()), None);
    assert!(matches!(node.kind(second.compute_txid()), Some(WalletTxKind::Bump { .. })));
}

#[test]
fn two_bumps_do_not_take_the_same_coin_and_sends_take_neither() {
    let (mut node, source, wallet) = bumping(&[20_000, 21_000, 22_000]);
    let first = bump(&source, 1, strange_outpoint(501), 1_000);
    let second = bump(&source, 2, strange_outpoint(502), 1_000);
    assert_ne!(first.input[1].previous_output, second.input[1].previous_output);
    let sent =
        wallet.send(&stranger_address(), Payout::Exactly(sats(10_000)), fee_rate(1), Sat::ZERO).unwrap();
    let taken = [first.input[1].previous_output, second.input[1].previous_output];
    assert!(sent.tx.input.iter().all(|input| !taken.contains(&input.previous_output)));
    commit(&mut node, &wallet);
    assert_eq!(node.told.len(), 6);
}

#[test]
fn a_bump_counts_without_a_mempool_for_two_blocks() {
    let (mut node, source, wallet) = bumping(&[20_000]);
    let tx = bump(&source, 1, strange_outpoint(501), 1_000);
    commit(&mut node, &wallet);
    assert_eq!(wallet.evictable(), vec![]);
    node.wallet = open(&node.disk).unwrap();
    node.mine_empty(1);
    assert_eq!(node.wallet.evictable(), vec![]);
    node.mine_empty(1);
    assert_eq!(node.wallet.evictable(), vec![tx.compute_txid()]);
    let evictable = node.wallet.evictable();
    assert!(node.wallet.apply_mempool(vec![], evictable), "a bump is gone");
    node.commit();
    assert_eq!(node.wallet.balance(Sat::ZERO).spendable, sats(20_000));
}

#[test]
fn the_reserve_is_for_bumps_and_unconfirmed_coins_are_not() {
    let (node, _, wallet) = bumping(&[20_000]);
    let young = tx(&[strange_outpoint(9)], &[(script_of(&wallet.new_address()), 7_000)]);
    wallet.apply_mempool(vec![(young, 0)], vec![]);
    let utxos = wallet.list_confirmed_utxos().unwrap();
    assert_eq!(utxos.iter().map(|utxo| utxo.output.value.to_sat()).collect::<Vec<_>>(), [20_000]);
    let previous = wallet.get_prevtx(utxos[0].outpoint).unwrap();
    assert_eq!(previous.compute_txid(), utxos[0].outpoint.txid);
    assert!(wallet.get_prevtx(strange_outpoint(1)).is_err());
    assert_ne!(wallet.get_change_script().unwrap(), wallet.get_change_destination_script().unwrap());
    drop(node);
}

#[test]
fn an_htlc_claim_pays_its_second_stage_and_is_a_bump() {
    let (mut node, _, wallet) = bumping(&[20_000]);
    let coin = wallet.list_confirmed_utxos().unwrap()[0].outpoint;
    let claim = tx(
        &[strange_outpoint(77), coin],
        &[(stranger(), 40_000), (wallet.get_change_script().unwrap(), 19_100)],
    );
    wallet.sign_psbt(Psbt::from_unsigned_tx(claim.clone()).unwrap()).unwrap();
    commit(&mut node, &wallet);
    assert_eq!(node.kind(claim.compute_txid()), Some(&WalletTxKind::Bump { cost: sats(900) }));
}

#[test]
fn ldk_may_share_it_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Wallet>();
}
