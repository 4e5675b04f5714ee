//! Invoices of this node that are paid once: BOLT 11.

use crate::json;
use serde::{Deserialize, Serialize};
use sponte_proto::{Msat, PaymentHash, Timestamp};

/// `POST /v1/invoices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInvoice {
    /// The least that the payment must be worth; any amount if it is absent.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// For the payer, at most 639 bytes.
    #[serde(default)]
    pub description: String,
    /// For how long it can be paid; an hour if it is absent. A payment that comes up to two hours late,
    /// by the time of blocks, may still be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_seconds: Option<u64>,
}

/// An invoice that was just made. The node keeps none: its payment is one of `GET /v1/payments` once it
/// comes, of kind `bolt11`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeInvoice {
    /// What a payer is given.
    pub bolt11: String,
    /// The hash that its payment will have.
    #[serde(with = "json::text")]
    pub hash: PaymentHash,
    /// The least that the payment must be worth.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// For the payer.
    pub description: String,
    /// When it was made.
    #[serde(with = "json::millis")]
    pub created_at_ms: Timestamp,
    /// Until when it can be paid.
    #[serde(with = "json::millis")]
    pub expires_at_ms: Timestamp,
}
