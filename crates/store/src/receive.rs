//! Payments to us: parts that wait, AMP invoices, what was refused, what is asked about them.

use crate::codec::{Col, opt};
use crate::error::StoreError;
use crate::ledger::{Cursor, Ledger, PAGE_LIMIT, Page};
use crate::payments::{PAYMENT, all, payment};
use rusqlite::{Connection, OptionalExtension, Row};
use sponte_engine::commit::{AmpInvoiceRow, AmpReceived, ChangeSet, Counter, PaymentRow, SettingRow};
use sponte_proto::amp::SetId;
use sponte_proto::{ChannelId, PaymentHash, PaymentId, PaymentSecret};

/// What tells a [`Counter`] from others; where a page of them ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterKey {
    /// Its hour since the Unix epoch.
    pub hour: u64,
    /// Its channel; `None` comes before all.
    pub channel: Option<ChannelId>,
    /// Its reason.
    pub reason: String,
}

impl CounterKey {
    /// That of a counter.
    pub fn of(counter: &Counter) -> CounterKey {
        let reason = counter.reason.as_str().to_owned();
        CounterKey { hour: counter.hour, channel: Some(counter.channel), reason }
    }
}

const AMP_INVOICE: &str = "seq, payment_addr, bolt11, amount_msat, description, created_at_ms, \
    expires_at_ms, state, payments, received_msat";

impl Ledger {
    /// Whether an incoming part with this hash has not failed, so that a second one could be
    /// claimed by whoever saw its preimage, or there is any with this claim id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn received_before(&self, hash: &PaymentHash, claim: &PaymentId) -> Result<bool, StoreError> {
        self.readers.read(|conn| {
            let mut by_hash = conn.prepare_cached(
                "SELECT 1 FROM parts INDEXED BY parts_hash
                 CROSS JOIN payments ON payments.id = parts.payment
                 WHERE parts.hash = ?1 AND parts.state <> 'failed' AND payments.direction = 'in'",
            )?;
            Ok(by_hash.exists([Col(*hash)])? || of_claim(conn, claim)?.is_some())
        })
    }

    /// The payment with the incoming part of this claim id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn payment_of_claim(&self, claim: &PaymentId) -> Result<Option<PaymentId>, StoreError> {
        self.readers.read(|conn| of_claim(conn, claim))
    }

    /// Whether there is a payment to an AMP address, and one with this set id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn amp_paid(&self, payment_addr: &PaymentSecret, set_id: SetId) -> Result<(bool, bool), StoreError> {
        self.readers.read(|conn| {
            let mut address = conn.prepare_cached("SELECT 1 FROM payments WHERE payment_addr = ?1")?;
            let mut set =
                conn.prepare_cached("SELECT 1 FROM payments WHERE payment_addr = ?1 AND set_id = ?2")?;
            let paid = set.exists((Col(payment_addr), Col(set_id)))?;
            Ok((paid || address.exists([Col(payment_addr)])?, paid))
        })
    }

    /// The AMP invoice with this address.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn amp_invoice(&self, payment_addr: &PaymentSecret) -> Result<Option<AmpInvoiceRow>, StoreError> {
        let sql = format!("SELECT {AMP_INVOICE} FROM amp_invoices WHERE payment_addr = ?1");
        self.readers.read(|conn| {
            let mut select = conn.prepare_cached(&sql)?;
            let found = select.query_row([Col(payment_addr)], amp_invoice).optional()?;
            Ok(found.map(|(_, row)| row))
        })
    }

    /// AMP invoices in the order of their creation, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn amp_invoices(
        &self,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<AmpInvoiceRow>, StoreError> {
        let limit = limit.clamp(1, PAGE_LIMIT);
        let sql = format!("SELECT {AMP_INVOICE} FROM amp_invoices WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
        let bounds = (Cursor::below(before), limit + 1);
        self.readers.read(|conn| Ok(Page::newest(all(conn, &sql, bounds, amp_invoice)?, limit)))
    }

    /// The payments to an AMP address, newest first; at most 1,000 of them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn amp_payments(&self, payment_addr: &PaymentSecret) -> Result<Vec<PaymentRow>, StoreError> {
        let sql = format!(
            "SELECT {PAYMENT} FROM payments WHERE payment_addr = ?1 ORDER BY seq DESC LIMIT {PAGE_LIMIT}"
        );
        self.readers.read(|conn| all(conn, &sql, [Col(payment_addr)], payment))
    }

    /// What was refused, the latest hour first; at most 1,000 rows, however large `limit`. `after`
    /// is the last row of the page before.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn counters(&self, after: Option<&CounterKey>, limit: u32) -> Result<Vec<Counter>, StoreError> {
        let first = CounterKey { hour: i64::MAX.cast_unsigned(), channel: None, reason: String::new() };
        let after = after.unwrap_or(&first);
        let Ok(hour) = i64::try_from(after.hour) else { return Ok(vec![]) };
        let channel = after.channel.map_or_else(Vec::new, |channel| channel.to_bytes().to_vec());
        let sql = "SELECT channel, hour, reason, count, amount_msat FROM counters INDEXED BY counters_hour
                   WHERE hour < ?1 OR (hour = ?1 AND (channel, reason) > (?2, ?3))
                   ORDER BY hour DESC, channel, reason LIMIT ?4";
        let bounds = (hour, channel, &after.reason, limit.clamp(1, PAGE_LIMIT));
        self.readers.read(|conn| all(conn, sql, bounds, counter))
    }
}

/// Writes what a change set says of payments to us, but for payments and parts themselves.
pub(crate) fn write(conn: &Connection, changes: &ChangeSet) -> Result<(), StoreError> {
    for row in &changes.waiting {
        crate::waiting::insert(conn, row)?;
    }
    for claim in &changes.waited {
        crate::waiting::delete(conn, *claim)?;
    }
    for row in &changes.amp_invoices {
        write_invoice(conn, row)?;
    }
    for row in &changes.amp_received {
        write_received(conn, row)?;
    }
    for row in &changes.counters {
        write_counter(conn, row)?;
    }
    for row in &changes.settings {
        write_setting(conn, row)?;
    }
    Ok(())
}

fn of_claim(conn: &Connection, claim: &PaymentId) -> Result<Option<PaymentId>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT parts.payment FROM parts INDEXED BY parts_claim
         CROSS JOIN payments ON payments.id = parts.payment
         WHERE parts.claim = ?1 AND payments.direction = 'in' LIMIT 1",
    )?;
    Ok(opt(select.query_row([Col(*claim)], |row| row.get(0)).optional()?))
}

/// All settings.
pub(crate) fn settings(conn: &Connection) -> Result<Vec<SettingRow>, StoreError> {
    all(conn, "SELECT key, value FROM settings ORDER BY key", [], |row| {
        Ok(SettingRow { key: row.get(0)?, value: Some(row.get(1)?) })
    })
}

fn write_invoice(conn: &Connection, row: &AmpInvoiceRow) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO amp_invoices (
            payment_addr, bolt11, amount_msat, description, created_at_ms, expires_at_ms, state
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (payment_addr) DO UPDATE SET
            bolt11 = excluded.bolt11, amount_msat = excluded.amount_msat,
            description = excluded.description, created_at_ms = excluded.created_at_ms,
            expires_at_ms = excluded.expires_at_ms, state = excluded.state",
    )?
    .execute((
        Col(&row.payment_addr),
        &row.bolt11,
        row.amount.map(Col),
        &row.description,
        Col(row.created_at),
        Col(row.expires_at),
        Col(row.state),
    ))?;
    Ok(())
}

fn write_received(conn: &Connection, row: &AmpReceived) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE amp_invoices SET payments = payments + ?2, received_msat = received_msat + ?3
         WHERE payment_addr = ?1",
    )?
    .execute((Col(&row.payment_addr), row.payments, Col(row.amount)))?;
    Ok(())
}

/// Whoever sends what is refused does not pay for it: a sum stops at the money supply.
fn write_counter(conn: &Connection, row: &Counter) -> Result<(), StoreError> {
    let most = Col(sponte_proto::Msat::MAX);
    conn.prepare_cached(
        "INSERT INTO counters (channel, hour, reason, count, amount_msat) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (channel, hour, reason) DO UPDATE SET
            count = count + excluded.count, amount_msat = min(amount_msat + excluded.amount_msat, ?6)",
    )?
    .execute((Col(row.channel), row.hour, Col(row.reason), row.count, Col(row.amount), most))?;
    Ok(())
}

fn write_setting(conn: &Connection, row: &SettingRow) -> Result<(), StoreError> {
    match &row.value {
        Some(value) => conn
            .prepare_cached(
                "INSERT INTO settings (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute((&row.key, value))?,
        None => conn.prepare_cached("DELETE FROM settings WHERE key = ?1")?.execute([&row.key])?,
    };
    Ok(())
}

fn amp_invoice(row: &Row<'_>) -> rusqlite::Result<(i64, AmpInvoiceRow)> {
    let invoice = AmpInvoiceRow {
        payment_addr: row.get::<_, Col<_>>(1)?.0,
        bolt11: row.get(2)?,
        amount: opt(row.get(3)?),
        description: row.get(4)?,
        created_at: row.get::<_, Col<_>>(5)?.0,
        expires_at: row.get::<_, Col<_>>(6)?.0,
        state: row.get::<_, Col<_>>(7)?.0,
        payments: row.get(8)?,
        received: row.get::<_, Col<_>>(9)?.0,
    };
    Ok((row.get(0)?, invoice))
}

fn counter(row: &Row<'_>) -> rusqlite::Result<Counter> {
    Ok(Counter {
        channel: row.get::<_, Col<_>>(0)?.0,
        hour: row.get(1)?,
        reason: row.get::<_, Col<_>>(2)?.0,
        count: row.get(3)?,
        amount: row.get::<_, Col<_>>(4)?.0,
    })
}
