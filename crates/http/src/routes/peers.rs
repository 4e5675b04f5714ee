//! `/v1/peers..`

use crate::convert;
use crate::error::ApiError;
use crate::extract::{Body, Id};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{ConnectRequest, Empty, Peers};
use sponte_engine::backend::Admin;
use sponte_proto::NodeId;

pub(crate) async fn list(State(app): State<App>) -> Result<Json<Peers>, ApiError> {
    let peers = app.handle.admin(Admin::Peers).await?;
    Ok(Json(Peers { peers: peers.into_iter().map(convert::peer).collect() }))
}

pub(crate) async fn connect(
    State(app): State<App>,
    Body(request): Body<ConnectRequest>,
) -> Result<Json<Empty>, ApiError> {
    app.handle.admin(move |reply| Admin::Connect(request.id, request.address, reply)).await?;
    Ok(Json(Empty {}))
}

pub(crate) async fn disconnect(
    State(app): State<App>,
    Id(peer): Id<NodeId>,
) -> Result<Json<Empty>, ApiError> {
    app.handle.admin(move |reply| Admin::Disconnect(peer, reply)).await?;
    Ok(Json(Empty {}))
}
