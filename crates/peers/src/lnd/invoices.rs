//! What LND asks for, and gets.

use super::rest::{base64, base64_of_path};
use super::types::{list, one};
use super::{Lnd, LndInvoice};
use crate::until;
use serde_json::json;
use sponte_proto::{Msat, PaymentHash, Preimage};

impl Lnd {
    /// A new invoice, BOLT 11 or AMP; without an amount, the payer says how much.
    pub async fn invoice(&self, amount: Option<Msat>, amp: bool) -> String {
        let msat = amount.map_or(0, Msat::to_msat).to_string();
        let body = json!({ "value_msat": msat, "is_amp": amp, "memo": "a test" });
        let answer = self.rest().post("/v1/invoices", body).await.expect("a sound invoice");
        answer["payment_request"].as_str().expect("an invoice").to_owned()
    }

    /// All of its invoices, also those that it made for what came without one; the oldest first.
    pub async fn invoices(&self) -> Vec<LndInvoice> {
        let answer = self.rest().get("/v1/invoices?num_max_invoices=10000").await;
        list(&answer.expect("invoices are always answered")["invoices"])
    }

    /// The invoice that has an HTLC of that hash.
    pub async fn invoice_with(&self, hash: PaymentHash) -> Option<LndInvoice> {
        if let Ok(found) = self.rest().get(&format!("/v1/invoice/{hash}")).await {
            return Some(one(found));
        }
        let has = |invoice: &LndInvoice| {
            invoice.htlcs.iter().any(|htlc| htlc.amp.as_ref().is_some_and(|shard| shard.hash == hash))
        };
        self.invoices().await.into_iter().find(has)
    }

    /// One of its invoices, by what a payer reads.
    pub async fn invoice_of(&self, text: &str) -> LndInvoice {
        let all = self.invoices().await;
        all.into_iter().find(|invoice| invoice.payment_request == text).expect("its invoice")
    }

    /// The HTLCs of one set of an AMP invoice, by the invoice's own state.
    pub async fn set(&self, set_id: &[u8; 32]) -> Result<LndInvoice, String> {
        let path = format!("/v2/invoices/lookup?set_id={}", base64_of_path(set_id));
        self.rest().get(&path).await.map(one)
    }

    /// Waits until it holds what has come with that hash.
    pub async fn holds(&self, hash: PaymentHash) -> LndInvoice {
        until(&format!("{} to hold a payment", self.name), async || {
            self.invoice_with(hash).await.filter(|invoice| invoice.state == "ACCEPTED")
        })
        .await
    }

    /// Takes what it holds.
    pub async fn settle(&self, preimage: Preimage) {
        let body = json!({ "preimage": base64(&preimage.to_bytes()) });
        self.rest().post("/v2/invoices/settle", body).await.expect("it is held");
    }

    /// Fails what it holds, or takes nothing for an invoice any more.
    pub async fn cancel(&self, hash: PaymentHash) {
        let body = json!({ "payment_hash": base64(&hash.to_bytes()) });
        self.rest().post("/v2/invoices/cancel", body).await.expect("it is there");
    }
}
