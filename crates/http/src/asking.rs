//! Requests to pay, as the node takes them, and quotes of them.

use crate::convert;
use crate::error::ApiError;
use sponte_api::{Code, Kind, Limits, Quote, RecordError, RecordInput, RouteHint};
use sponte_engine::{backend, commit};
use sponte_node::{Handle, PaymentRequest};
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, Record, Records, TEXT_RECORD};

/// No attempt starts later, unless the request says otherwise.
const TIMEOUT_MS: u64 = 60_000;
/// So often HTLCs may leave, unless the request says otherwise.
const MAX_ATTEMPTS: u32 = 30;
/// So many HTLCs may be on their way at once, unless the request says otherwise: as LND has it.
const MAX_PARTS: u32 = 16;

/// A payment of whatever kind.
pub(crate) fn request(
    destination: NodeId,
    amount: Msat,
    key: Option<String>,
    limits: Limits,
    message: Option<String>,
    records: &[RecordInput],
) -> Result<PaymentRequest, ApiError> {
    Ok(PaymentRequest {
        key: match key {
            Some(key) => key,
            None => fresh_key()?,
        },
        destination,
        amount,
        kind: None,
        fall_back: None,
        max_fee: max_fee(amount, &limits)?,
        max_parts: limits.max_parts.unwrap_or(MAX_PARTS),
        timeout_ms: limits.timeout_ms.unwrap_or(TIMEOUT_MS),
        max_attempts: limits.max_attempts.unwrap_or(MAX_ATTEMPTS),
        final_cltv: limits.final_cltv.map(CltvExpiryDelta::new),
        hints: limits.route_hints.iter().map(|hint| hint.iter().map(hop).collect()).collect(),
        records: with_message(records, message)?,
        invoice: None,
    })
}

fn max_fee(amount: Msat, limits: &Limits) -> Result<Option<Msat>, ApiError> {
    match (limits.max_fee_msat, limits.max_fee_ppm) {
        (Some(_), Some(_)) => {
            let message = "`max_fee_msat` and `max_fee_ppm` say the same: give one of them";
            Err(ApiError::new(Code::InvalidRequest, message))
        }
        (fee, None) => Ok(fee),
        (None, Some(ppm)) => Ok(Some(amount.ceil_ppm(ppm))),
    }
}

fn hop(hop: &RouteHint) -> backend::RouteHint {
    backend::RouteHint {
        node: hop.node,
        channel: hop.short_channel_id,
        fee_base: hop.fee_base_msat,
        fee_ppm: hop.fee_ppm,
        cltv_delta: CltvExpiryDelta::new(hop.cltv_delta),
    }
}

fn with_message(records: &[RecordInput], message: Option<String>) -> Result<Records, ApiError> {
    let mut records = RecordInput::collect(records)?;
    if let Some(message) = message {
        let record = Record::new(TEXT_RECORD, message.into_bytes()).map_err(RecordError::from)?;
        records.insert(record).map_err(RecordError::from)?;
    }
    Ok(records)
}

fn fresh_key() -> Result<String, ApiError> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(ApiError::internal)?;
    Ok(sponte_proto::hex(&key))
}

/// A kind that is asked for.
pub(crate) fn kind(kind: Kind) -> commit::Kind {
    match kind {
        Kind::Keysend => commit::Kind::Keysend,
        Kind::MppKeysend => commit::Kind::MppKeysend,
        Kind::Amp => commit::Kind::Amp,
        Kind::AmpInvoice => commit::Kind::AmpInvoice,
        Kind::Ecdh => commit::Kind::Ecdh,
        Kind::Bolt11 => commit::Kind::Bolt11,
        Kind::Bolt12 => commit::Kind::Bolt12,
    }
}

/// How a payment could be made now. Why it could not is an error.
pub(crate) async fn quote(handle: &Handle, request: PaymentRequest) -> Result<Quote, ApiError> {
    let (amount, max_fee) = (request.amount, request.fee_limit());
    let quoted = handle.quote(request).await?;
    let quoted = quoted.map_err(|failure| ApiError::unpaid(&failure))?;
    Ok(convert::quote(&quoted, amount, max_fee))
}
