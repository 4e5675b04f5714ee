//! Amounts, double spends, maturity, locktimes, and what a block must be.

mod common;

use bitcoin::absolute::LockTime;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxOut, Witness};
use sponte_chain::{BlockRejected, TxRejected, UnixTime, block_subsidy};

use common::{Bench, START, Spendable, seal, solve};

/// The coinbase of the tip, mined to the key of the bench.
fn coinbase_of_own_block(bench: &mut Bench) -> Spendable {
    let script = bench.wpkh();
    let now = bench.now;
    bench.regtest.chain_mut().mine(1, &script, now).expect("a block");
    let coinbase = &bench.regtest.chain().tip().block.txdata[0];
    (OutPoint { txid: coinbase.compute_txid(), vout: 0 }, coinbase.output[0].clone())
}

#[test]
fn a_coinbase_rests_for_100_blocks() {
    let mut bench = Bench::new();
    let coin = coinbase_of_own_block(&mut bench);
    let tx = bench.spend(&[coin], 1000);
    let refusal = "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth";
    assert_eq!(bench.refusal(&tx), format!("{refusal} 1"));
    bench.mine(98);
    assert_eq!(bench.refusal(&tx), format!("{refusal} 99"));
    let block = bench.block_with(vec![tx.clone()]);
    assert_eq!(bench.block_refusal(block), format!("{refusal} 99"));
    bench.mine(1);
    bench.accept(&tx).expect("mature for the next block");
    bench.mine(1);
    assert!(!bench.is_waiting(&tx));
}

#[test]
fn a_coin_is_spent_once() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let first = bench.spend(&[&coin], 1000);
    let second = bench.spend(&[coin], 2000);
    let block = bench.block_with(vec![first.clone(), second.clone()]);
    assert!(bench.block_refusal(block).starts_with("bad-txns-inputs-missingorspent"));
    bench.accept(&first).expect("the first spend");
    assert_eq!(bench.accept(&first), Err(TxRejected::AlreadyInMempool));
    bench.mine(1);
    assert_eq!(bench.accept(&first), Err(TxRejected::AlreadyInChain));
    assert_eq!(bench.accept(&second), Err(TxRejected::MissingInputs));
}

#[test]
fn a_block_drops_waiting_transactions_that_it_conflicts_with() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let waiting = bench.spend(&[&coin], 1000);
    let child_coin = (OutPoint { txid: waiting.compute_txid(), vout: 0 }, waiting.output[0].clone());
    let child = bench.spend(&[child_coin], 1000);
    bench.accept(&waiting).expect("valid");
    bench.accept(&child).expect("a child of a waiting transaction is valid");
    let conflict = bench.spend(&[coin], 500);
    let block = bench.block_with(vec![conflict]);
    bench.submit(block).expect("a block need not care for the mempool");
    assert!(!bench.is_waiting(&waiting) && !bench.is_waiting(&child));
    assert_eq!(bench.regtest.chain().mempool_total(), sponte_chain::Package::default());
}

#[test]
fn nobody_makes_money() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let mut tx = bench.unsigned(&[&coin], 0);
    tx.output[0].value = Amount::from_sat(100_001);
    bench.sign(&mut tx, &[coin]);
    let refusal = "bad-txns-in-belowout, value in (0.001) < value out (0.00100001)";
    assert_eq!(bench.refusal(&tx), refusal);
    let block = bench.block_with(vec![tx]);
    assert_eq!(bench.block_refusal(block), refusal);

    let mut greedy = bench.block_with(vec![]);
    greedy.txdata[0].output[0].value += Amount::from_sat(1);
    seal(&mut greedy);
    assert!(bench.block_refusal(greedy).starts_with("bad-cb-amount"));
    assert_eq!(block_subsidy(149), Amount::from_int_btc(50));
    assert_eq!(block_subsidy(150), Amount::from_int_btc(25));
    assert_eq!(block_subsidy(150 * 64), Amount::ZERO);
}

#[test]
fn an_absolute_height_lock_opens_at_its_height() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let height = bench.regtest.chain().height();
    let mut tx = bench.unsigned(&[&coin], 1000);
    tx.lock_time = LockTime::from_height(height + 1).expect("a height");
    bench.sign(&mut tx, &[coin]);
    assert_eq!(bench.refusal(&tx), "non-final");
    let block = bench.block_with(vec![tx.clone()]);
    assert!(bench.block_refusal(block).starts_with("bad-txns-nonfinal"));
    bench.mine(1);
    bench.accept(&tx).expect("the lock is over");
}

#[test]
fn an_absolute_time_lock_waits_for_the_median_time() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let mut tx = bench.unsigned(&[&coin], 1000);
    tx.lock_time = LockTime::from_time(START.as_secs() + 3600).expect("a time");
    bench.sign(&mut tx, &[coin]);
    bench.now = START.plus_secs(3700);
    bench.mine(5);
    assert_eq!(bench.refusal(&tx), "non-final", "five late blocks of eleven move no median");
    bench.mine(1);
    bench.accept(&tx).expect("six do");
}

#[test]
fn a_relative_height_lock_counts_from_the_confirmation() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let mut tx = bench.unsigned(&[&coin], 1000);
    tx.input[0].sequence = Sequence::from_height(3);
    bench.sign(&mut tx, &[coin]);
    assert_eq!(bench.refusal(&tx), "non-BIP68-final");
    bench.mine(1);
    assert_eq!(bench.refusal(&tx), "non-BIP68-final");
    let block = bench.block_with(vec![tx.clone()]);
    assert!(bench.block_refusal(block).starts_with("bad-txns-nonfinal"));
    bench.mine(1);
    bench.accept(&tx).expect("three blocks deep in the next block");
}

#[test]
fn a_relative_lock_on_a_waiting_parent_is_not_over() {
    let mut bench = Bench::new();
    let coin = bench.fund_unconfirmed(bench.wpkh(), 100_000);
    let mut tx = bench.unsigned(&[&coin], 1000);
    tx.input[0].sequence = Sequence::from_height(1);
    bench.sign(&mut tx, &[coin]);
    assert_eq!(bench.refusal(&tx), "non-BIP68-final");
    bench.mine(1);
    bench.accept(&tx).expect("one block deep in the next block");
}

#[test]
fn a_relative_time_lock_counts_512_seconds_of_median_time() {
    let mut bench = Bench::new();
    bench.mine(11);
    let coin = bench.fund(bench.wpkh(), 100_000);
    let mut tx = bench.unsigned(&[&coin], 1000);
    tx.input[0].sequence = Sequence::from_512_second_intervals(2);
    bench.sign(&mut tx, &[coin]);
    bench.now = UnixTime::from_secs(bench.regtest.chain().tip().median_time_secs + 1100);
    bench.mine(5);
    assert_eq!(bench.refusal(&tx), "non-BIP68-final");
    bench.mine(1);
    bench.accept(&tx).expect("more than 1024 seconds later");
}

#[test]
fn checksequenceverify_is_enforced_by_the_script() {
    let mut bench = Bench::new();
    let script = ScriptBuf::builder()
        .push_sequence(Sequence::from_height(2))
        .push_opcode(bitcoin::opcodes::all::OP_CSV)
        .into_script();
    let coin = bench.fund(script.to_p2wsh(), 100_000);
    bench.mine(1);
    let mut tx = bench.unsigned(&[coin], 1000);
    tx.input[0].witness = Witness::from_slice(&[script.as_bytes()]);
    assert!(bench.refusal(&tx).starts_with("mempool-script-verify-flag-failed"));
    tx.input[0].sequence = Sequence::from_height(2);
    bench.accept(&tx).expect("the sequence satisfies the script");
}

#[test]
fn relay_has_a_price_and_a_taste() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let free = bench.spend(&[&coin], 0);
    let refusal = bench.refusal(&free);
    assert_eq!(refusal, format!("min relay fee not met, 0 < {}", free.vsize()));

    let refused = |bench: &mut Bench, output: TxOut| {
        let mut tx = bench.unsigned(&[&coin], 10_000);
        tx.output.push(output);
        tx.output[0].value = Amount::from_sat(80_000);
        bench.sign(&mut tx, &[&coin]);
        bench.refusal(&tx)
    };
    let dust = TxOut { value: Amount::from_sat(293), script_pubkey: bench.wpkh() };
    assert_eq!(refused(&mut bench, dust.clone()), "dust, tx with dust output must be 0-fee");
    let mut twice = bench.unsigned(&[&coin], 10_000);
    twice.output.extend([dust.clone(), dust.clone()]);
    assert_eq!(bench.refusal(&twice), "dust");
    let mut free = bench.unsigned(&[&coin], 293);
    free.output.push(dust);
    bench.sign(&mut free, &[&coin]);
    assert_eq!(bench.refusal(&free), format!("min relay fee not met, 0 < {}", free.vsize()));
    let strange = TxOut { value: Amount::from_sat(1000), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) };
    assert_eq!(refused(&mut bench, strange), "scriptpubkey");
    let mut third = bench.unsigned(&[&coin], 1000);
    third.version.0 = 3;
    assert_eq!(bench.refusal(&third), "version");
}

#[test]
fn chains_of_waiting_transactions_end_at_25() {
    let mut bench = Bench::new();
    let mut coin = bench.fund(bench.wpkh(), 1_000_000);
    for _ in 0..25 {
        let tx = bench.spend(&[coin], 200);
        bench.accept(&tx).expect("within the limit");
        coin = (OutPoint { txid: tx.compute_txid(), vout: 0 }, tx.output[0].clone());
    }
    let tx = bench.spend(&[coin], 200);
    let refusal = "too-long-mempool-chain, too many unconfirmed ancestors [limit: 25]";
    assert_eq!(bench.refusal(&tx), refusal);
}

#[test]
fn a_block_must_commit_to_its_witnesses() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let tx = bench.spend(&[coin], 1000);
    let mut block = bench.block_with(vec![tx]);
    let commitment = block.txdata[0].output.remove(1);
    solve(&mut block);
    assert!(bench.block_refusal(block.clone()).starts_with("unexpected-witness"));
    let mut wrong = commitment.script_pubkey.to_bytes();
    wrong[37] ^= 1;
    block.txdata[0].output.push(TxOut { script_pubkey: ScriptBuf::from_bytes(wrong), ..commitment.clone() });
    solve(&mut block);
    assert!(bench.block_refusal(block.clone()).starts_with("bad-witness-merkle-match"));
    block.txdata[0].output[1] = commitment;
    solve(&mut block);
    bench.submit(block).expect("with its commitment the block is valid");
}

#[test]
fn a_commitment_needs_its_reserved_value_even_if_there_are_no_witnesses() {
    let mut bench = Bench::new();
    let mut block = bench.block_with(vec![]);
    let reserved = std::mem::take(&mut block.txdata[0].input[0].witness);
    solve(&mut block);
    assert!(bench.block_refusal(block.clone()).starts_with("bad-witness-nonce-size"));
    block.txdata[0].input[0].witness = Witness::from_slice(&[[0; 31]]);
    solve(&mut block);
    assert!(bench.block_refusal(block.clone()).starts_with("bad-witness-nonce-size"));
    let mut without = block.clone();
    without.txdata[0].input[0].witness = Witness::new();
    without.txdata[0].output.remove(1);
    solve(&mut without);
    bench.submit(without).expect("nothing to commit to, and no commitment");
    block.txdata[0].input[0].witness = reserved;
    solve(&mut block);
    bench.submit(block).expect("with its reserved value the block is valid");
}

#[test]
fn an_anchor_is_spent_without_a_witness() {
    let mut bench = Bench::new();
    let coin = bench.fund(ScriptBuf::new_p2a(), 10_000);
    let mut tx = bench.unsigned(&[coin], 1_000);
    tx.input[0].witness = Witness::from_slice(&[[1]]);
    assert_eq!(bench.refusal(&tx), "bad-witness-nonstandard");
    tx.input[0].witness = Witness::new();
    bench.accept(&tx).expect("relayed");
    bench.mine(1);
    assert!(!bench.is_waiting(&tx));
}

#[test]
fn what_a_block_must_be() {
    let mut bench = Bench::new();
    let good = bench.block_with(vec![]);

    let mut unsolved = good.clone();
    let target = unsolved.header.target();
    while unsolved.header.validate_pow(target).is_ok() {
        unsolved.header.nonce += 1;
    }
    assert!(bench.block_refusal(unsolved).starts_with("high-hash"));

    let mut late = good.clone();
    late.header.time = START.as_secs() + 7201 + 100;
    bench.now = START.plus_secs(100);
    solve(&mut late);
    assert!(bench.block_refusal(late).starts_with("time-too-new"));

    let mut early = good.clone();
    early.header.time = bench.regtest.chain().tip().median_time_secs;
    solve(&mut early);
    assert!(bench.block_refusal(early).starts_with("time-too-old"));

    let mut wrong_height = good.clone();
    let mut script = wrong_height.txdata[0].input[0].script_sig.to_bytes();
    script[1] ^= 1;
    wrong_height.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(script);
    solve(&mut wrong_height);
    assert!(bench.block_refusal(wrong_height).starts_with("bad-cb-height"));

    let mut wrong_root = good.clone();
    wrong_root.txdata[0].output[0].value = Amount::ZERO;
    assert!(bench.block_refusal(wrong_root).starts_with("bad-txnmrklroot"));

    let mut twice = good.clone();
    twice.txdata.push(twice.txdata[0].clone());
    solve(&mut twice);
    let refusal = bench.block_refusal(twice);
    assert!(refusal.starts_with("bad-txns-duplicate"), "{refusal}");

    let mut orphan = good.clone();
    orphan.header.prev_blockhash = orphan.block_hash();
    assert_eq!(bench.submit(orphan), Err(BlockRejected::UnknownParent));

    bench.submit(good.clone()).expect("the block without a change");
    assert_eq!(bench.submit(good), Err(BlockRejected::Duplicate));
}
