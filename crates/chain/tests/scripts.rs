//! Every input is verified, in the mempool and in blocks.

mod common;

use bitcoin::{Amount, Transaction};

use common::{Bench, Spendable};

const SCRIPT_FAILED: &str = "mempool-script-verify-flag-failed (unknown error)";
const IN_BLOCK: &str = "block-script-verify-flag-failed (unknown error)";

/// A valid spend is taken; the same with a broken signature is refused by mempool and block.
fn assert_signature_counts(bench: &mut Bench, coin: Spendable) {
    let good = bench.spend(&[&coin], 1000);
    let bad = with_flipped_signature_bit(&good);
    let refusal = bench.refusal(&bad);
    assert!(refusal.starts_with(SCRIPT_FAILED), "{refusal}");
    assert!(refusal.contains(&format!("input 0 of {}", bad.compute_txid())), "{refusal}");
    let block = bench.block_with(vec![bad]);
    assert!(bench.block_refusal(block).starts_with(IN_BLOCK));
    assert!(bench.regtest.chain().coin(&coin.0).is_some(), "a refused block moves no coin");
    bench.accept(&good).expect("the spend with the right signature is valid");
    bench.mine(1);
    assert!(bench.regtest.chain().confirmed_in(&good.compute_txid()).is_some());
}

fn with_flipped_signature_bit(tx: &Transaction) -> Transaction {
    let mut items = tx.input[0].witness.to_vec();
    items[0][20] ^= 1;
    let mut bad = tx.clone();
    bad.input[0].witness = items.into();
    bad
}

#[test]
fn a_bad_segwit_spend_is_refused() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    assert_signature_counts(&mut bench, coin);
}

#[test]
fn a_bad_taproot_spend_is_refused() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.taproot(), 100_000);
    assert_signature_counts(&mut bench, coin);
}

#[test]
fn a_taproot_signature_commits_to_every_spent_output() {
    let mut bench = Bench::new();
    let first = bench.fund(bench.taproot(), 100_000);
    let second = bench.fund(bench.wpkh(), 50_000);
    let coins = [first.clone(), second.clone()];
    let mut lied_to = coins.clone();
    lied_to[1].1.value = Amount::from_sat(49_999);
    let mut tx = bench.unsigned(&coins, 1000);
    bench.sign(&mut tx, &lied_to);
    assert!(bench.refusal(&tx).starts_with(SCRIPT_FAILED));
    let tx = bench.spend(&coins, 1000);
    bench.accept(&tx).expect("signed over the true outputs");
}

#[test]
fn a_segwit_signature_commits_to_its_amount() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let mut lied_to = coin.clone();
    lied_to.1.value = Amount::from_sat(100_001);
    let mut tx = bench.unsigned(&[coin], 1000);
    bench.sign(&mut tx, &[lied_to]);
    assert!(bench.refusal(&tx).starts_with(SCRIPT_FAILED));
}

#[test]
fn a_missing_witness_is_refused() {
    let mut bench = Bench::new();
    for script in [bench.wpkh(), bench.taproot()] {
        let coin = bench.fund(script, 100_000);
        let tx = bench.unsigned(&[coin], 1000);
        assert!(bench.refusal(&tx).starts_with(SCRIPT_FAILED));
    }
}
