//! A batch of submissions as rows, inside the writer's transaction.

use crate::books::Books;
use crate::codec::Col;
use crate::columns::{attempts, parts, payments};
use crate::error::StoreError;
use rusqlite::{Connection, params};
use sponte_engine::commit::{
    AttemptRow, ChangeSet, EventRow, Failure, KvEntry, PaidInvoice, PartRow, PaymentRow, Transaction,
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
    let invoice = row.plan.invoice.as_deref();
    let offered = invoice.and_then(|invoice| invoice.offered.as_ref());
    conn.prepare_cached(payments::UPSERT)?.execute(params![
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
        row.plan.asked.map(Col),
        row.plan.fall_back,
        row.plan.max_parts,
        Col(row.plan.final_cltv),
        Col(row.plan.hints.as_slice()),
        invoice.map(|invoice| &invoice.text),
        invoice.and_then(|invoice| invoice.hash).map(Col),
        invoice.map(payment_addr),
        invoice.and_then(|invoice| invoice.metadata.as_ref()),
        offered.map(|offered| &offered.invoice),
        offered.and_then(|offered| offered.quantity),
        offered.and_then(|offered| offered.note.as_ref()),
        row.plan.tries,
        row.plan.canceled,
        row.plan.reason,
    ])?;
    Ok(())
}

/// Empty if the invoice has none.
fn payment_addr(invoice: &PaidInvoice) -> &[u8] {
    invoice.payment_addr.as_ref().map_or(&[], |addr| addr.as_bytes())
}

fn attempt(conn: &Connection, row: &AttemptRow) -> Result<(), StoreError> {
    let (failure_code, failure_message) = failure(&row.failure);
    conn.prepare_cached(attempts::UPSERT)?.execute(params![
        Col(row.id),
        Col(row.payment),
        row.number,
        Col(row.kind),
        row.hash.map(Col),
        row.set_id.map(Col),
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
    let failure = row.sent.failure;
    conn.prepare_cached(parts::UPSERT)?.execute(params![
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
        row.sent.share.as_ref().map(Col),
        failure.is_some(),
        failure.and_then(|failure| failure.hop),
        failure.and_then(|failure| failure.code).map(Col),
        failure.and_then(|failure| failure.channel).map(Col),
    ])?;
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
