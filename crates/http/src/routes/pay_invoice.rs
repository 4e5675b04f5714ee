//! `POST /v1/pay-invoice`, its quote, and what an invoice or an offer says

use crate::error::ApiError;
use crate::extract::{Asked, Body};
use crate::routes::payments;
use crate::state::App;
use crate::{asking, convert};
use axum::Json;
use axum::extract::State;
use sponte_api::{Code, Invoice, PayInvoiceRequest, PaymentDetail, Quote, ReadInvoiceRequest, WaitQuery};
use sponte_engine::backend::{Admin, Payable};
use sponte_node::{Handle, PayError, PaymentRequest};

pub(crate) async fn pay(
    State(app): State<App>,
    Asked(wait): Asked<WaitQuery>,
    Body(request): Body<PayInvoiceRequest>,
) -> Result<Json<PaymentDetail>, ApiError> {
    let request = to_node(&app.handle, request).await?;
    let id = app.handle.pay(request).await?;
    payments::wait(&app, id, wait).await?;
    payments::detail(&app.handle, id).await.map(Json)
}

pub(crate) async fn quote(
    State(app): State<App>,
    Body(request): Body<PayInvoiceRequest>,
) -> Result<Json<Quote>, ApiError> {
    let request = to_node(&app.handle, request).await?;
    asking::quote(&app.handle, request).await.map(Json)
}

pub(crate) async fn read(
    State(app): State<App>,
    Body(request): Body<ReadInvoiceRequest>,
) -> Result<Json<Invoice>, ApiError> {
    let payable = read_payable(&app.handle, request.invoice).await?;
    Ok(Json(convert::payable(payable)))
}

async fn read_payable(handle: &Handle, text: String) -> Result<Payable, ApiError> {
    Ok(handle.admin(move |reply| Admin::ReadPayable(text, reply)).await?)
}

async fn to_node(handle: &Handle, request: PayInvoiceRequest) -> Result<PaymentRequest, ApiError> {
    let PayInvoiceRequest { invoice, amount_msat, key, limits, message, records, quantity, note } = request;
    match read_payable(handle, invoice).await? {
        Payable::Invoice(_) if quantity.is_some() || note.is_some() => {
            let message = "only an offer takes a quantity and a note: leave them out";
            Err(ApiError::new(Code::InvalidRequest, message))
        }
        Payable::Invoice(invoice) => {
            let amount = invoice.amount_to_pay(amount_msat).map_err(PayError::from)?;
            let key = key.or_else(|| invoice.key());
            let request = asking::request(invoice.destination, amount, key, limits, message, &records)?;
            Ok(request.for_invoice(*invoice))
        }
        Payable::Offer(offer) => {
            let amount = offer.amount_to_pay(amount_msat, quantity).map_err(PayError::from)?;
            let request = asking::request(offer.issuer, amount, key, limits, message, &records)?;
            Ok(request.for_offer(*offer, quantity, note))
        }
    }
}
