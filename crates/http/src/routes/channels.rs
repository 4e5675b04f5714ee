//! `/v1/channels..`

use crate::convert;
use crate::error::ApiError;
use crate::extract::{Body, Id};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{ChannelOpened, Channels, CloseChannelRequest, Empty, OpenChannelRequest};
use sponte_engine::backend::{Admin, OpenChannel};
use sponte_proto::ChannelId;

pub(crate) async fn list(State(app): State<App>) -> Result<Json<Channels>, ApiError> {
    let channels = app.handle.admin(Admin::Channels).await?;
    Ok(Json(Channels { channels: channels.into_iter().map(convert::channel).collect() }))
}

pub(crate) async fn open(
    State(app): State<App>,
    Body(request): Body<OpenChannelRequest>,
) -> Result<Json<ChannelOpened>, ApiError> {
    let channel = OpenChannel {
        peer: request.peer,
        address: request.address,
        value: request.value_sat,
        push: request.push_msat,
        announce: request.announce,
    };
    let opened = app.handle.admin(|reply| Admin::OpenChannel(channel, reply)).await?;
    Ok(Json(ChannelOpened { channel: opened.channel, funding_txid: opened.funding }))
}

pub(crate) async fn close(
    State(app): State<App>,
    Id(channel): Id<ChannelId>,
    Body(request): Body<CloseChannelRequest>,
) -> Result<Json<Empty>, ApiError> {
    let force = request.force;
    app.handle.admin(move |reply| Admin::CloseChannel { channel, force, reply }).await?;
    Ok(Json(Empty {}))
}
