//! `/v1/invoices`

use crate::error::ApiError;
use crate::extract::Body;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{MadeInvoice, NewInvoice};

/// For how long an invoice can be paid, unless the request says otherwise: an hour, as BOLT 11 has it.
const EXPIRY_SECONDS: u64 = 3_600;

pub(crate) async fn create(
    State(app): State<App>,
    Body(new): Body<NewInvoice>,
) -> Result<Json<MadeInvoice>, ApiError> {
    let new = sponte_node::NewInvoice {
        amount: new.amount_msat,
        description: new.description,
        expiry_ms: new.expiry_seconds.unwrap_or(EXPIRY_SECONDS).saturating_mul(1_000),
    };
    let (asked, made) = app.handle.create_invoice(new).await?;
    Ok(Json(MadeInvoice {
        bolt11: made.bolt11,
        hash: made.hash,
        amount_msat: asked.amount,
        description: asked.description,
        created_at_ms: asked.created_at,
        expires_at_ms: asked.expires_at,
    }))
}
