//! Whatever happens, the unspent outputs sum to what was mined.

mod common;

use bitcoin::{Amount, BlockHash};
use proptest::prelude::*;
use sponte_chain::{Chain, Policy, Regtest, block_subsidy};

use common::START;

#[derive(Clone, Debug)]
enum Step {
    Mine(u32),
    Send {
        amount_sat: u64,
    },
    /// Of the active block that is so deep.
    Invalidate {
        depth: u32,
    },
    /// Of the n-th block ever invalidated.
    Reconsider(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u32..4).prop_map(Step::Mine),
        6 => (1_000u64..6_000_000_000).prop_map(|amount_sat| Step::Send { amount_sat }),
        2 => (0u32..15).prop_map(|depth| Step::Invalidate { depth }),
        2 => any::<prop::sample::Index>().prop_map(Step::Reconsider),
    ]
}

fn assert_lawful(chain: &Chain) {
    let mined: Amount = (1..=chain.height()).map(block_subsidy).sum();
    assert_eq!(chain.coin_total(), mined, "supply");
    let mut spent = std::collections::HashSet::new();
    let mut known = std::collections::HashSet::new();
    for entry in chain.mempool_entries() {
        known.insert(entry.txid);
        for input in &entry.tx.input {
            let outpoint = input.previous_output;
            assert!(spent.insert(outpoint), "two waiting transactions spend {outpoint}");
            assert!(chain.coin(&outpoint).is_some() || known.contains(&outpoint.txid), "an orphan waits");
        }
        assert!(chain.confirmed_in(&entry.txid).is_none(), "confirmed and waiting");
    }
    for height in 0..=chain.height() {
        let hash = chain.block_hash_at(height).expect("every height is active");
        let node = chain.block(&hash).expect("active blocks are known");
        assert_eq!(node.height, height);
        assert!(height == 0 || Some(node.header().prev_blockhash) == chain.block_hash_at(height - 1));
    }
}

fn take(regtest: &mut Regtest, step: &Step, invalidated: &mut Vec<BlockHash>) {
    match step {
        Step::Mine(count) => {
            regtest.mine_to_faucet(*count, START).expect("the mempool makes valid blocks");
        }
        Step::Send { amount_sat } => {
            let script = regtest.faucet_address().script_pubkey();
            // The faucet may be out of mature money: then nothing must change.
            let _ = regtest.send(script, Amount::from_sat(*amount_sat), None, START);
        }
        Step::Invalidate { depth } => {
            let height = regtest.chain().height().saturating_sub(*depth);
            let hash = regtest.chain().block_hash_at(height).expect("an active height");
            regtest.chain_mut().invalidate_block(&hash, START).expect("a known block");
            invalidated.push(hash);
        }
        Step::Reconsider(index) if !invalidated.is_empty() => {
            let hash = *index.get(invalidated);
            regtest.chain_mut().reconsider_block(&hash, START).expect("a known block");
        }
        Step::Reconsider(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn supply_is_what_was_mined(steps in prop::collection::vec(step(), 1..60)) {
        let mut regtest = Regtest::new(Policy::default(), 110, START).expect("a premine");
        let mut invalidated = Vec::new();
        for step in &steps {
            take(&mut regtest, step, &mut invalidated);
            assert_lawful(regtest.chain());
        }
    }
}
