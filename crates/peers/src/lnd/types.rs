//! What LND answers, as far as it is compared.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::Value;
use sponte_proto::{Msat, NodeId, PaymentHash, Preimage, Records};
use std::collections::BTreeMap;

/// A payment that it has sent.
#[derive(Clone, Debug, Deserialize)]
pub struct LndPayment {
    /// Of AMP: the set's id.
    #[serde(deserialize_with = "text_hash")]
    pub payment_hash: PaymentHash,
    /// Zero until it is paid; of AMP always.
    #[serde(deserialize_with = "text_preimage")]
    pub payment_preimage: Preimage,
    /// To the destination.
    #[serde(rename = "value_msat", deserialize_with = "msat")]
    pub amount: Msat,
    /// Of what is settled.
    #[serde(rename = "fee_msat", deserialize_with = "msat")]
    pub fee: Msat,
    /// `SUCCEEDED`, `FAILED` or `IN_FLIGHT`.
    pub status: String,
    /// `FAILURE_REASON_...`.
    pub failure_reason: String,
    /// Each HTLC that has left.
    #[serde(rename = "htlcs")]
    pub attempts: Vec<LndAttempt>,
}

/// An HTLC that it has sent.
#[derive(Clone, Debug, Deserialize)]
pub struct LndAttempt {
    /// `SUCCEEDED`, `FAILED` or `IN_FLIGHT`.
    pub status: String,
    /// What came back, if it failed.
    pub failure: Option<LndFailure>,
    /// The way that it went.
    pub route: LndRoute,
    #[serde(deserialize_with = "base64_preimage")]
    /// Zero unless it is settled.
    pub preimage: Preimage,
}

impl LndAttempt {
    /// What the destination gets of it.
    pub fn amount(&self) -> Msat {
        let last = self.route.hops.last().expect("a way has hops");
        let msat = last["amt_to_forward_msat"].as_str().and_then(|text| text.parse().ok());
        msat.and_then(Msat::new).expect("an amount")
    }
}

/// What a hop failed an HTLC with.
#[derive(Clone, Debug, Deserialize)]
pub struct LndFailure {
    /// The name of the code of BOLT 4, in capitals.
    pub code: String,
    /// The hop that failed it; 0 is LND itself.
    pub failure_source_index: u32,
}

/// A way.
#[derive(Clone, Debug, Deserialize)]
pub struct LndRoute {
    /// To the destination, without fees.
    #[serde(rename = "total_amt_msat", deserialize_with = "msat")]
    pub total: Msat,
    #[serde(rename = "total_fees_msat", deserialize_with = "msat")]
    /// All hops' fees.
    pub fees: Msat,
    /// From its own channel on.
    pub hops: Vec<Value>,
}

impl LndRoute {
    /// The node at the other end of its own channel.
    pub fn first(&self) -> NodeId {
        let id = self.hops.first().and_then(|hop| hop["pub_key"].as_str());
        id.and_then(|text| text.parse().ok()).expect("a way has hops")
    }
}

/// An invoice of it; also those that it makes for what comes without one.
#[derive(Clone, Debug, Deserialize)]
pub struct LndInvoice {
    /// Of AMP: without meaning.
    #[serde(rename = "r_hash", deserialize_with = "base64_hash")]
    pub hash: PaymentHash,
    /// Zero if it does not know it.
    #[serde(rename = "r_preimage", deserialize_with = "base64_preimage")]
    pub preimage: Preimage,
    /// What it asks for.
    #[serde(rename = "value_msat", deserialize_with = "msat")]
    pub value: Msat,
    /// What it got.
    #[serde(rename = "amt_paid_msat", deserialize_with = "msat")]
    pub paid: Msat,
    /// `OPEN`, `ACCEPTED`, `SETTLED` or `CANCELED`.
    pub state: String,
    /// Whether it is for a keysend.
    pub is_keysend: bool,
    /// Whether it is for AMP.
    pub is_amp: bool,
    /// What a payer reads; empty if there was none to read.
    pub payment_request: String,
    /// Its HTLCs.
    pub htlcs: Vec<LndInvoiceHtlc>,
    /// The sets of an AMP invoice by their ids.
    #[serde(default)]
    pub amp_invoice_state: BTreeMap<String, Value>,
}

/// An HTLC of an invoice.
#[derive(Clone, Debug, Deserialize)]
pub struct LndInvoiceHtlc {
    /// What it carries.
    #[serde(rename = "amt_msat", deserialize_with = "msat")]
    pub amount: Msat,
    /// `ACCEPTED`, `SETTLED` or `CANCELED`.
    pub state: String,
    /// Of the payload, from 65536 on.
    #[serde(rename = "custom_records", deserialize_with = "records")]
    pub records: Records,
    /// Of AMP.
    pub amp: Option<LndShard>,
}

/// A shard of an AMP set.
#[derive(Clone, Debug, Deserialize)]
pub struct LndShard {
    /// Of its HTLC.
    #[serde(deserialize_with = "base64_hash")]
    pub hash: PaymentHash,
    /// Zero until the set is complete.
    #[serde(deserialize_with = "base64_preimage")]
    pub preimage: Preimage,
    /// Of its record.
    pub child_index: u32,
    #[serde(rename = "set_id", deserialize_with = "base64_32")]
    set_id: [u8; 32],
}

impl LndShard {
    /// The set's id.
    pub fn set_id(&self) -> [u8; 32] {
        self.set_id
    }
}

/// A channel of it.
#[derive(Clone, Debug, Deserialize)]
pub struct LndChannel {
    /// Whether HTLCs flow.
    pub active: bool,
    /// Who is at its other end.
    pub remote_pubkey: String,
    /// Its funding output.
    pub channel_point: String,
    /// The short channel id.
    #[serde(rename = "chan_id", deserialize_with = "number")]
    pub short_channel_id: u64,
    /// Satoshi of its own, without what HTLCs hold.
    #[serde(rename = "local_balance", deserialize_with = "number")]
    pub local_sat: u64,
    /// Satoshi of the other's.
    #[serde(rename = "remote_balance", deserialize_with = "number")]
    pub remote_sat: u64,
    /// Each HTLC on it.
    pub pending_htlcs: Vec<Value>,
}

/// What stands in a list, which may be missing.
pub(super) fn list<T: DeserializeOwned>(value: &Value) -> Vec<T> {
    let values = value.as_array().cloned().unwrap_or_default();
    values.into_iter().map(one).collect()
}

/// One of them.
pub(super) fn one<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("not understood: {text}")))
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parsed(deserializer)
}

fn msat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Msat, D::Error> {
    let msat = number(deserializer)?;
    Msat::new(msat).ok_or_else(|| D::Error::custom(format!("more than there is: {msat}")))
}

fn text_hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PaymentHash, D::Error> {
    parsed(deserializer)
}

fn text_preimage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Preimage, D::Error> {
    parsed(deserializer)
}

/// 32 bytes; none are zeros.
fn base64_32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    let bytes = super::rest::bytes(&text);
    if bytes.is_empty() {
        return Ok([0; 32]);
    }
    bytes.try_into().map_err(|_| D::Error::custom(format!("not 32 bytes: {text}")))
}

fn base64_hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PaymentHash, D::Error> {
    base64_32(deserializer).map(PaymentHash::from_bytes)
}

fn base64_preimage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Preimage, D::Error> {
    base64_32(deserializer).map(Preimage::from_bytes)
}

fn records<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Records, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
    let mut records: Vec<(u64, Vec<u8>)> = vec![];
    for (kind, value) in texts {
        let kind = kind.parse().map_err(|_| D::Error::custom(format!("not a type: {kind}")))?;
        records.push((kind, super::rest::bytes(&value)));
    }
    Ok(Records::from_received(records))
}
