//! AMP invoices: BOLT 11, payable any number of times.

use crate::payments::words;
use crate::{Payment, json};
use serde::{Deserialize, Serialize};
use sponte_proto::{Msat, Timestamp};

/// `POST /v1/amp-invoices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAmpInvoice {
    /// The least that each payment must be worth; any amount if it is absent.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// For the payer, at most 639 bytes.
    #[serde(default)]
    pub description: String,
    /// For how long it can be paid; 30 days if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_seconds: Option<u64>,
}

words! {
    /// Where an AMP invoice stands.
    InvoiceState {
        /// It can be paid.
        Open = "open",
        /// It has expired.
        Expired = "expired",
        /// It was canceled.
        Canceled = "canceled",
    }
}

/// An AMP invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmpInvoice {
    /// Its payment address, 32 bytes in hex: names it here, and stands in each of its payments.
    pub payment_addr: String,
    /// What a payer is given.
    pub bolt11: String,
    /// The least that each payment must be worth.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// For the payer.
    pub description: String,
    /// Where it stands.
    pub state: InvoiceState,
    /// When it was made.
    #[serde(with = "json::millis")]
    pub created_at_ms: Timestamp,
    /// Until when it can be paid.
    #[serde(with = "json::millis")]
    pub expires_at_ms: Timestamp,
    /// How often it was paid.
    pub payment_count: u64,
    /// What all those payments brought.
    #[serde(with = "json::msat")]
    pub received_msat: Msat,
}

/// `GET /v1/amp-invoices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmpInvoices {
    /// Newest first.
    pub amp_invoices: Vec<AmpInvoice>,
    /// For [`PageQuery::before`](crate::PageQuery::before), if there are older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /v1/amp-invoices/{payment_addr}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmpInvoiceDetail {
    /// The invoice.
    #[serde(flatten)]
    pub invoice: AmpInvoice,
    /// Its latest payments, whatever became of them, at most 1,000, newest first.
    pub payments: Vec<Payment>,
}
