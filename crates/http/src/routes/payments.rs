//! `GET /v1/payments`, `GET /v1/payments/{id}` and `POST /v1/payments/{id}/cancel`

use crate::blocking::read;
use crate::convert;
use crate::error::ApiError;
use crate::extract::{Asked, Id};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{Code, MAX_WAIT_MS, PaymentDetail, Payments, PaymentsQuery, WaitQuery};
use sponte_node::Handle;
use sponte_proto::PaymentId;
use sponte_store::{Cursor, Ledger, StoreError};
use std::time::Duration;

pub(crate) async fn list(
    State(app): State<App>,
    Asked(query): Asked<PaymentsQuery>,
) -> Result<Json<Payments>, ApiError> {
    if let Some(key) = query.key {
        let found = read(&app.handle, move |ledger| ledger.payment_by_key(&key)).await?;
        return Ok(Json(Payments { payments: found.iter().map(convert::payment).collect(), next: None }));
    }
    let before = cursor(query.before.as_deref())?;
    let query = sponte_store::PaymentsQuery {
        direction: query.direction.map(convert::to_direction),
        state: query.state.map(convert::to_state),
        before,
        limit: query.limit(),
    };
    let page = read(&app.handle, move |ledger| ledger.payments(query)).await?;
    Ok(Json(Payments {
        payments: page.rows.iter().map(convert::payment).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// Where an earlier page ended.
pub(crate) fn cursor(before: Option<&str>) -> Result<Option<Cursor>, ApiError> {
    before.map(str::parse).transpose().map_err(|_| no_cursor())
}

pub(crate) fn no_cursor() -> ApiError {
    let message = "`before` is none: use the `next` of an earlier page, or leave it out";
    ApiError::new(Code::InvalidRequest, message)
}

pub(crate) async fn show(
    State(app): State<App>,
    Id(id): Id<PaymentId>,
    Asked(query): Asked<WaitQuery>,
) -> Result<Json<PaymentDetail>, ApiError> {
    wait(&app, id, query).await?;
    detail(&app.handle, id).await.map(Json)
}

/// No further attempt; answered with what is left.
pub(crate) async fn cancel(
    State(app): State<App>,
    Id(id): Id<PaymentId>,
) -> Result<Json<PaymentDetail>, ApiError> {
    app.handle.cancel(id).await?;
    detail(&app.handle, id).await.map(Json)
}

/// Waits for a payment's end, if that is asked for.
pub(crate) async fn wait(app: &App, id: PaymentId, query: WaitQuery) -> Result<(), ApiError> {
    if query.wait_ms == 0 {
        return Ok(());
    }
    let patience = Duration::from_millis(query.wait_ms.min(MAX_WAIT_MS));
    let end = async { Ok(app.handle.payment_ended(id, patience).await.map(|_| ())?) };
    app.stopping.clone().or(end).await
}

/// A payment as a tree.
pub(crate) async fn detail(handle: &Handle, id: PaymentId) -> Result<PaymentDetail, ApiError> {
    let found = read(handle, move |ledger| tree(ledger, id)).await?;
    let unknown = "there is no such payment; `GET /v1/payments` lists those that there are";
    found.ok_or_else(|| ApiError::new(Code::NotFound, unknown))
}

/// Reads again until nothing changed in between, so that the tree is of one moment. A payment
/// that keeps changing all the time is told as it was last seen.
fn tree(ledger: &Ledger, id: PaymentId) -> Result<Option<PaymentDetail>, StoreError> {
    const LOOKS: u32 = 5;
    let Some(mut row) = ledger.payment(&id)? else { return Ok(None) };
    for look in 1.. {
        let (attempts, parts) = (ledger.attempts(&id)?, ledger.parts(&id)?);
        let again = ledger.payment(&id)?;
        if look == LOOKS || again.as_ref() == Some(&row) {
            return Ok(Some(convert::payment_detail(&row, &attempts, &parts)));
        }
        let Some(newer) = again else { return Ok(None) };
        row = newer;
    }
    unreachable!("the last look returns")
}
