//! `POST /v1/pay` and its quote

use crate::asking;
use crate::error::ApiError;
use crate::extract::{Asked, Body};
use crate::routes::payments;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{PayRequest, PaymentDetail, Quote, WaitQuery};
use sponte_node::PaymentRequest;

pub(crate) async fn pay(
    State(app): State<App>,
    Asked(wait): Asked<WaitQuery>,
    Body(request): Body<PayRequest>,
) -> Result<Json<PaymentDetail>, ApiError> {
    let id = app.handle.pay(to_node(request)?).await?;
    payments::wait(&app, id, wait).await?;
    payments::detail(&app.handle, id).await.map(Json)
}

pub(crate) async fn quote(
    State(app): State<App>,
    Body(request): Body<PayRequest>,
) -> Result<Json<Quote>, ApiError> {
    asking::quote(&app.handle, to_node(request)?).await.map(Json)
}

fn to_node(request: PayRequest) -> Result<PaymentRequest, ApiError> {
    let PayRequest { destination, amount_msat, key, kind, fall_back, limits, message, records } = request;
    Ok(PaymentRequest {
        kind: kind.map(asking::kind),
        fall_back,
        ..asking::request(destination, amount_msat, key, limits, message, &records)?
    })
}
