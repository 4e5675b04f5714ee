//! Paths and what answers them.

use crate::auth;
use crate::error::ApiError;
use crate::routes::{
    amp_invoices, audit, channels, events, held, info, invoices, pay, pay_invoice, payments, peers, receive,
    wallet,
};
use crate::state::{App, Stopping};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use sponte_api::{Code, MAX_BODY_BYTES};
use sponte_node::Handle;
use std::sync::Arc;

/// All routes, for whoever knows `token`; an empty one lets nobody in.
pub fn router(handle: Handle, token: &str, stopping: Stopping) -> Router {
    let token: Arc<str> = token.into();
    Router::new()
        .route("/v1/info", get(info::show))
        .route("/v1/pay", post(pay::pay))
        .route("/v1/pay/quote", post(pay::quote))
        .route("/v1/pay-invoice", post(pay_invoice::pay))
        .route("/v1/pay-invoice/quote", post(pay_invoice::quote))
        .route("/v1/pay-invoice/read", post(pay_invoice::read))
        .route("/v1/payments", get(payments::list))
        .route("/v1/payments/{id}", get(payments::show))
        .route("/v1/payments/{id}/cancel", post(payments::cancel))
        .route("/v1/held", get(held::list))
        .route("/v1/held/{id}/settle", post(held::settle))
        .route("/v1/held/{id}/cancel", post(held::cancel))
        .route("/v1/receive", get(receive::show).put(receive::set).delete(receive::reset))
        .route("/v1/receive/refused", get(receive::refused))
        .route("/v1/invoices", post(invoices::create))
        .route("/v1/amp-invoices", get(amp_invoices::list).post(amp_invoices::create))
        .route("/v1/amp-invoices/{id}", get(amp_invoices::show))
        .route("/v1/amp-invoices/{id}/cancel", post(amp_invoices::cancel))
        .route("/v1/wallet/balance", get(wallet::balance))
        .route("/v1/wallet/address", post(wallet::address))
        .route("/v1/wallet/send", post(wallet::send))
        .route("/v1/channels", get(channels::list).post(channels::open))
        .route("/v1/channels/{id}/close", post(channels::close))
        .route("/v1/peers", get(peers::list).post(peers::connect))
        .route("/v1/peers/{id}", delete(peers::disconnect))
        .route("/v1/events", get(events::list))
        .route("/v1/audit", get(audit::audit))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        // Outermost: a stranger does not even learn which paths exist.
        .layer(from_fn_with_state(token, auth::check))
        .with_state(App { handle, stopping })
}

async fn no_path() -> ApiError {
    ApiError::new(
        Code::NotFound,
        "there is no such path; all start with /v1 and are in the API's documentation",
    )
}

async fn no_method() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path is not asked with this method; see the API's documentation",
    )
}
