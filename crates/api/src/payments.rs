//! Payments: listing them, one of them with its attempts and parts.

use crate::{DEFAULT_LIMIT, PartFailure, Record, json};
use serde::{Deserialize, Serialize};
use sponte_proto::{ChannelId, Msat, NodeId, PaymentHash, PaymentId, Timestamp};

/// How long an answer may wait for what it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// At most [`MAX_WAIT_MS`](crate::MAX_WAIT_MS); more counts as that.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Which payments `GET /v1/payments` lists, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentsQuery {
    /// Only this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Only in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only the one with this idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only what is older: [`Payments::next`] of the page before, a text without meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How many; [`DEFAULT_LIMIT`] if it is not given, at most [`MAX_LIMIT`](crate::MAX_LIMIT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl PaymentsQuery {
    /// How many rows are meant.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, crate::MAX_LIMIT)
    }
}

/// A page of payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payments {
    /// Newest first.
    pub payments: Vec<Payment>,
    /// For [`PaymentsQuery::before`], if there are older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(format!("`{word}` is none of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

pub(crate) use words;

words! {
    /// Which way a payment goes.
    Direction {
        /// To this node.
        In = "in",
        /// From this node.
        Out = "out",
    }
}

words! {
    /// Where a payment, an attempt or a part stands.
    State {
        /// Neither paid nor failed yet.
        Pending = "pending",
        /// To this node, complete, and a decision is waited for.
        Held = "held",
        /// Irrevocably paid.
        Settled = "settled",
        /// Ended unpaid.
        Failed = "failed",
        /// Held, then failed by this node.
        Canceled = "canceled",
    }
}

words! {
    /// How a payment carries its preimage.
    Kind {
        /// bLIP-3.
        Keysend = "keysend",
        /// bLIP-3 in many parts.
        MppKeysend = "mpp-keysend",
        /// Shards with a hash each, to an address that the sender chose.
        Amp = "amp",
        /// Shards with a hash each, to an invoice of the receiver.
        AmpInvoice = "amp-invoice",
        /// Derived from the secret that the sender shares with the receiver.
        Ecdh = "ecdh",
        /// Not at all: the receiver of an invoice knows it.
        Bolt11 = "bolt11",
        /// Not at all: the receiver knows it, who gave an invoice for its offer.
        Bolt12 = "bolt12",
    }
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its id in the ledger.
    #[serde(with = "json::text")]
    pub id: PaymentId,
    /// Which way.
    pub direction: Direction,
    /// How: of an outgoing one, its latest attempt.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Its idempotency key, if it is an outgoing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who is paid, if it is an outgoing one.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub destination: Option<NodeId>,
    /// Without fees.
    #[serde(with = "json::msat")]
    pub amount_msat: Msat,
    /// What the routes cost.
    #[serde(with = "json::msat")]
    pub fee_msat: Msat,
    /// What they may cost, if it is an outgoing one.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub max_fee_msat: Option<Msat>,
    /// The current attempt's hash, or the received one. AMP has one in each part, and none here.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub hash: Option<PaymentHash>,
    /// The proof, once it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preimage_hex: Option<String>,
    /// All custom records, even types and odd ones.
    pub records: Vec<Record>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// If it is an outgoing one: the kind that was asked for, if not any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_kind: Option<Kind>,
    /// If it is an outgoing one: why it is of its kind, and what speaks against it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// If it is an outgoing one: the invoice that it pays, or the offer, if it pays one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// Of an offer: how many of what it offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// Of an offer: what its issuer was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many attempts were made.
    pub attempt_count: u32,
    /// If it is an outgoing one: how often HTLCs left, and how often they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// See [`Payment::tries`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// If it is an outgoing one: so many HTLCs may be on their way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parts: Option<u32>,
    /// If it is an outgoing one: whether somebody wants no further attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled: Option<bool>,
    /// No attempt starts after it, if it is an outgoing one; an incoming one is held until then.
    #[serde(default, with = "json::millis_option", skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<Timestamp>,
    /// If it is held: until which height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_height: Option<u32>,
    /// Who signed its message, if that is proven.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub sender: Option<NodeId>,
    /// Of AMP: what it was paid to, 32 bytes in hex; of `amp-invoice` the invoice's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_addr: Option<String>,
    /// Of AMP: which set, 32 bytes in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_id: Option<String>,
    /// When it was asked for, or arrived.
    #[serde(with = "json::millis")]
    pub created_at_ms: Timestamp,
    /// When it last changed.
    #[serde(with = "json::millis")]
    pub updated_at_ms: Timestamp,
}

impl Payment {
    /// The chat message, if there is one that can be printed.
    pub fn message(&self) -> Option<&str> {
        let record = self.records.iter().find(|record| record.kind == sponte_proto::TEXT_RECORD)?;
        record.text.as_deref()
    }
}

/// Why a payment or an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for programs, for example `no_route`.
    pub code: String,
    /// One line that says what to do next.
    pub message: String,
}

/// A payment as a tree: its attempts, their parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDetail {
    /// The payment.
    #[serde(flatten)]
    pub payment: Payment,
    /// Attempts of an outgoing payment, first one first.
    pub attempts: Vec<Attempt>,
    /// Parts of an incoming payment.
    pub parts: Vec<Part>,
}

impl PaymentDetail {
    /// Whether an HTLC of it is pending: whatever the time, it may still be paid.
    pub fn in_flight(&self) -> bool {
        self.payment.state == State::Pending && self.pending().next().is_some()
    }

    /// What its pending HTLCs carry to the destination.
    pub fn in_flight_msat(&self) -> Msat {
        let sum = self.pending().try_fold(Msat::ZERO, |sum, part| sum.checked_add(part.amount_msat));
        sum.unwrap_or(Msat::MAX)
    }

    fn pending(&self) -> impl Iterator<Item = &Part> {
        let parts = self.parts.iter().chain(self.attempts.iter().flat_map(|attempt| &attempt.parts));
        parts.filter(|part| part.state == State::Pending)
    }
}

/// One try to pay, with a hash, or an AMP set, of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 0.
    pub number: u32,
    /// How.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// Its hash. AMP has one in each part, and none here.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub hash: Option<PaymentHash>,
    /// Of AMP: which set, 32 bytes in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_id: Option<String>,
    /// What the routes of its parts cost that have not failed.
    #[serde(with = "json::msat")]
    pub fee_msat: Msat,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it started.
    #[serde(with = "json::millis")]
    pub created_at_ms: Timestamp,
    /// When it last changed.
    #[serde(with = "json::millis")]
    pub updated_at_ms: Timestamp,
    /// Its HTLCs.
    pub parts: Vec<Part>,
}

/// One HTLC of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Counts from 0 within the attempt.
    pub number: u32,
    /// What the node knows it by.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub id: Option<PaymentId>,
    /// This node's channel.
    #[serde(with = "json::text")]
    pub channel: ChannelId,
    /// What the destination gets of it.
    #[serde(with = "json::msat")]
    pub amount_msat: Msat,
    /// What its route costs.
    #[serde(with = "json::msat")]
    pub fee_msat: Msat,
    /// Where it stands.
    pub state: State,
    /// The nodes that an outgoing part passes, the destination last; of `bolt12` those up to where its way is
    /// hidden.
    #[serde(with = "json::text_list")]
    pub route: Vec<NodeId>,
    /// What it is locked to.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub hash: Option<PaymentHash>,
    /// Its proof, once it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preimage_hex: Option<String>,
    /// Of an outgoing part: how it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<PartFailure>,
    /// Of an incoming part: the height at which it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_proto::failure::FailureCode;

    fn part(state: State) -> Part {
        let route = vec![format!("02{}", "11".repeat(32)).parse().expect("a node id")];
        Part {
            number: 0,
            id: Some(PaymentId::from_bytes([4; 32])),
            channel: ChannelId::from_bytes([3; 32]),
            amount_msat: Msat::from_sat(5).expect("small"),
            fee_msat: Msat::ZERO,
            state,
            route: route.clone(),
            hash: Some(PaymentHash::from_bytes([2; 32])),
            preimage_hex: None,
            failure: Some(PartFailure::new(Some(1), Some(FailureCode::MPP_TIMEOUT), None, &route)),
            expiry: None,
        }
    }

    fn detail() -> PaymentDetail {
        let payment = Payment {
            id: PaymentId::from_bytes([1; 32]),
            direction: Direction::Out,
            kind: Kind::Keysend,
            state: State::Pending,
            key: Some("k".into()),
            destination: None,
            amount_msat: Msat::from_sat(5).expect("small"),
            fee_msat: Msat::ZERO,
            max_fee_msat: None,
            hash: Some(PaymentHash::from_bytes([2; 32])),
            preimage_hex: None,
            records: vec![Record::new(34_349_334, b"hi")],
            failure: None,
            asked_kind: Some(Kind::Amp),
            reason: Some("asked for".into()),
            invoice: None,
            quantity: None,
            note: None,
            attempt_count: 1,
            tries: Some(1),
            max_attempts: Some(30),
            max_parts: Some(16),
            canceled: Some(false),
            deadline_ms: Some(Timestamp::from_millis(9)),
            deadline_height: None,
            sender: None,
            payment_addr: None,
            set_id: None,
            created_at_ms: Timestamp::from_millis(7),
            updated_at_ms: Timestamp::from_millis(8),
        };
        let attempt = Attempt {
            number: 0,
            kind: Kind::Keysend,
            state: State::Pending,
            hash: Some(PaymentHash::from_bytes([2; 32])),
            set_id: None,
            fee_msat: Msat::ZERO,
            failure: None,
            created_at_ms: Timestamp::from_millis(7),
            updated_at_ms: Timestamp::from_millis(8),
            parts: vec![part(State::Failed)],
        };
        PaymentDetail { payment, attempts: vec![attempt], parts: vec![] }
    }

    #[test]
    fn a_tree_is_read_back() {
        let detail = detail();
        let json = serde_json::to_value(&detail).expect("plain data");
        assert_eq!(json["amount_msat"], 5000);
        assert_eq!(json["attempts"][0]["parts"][0]["channel"], "03".repeat(32));
        assert_eq!(json["attempts"][0]["parts"][0]["failure"]["name"], "mpp_timeout");
        assert_eq!(serde_json::from_value::<PaymentDetail>(json).expect("read back"), detail);
        assert_eq!(detail.payment.message(), Some("hi"));
    }

    #[test]
    fn only_a_pending_part_is_in_flight() {
        let mut detail = detail();
        assert!(!detail.in_flight());
        assert_eq!(detail.in_flight_msat(), Msat::ZERO);
        detail.attempts[0].parts.push(part(State::Pending));
        assert!(detail.in_flight());
        assert_eq!(detail.in_flight_msat(), Msat::from_sat(5).expect("small"));
        detail.payment.state = State::Settled;
        assert!(!detail.in_flight());
    }

    #[test]
    fn limits_are_kept_in_range() {
        let limit = |limit| PaymentsQuery { limit, ..PaymentsQuery::default() }.limit();
        assert_eq!((limit(None), limit(Some(0)), limit(Some(u32::MAX))), (50, 1, 1000));
    }
}
