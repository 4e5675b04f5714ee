//! Paying: a node that sent no invoice, or an invoice; and what that would cost.

use crate::{Kind, RecordInput, json};
use serde::{Deserialize, Serialize};
use sponte_proto::{ChannelId, Msat, NodeId, PaymentHash, ShortChannelId, Timestamp};

/// `POST /v1/pay`, answered once the payment is in the ledger; the same key with the same
/// arguments is answered with the same payment. `POST /v1/pay/quote`, answered with what it would
/// cost; nothing is sent or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayRequest {
    /// Who is paid.
    #[serde(with = "json::text")]
    pub destination: NodeId,
    /// What the destination gets.
    #[serde(with = "json::msat")]
    pub amount_msat: Msat,
    /// The idempotency key: one key, one payment. Without it a fresh one is drawn, and a request
    /// whose answer was lost cannot be repeated safely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `keysend`, `mpp-keysend`, `amp` or `ecdh`, whatever the destination says that it takes. If
    /// it is not given: keysend if one path carries the amount, else AMP if the destination says
    /// that it takes it, else MPP keysend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Whether another kind is tried, with a new hash, once the destination has refused one; if it
    /// is not given, yes, unless AMP is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fall_back: Option<bool>,
    /// How far to go.
    #[serde(flatten)]
    pub limits: Limits,
    /// A chat message: record 34349334.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Custom records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordInput>,
}

impl PayRequest {
    /// With nothing but who is paid, and how much.
    pub fn new(destination: NodeId, amount: Msat) -> PayRequest {
        PayRequest {
            destination,
            amount_msat: amount,
            key: None,
            kind: None,
            fall_back: None,
            limits: Limits::default(),
            message: None,
            records: vec![],
        }
    }
}

/// `POST /v1/pay-invoice` and `POST /v1/pay-invoice/quote`, as [`PayRequest`]: BOLT 11, to pay
/// once; or with AMP's feature, to pay any number of times; or an offer (BOLT 12), likewise. The issuer
/// of an offer is asked for an invoice first, also for a quote, and no longer than a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayInvoiceRequest {
    /// The invoice, or the offer.
    pub invoice: String,
    /// How much, if the invoice does not say; of an offer, no less than it asks for.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// The idempotency key. Without it, of an invoice that is paid once, `bolt11:` and its hash: it
    /// is not paid twice by mistake. Of an AMP invoice or an offer a fresh one is drawn, and a request whose
    /// answer was lost cannot be repeated safely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How far to go.
    #[serde(flatten)]
    pub limits: Limits,
    /// A chat message: record 34349334.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Custom records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordInput>,
    /// Of an offer that asks for it: how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// Of an offer: what its issuer is told. Its payments carry neither message nor records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl PayInvoiceRequest {
    /// With nothing but the invoice.
    pub fn new(invoice: impl Into<String>) -> PayInvoiceRequest {
        PayInvoiceRequest { invoice: invoice.into(), ..PayInvoiceRequest::default() }
    }
}

/// How far a payment goes. Its fields stand among those of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What the routes may cost together; 5 sat and 1% of the amount if neither this nor
    /// [`Limits::max_fee_ppm`] is given.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub max_fee_msat: Option<Msat>,
    /// The same in millionths of the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fee_ppm: Option<u32>,
    /// No attempt starts after so many milliseconds, at most a day; a minute if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often HTLCs may leave, at most 1,000; 30 times if it is not given. Each time that parts failed
    /// and are sent again counts; smaller parts in place of one that was too large for a channel do not,
    /// nor does looking for a route in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// So many HTLCs may be on their way at once, at most 100; 16 if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parts: Option<u32>,
    /// Blocks between the tip and the expiry of the final HTLC, 42 to 800; 144 if it is not given,
    /// or what an invoice asks for and 3. An invoice never gets less than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_cltv: Option<u16>,
    /// Ways to a destination that the network does not know, each from a node that it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route_hints: Vec<Vec<RouteHint>>,
}

/// One hop of a way to a destination that the network does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteHint {
    /// The node at whose end the channel begins.
    #[serde(with = "json::text")]
    pub node: NodeId,
    /// The channel, as `572330x7x1105`.
    #[serde(with = "json::text")]
    pub short_channel_id: ShortChannelId,
    /// What the node asks for each HTLC.
    #[serde(with = "json::msat")]
    pub fee_base_msat: Msat,
    /// And in millionths of its amount.
    pub fee_ppm: u32,
    /// The blocks that it asks for.
    pub cltv_delta: u16,
}

/// How a payment could be made now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The kind that it would have.
    pub kind: Kind,
    /// Why, and what speaks against it, in words.
    pub reason: String,
    /// What the destination would get.
    #[serde(with = "json::msat")]
    pub amount_msat: Msat,
    /// What the routes cost together.
    #[serde(with = "json::msat")]
    pub fee_msat: Msat,
    /// What they may cost.
    #[serde(with = "json::msat")]
    pub max_fee_msat: Msat,
    /// One for each part.
    pub routes: Vec<QuotedRoute>,
}

/// The way of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedRoute {
    /// This node's channel.
    #[serde(with = "json::text")]
    pub channel: ChannelId,
    /// What the destination would get of it.
    #[serde(with = "json::msat")]
    pub amount_msat: Msat,
    /// What it costs.
    #[serde(with = "json::msat")]
    pub fee_msat: Msat,
    /// The nodes that it passes, the destination last.
    pub hops: Vec<QuotedHop>,
    /// Whether it goes on behind the last of them, where nobody sees it: what that node keeps is then all
    /// that the rest costs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// One hop of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedHop {
    /// Who.
    #[serde(with = "json::text")]
    pub node: NodeId,
    /// The channel that leads to it.
    #[serde(with = "json::text")]
    pub short_channel_id: ShortChannelId,
    /// What it keeps; nothing of the destination.
    #[serde(with = "json::msat")]
    pub fee_msat: Msat,
    /// The blocks that it asks for; of the destination those until its expiry.
    pub cltv_delta: u32,
}

/// `POST /v1/pay-invoice/read`: what an invoice or an offer says. Nobody is asked anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadInvoiceRequest {
    /// The invoice.
    pub invoice: String,
}

/// What an invoice or an offer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// `bolt11`, to pay once, `amp-invoice`, or for an offer `bolt12`.
    pub kind: Kind,
    /// Who is paid; of an offer the key that its invoices are signed with.
    #[serde(with = "json::text")]
    pub destination: NodeId,
    /// How much; of an offer at least, for one; the payer chooses if it is absent.
    #[serde(default, with = "json::msat_option", skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// What it is paid with; that of an AMP invoice means nothing.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub hash: Option<PaymentHash>,
    /// The key of its payment if none is given; absent of an AMP invoice, and of an offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it is for: anybody's text, without what could confuse a terminal.
    pub description: String,
    /// Whether it may be paid in parts.
    pub in_parts: bool,
    /// Of an offer: whether a payer must say how many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_quantity: bool,
    /// The blocks that an invoice asks for at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_final_cltv: Option<u16>,
    /// When an invoice was made.
    #[serde(default, with = "json::millis_option", skip_serializing_if = "Option::is_none")]
    pub created_at_ms: Option<Timestamp>,
    /// Until when it can be paid; of an offer, if it ends.
    #[serde(default, with = "json::millis_option", skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        format!("02{}", "11".repeat(32)).parse().expect("a node id")
    }

    fn hint() -> RouteHint {
        RouteHint {
            node: node(),
            short_channel_id: ShortChannelId::new(7),
            fee_base_msat: Msat::new(1_000).expect("small"),
            fee_ppm: 20,
            cltv_delta: 40,
        }
    }

    fn limits() -> Limits {
        Limits {
            max_fee_msat: Msat::new(5),
            max_fee_ppm: Some(10_000),
            timeout_ms: Some(1),
            max_attempts: Some(2),
            max_parts: Some(3),
            final_cltv: Some(42),
            route_hints: vec![vec![hint(), hint()]],
        }
    }

    #[test]
    fn requests_are_read_back() {
        let pay = PayRequest {
            key: Some("k".into()),
            kind: Some(Kind::MppKeysend),
            fall_back: Some(false),
            limits: limits(),
            message: Some("hi".into()),
            records: vec![RecordInput::bytes(70_001, &[1])],
            ..PayRequest::new(node(), Msat::new(7).expect("small"))
        };
        let json = serde_json::to_value(&pay).expect("plain data");
        assert_eq!(json["max_fee_ppm"], 10_000, "limits stand among the other fields");
        assert_eq!(json["kind"], "mpp-keysend");
        assert_eq!(json["route_hints"][0][1]["short_channel_id"], "0x0x7");
        assert_eq!(serde_json::from_value::<PayRequest>(json).expect("read back"), pay);
        let invoice = PayInvoiceRequest {
            amount_msat: Msat::new(9),
            limits: limits(),
            quantity: Some(2),
            note: Some("hi".into()),
            ..PayInvoiceRequest::new("lnbc1")
        };
        let json = serde_json::to_value(&invoice).expect("plain data");
        assert_eq!(serde_json::from_value::<PayInvoiceRequest>(json).expect("read back"), invoice);
    }

    #[test]
    fn a_minimal_request_says_nothing_more() {
        let json = serde_json::to_string(&PayInvoiceRequest::new("lnbc1")).expect("plain data");
        assert_eq!(json, r#"{"invoice":"lnbc1"}"#);
        let pay = PayRequest::new(node(), Msat::new(7).expect("small"));
        let json = serde_json::to_string(&pay).expect("plain data");
        assert_eq!(json, format!(r#"{{"destination":"{}","amount_msat":7}}"#, node()));
        assert_eq!(serde_json::from_str::<PayRequest>(&json).expect("read back"), pay);
    }

    #[test]
    fn a_request_is_read_strictly() {
        let read = |json: &str| serde_json::from_str::<PayRequest>(json).map_err(|why| why.to_string());
        let with = |field: &str| read(&format!(r#"{{"destination":"{}","amount_msat":1,{field}}}"#, node()));
        assert_eq!(with(r#""max_fee_msat":7"#).expect("sound").limits.max_fee_msat, Msat::new(7));
        for (field, why) in [
            (r#""max_fee":1"#, "max_fee"),
            (r#""limits":{"max_parts":1}"#, "limits"),
            (r#""max_parts":-1"#, "-1"),
            (r#""kind":"keysnd""#, "keysnd"),
            (r#""max_fee_msat":18446744073709551615"#, "21,000,000"),
            (r#""final_cltv":70000"#, "70000"),
            (r#""route_hints":[[{}]]"#, "node"),
            (r#""route_hints":[[{"nod":1}]]"#, "nod"),
        ] {
            let error = with(field).expect_err(field);
            assert!(error.contains(why), "{field}: {error}");
        }
        let invoice = serde_json::from_str::<PayInvoiceRequest>(r#"{"invoice":"a","kind":"amp"}"#);
        assert!(invoice.expect_err("its kind is the invoice's").to_string().contains("kind"));
        let wrong_id = r#"{"destination":"02","amount_msat":1}"#;
        assert!(read(wrong_id).expect_err("wrong id").contains("66"));
        let too_much = format!(r#"{{"destination":"{}","amount_msat":{}}}"#, node(), u64::MAX);
        assert!(read(&too_much).expect_err("too much").contains("21,000,000"));
    }

    #[test]
    fn answers_are_read_back() {
        let hop = QuotedHop {
            node: node(),
            short_channel_id: ShortChannelId::new(7),
            fee_msat: Msat::ZERO,
            cltv_delta: 144,
        };
        let route = QuotedRoute {
            channel: ChannelId::from_bytes([3; 32]),
            amount_msat: Msat::new(7).expect("small"),
            fee_msat: Msat::ZERO,
            hops: vec![hop],
            hidden: true,
        };
        let quote = Quote {
            kind: Kind::Amp,
            reason: "asked for".into(),
            amount_msat: Msat::new(7).expect("small"),
            fee_msat: Msat::ZERO,
            max_fee_msat: Msat::MAX,
            routes: vec![route],
        };
        let json = serde_json::to_value(&quote).expect("plain data");
        assert_eq!(json["routes"][0]["hops"][0]["short_channel_id"], "0x0x7");
        assert_eq!(serde_json::from_value::<Quote>(json).expect("read back"), quote);
        let invoice = Invoice {
            kind: Kind::Bolt11,
            destination: node(),
            amount_msat: None,
            hash: Some(PaymentHash::from_bytes([1; 32])),
            key: Some("bolt11:01".into()),
            description: "soup".into(),
            in_parts: true,
            asks_quantity: false,
            min_final_cltv: Some(18),
            created_at_ms: Some(Timestamp::from_millis(1)),
            expires_at_ms: Some(Timestamp::from_millis(2)),
        };
        let json = serde_json::to_value(&invoice).expect("plain data");
        assert_eq!((json["kind"].as_str(), json.get("amount_msat")), (Some("bolt11"), None));
        assert_eq!(serde_json::from_value::<Invoice>(json).expect("read back"), invoice);
    }
}
