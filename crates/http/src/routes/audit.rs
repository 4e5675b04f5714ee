//! `GET /v1/audit`

use crate::blocking::read;
use crate::convert;
use crate::error::ApiError;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::AuditReport;

pub(crate) async fn audit(State(app): State<App>) -> Result<Json<AuditReport>, ApiError> {
    let report = sponte_node::audit(&app.handle).await?;
    let accounts = read(&app.handle, |ledger| ledger.accounts()).await?;
    Ok(Json(convert::audit(report, &accounts)))
}
