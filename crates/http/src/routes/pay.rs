//! `POST /v1/pay`

use crate::error::ApiError;
use crate::extract::{Asked, Body};
use crate::routes::payments;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{PayRequest, PaymentDetail, RecordInput, WaitQuery};
use sponte_node::PaymentRequest;
use sponte_proto::{Record, TEXT_RECORD};

/// No attempt starts later, unless the request says otherwise.
const TIMEOUT_MS: u64 = 60_000;
/// So many attempts may be made, unless the request says otherwise.
const MAX_ATTEMPTS: u32 = 30;

pub(crate) async fn pay(
    State(app): State<App>,
    Asked(wait): Asked<WaitQuery>,
    Body(request): Body<PayRequest>,
) -> Result<Json<PaymentDetail>, ApiError> {
    let id = app.handle.pay(to_node(request)?).await?;
    payments::wait(&app, id, wait).await?;
    payments::detail(&app.handle, id).await.map(Json)
}

fn to_node(request: PayRequest) -> Result<PaymentRequest, ApiError> {
    let mut records = RecordInput::collect(&request.records)?;
    if let Some(message) = request.message {
        let record = Record::new(TEXT_RECORD, message.into_bytes()).map_err(sponte_api::RecordError::from)?;
        records.insert(record).map_err(sponte_api::RecordError::from)?;
    }
    Ok(PaymentRequest {
        key: match request.key {
            Some(key) => key,
            None => fresh_key()?,
        },
        destination: request.destination,
        amount: request.amount_msat,
        max_fee: request.max_fee_msat,
        timeout_ms: request.timeout_ms.unwrap_or(TIMEOUT_MS),
        max_attempts: request.max_attempts.unwrap_or(MAX_ATTEMPTS),
        records,
    })
}

fn fresh_key() -> Result<String, ApiError> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(ApiError::internal)?;
    Ok(sponte_proto::hex(&key))
}
