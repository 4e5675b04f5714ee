//! Whatever happens, in whatever order: the books and BDK agree to the satoshi.

use super::*;
use crate::wallet::{Payout, reserve_for};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Deposit {
        sat: u64,
    },
    Send {
        sat: u64,
    },
    SendAll {
        anchors: usize,
    },
    Fund {
        sat: u64,
    },
    /// Of the fundings that wait: broadcast, or take back.
    Decide {
        broadcast: bool,
    },
    Sweep {
        sat: u64,
        noted: bool,
    },
    Bump {
        which: usize,
        cost: u64,
    },
    /// Into a block goes every second transaction, or all of them.
    Mine {
        half: bool,
    },
    MineEmpty {
        blocks: u32,
    },
    /// Takes blocks back; their transactions return to the mempool, or are forgotten.
    Reorganise {
        blocks: usize,
        returning: bool,
    },
    Evict {
        which: usize,
    },
    /// A stranger replaces what he sent.
    Replace {
        which: usize,
        pays_us: bool,
    },
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (400..100_000u64).prop_map(|sat| Step::Deposit { sat }),
        2 => (400..60_000u64).prop_map(|sat| Step::Send { sat }),
        1 => (0..3usize).prop_map(|anchors| Step::SendAll { anchors }),
        2 => (400..60_000u64).prop_map(|sat| Step::Fund { sat }),
        2 => any::<bool>().prop_map(|broadcast| Step::Decide { broadcast }),
        2 => (400..60_000u64, any::<bool>()).prop_map(|(sat, noted)| Step::Sweep { sat, noted }),
        1 => (0..8usize, 1..400u64).prop_map(|(which, cost)| Step::Bump { which, cost }),
        4 => any::<bool>().prop_map(|half| Step::Mine { half }),
        2 => (1..8u32).prop_map(|blocks| Step::MineEmpty { blocks }),
        2 => (1..9usize, any::<bool>())
            .prop_map(|(blocks, returning)| Step::Reorganise { blocks, returning }),
        1 => (0..8usize).prop_map(|which| Step::Evict { which }),
        2 => (0..8usize, any::<bool>()).prop_map(|(which, pays_us)| Step::Replace { which, pays_us }),
        1 => Just(Step::Restart),
    ]
}

/// A node, and the mempool that its chain source would have.
struct World {
    node: Node,
    mempool: Vec<Transaction>,
}

impl World {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Deposit { sat } => {
                let tx = self.node.deposit_tx(sat);
                self.relay(tx);
            }
            Step::Send { sat } => self.send(Payout::Exactly(sats(sat)), 0),
            Step::SendAll { anchors } => self.send(Payout::All, anchors),
            Step::Fund { sat } => {
                let reserve = reserve_for(1);
                let _ = self.node.wallet.fund_channel(stranger(), sats(sat), fee_rate(1), reserve);
            }
            Step::Decide { broadcast } => self.decide(broadcast),
            Step::Sweep { sat, noted } => self.sweep(sat, noted),
            Step::Bump { which, cost } => self.bump(which, cost),
            Step::Mine { half } => self.mine(half),
            Step::MineEmpty { blocks } => self.node.mine_empty(blocks),
            Step::Reorganise { blocks, returning } => self.reorganise(blocks, returning),
            Step::Evict { which } => {
                if let Some(txid) = pick(&self.node.wallet.evictable(), which) {
                    self.drop_with_children(vec![txid]);
                }
            }
            Step::Replace { which, pays_us } => self.replace(which, pays_us),
            Step::Restart => self.node.restart(),
        }
    }

    fn relay(&mut self, tx: Transaction) {
        let spends = |other: &Transaction| {
            other.input.iter().any(|a| tx.input.iter().any(|b| a.previous_output == b.previous_output))
        };
        let replaced = self.mempool.iter().filter(|other| spends(other)).map(Transaction::compute_txid);
        self.drop_with_children(replaced.collect());
        self.node.see(&tx);
        self.mempool.push(tx);
    }

    /// Transactions that are gone take with them what spends them: no mempool holds that, and no
    /// block.
    fn drop_with_children(&mut self, mut gone: Vec<Txid>) {
        let mut next = 0;
        while let Some(parent) = gone.get(next).copied() {
            let spends =
                |tx: &&Transaction| tx.input.iter().any(|input| input.previous_output.txid == parent);
            let children: Vec<_> =
                self.mempool.iter().filter(spends).map(Transaction::compute_txid).collect();
            gone.extend(children);
            next += 1;
        }
        self.mempool.retain(|tx| !gone.contains(&tx.compute_txid()));
        let evictable = self.node.wallet.evictable();
        gone.retain(|txid| evictable.contains(txid));
        self.node.wallet.apply_mempool(vec![], gone);
    }

    fn send(&mut self, payout: Payout, anchors: usize) {
        let reserve = reserve_for(anchors);
        let spendable = self.node.wallet.balance(reserve).spendable;
        if let Ok(sent) = self.node.wallet.send(&stranger_address(), payout, fee_rate(1), reserve) {
            assert!(sent.amount.to_sat() + sent.fee.to_sat() <= spendable.to_sat());
            assert!(self.node.wallet.total() >= reserve);
            self.mempool.push(sent.tx);
        }
    }

    fn decide(&mut self, broadcast: bool) {
        for txid in self.node.wallet.unbroadcast_fundings() {
            if !broadcast {
                assert!(self.node.wallet.cancel(txid));
                continue;
            }
            self.node.wallet.mark_broadcast(txid);
            let all = self.node.wallet.to_rebroadcast();
            let funding = all.iter().find(|tx| tx.compute_txid() == txid).unwrap();
            self.mempool.push((**funding).clone());
        }
    }

    fn sweep(&mut self, sat: u64, noted: bool) {
        let outpoint = strange_outpoint(self.node.number());
        if noted {
            self.node.wallet.note_spendable(channel(1), outpoint, sats(sat + 100));
        } else {
            self.node.wallet.note_channel_output(channel(2), outpoint);
        }
        let tx = tx(&[outpoint], &[(self.node.wallet.change_script(), sat)]);
        self.relay(tx);
    }

    fn bump(&mut self, which: usize, cost: u64) {
        use lightning::util::wallet_utils::WalletSourceSync;
        let utxos = self.node.wallet.list_confirmed_utxos().unwrap();
        let Some(utxo) = pick(&utxos, which) else { return };
        let anchor = strange_outpoint(self.node.number());
        let change = utxo.output.value.to_sat() + 330 - cost;
        let tx = tx(&[anchor, utxo.outpoint], &[(self.node.wallet.change_script(), change)]);
        let psbt = bitcoin::Psbt::from_unsigned_tx(tx).unwrap();
        let tx = self.node.wallet.sign_psbt(psbt).unwrap();
        self.relay(tx);
    }

    fn mine(&mut self, half: bool) {
        let take = if half { self.mempool.len().div_ceil(2) } else { self.mempool.len() };
        let txs = self.mempool.drain(..take).collect();
        self.node.mine(txs);
    }

    fn reorganise(&mut self, blocks: usize, returning: bool) {
        let txs = self.node.disconnect(blocks);
        self.node.mine_empty(blocks as u32 + 1);
        if returning {
            txs.into_iter().rev().for_each(|tx| self.mempool.insert(0, tx));
        } else {
            self.drop_with_children(txs.iter().map(Transaction::compute_txid).collect());
        }
    }

    fn replace(&mut self, which: usize, pays_us: bool) {
        let foreign = |tx: &&Transaction| tx.output.len() == 2 && tx.output[1].value.to_sat() == 5_000;
        let victims: Vec<_> = self.mempool.iter().filter(foreign).cloned().collect();
        let Some(victim) = pick(&victims, which) else { return };
        let script = if pays_us { script_of(&self.node.wallet.new_address()) } else { stranger() };
        self.relay(tx(&[victim.input[0].previous_output], &[(script, 4_000)]));
    }
}

fn pick<T: Clone>(items: &[T], which: usize) -> Option<T> {
    (!items.is_empty()).then(|| items[which % items.len()].clone())
}

/// What BDK holds for real, judged from all that it has.
fn canonical(wallet: &Wallet) -> std::collections::BTreeSet<sponte_proto::Txid> {
    let state = wallet.lock();
    let params = Default::default();
    let txs = state.bdk.tx_graph().list_canonical_txs(&state.blocks, state.blocks.tip(), params);
    txs.map(|tx| id(tx.tx_node.txid)).collect()
}

/// A few by default, as each draws a wallet's keys; more with `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(16), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn the_books_balance(steps in proptest::collection::vec(any_step(), 1..50)) {
        let mut world = World { node: Node::new(), mempool: vec![] };
        for step in &steps {
            world.take(step);
            world.node.commit();
            let held = canonical(&world.node.wallet);
            prop_assert!(world.node.told.keys().all(|txid| held.contains(txid)), "after {:?}", step);
        }
        let told = world.node.told.clone();
        world.node.restart();
        prop_assert_eq!(world.node.commit(), vec![], "a restart tells nothing new");
        prop_assert_eq!(world.node.told, told);
    }
}
