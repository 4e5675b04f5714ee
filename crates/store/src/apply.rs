//! A batch of submissions as rows, inside the writer's transaction.

use crate::books::Books;
use crate::codec::Col;
use crate::error::StoreError;
use rusqlite::{Connection, params};
use sponte_engine::commit::{
    AttemptRow, ChangeSet, EventRow, Failure, KvEntry, PartRow, PaymentRow, Transaction,
};
use std::collections::HashMap;

/// Writes all rows of one change set; answers the `seq` of its last event.
pub(crate) fn changes(
    conn: &Connection,
    books: &mut Books,
    changes: &ChangeSet,
) -> Result<Option<u64>, StoreError> {
    for row in &changes.payments {
        payment(conn, row)?;
    }
    for row in &changes.attempts {
        attempt(conn, row)?;
    }
    for row in &changes.parts {
        part(conn, row)?;
    }
    for row in &changes.transfers {
        books.transfer(conn, row)?;
    }
    for end in &changes.settlements {
        books.settle(conn, end)?;
    }
    crate::receive::write(conn, changes)?;
    let mut last = None;
    for row in &changes.events {
        last = Some(event(conn, row)?);
    }
    Ok(last)
}

/// Writes the backend's state: of all writes to a key in the batch only the last, since nobody
/// can see the others.
pub(crate) fn kv<'a>(
    conn: &Connection,
    batch: impl Iterator<Item = &'a Transaction>,
) -> Result<(), StoreError> {
    let entries: Vec<&KvEntry> = batch.flat_map(|transaction| &transaction.kv.entries).collect();
    let mut last = HashMap::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        last.insert((entry.namespace.as_str(), entry.key.as_str()), at);
    }
    for (at, entry) in entries.iter().enumerate() {
        if last[&(entry.namespace.as_str(), entry.key.as_str())] == at {
            kv_entry(conn, entry)?;
        }
    }
    Ok(())
}

fn kv_entry(conn: &Connection, entry: &KvEntry) -> Result<(), StoreError> {
    match &entry.value {
        Some(value) => conn
            .prepare_cached(
                "INSERT INTO kv (namespace, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
            )?
            .execute((&entry.namespace, &entry.key, value))?,
        None => conn
            .prepare_cached("DELETE FROM kv WHERE namespace = ?1 AND key = ?2")?
            .execute((&entry.namespace, &entry.key))?,
    };
    Ok(())
}

fn payment(conn: &Connection, row: &PaymentRow) -> Result<(), StoreError> {
    let (failure_code, failure_message) = failure(&row.failure);
    conn.prepare_cached(
        "INSERT INTO payments (
            id, direction, kind, state, key, destination, amount_msat, fee_msat, max_fee_msat, hash,
            preimage, records, failure_code, failure_message, deadline_ms, attempts, max_attempts,
            created_at_ms, updated_at_ms, payment_addr, set_id, root, sender, deadline_height
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24)
         ON CONFLICT (id) DO UPDATE SET
            direction = excluded.direction, kind = excluded.kind, state = excluded.state,
            key = excluded.key, destination = excluded.destination,
            amount_msat = excluded.amount_msat, fee_msat = excluded.fee_msat,
            max_fee_msat = excluded.max_fee_msat, hash = excluded.hash,
            preimage = excluded.preimage, records = excluded.records,
            failure_code = excluded.failure_code, failure_message = excluded.failure_message,
            deadline_ms = excluded.deadline_ms, attempts = excluded.attempts,
            max_attempts = excluded.max_attempts, created_at_ms = excluded.created_at_ms,
            updated_at_ms = excluded.updated_at_ms, payment_addr = excluded.payment_addr,
            set_id = excluded.set_id, root = excluded.root, sender = excluded.sender,
            deadline_height = excluded.deadline_height",
    )?
    .execute(params![
        Col(row.id),
        Col(row.direction),
        Col(row.kind),
        Col(row.state),
        row.key,
        row.destination.map(Col),
        Col(row.amount),
        Col(row.fee),
        Col(row.max_fee),
        row.hash.map(Col),
        row.preimage.clone().map(Col),
        Col(&row.records),
        failure_code,
        failure_message,
        Col(row.deadline),
        row.attempts,
        row.max_attempts,
        Col(row.created_at),
        Col(row.updated_at),
        row.receipt.payment_addr.as_ref().map(Col),
        row.receipt.set_id.map(Col),
        row.receipt.root.as_ref().map(Col),
        row.receipt.sender.map(Col),
        row.receipt.deadline_height.map(Col),
    ])?;
    Ok(())
}

fn attempt(conn: &Connection, row: &AttemptRow) -> Result<(), StoreError> {
    let (failure_code, failure_message) = failure(&row.failure);
    conn.prepare_cached(
        "INSERT INTO attempts (
            id, payment, number, hash, state, fee_msat, failure_code, failure_message, created_at_ms,
            updated_at_ms
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET
            payment = excluded.payment, number = excluded.number, hash = excluded.hash,
            state = excluded.state, fee_msat = excluded.fee_msat,
            failure_code = excluded.failure_code, failure_message = excluded.failure_message,
            created_at_ms = excluded.created_at_ms, updated_at_ms = excluded.updated_at_ms",
    )?
    .execute(params![
        Col(row.id),
        Col(row.payment),
        row.number,
        Col(row.hash),
        Col(row.state),
        Col(row.fee),
        failure_code,
        failure_message,
        Col(row.created_at),
        Col(row.updated_at),
    ])?;
    Ok(())
}

fn part(conn: &Connection, row: &PartRow) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO parts (
            payment, attempt, number, channel, amount_msat, fee_msat, state, route, claim, hash, preimage,
            expiry
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (payment, attempt, number) DO UPDATE SET
            channel = excluded.channel, amount_msat = excluded.amount_msat,
            fee_msat = excluded.fee_msat, state = excluded.state, route = excluded.route,
            claim = excluded.claim, hash = excluded.hash, preimage = excluded.preimage,
            expiry = excluded.expiry",
    )?
    .execute((
        Col(row.payment),
        row.attempt,
        row.number,
        Col(row.channel),
        Col(row.amount),
        Col(row.fee),
        Col(row.state),
        Col(row.route.as_slice()),
        row.claim.id.map(Col),
        row.claim.hash.map(Col),
        row.claim.preimage.clone().map(Col),
        row.claim.expiry.map(Col),
    ))?;
    Ok(())
}

fn event(conn: &Connection, row: &EventRow) -> Result<u64, StoreError> {
    let seq = conn
        .prepare_cached(
            "INSERT INTO events (kind, payment, channel, amount_msat, detail, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .insert((
            row.kind,
            row.payment.map(Col),
            row.channel.map(Col),
            row.amount.map(Col),
            &row.detail,
            Col(row.created_at),
        ))?;
    Ok(u64::try_from(seq).expect("AUTOINCREMENT counts from 1"))
}

fn failure(failure: &Option<Failure>) -> (Option<&str>, Option<&str>) {
    failure.as_ref().map(|failure| (failure.code.as_str(), failure.message.as_str())).unzip()
}
