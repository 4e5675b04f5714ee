//! What the miner takes, and what the faucet gives.

mod common;

use bitcoin::{Amount, OutPoint, Transaction, TxOut, Weight};
use sponte_chain::{FaucetError, Policy, Regtest};

use common::{Bench, START};

/// About a tenth of a block.
fn large(bench: &Bench, coin: &common::Spendable, fee_sat: u64) -> Transaction {
    let mut tx = bench.unsigned(&[coin], 0);
    let output = TxOut { value: Amount::from_sat(300), script_pubkey: bench.wpkh() };
    tx.output = vec![output; 3_000];
    let change = coin.1.value - Amount::from_sat(3_000 * 300 + fee_sat);
    tx.output.push(TxOut { value: change, script_pubkey: bench.wpkh() });
    bench.sign(&mut tx, &[coin]);
    tx
}

#[test]
fn a_full_block_takes_what_pays_best_with_its_parents() {
    let mut bench = Bench::new();
    let coins: Vec<_> = (0..14).map(|_| bench.fund(bench.wpkh(), 10_000_000)).collect();
    let fees_sat = [100_000, 900_000, 200_000, 800_000, 300_000, 700_000, 400_000];
    let transactions: Vec<Transaction> =
        coins.iter().zip(fees_sat.iter().cycle()).map(|(coin, fee)| large(&bench, coin, *fee)).collect();
    for tx in &transactions {
        bench.accept(tx).expect("valid");
    }
    // The first pays least, but its child pays for both.
    let poor = &transactions[0];
    let change = (OutPoint { txid: poor.compute_txid(), vout: 3_000 }, poor.output[3_000].clone());
    let rich_child = bench.spend(&[change], 2_000_000);
    bench.accept(&rich_child).expect("valid");

    bench.mine(1);
    let tip = bench.regtest.chain().tip();
    assert!(tip.block.weight() <= Weight::MAX_BLOCK);
    assert!(tip.block.weight() > Weight::from_wu(3_500_000), "no room is wasted");
    assert_eq!(tip.block.txdata.len(), 1 + 10 + 1);
    assert!(!bench.is_waiting(poor) && !bench.is_waiting(&rich_child));
    // Ten fit: the first, the eight best, and one of the two next best.
    let rest = transactions.iter().zip(fees_sat.iter().cycle()).skip(1);
    for (tx, fee_sat) in rest.filter(|(_, fee_sat)| **fee_sat != 300_000) {
        assert_eq!(bench.is_waiting(tx), *fee_sat < 400_000, "a fee of {fee_sat} sat");
    }
    bench.mine(1);
    assert_eq!(bench.regtest.chain().mempool_total().count, 0);
}

#[test]
fn the_faucet_gives_hundreds_of_times_without_a_block() {
    let mut bench = Bench::new();
    let before = bench.regtest.faucet_balance();
    assert_eq!(before, Amount::from_int_btc(21 * 50));
    for _ in 0..400 {
        bench.fund_unconfirmed(bench.wpkh(), 50_000);
    }
    assert_eq!(bench.regtest.chain().mempool_total().count, 400);
    bench.mine(1);
    assert_eq!(bench.regtest.chain().mempool_total().count, 0);
    let script = bench.wpkh();
    assert_eq!(bench.regtest.chain().coins_of(&script).count(), 400);
}

#[test]
fn the_faucet_gives_what_it_has_and_no_more() {
    let mut regtest = Regtest::new(Policy::default(), 102, START).expect("a premine");
    let script = regtest.faucet_address().script_pubkey();
    let mut send = |amount_sat| regtest.send(script.clone(), Amount::from_sat(amount_sat), None, START);
    assert_eq!(send(150_00000000), Err(FaucetError::InsufficientFunds), "three coins and no fee");
    assert_eq!(send(293), Err(FaucetError::AmountTooSmall));
    send(149_99990000).expect("three coins, with a fee and without change");
    let second = send(50_000).expect("out of what came back from the first");
    assert!(regtest.chain().mempool_entry(&second).is_some_and(|entry| entry.parents().count() == 1));
    let mut poor = Regtest::new(Policy::default(), 98, START).expect("a premine");
    let script = poor.faucet_address().script_pubkey();
    let given = poor.send(script, Amount::from_sat(10_000), None, START);
    assert_eq!(given, Err(FaucetError::InsufficientFunds), "nothing is mature");
}

#[test]
fn the_same_inputs_make_the_same_chain() {
    let (mut a, mut b) = (Bench::new(), Bench::new());
    for bench in [&mut a, &mut b] {
        bench.fund(bench.wpkh(), 10_000);
    }
    assert_eq!(a.regtest.chain().tip().hash, b.regtest.chain().tip().hash);
}

#[test]
fn what_was_mined_can_be_taken_by_another_node() {
    let mut a = Bench::new();
    let coin = a.fund(a.taproot(), 10_000);
    let tx = a.spend(&[coin], 500);
    a.accept(&tx).expect("valid");
    a.mine(3);
    let mut b = sponte_chain::Chain::new(Policy::default());
    for height in 1..=a.regtest.chain().height() {
        let hash = a.regtest.chain().block_hash_at(height).expect("an active height");
        let block = a.regtest.chain().block(&hash).expect("known").block.as_ref().clone();
        assert_eq!(b.submit_block(block, START), Ok(hash));
    }
    assert_eq!(b.coin_total(), a.regtest.chain().coin_total());
    assert!(b.confirmed_in(&tx.compute_txid()).is_some());
}
