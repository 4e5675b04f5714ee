//! `GET /v1/info`

use crate::error::ApiError;
use crate::state::App;
use crate::{convert, warnings};
use axum::Json;
use axum::extract::State;
use sponte_api::Info;
use sponte_engine::backend::Admin;

pub(crate) async fn show(State(app): State<App>) -> Result<Json<Info>, ApiError> {
    let info = app.handle.admin(Admin::Info).await?;
    let warnings = warnings::of(&info);
    Ok(Json(convert::info(info, warnings)))
}
