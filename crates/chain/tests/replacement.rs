//! Replacement by fee.

mod common;

use bitcoin::{Amount, OutPoint, Transaction, TxOut};

use common::{Bench, Spendable};

fn output_of(tx: &Transaction, vout: u32) -> Spendable {
    (OutPoint { txid: tx.compute_txid(), vout }, tx.output[vout as usize].clone())
}

#[test]
fn a_better_fee_replaces_without_any_signal() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let mut first = bench.unsigned(&[&coin], 1000);
    first.input[0].sequence = bitcoin::Sequence::MAX;
    bench.sign(&mut first, &[&coin]);
    bench.accept(&first).expect("valid");
    let child = bench.spend(&[output_of(&first, 0)], 300);
    bench.accept(&child).expect("valid");
    let second = bench.spend(&[coin], 1500);
    let acceptance = bench.regtest.chain().check_acceptance(second.clone()).expect("pays enough");
    assert_eq!(acceptance.evicts().count(), 2);
    assert!(bench.is_waiting(&first), "to ask is not to replace");
    bench.accept(&second).expect("pays enough");
    assert!(!bench.is_waiting(&first) && !bench.is_waiting(&child) && bench.is_waiting(&second));
    assert_eq!(bench.regtest.chain().mempool_total().fee, Amount::from_sat(1500));
}

#[test]
fn a_worse_fee_does_not() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let first = bench.spend(&[&coin], 1000);
    bench.accept(&first).expect("valid");
    let child = bench.spend(&[output_of(&first, 0)], 500);
    bench.accept(&child).expect("valid");

    let same = bench.unsigned(&[&coin], 1000);
    let mut same = Transaction { lock_time: bitcoin::absolute::LockTime::from_consensus(1), ..same };
    bench.sign(&mut same, &[&coin]);
    let refusal = bench.refusal(&same);
    let words = format!("insufficient fee, rejecting replacement {}; new feerate ", same.compute_txid());
    assert!(refusal.starts_with(&words) && refusal.contains(" <= old feerate "), "{refusal}");

    let less_than_both = bench.spend(&[&coin], 1400);
    let refusal = bench.refusal(&less_than_both);
    assert!(refusal.ends_with(", less fees than conflicting txs; 0.000014 < 0.000015"), "{refusal}");

    let no_relay_fee = bench.spend(&[&coin], 1501);
    let refusal = bench.refusal(&no_relay_fee);
    let words = format!("not enough additional fees to relay; 0.00000001 < 0.000{:05}", no_relay_fee.vsize());
    assert!(refusal.ends_with(words.trim_end_matches('0')), "{refusal}");
    assert!(bench.is_waiting(&first) && bench.is_waiting(&child));

    let enough = bench.spend(&[coin], 1500 + no_relay_fee.vsize() as u64);
    bench.accept(&enough).expect("pays for what it replaces and for its relay");
}

#[test]
fn a_replacement_that_fails_its_scripts_replaces_nothing() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let first = bench.spend(&[&coin], 1000);
    bench.accept(&first).expect("valid");
    let unsigned = bench.unsigned(&[coin], 5000);
    assert!(bench.refusal(&unsigned).starts_with("mempool-script-verify-flag-failed"));
    assert!(bench.is_waiting(&first));
}

#[test]
fn a_replacement_spends_neither_its_victim_nor_new_unconfirmed_coins() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let first = bench.spend(&[&coin], 1000);
    bench.accept(&first).expect("valid");
    let own_child = bench.spend(&[coin.clone(), output_of(&first, 0)], 9000);
    assert!(bench.refusal(&own_child).starts_with("bad-txns-spends-conflicting-tx"));
    let waiting = bench.fund_unconfirmed(bench.wpkh(), 100_000);
    let adds = bench.spend(&[coin, waiting], 9000);
    let refusal = bench.refusal(&adds);
    assert!(refusal.ends_with("adds unconfirmed input, idx 1"), "{refusal}");
}

#[test]
fn at_most_100_are_pushed_out() {
    let mut bench = Bench::new();
    // Five coins, each with a parent and 20 children: 105 transactions.
    let coins: Vec<Spendable> = (0..5).map(|_| bench.fund(bench.wpkh(), 1_000_000)).collect();
    for coin in &coins {
        let mut parent = bench.unsigned(&[coin], 0);
        let output = TxOut { value: Amount::from_sat(40_000), script_pubkey: bench.wpkh() };
        parent.output = vec![output; 20];
        bench.sign(&mut parent, &[coin]);
        bench.accept(&parent).expect("valid");
        for vout in 0..20 {
            let child = bench.spend(&[output_of(&parent, vout)], 200);
            bench.accept(&child).expect("valid");
        }
    }
    let all = bench.spend(&coins, 4_900_000);
    let refusal = bench.refusal(&all);
    let words = format!(
        "too many potential replacements, rejecting replacement {}; too many potential replacements (105 > 100)",
        all.compute_txid()
    );
    assert_eq!(refusal, words);
    let four = bench.spend(&coins[..4], 3_900_000);
    bench.accept(&four).expect("84 may go");
    assert_eq!(bench.regtest.chain().mempool_total().count, 22);
}
