//! Reorganisations: what leaves the chain returns to the mempool, and nothing is lost.

mod common;

use bitcoin::BlockHash;
use sponte_chain::{BlockRejected, Chain, UnknownBlock};

use common::{Bench, seal};

fn chain(bench: &Bench) -> &Chain {
    bench.regtest.chain()
}

fn invalidate(bench: &mut Bench, height: u32) -> BlockHash {
    let hash = chain(bench).block_hash_at(height).expect("an active block");
    let now = bench.now;
    bench.regtest.chain_mut().invalidate_block(&hash, now).expect("a known block");
    hash
}

fn reconsider(bench: &mut Bench, hash: BlockHash) {
    let now = bench.now;
    bench.regtest.chain_mut().reconsider_block(&hash, now).expect("a known block");
}

#[test]
fn a_reorg_returns_transactions_to_the_mempool_in_order() {
    let mut bench = Bench::new();
    let coin = bench.fund(bench.wpkh(), 100_000);
    let first = bench.spend(&[coin], 1000);
    bench.accept(&first).expect("valid");
    bench.mine(1);
    let output = (bitcoin::OutPoint { txid: first.compute_txid(), vout: 0 }, first.output[0].clone());
    let second = bench.spend(&[output], 1000);
    bench.accept(&second).expect("valid");
    bench.mine(1);
    let output = (bitcoin::OutPoint { txid: second.compute_txid(), vout: 0 }, second.output[0].clone());
    let third = bench.spend(&[&output], 1000);
    bench.accept(&third).expect("valid");

    let total = chain(&bench).coin_total();
    let failed = invalidate(&mut bench, 122);
    assert_eq!(chain(&bench).height(), 121);
    let waiting: Vec<_> = chain(&bench).mempool_entries().map(|entry| entry.txid).collect();
    assert_eq!(waiting, [&first, &second, &third].map(|tx| tx.compute_txid()));
    assert!(chain(&bench).coin(&output.0).is_none());
    assert_eq!(chain(&bench).confirmed_in(&first.compute_txid()).map(|node| node.height), None);

    bench.mine(1);
    assert_eq!(chain(&bench).mempool_total().count, 0, "the new branch takes them all");
    reconsider(&mut bench, failed);
    assert_eq!(chain(&bench).height(), 123, "the longer branch is back");
    assert_eq!(chain(&bench).coin_total(), total);
    assert!(bench.is_waiting(&third), "it was in the branch that lost");
    assert!(!bench.is_waiting(&second));
}

#[test]
fn what_became_immature_is_dropped() {
    let mut bench = Bench::new();
    // The faucet's coin of height 21 is the youngest that the next block may spend.
    let script = bench.regtest.faucet_address().script_pubkey();
    let amount = bitcoin::Amount::from_int_btc(1040);
    let now = bench.now;
    let sent = bench.regtest.send(script, amount, None, now).expect("all twenty-one coins");
    assert!(chain(&bench).mempool_entry(&sent).is_some());
    invalidate(&mut bench, 120);
    assert!(chain(&bench).mempool_entry(&sent).is_none());
}

#[test]
fn the_first_of_equal_branches_leads() {
    let mut bench = Bench::new();
    // Were it the hashes that decide, ten rivals would not all lose.
    for _ in 0..10 {
        bench.mine(1);
        let height = chain(&bench).height();
        let first = invalidate(&mut bench, height);
        bench.mine(1);
        let rival = chain(&bench).tip().hash;
        assert_ne!(rival, first);
        reconsider(&mut bench, first);
        assert_eq!(chain(&bench).tip().hash, first);
        assert!(!chain(&bench).is_active(chain(&bench).block(&rival).expect("still known")));
    }
}

#[test]
fn the_branch_with_more_work_leads() {
    let mut bench = Bench::new();
    let old_tip = invalidate(&mut bench, 120);
    bench.mine(2);
    let longer = chain(&bench).tip().hash;
    reconsider(&mut bench, old_tip);
    assert_eq!(chain(&bench).tip().hash, longer);
    assert!(!chain(&bench).is_active(chain(&bench).block(&old_tip).expect("still known")));
}

#[test]
fn an_invalid_branch_does_not_lead_however_long() {
    let mut bench = Bench::new();
    let honest = chain(&bench).tip().hash;
    let mut greedy = bench.block_with(vec![]);
    greedy.txdata[0].output[0].value += bitcoin::Amount::from_sat(1);
    seal(&mut greedy);
    let hash = greedy.block_hash();
    assert!(matches!(bench.submit(greedy.clone()), Err(BlockRejected::Invalid(_))));
    assert_eq!(chain(&bench).tip().hash, honest);
    assert_eq!(bench.submit(greedy.clone()), Err(BlockRejected::DuplicateInvalid));
    let mut child = greedy;
    child.header.prev_blockhash = hash;
    common::solve(&mut child);
    assert_eq!(bench.submit(child), Err(BlockRejected::InvalidParent));
    reconsider(&mut bench, hash);
    assert_eq!(chain(&bench).tip().hash, honest, "another chance, and it fails again");
}

#[test]
fn unknown_blocks_and_the_genesis_block() {
    let mut bench = Bench::new();
    let unknown: BlockHash = "11".repeat(32).parse().expect("a hash");
    let now = bench.now;
    let chain = bench.regtest.chain_mut();
    assert_eq!(chain.invalidate_block(&unknown, now), Err(UnknownBlock(unknown)));
    assert_eq!(chain.reconsider_block(&unknown, now), Err(UnknownBlock(unknown)));
    invalidate(&mut bench, 0);
    assert_eq!(bench.regtest.chain().height(), 120);
    invalidate(&mut bench, 1);
    assert_eq!(bench.regtest.chain().height(), 0);
    assert_eq!(bench.regtest.chain().coin_count(), 0);
}
