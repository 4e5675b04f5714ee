//! `/v1/receive..`

use crate::blocking::read;
use crate::error::ApiError;
use crate::extract::{Asked, Body};
use crate::routes::payments::no_cursor;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use sponte_api::{Hold, PageQuery, Receive, ReceiveKind, ReceivePolicy, Refused, RefusedPage, Short};
use sponte_engine::backend::Kinds;
use sponte_engine::commit::Counter;
use sponte_proto::{ChannelId, Timestamp};
use sponte_store::CounterKey;

const HOUR_MS: u64 = 3_600_000;

pub(crate) async fn show(State(app): State<App>) -> Result<Json<ReceivePolicy>, ApiError> {
    let (receive, replaced) = app.handle.receive().await?;
    Ok(Json(ReceivePolicy { receive: to_api(&receive), replaced }))
}

pub(crate) async fn set(
    State(app): State<App>,
    Body(receive): Body<Receive>,
) -> Result<Json<ReceivePolicy>, ApiError> {
    app.handle.set_receive(Some(to_engine(receive))).await?;
    show(State(app)).await
}

pub(crate) async fn reset(State(app): State<App>) -> Result<Json<ReceivePolicy>, ApiError> {
    app.handle.set_receive(None).await?;
    show(State(app)).await
}

pub(crate) async fn refused(
    State(app): State<App>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<RefusedPage>, ApiError> {
    let after = query.before.as_deref().map(|text| key(text).ok_or_else(no_cursor)).transpose()?;
    let limit = query.limit();
    let rows = read(&app.handle, move |ledger| ledger.counters(after.as_ref(), limit)).await?;
    let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|last| text(&CounterKey::of(last)));
    Ok(Json(RefusedPage { refused: rows.iter().map(counted).collect(), next }))
}

fn counted(row: &Counter) -> Refused {
    Refused {
        hour_ms: Timestamp::from_millis(row.hour.saturating_mul(HOUR_MS)),
        channel: row.channel,
        reason: row.reason.as_str().to_owned(),
        count: row.count,
        amount_msat: row.amount,
    }
}

/// A cursor: where a page ended.
fn text(key: &CounterKey) -> String {
    let channel = key.channel.map(|channel| channel.to_string()).unwrap_or_default();
    format!("{}-{channel}-{}", key.hour, key.reason)
}

fn key(text: &str) -> Option<CounterKey> {
    let mut parts = text.splitn(3, '-');
    let (hour, channel, reason) = (parts.next()?, parts.next()?, parts.next()?);
    let channel: ChannelId = channel.parse().ok()?;
    Some(CounterKey { hour: hour.parse().ok()?, channel: Some(channel), reason: reason.to_owned() })
}

fn to_api(receive: &sponte_engine::Receive) -> Receive {
    let on = |kind: &ReceiveKind| is_on(&receive.kinds, *kind);
    Receive {
        kinds: ReceiveKind::ALL.into_iter().filter(on).collect(),
        min_msat: receive.min,
        max_msat: receive.max,
        max_records_bytes: receive.max_records_bytes,
        hold: match &receive.hold {
            sponte_engine::Hold::None => Hold::None,
            sponte_engine::Hold::All => Hold::All,
            sponte_engine::Hold::From(least) => Hold::From(*least),
            sponte_engine::Hold::Records(types) => Hold::Records(types.clone()),
        },
        hold_minutes: receive.hold_minutes,
        hold_blocks: receive.hold_blocks,
        hold_short: match receive.short {
            sponte_engine::Short::Accept => Short::Accept,
            sponte_engine::Short::Refuse => Short::Refuse,
        },
    }
}

/// What is taken and held if nobody says otherwise.
pub fn defaults() -> Receive {
    to_api(&sponte_engine::Receive::default())
}

/// What a policy of the API is for the engine.
pub fn to_engine(receive: Receive) -> sponte_engine::Receive {
    let on = |kind| receive.kinds.contains(&kind);
    sponte_engine::Receive {
        kinds: Kinds {
            keysend: on(ReceiveKind::Keysend),
            mpp_keysend: on(ReceiveKind::MppKeysend),
            amp: on(ReceiveKind::Amp),
            amp_invoice: on(ReceiveKind::AmpInvoice),
            ecdh1: on(ReceiveKind::Ecdh1),
            ecdh0: on(ReceiveKind::Ecdh0),
        },
        min: receive.min_msat,
        max: receive.max_msat,
        max_records_bytes: receive.max_records_bytes,
        hold: match receive.hold {
            Hold::None => sponte_engine::Hold::None,
            Hold::All => sponte_engine::Hold::All,
            Hold::From(least) => sponte_engine::Hold::From(least),
            Hold::Records(types) => sponte_engine::Hold::Records(types),
        },
        hold_minutes: receive.hold_minutes,
        hold_blocks: receive.hold_blocks,
        short: match receive.hold_short {
            Short::Accept => sponte_engine::Short::Accept,
            Short::Refuse => sponte_engine::Short::Refuse,
        },
    }
}

const fn is_on(kinds: &Kinds, kind: ReceiveKind) -> bool {
    match kind {
        ReceiveKind::Keysend => kinds.keysend,
        ReceiveKind::MppKeysend => kinds.mpp_keysend,
        ReceiveKind::Amp => kinds.amp,
        ReceiveKind::AmpInvoice => kinds.amp_invoice,
        ReceiveKind::Ecdh1 => kinds.ecdh1,
        ReceiveKind::Ecdh0 => kinds.ecdh0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_proto::Msat;

    #[test]
    fn a_policy_is_the_same_there_and_back() {
        let default = sponte_engine::Receive::default();
        assert_eq!(to_engine(to_api(&default)), default);
        let sat = Msat::from_sat(5).expect("small");
        for (nth, kind) in ReceiveKind::ALL.into_iter().enumerate() {
            let holds = [Hold::None, Hold::All, Hold::From(sat), Hold::Records([7].into())];
            let receive = Receive {
                kinds: vec![kind],
                max_msat: Some(sat),
                hold: holds[nth % 4].clone(),
                hold_short: Short::Accept,
                ..to_api(&default)
            };
            assert_eq!(to_api(&to_engine(receive.clone())), receive);
        }
    }

    #[test]
    fn a_cursor_is_read_back() {
        let key = CounterKey {
            hour: 471_000,
            channel: Some(ChannelId::from_bytes([3; 32])),
            reason: "timeout".into(),
        };
        assert_eq!(super::key(&text(&key)), Some(key));
        assert!(super::key("1-2").is_none() && super::key("").is_none());
    }
}
