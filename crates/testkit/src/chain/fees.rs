//! What bitcoind asks for and estimates follows from what others pay.

use super::coins::{self, FreeCoin};
use super::on_bitcoind::{OnBitcoind, RATE};
use bitcoin::{Amount, FeeRate, OutPoint, TxOut};
use serde_json::{Value, json};

/// Blocks and transactions in each of them, after which bitcoind has an estimate for every target.
const PAID_BLOCKS: usize = 12;
const PAID_PER_BLOCK: usize = 20;
/// Transactions of nearly 100,000 vB, of which a mempool of 5 megabytes holds some twenty.
const CROWD: usize = 60;
const OUTPUTS_IN_CROWD: usize = 2_200;

impl OnBitcoind {
    /// Blocks full of transactions that pay this and spend nothing that waits.
    pub(super) async fn estimate_fee(&self, rate: FeeRate) {
        let coins = self.coins(PAID_BLOCKS * PAID_PER_BLOCK, Amount::from_sat(100_000)).await;
        for block in coins.chunks(PAID_PER_BLOCK) {
            for coin in block {
                let (tx, _) = coin.pay(vec![], rate);
                self.broadcast(&tx).await.expect("bitcoind takes it");
            }
            self.mine(1).await;
        }
        let estimate: Value = self.ask("estimatesmartfee", json!([2])).await.expect("bitcoind answers");
        assert!(estimate["feerate"].is_number(), "{estimate}");
    }

    /// Large transactions that pay this, until bitcoind asks for more than that.
    pub(super) async fn crowd(&self, rate: FeeRate) {
        let each = output(Amount::from_sat(1_000));
        let size = 44 * OUTPUTS_IN_CROWD as u64;
        let most = rate.fee_vb(size).expect("a feerate of this world") + each.value * OUTPUTS_IN_CROWD as u64;
        for coin in self.coins(CROWD, most).await {
            let (tx, _) = coin.pay(vec![each.clone(); OUTPUTS_IN_CROWD], rate);
            let refused = self.broadcast(&tx).await.err();
            if self.least_fee().await > rate {
                return;
            }
            assert_eq!(refused, None);
        }
        panic!("the mempool has room for {CROWD} large transactions");
    }

    async fn least_fee(&self) -> FeeRate {
        let info: Value = self.ask("getmempoolinfo", json!([])).await.expect("bitcoind answers");
        let per_kvb = Amount::from_btc(info["mempoolminfee"].as_f64().expect("a number"));
        FeeRate::from_sat_per_kwu(per_kvb.expect("an amount").to_sat() / 4)
    }

    /// New ones, confirmed.
    async fn coins(&self, number: usize, value: Amount) -> Vec<FreeCoin> {
        let (txid, tx) = self.pay(vec![output(value); number], RATE).await.expect("bitcoind takes it");
        self.mine(1).await;
        let outputs = (0u32..).zip(&tx.output[..number]);
        outputs
            .map(|(vout, output)| FreeCoin { outpoint: OutPoint { txid, vout }, value: output.value })
            .collect()
    }
}

fn output(value: Amount) -> TxOut {
    TxOut { value, script_pubkey: coins::address().script_pubkey() }
}
