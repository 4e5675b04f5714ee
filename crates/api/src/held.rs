//! Payments to this node that wait for a decision.

use crate::{Payment, json};
use serde::{Deserialize, Serialize};
use sponte_proto::Timestamp;

/// `GET /v1/held`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPage {
    /// The tip's height.
    pub height: u32,
    /// The node's time.
    #[serde(with = "json::millis")]
    pub now_ms: Timestamp,
    /// Newest first.
    pub held: Vec<Held>,
    /// For [`PageQuery::before`](crate::PageQuery::before), if there are older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A payment that waits for a decision. It is canceled by itself as soon as either is zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The payment.
    #[serde(flatten)]
    pub payment: Payment,
    /// Milliseconds that are left.
    pub left_ms: u64,
    /// Blocks that are left; absent if its expiry is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_blocks: Option<u32>,
}
