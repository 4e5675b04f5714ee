//! Which payments to this node are taken and held, and what was refused.

use crate::payments::words;
use crate::{DEFAULT_LIMIT, json};
use serde::{Deserialize, Serialize};
use sponte_proto::{ChannelId, Msat, Timestamp};
use std::collections::BTreeSet;

words! {
    /// A kind of payment that can be taken or not.
    ReceiveKind {
        /// bLIP-3, in one part.
        Keysend = "keysend",
        /// bLIP-3, in many parts.
        MppKeysend = "mpp-keysend",
        /// AMP to an address that the sender chose.
        Amp = "amp",
        /// AMP to an invoice of this node.
        AmpInvoice = "amp-invoice",
        /// The hash follows from the secret that sender and receiver share.
        Ecdh1 = "ecdh1",
        /// The same as it was first published.
        Ecdh0 = "ecdh0",
    }
}

impl ReceiveKind {
    /// All of them.
    pub const ALL: [ReceiveKind; 6] = [
        ReceiveKind::Keysend,
        ReceiveKind::MppKeysend,
        ReceiveKind::Amp,
        ReceiveKind::AmpInvoice,
        ReceiveKind::Ecdh1,
        ReceiveKind::Ecdh0,
    ];
}

words! {
    /// What becomes of a payment that is to be held and leaves too few blocks.
    Short {
        /// It is taken at once.
        Accept = "accept",
        /// It is refused at once.
        Refuse = "refuse",
    }
}

/// Which payments are held: `"none"`, `"all"`, `{"from_msat":..}` or `{"records":[..]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// None.
    #[default]
    #[serde(rename = "none")]
    None,
    /// All.
    #[serde(rename = "all")]
    All,
    /// Those that are worth at least so much.
    #[serde(rename = "from_msat")]
    From(#[serde(with = "json::msat")] Msat),
    /// Those with a record of one of these types.
    #[serde(rename = "records")]
    Records(BTreeSet<u64>),
}

/// Body of `PUT /v1/receive`: which payments are taken and held from now on, also after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    /// The kinds that are on. One that is off is refused as by a node that never heard of it. An invoice of
    /// `POST /v1/invoices` can always be paid.
    pub kinds: Vec<ReceiveKind>,
    /// The smallest payment. One to an invoice of `POST /v1/invoices` may be what the invoice says.
    #[serde(with = "json::msat")]
    pub min_msat: Msat,
    /// The largest payment, likewise; any if it is absent.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub max_msat: Option<Msat>,
    /// The most bytes that the custom records of a payment may have, as they stand in a payload.
    pub max_records_bytes: u32,
    /// Which payments are held.
    pub hold: Hold,
    /// After so many minutes a held payment is canceled.
    pub hold_minutes: u32,
    /// A payment is held only if so many blocks are left for the decision.
    pub hold_blocks: u32,
    /// What becomes of a payment that is to be held and leaves fewer.
    pub hold_short: Short,
}

/// `GET /v1/receive`, and the answer to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivePolicy {
    /// What holds now.
    pub receive: Receive,
    /// It was set while the node ran, and goes before `sponte.toml` until it is reset.
    pub replaced: bool,
}

/// A page of a list: which one, and how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Only what is older: `next` of the page before, a text without meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How many; [`DEFAULT_LIMIT`] if it is not given, at most [`MAX_LIMIT`](crate::MAX_LIMIT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl PageQuery {
    /// How many rows are meant.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, crate::MAX_LIMIT)
    }
}

/// `GET /v1/receive/refused`: what was refused, counted by hour, channel and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPage {
    /// The latest hour first.
    pub refused: Vec<Refused>,
    /// For [`PageQuery::before`], if there are older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// HTLCs that were refused, or whose set never became complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// When their hour began.
    #[serde(with = "json::millis")]
    pub hour_ms: Timestamp,
    /// Where they came from.
    #[serde(with = "json::text")]
    pub channel: ChannelId,
    /// Why: `unknown`, `off`, `preimage`, `amount`, `records`, `repeated`, `invoice`, `total`,
    /// `shares`, `expiry`, `limit`, `timeout` or `hold`. The sender is told less.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// What they carried.
    #[serde(with = "json::msat")]
    pub amount_msat: Msat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_its_documented_shape() {
        let policy = Receive {
            kinds: vec![ReceiveKind::Keysend, ReceiveKind::Ecdh1],
            min_msat: Msat::ZERO,
            max_msat: None,
            max_records_bytes: 1_300,
            hold: Hold::None,
            hold_minutes: 60,
            hold_blocks: 12,
            hold_short: Short::Refuse,
        };
        let json = r#"{"kinds":["keysend","ecdh1"],"min_msat":0,"max_records_bytes":1300,"hold":"none","hold_minutes":60,"hold_blocks":12,"hold_short":"refuse"}"#;
        assert_eq!(serde_json::to_string(&policy).expect("plain data"), json);
        assert_eq!(serde_json::from_str::<Receive>(json).expect("read back"), policy);
        assert!(serde_json::from_str::<Receive>(&json.replace("hold_short", "short")).is_err());
    }

    #[test]
    fn every_way_to_hold_is_read_back() {
        for (hold, json) in [
            (Hold::None, r#""none""#),
            (Hold::All, r#""all""#),
            (Hold::From(Msat::from_sat(5).expect("small")), r#"{"from_msat":5000}"#),
            (Hold::Records([7, 9].into()), r#"{"records":[7,9]}"#),
        ] {
            assert_eq!(serde_json::to_string(&hold).expect("plain data"), json);
            assert_eq!(serde_json::from_str::<Hold>(json).expect("read back"), hold);
        }
    }
}
