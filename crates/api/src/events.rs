//! The log of what happened, to be read on from any place.

use crate::{DEFAULT_LIMIT, json};
use serde::{Deserialize, Serialize};
use sponte_proto::{ChannelId, Msat, PaymentId, Timestamp};

/// Which events `GET /v1/events` lists, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only later ones: [`Event::seq`] of the last one that was read.
    #[serde(default)]
    pub after: u64,
    /// How many; [`DEFAULT_LIMIT`] if it is not given, at most [`MAX_LIMIT`](crate::MAX_LIMIT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How long to wait for one if there is none yet.
    #[serde(default)]
    pub wait_ms: u64,
}

impl EventsQuery {
    /// How many rows are meant.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, crate::MAX_LIMIT)
    }
}

/// A page of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<Event>,
}

/// Something that happened; it is in the ledger, and is told under one `seq` for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the log, rising.
    pub seq: u64,
    /// What, for example `payment_received`.
    pub kind: String,
    /// The payment that it is about.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// The channel that it is about.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// The amount that it is about.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// A line for people.
    pub detail: String,
    /// When.
    #[serde(with = "json::millis")]
    pub created_at_ms: Timestamp,
}
