//! `/v1/amp-invoices..`

use crate::blocking::read;
use crate::convert;
use crate::error::ApiError;
use crate::extract::{Asked, Body, Id};
use crate::routes::payments;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{
    AmpInvoice, AmpInvoiceDetail, AmpInvoices, Code, Empty, InvoiceState, NewAmpInvoice, PageQuery,
};
use sponte_engine::commit::{self, AmpInvoiceRow};
use sponte_proto::{PaymentSecret, Timestamp, hex, unhex};
use std::str::FromStr;

/// For how long an invoice can be paid, unless the request says otherwise: LND's 30 days.
const EXPIRY_SECONDS: u64 = 30 * 24 * 3_600;

/// A payment address in a path.
pub(crate) struct Addr(PaymentSecret);

impl FromStr for Addr {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Addr, Self::Err> {
        let bytes = unhex(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(PaymentSecret::from_bytes).map(Addr).ok_or("a payment address is 64 hex digits")
    }
}

pub(crate) async fn create(
    State(app): State<App>,
    Body(new): Body<NewAmpInvoice>,
) -> Result<Json<AmpInvoice>, ApiError> {
    let (receive, _) = app.handle.receive().await?;
    if !receive.kinds.amp_invoice {
        let message = "payments to AMP invoices are off: switch `amp-invoice` on, see `sponte receive`";
        return Err(ApiError::new(Code::Conflict, message));
    }
    let row = app.handle.create_amp_invoice(sponte_node::NewInvoice {
        amount: new.amount_msat,
        description: new.description,
        expiry_ms: new.expiry_seconds.unwrap_or(EXPIRY_SECONDS).saturating_mul(1_000),
    });
    Ok(Json(invoice(&row.await?, sponte_node::now())))
}

pub(crate) async fn list(
    State(app): State<App>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<AmpInvoices>, ApiError> {
    let (before, limit) = (payments::cursor(query.before.as_deref())?, query.limit());
    let page = read(&app.handle, move |ledger| ledger.amp_invoices(before, limit)).await?;
    let now = sponte_node::now();
    Ok(Json(AmpInvoices {
        amp_invoices: page.rows.iter().map(|row| invoice(row, now)).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

pub(crate) async fn show(
    State(app): State<App>,
    Id(Addr(addr)): Id<Addr>,
) -> Result<Json<AmpInvoiceDetail>, ApiError> {
    let found = read(&app.handle, move |ledger| {
        let Some(row) = ledger.amp_invoice(&addr)? else { return Ok(None) };
        Ok(Some((row, ledger.amp_payments(&addr)?)))
    });
    let unknown = "there is no such invoice; `GET /v1/amp-invoices` lists those that there are";
    let (row, paid) = found.await?.ok_or_else(|| ApiError::new(Code::NotFound, unknown))?;
    Ok(Json(AmpInvoiceDetail {
        invoice: invoice(&row, sponte_node::now()),
        payments: paid.iter().map(convert::payment).collect(),
    }))
}

pub(crate) async fn cancel(
    State(app): State<App>,
    Id(Addr(addr)): Id<Addr>,
) -> Result<Json<Empty>, ApiError> {
    app.handle.cancel_amp_invoice(addr).await?;
    Ok(Json(Empty {}))
}

fn invoice(row: &AmpInvoiceRow, now: Timestamp) -> AmpInvoice {
    AmpInvoice {
        payment_addr: hex(row.payment_addr.as_bytes()),
        bolt11: row.bolt11.clone(),
        amount_msat: row.amount,
        description: row.description.clone(),
        state: match row.state {
            commit::InvoiceState::Canceled => InvoiceState::Canceled,
            commit::InvoiceState::Open if now >= row.expires_at => InvoiceState::Expired,
            commit::InvoiceState::Open => InvoiceState::Open,
        },
        created_at_ms: row.created_at,
        expires_at_ms: row.expires_at,
        payment_count: row.payments,
        received_msat: row.received,
    }
}
