//! `GET /v1/events`

use crate::blocking::read;
use crate::convert;
use crate::error::ApiError;
use crate::extract::Asked;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{Code, Events, EventsQuery, MAX_WAIT_MS};
use sponte_node::Handle;
use std::time::Duration;

pub(crate) async fn list(
    State(app): State<App>,
    Asked(query): Asked<EventsQuery>,
) -> Result<Json<Events>, ApiError> {
    let patience = Duration::from_millis(query.wait_ms.min(MAX_WAIT_MS));
    let events = match patience.is_zero() {
        true => look(&app.handle, query).await?,
        false => app.stopping.clone().or(wait(&app.handle, query, patience)).await?,
    };
    Ok(Json(events))
}

async fn wait(handle: &Handle, query: EventsQuery, patience: Duration) -> Result<Events, ApiError> {
    let mut commits = handle.commits();
    let deadline = tokio::time::sleep(patience);
    tokio::pin!(deadline);
    loop {
        // Commits that come after the look are seen by the wait for a change.
        commits.borrow_and_update();
        let events = look(handle, query).await?;
        if !events.events.is_empty() {
            return Ok(events);
        }
        tokio::select! {
            () = &mut deadline => return Ok(events),
            changed = commits.changed() => changed.map_err(|_| {
                ApiError::new(Code::Busy, "the node has stopped: ask again once it runs")
            })?,
        }
    }
}

async fn look(handle: &Handle, query: EventsQuery) -> Result<Events, ApiError> {
    let rows = read(handle, move |ledger| ledger.events(query.after, query.limit())).await?;
    Ok(Events { events: rows.into_iter().map(convert::event).collect() })
}
