//! What a start reads: by the index of payments that have not ended, so the past costs nothing.

use crate::codec::Col;
use crate::error::StoreError;
use crate::payments::{ATTEMPT, PART, PAYMENT, all, attempt, part, payment};
use rusqlite::{Connection, Row};
use sponte_engine::commit::{Account, Failure, Snapshot};
use sponte_proto::ChannelId;

/// The payments that have not ended, oldest first. The index is used only under [`OPEN`].
const PAYMENTS: &str = "payments INDEXED BY payments_open";
const OPEN: &str = "payments.state IN ('pending', 'held')";

pub(crate) fn read(conn: &Connection) -> Result<Snapshot, StoreError> {
    let payments = format!("SELECT {PAYMENT} FROM {PAYMENTS} WHERE {OPEN} ORDER BY payments.seq");
    // CROSS JOIN keeps the order of the loops: from what is pending outwards.
    let attempts = format!(
        "SELECT {ATTEMPT} FROM {PAYMENTS} CROSS JOIN attempts ON attempts.payment = payments.id
         WHERE {OPEN} AND (attempts.state IN ('pending', 'settled') OR attempts.failure_code = ?1)
         ORDER BY payments.seq, attempts.number"
    );
    let sent = format!(
        "SELECT {PART} FROM {PAYMENTS} CROSS JOIN attempts ON attempts.payment = payments.id
         CROSS JOIN parts ON parts.payment = payments.id AND parts.attempt = attempts.number
         WHERE {OPEN} AND payments.direction = 'out' AND attempts.state = 'pending'
         ORDER BY payments.seq, parts.attempt, parts.number"
    );
    let received = format!(
        "SELECT {PART} FROM {PAYMENTS} CROSS JOIN parts ON parts.payment = payments.id
         WHERE {OPEN} AND payments.direction = 'in'
         ORDER BY payments.seq, parts.attempt, parts.number"
    );
    let mut parts = all(conn, &sent, [], part)?;
    parts.extend(all(conn, &received, [], part)?);
    // '0' follows '/': all names that begin with `channel/`.
    let channels = "SELECT name, posted_msat FROM accounts
                    WHERE name >= 'channel/' AND name < 'channel0' AND posted_msat <> 0 ORDER BY name";
    Ok(Snapshot {
        payments: all(conn, &payments, [], payment)?,
        attempts: all(conn, &attempts, [Failure::REFUSED], attempt)?,
        parts,
        channel_balances_msat: all(conn, channels, [], channel_balance)?.into_iter().flatten().collect(),
        waiting: crate::waiting::read(conn)?,
        settings: crate::receive::settings(conn)?,
    })
}

fn channel_balance(row: &Row<'_>) -> rusqlite::Result<Option<(ChannelId, i64)>> {
    let Col(account) = row.get(0)?;
    match account {
        Account::Channel(channel) => Ok(Some((channel, row.get(1)?))),
        _ => Ok(None),
    }
}
