//! `/v1/wallet/..`

use crate::convert;
use crate::error::ApiError;
use crate::extract::Body;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{Code, WalletAddress, WalletBalance, WalletSendRequest, WalletSent};
use sponte_engine::backend::{Admin, SendCoins};

pub(crate) async fn balance(State(app): State<App>) -> Result<Json<WalletBalance>, ApiError> {
    Ok(Json(convert::balance(app.handle.admin(Admin::Balance).await?)))
}

pub(crate) async fn address(State(app): State<App>) -> Result<Json<WalletAddress>, ApiError> {
    Ok(Json(WalletAddress { address: app.handle.admin(Admin::Address).await? }))
}

pub(crate) async fn send(
    State(app): State<App>,
    Body(request): Body<WalletSendRequest>,
) -> Result<Json<WalletSent>, ApiError> {
    let amount = match (request.amount_sat, request.all) {
        (Some(amount), false) => Some(amount),
        (None, true) => None,
        _ => {
            let message = "say either `amount_sat`, or `all`: true";
            return Err(ApiError::new(Code::InvalidRequest, message));
        }
    };
    let coins = SendCoins { address: request.address, amount, fee_per_kvb: request.fee_sat_per_kvb };
    let sent = app.handle.admin(|reply| Admin::SendCoins(coins, reply)).await?;
    Ok(Json(WalletSent { txid: sent.txid, amount_sat: sent.amount, fee_sat: sent.fee }))
}
