//! The ledger held against itself.

use crate::error::StoreError;
use rusqlite::{Connection, Row};
use sponte_engine::commit::Account;
use sponte_proto::hex;
use std::collections::BTreeMap;

type Step = fn(&Connection, &mut Vec<String>) -> Result<(), StoreError>;

/// Each deviation, one line.
pub(crate) fn run(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let steps: [(&str, Step); 12] = [
        ("pages", pages),
        ("references", references),
        ("accounts", accounts),
        ("settled payments", settled_payments),
        ("failed payments", failed_payments),
        ("pending transfers", pending_transfers),
        ("parts", parts),
        ("canceled payments", canceled_payments),
        ("waiting parts", waiting_parts),
        ("pending attempts", pending_attempts),
        ("pending parts", pending_parts),
        ("ids of sent parts", ids_of_sent_parts),
    ];
    let mut deviations = vec![];
    for (what, step) in steps {
        match step(conn, &mut deviations) {
            // A deviation like any other, and no reason to leave out the rest.
            Err(StoreError::Damaged(why)) => deviations.push(format!("file: {what} cannot be read: {why}")),
            other => other?,
        }
    }
    Ok(deviations)
}

/// Balances, of one account or the sum of all. Wide enough for any number of transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    posted_msat: i128,
    pending_in_msat: i128,
    pending_out_msat: i128,
}

/// Not `integrity_check`, which also holds every index against its table, and takes as long as
/// all other steps together.
fn pages(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    collect(conn, "PRAGMA quick_check", deviations, |row| {
        let found: String = row.get(0)?;
        Ok((found != "ok").then(|| format!("file: {}", found.replace('\n', " "))))
    })
}

fn references(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    collect(conn, "PRAGMA foreign_key_check", deviations, |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(Some(format!("{table}: a row belongs to one of {parent} that is not there")))
    })
}

fn accounts(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let computed = computed_sums(conn)?;
    let mut total = Sums::default();
    let mut select =
        conn.prepare("SELECT id, name, posted_msat, pending_in_msat, pending_out_msat FROM accounts")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let kept = Sums {
            posted_msat: row.get::<_, i64>(2)?.into(),
            pending_in_msat: row.get::<_, i64>(3)?.into(),
            pending_out_msat: row.get::<_, i64>(4)?.into(),
        };
        let of_transfers = computed.get(&id).copied().unwrap_or_default();
        let fields = [
            ("posted", kept.posted_msat, of_transfers.posted_msat),
            ("pending in", kept.pending_in_msat, of_transfers.pending_in_msat),
            ("pending out", kept.pending_out_msat, of_transfers.pending_out_msat),
        ];
        for (what, kept, computed) in fields.into_iter().filter(|(_, kept, computed)| kept != computed) {
            deviations.push(format!("account {name}: {what} is {kept} msat, its transfers say {computed}"));
        }
        total.posted_msat += kept.posted_msat;
        total.pending_in_msat += kept.pending_in_msat;
        total.pending_out_msat += kept.pending_out_msat;
    }
    if total.posted_msat != 0 {
        deviations.push(format!("accounts: posted balances sum to {} msat, not zero", total.posted_msat));
    }
    let pending_msat = total.pending_in_msat - total.pending_out_msat;
    if pending_msat != 0 {
        deviations.push(format!("accounts: pending balances sum to {pending_msat} msat, not zero"));
    }
    Ok(())
}

/// What the transfers make of each account.
fn computed_sums(conn: &Connection) -> Result<BTreeMap<i64, Sums>, StoreError> {
    let mut sums = BTreeMap::<i64, Sums>::new();
    let mut select = conn.prepare(
        "SELECT debit, credit, amount_msat, state = 'posted' FROM transfers WHERE state <> 'void'",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (debit, credit): (i64, i64) = (row.get(0)?, row.get(1)?);
        let msat = i128::from(row.get::<_, i64>(2)?);
        if row.get(3)? {
            sums.entry(debit).or_default().posted_msat -= msat;
            sums.entry(credit).or_default().posted_msat += msat;
        } else {
            sums.entry(debit).or_default().pending_out_msat += msat;
            sums.entry(credit).or_default().pending_in_msat += msat;
        }
    }
    Ok(sums)
}

/// Payments in `state`, and what their posted transfers move: to the world, of an incoming one
/// from it, and into the fees.
fn moved(state: &str) -> String {
    let to = |account: Account| {
        format!(
            "coalesce((SELECT sum(CASE a.id WHEN t.credit THEN t.amount_msat ELSE -t.amount_msat END)
              FROM accounts a CROSS JOIN transfers t INDEXED BY transfers_payment
                ON t.payment = payments.id AND t.state = 'posted'
               AND a.id IN (t.debit, t.credit) AND t.debit <> t.credit
              WHERE a.name = '{}'), 0)",
            account.name()
        )
    };
    format!(
        "SELECT id, amount_msat, fee_msat,
                CASE direction WHEN 'in' THEN -1 ELSE 1 END * {} AS world_msat, {} AS fees_msat
         FROM payments WHERE state = '{state}'",
        to(Account::World),
        to(Account::FeesPaid)
    )
}

fn settled_payments(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT * FROM ({}) WHERE world_msat <> amount_msat OR fees_msat <> fee_msat",
        moved("settled")
    );
    collect(conn, &sql, deviations, |row| {
        Ok(Some(format!(
            "payment {}: settled for {} msat and a fee of {} msat, its transfers say {} and {}",
            id(row)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(4)?,
        )))
    })
}

fn failed_payments(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = format!("SELECT * FROM ({}) WHERE world_msat <> 0 OR fees_msat <> 0", moved("failed"));
    collect(conn, &sql, deviations, |row| {
        Ok(Some(format!(
            "payment {}: failed, its transfers moved {} msat and a fee of {} msat",
            id(row)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(4)?,
        )))
    })
}

fn canceled_payments(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = format!("SELECT * FROM ({}) WHERE world_msat <> 0 OR fees_msat <> 0", moved("canceled"));
    collect(conn, &sql, deviations, |row| {
        Ok(Some(format!(
            "payment {}: canceled, its transfers moved {} msat",
            id(row)?,
            row.get::<_, i64>(3)?
        )))
    })
}

/// A part that waits belongs to no payment yet.
fn waiting_parts(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = "SELECT payment, claim FROM parts INDEXED BY parts_claim
               WHERE claim IN (SELECT claim FROM waiting_parts)";
    collect(conn, sql, deviations, |row| {
        let claim = hex(row.get_ref(1)?.as_blob()?);
        Ok(Some(format!("payment {}: its part {claim} still waits for its set", id(row)?)))
    })
}

/// A start reads the attempts of payments that have not ended, and no others.
fn pending_attempts(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = "SELECT p.id, p.state, a.number FROM attempts a CROSS JOIN payments p ON p.id = a.payment
               WHERE a.state = 'pending' AND p.state NOT IN ('pending', 'held')";
    collect(conn, sql, deviations, |row| {
        let (state, number): (String, u32) = (row.get(1)?, row.get(2)?);
        Ok(Some(format!("payment {}: {state}, but its attempt {number} is pending", id(row)?)))
    })
}

/// It reads the parts of attempts that have not ended, and no others.
fn pending_parts(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = "SELECT a.payment, a.number, a.state, x.number FROM parts x
               CROSS JOIN attempts a ON a.payment = x.payment AND a.number = x.attempt
               WHERE x.state = 'pending' AND a.state <> 'pending'";
    collect(conn, sql, deviations, |row| {
        let (attempt, state, number): (u32, String, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let payment = id(row)?;
        Ok(Some(format!("payment {payment}: attempt {attempt} {state}, but its part {number} is pending")))
    })
}

/// The end of a part is told by its id alone.
fn ids_of_sent_parts(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    // HTLCs to us may share an id. The inner query reads the index alone, and leaves few.
    let sql = "SELECT p.id, x.claim, count(*)
               FROM (SELECT claim FROM parts INDEXED BY parts_claim
                     WHERE claim IS NOT NULL GROUP BY claim HAVING count(*) > 1) AS shared
               CROSS JOIN parts x INDEXED BY parts_claim ON x.claim = shared.claim
               CROSS JOIN payments p ON p.id = x.payment
               WHERE p.direction = 'out' GROUP BY x.claim HAVING count(*) > 1";
    collect(conn, sql, deviations, |row| {
        let claim = hex(row.get_ref(1)?.as_blob()?);
        let count: u64 = row.get(2)?;
        Ok(Some(format!("payment {}: {count} parts were sent under the id {claim}", id(row)?)))
    })
}

fn pending_transfers(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = "SELECT p.id, p.state, t.key
               FROM transfers t INDEXED BY transfers_pending CROSS JOIN payments p ON p.id = t.payment
               WHERE t.state = 'pending' AND p.state NOT IN ('pending', 'held')";
    collect(conn, sql, deviations, |row| {
        let (state, key): (String, String) = (row.get(1)?, row.get(2)?);
        Ok(Some(format!("payment {}: {state}, but transfer `{key}` is pending", id(row)?)))
    })
}

/// Parts may bring the destination more than the amount, where a channel on the way takes no less;
/// what is beyond the amount counts as fee.
fn parts(conn: &Connection, deviations: &mut Vec<String>) -> Result<(), StoreError> {
    let sql = "SELECT * FROM (
                   SELECT id, amount_msat, fee_msat,
                       (SELECT coalesce(sum(x.amount_msat), 0) FROM parts x
                        WHERE x.payment = payments.id AND x.state NOT IN ('failed', 'canceled')) AS parts_msat,
                       (SELECT coalesce(sum(x.fee_msat), 0) FROM parts x
                        WHERE x.payment = payments.id AND x.state NOT IN ('failed', 'canceled')) AS parts_fee_msat
                   FROM payments WHERE state = 'settled')
               WHERE parts_msat < amount_msat OR parts_msat + parts_fee_msat <> amount_msat + fee_msat";
    collect(conn, sql, deviations, |row| {
        Ok(Some(format!(
            "payment {}: settled for {} msat and a fee of {} msat, its parts sum to {} and {}",
            id(row)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(4)?,
        )))
    })
}

fn collect(
    conn: &Connection,
    sql: &str,
    deviations: &mut Vec<String>,
    line: impl Fn(&Row<'_>) -> rusqlite::Result<Option<String>>,
) -> Result<(), StoreError> {
    let mut select = conn.prepare(sql)?;
    for found in select.query_map([], line)? {
        deviations.extend(found?);
    }
    Ok(())
}

/// The payment's id, whatever bytes stand there.
fn id(row: &Row<'_>) -> rusqlite::Result<String> {
    Ok(hex(row.get_ref(0)?.as_blob()?))
}
