//! `/v1/held..`

use crate::blocking::read;
use crate::convert;
use crate::error::ApiError;
use crate::extract::{Asked, Id};
use crate::routes::payments;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{Held, HeldPage, PageQuery, PaymentDetail};
use sponte_engine::Decision;
use sponte_engine::backend::Admin;
use sponte_engine::commit::{Direction, PaymentRow, State as Stands};
use sponte_proto::{BlockHeight, PaymentId, Timestamp};

pub(crate) async fn list(
    State(app): State<App>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<HeldPage>, ApiError> {
    let query = sponte_store::PaymentsQuery {
        direction: Some(Direction::In),
        state: Some(Stands::Held),
        before: payments::cursor(query.before.as_deref())?,
        limit: query.limit(),
    };
    let height = app.handle.admin(Admin::Info).await?.height;
    let page = read(&app.handle, move |ledger| ledger.payments(query)).await?;
    let now = sponte_node::now();
    Ok(Json(HeldPage {
        height: height.to_u32(),
        now_ms: now,
        held: page.rows.iter().map(|row| held(row, height, now)).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

fn held(row: &PaymentRow, height: BlockHeight, now: Timestamp) -> Held {
    let left = |deadline: BlockHeight| deadline.to_u32().saturating_sub(height.to_u32());
    Held {
        payment: convert::payment(row),
        left_ms: row.deadline.millis_since(now),
        left_blocks: row.receipt.deadline_height.map(left),
    }
}

pub(crate) async fn settle(app: State<App>, id: Id<PaymentId>) -> Result<Json<PaymentDetail>, ApiError> {
    decide(app, id, Decision::Settle).await
}

pub(crate) async fn cancel(app: State<App>, id: Id<PaymentId>) -> Result<Json<PaymentDetail>, ApiError> {
    decide(app, id, Decision::Cancel).await
}

async fn decide(
    State(app): State<App>,
    Id(id): Id<PaymentId>,
    decision: Decision,
) -> Result<Json<PaymentDetail>, ApiError> {
    app.handle.decide(id, decision).await?;
    payments::detail(&app.handle, id).await.map(Json)
}
