//! Thousands of blocks and transactions.

mod common;

use bitcoin::{Amount, OutPoint, TxOut};

use common::Bench;

#[test]
fn thousands_of_blocks_and_transactions() {
    let mut bench = Bench::new();
    let script = bench.wpkh();
    let now = bench.now;
    let parents = 40;
    let children = 100;
    let mut coins = Vec::new();
    for _ in 0..parents {
        let coin = bench.fund(bench.wpkh(), 100_000_000);
        let mut parent = bench.unsigned(&[&coin], 0);
        let output = TxOut { value: Amount::from_sat(900_000), script_pubkey: bench.wpkh() };
        parent.output = vec![output.clone(); children];
        bench.sign(&mut parent, &[coin]);
        bench.accept(&parent).expect("valid");
        let txid = parent.compute_txid();
        coins.extend((0..children as u32).map(|vout| (OutPoint { txid, vout }, output.clone())));
    }
    bench.mine(1);
    for coin in &coins {
        let tx = bench.spend(&[coin], 500);
        bench.accept(&tx).expect("valid");
    }
    assert_eq!(bench.regtest.chain().mempool_total().count, 4000);
    bench.mine(1);
    assert_eq!(bench.regtest.chain().mempool_total().count, 0, "they fit into one block");
    bench.regtest.chain_mut().mine(3000, &script, now).expect("blocks");
    let deep = bench.regtest.chain().block_hash_at(100).expect("an active height");
    let tip = bench.regtest.chain().tip().hash;
    bench.regtest.chain_mut().invalidate_block(&deep, now).expect("a known block");
    assert_eq!(bench.regtest.chain().height(), 99);
    bench.regtest.chain_mut().reconsider_block(&deep, now).expect("a known block");
    assert_eq!(bench.regtest.chain().tip().hash, tip);
}
