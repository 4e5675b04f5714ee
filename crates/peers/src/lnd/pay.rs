//! LND pays.

use super::rest::base64;
use super::types::{list, one};
use super::{Lnd, LndPayment};
use serde_json::{Map, Value, json};

use sponte_proto::{KEYSEND_RECORD, Msat, NodeId, PaymentHash, Preimage, Records};
use std::time::Duration;

/// What LND is asked to pay, by `SendPaymentV2`. One path, a minute, no limit of fees, if nothing else is said.
#[derive(Clone, Debug)]
pub struct LndPay {
    body: Map<String, Value>,
}

impl LndPay {
    fn new(fields: Value) -> LndPay {
        let Value::Object(mut body) = fields else { unreachable!("fields") };
        for (name, value) in [
            ("timeout_seconds", json!(60)),
            ("fee_limit_msat", json!(i64::MAX.to_string())),
            ("no_inflight_updates", json!(true)),
            ("max_parts", json!(1)),
        ] {
            body.insert(name.into(), value);
        }
        LndPay { body }
    }

    /// A keysend, with records beside its own.
    pub fn keysend(to: NodeId, amount: Msat, preimage: Preimage, records: &Records) -> LndPay {
        let mut all = records_of(records);
        all.insert(KEYSEND_RECORD.to_string(), base64(&preimage.to_bytes()).into());
        LndPay::new(json!({
            "dest": base64(&to.to_bytes()),
            "amt_msat": amount.to_msat().to_string(),
            "payment_hash": base64(&preimage.payment_hash().to_bytes()),
            "dest_custom_records": all,
        }))
    }

    /// AMP without an invoice.
    pub fn amp(to: NodeId, amount: Msat, records: &Records) -> LndPay {
        LndPay::new(json!({
            "dest": base64(&to.to_bytes()),
            "amt_msat": amount.to_msat().to_string(),
            "amp": true,
            "dest_custom_records": records_of(records),
        }))
    }

    /// An invoice, AMP or not.
    pub fn invoice(text: &str) -> LndPay {
        LndPay::new(json!({ "payment_request": text }))
    }

    /// An AMP invoice: LND wants to be told that it may.
    pub fn amp_invoice(text: &str) -> LndPay {
        LndPay::new(json!({ "payment_request": text, "amp": true }))
    }

    /// The amount of an invoice that has none.
    pub fn amount(self, amount: Msat) -> LndPay {
        self.with("amt_msat", json!(amount.to_msat().to_string()))
    }

    /// In at most so many parts.
    pub fn parts(self, parts: u32) -> LndPay {
        self.with("max_parts", json!(parts))
    }

    /// In parts of at most so much.
    pub fn shards_of(self, most: Msat) -> LndPay {
        self.with("max_shard_size_msat", json!(most.to_msat().to_string()))
    }

    /// No new HTLC after so much time.
    pub fn within(self, time: Duration) -> LndPay {
        self.with("timeout_seconds", json!(time.as_secs()))
    }

    /// Fees of all parts together.
    pub fn fee_limit(self, fee: Msat) -> LndPay {
        self.with("fee_limit_msat", json!(fee.to_msat().to_string()))
    }

    /// Blocks that the destination gets.
    pub fn final_delta(self, blocks: u16) -> LndPay {
        self.with("final_cltv_delta", json!(blocks))
    }

    fn with(mut self, name: &str, value: Value) -> LndPay {
        self.body.insert(name.into(), value);
        self
    }
}

pub(super) fn records_of(records: &Records) -> Map<String, Value> {
    records.iter().map(|(kind, value)| (kind.to_string(), base64(value).into())).collect()
}

impl Lnd {
    /// Pays, and waits for the end.
    ///
    /// # Errors
    /// What LND says if it does not begin at all.
    pub async fn pay(&self, pay: LndPay) -> Result<LndPayment, String> {
        let said = self.rest().stream("/v2/router/send", Value::Object(pay.body)).await?;
        said.into_iter().next_back().map(one).ok_or_else(|| "no answer".into())
    }

    /// All that it has sent, the oldest first.
    pub async fn payments(&self) -> Vec<LndPayment> {
        let answer = self.rest().get("/v1/payments?include_incomplete=true").await;
        list(&answer.expect("payments are always answered")["payments"])
    }

    /// One that it has sent, by its hash, or by the set's id of AMP.
    pub async fn payment(&self, hash: PaymentHash) -> Option<LndPayment> {
        self.payments().await.into_iter().find(|payment| payment.payment_hash == hash)
    }
}
