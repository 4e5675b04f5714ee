//! Payments, their attempts and their parts, as readers see them.

use crate::codec::{Col, failure, opt};
use crate::error::StoreError;
use crate::ledger::{Cursor, Ledger, PAGE_LIMIT, Page};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use sponte_engine::commit::{AttemptRow, Direction, PartClaim, PartRow, PaymentRow, Receipt, State};
use sponte_proto::PaymentId;

/// Which payments a page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentsQuery {
    /// Only these.
    pub direction: Option<Direction>,
    /// Only these.
    pub state: Option<State>,
    /// [`Page::next`] of the page before; the newest payments without.
    pub before: Option<Cursor>,
    /// Rows at most; from 1 to 1,000, what lies outside is taken for the nearest.
    pub limit: u32,
}

impl Default for PaymentsQuery {
    fn default() -> PaymentsQuery {
        PaymentsQuery { direction: None, state: None, before: None, limit: 100 }
    }
}

impl PaymentsQuery {
    /// The groups that the index keeps in order, and that the filter is a union of.
    fn groups(&self) -> impl Iterator<Item = (Direction, State)> {
        let directions = match self.direction {
            Some(direction) => vec![direction],
            None => vec![Direction::In, Direction::Out],
        };
        let states = match self.state {
            Some(state) => vec![state],
            None => vec![State::Pending, State::Held, State::Settled, State::Failed, State::Canceled],
        };
        directions
            .into_iter()
            .flat_map(move |direction| states.clone().into_iter().map(move |state| (direction, state)))
    }
}

pub(crate) const PAYMENT: &str = "payments.seq, payments.id, payments.direction, payments.kind, \
    payments.state, payments.key, payments.destination, payments.amount_msat, payments.fee_msat, \
    payments.max_fee_msat, payments.hash, payments.preimage, payments.records, payments.failure_code, \
    payments.failure_message, payments.deadline_ms, payments.attempts, payments.max_attempts, \
    payments.created_at_ms, payments.updated_at_ms, payments.payment_addr, payments.set_id, payments.root, \
    payments.sender, payments.deadline_height";

pub(crate) const ATTEMPT: &str = "attempts.id, attempts.payment, attempts.number, attempts.hash, \
    attempts.state, attempts.fee_msat, attempts.failure_code, attempts.failure_message, \
    attempts.created_at_ms, attempts.updated_at_ms";

pub(crate) const PART: &str = "parts.payment, parts.attempt, parts.number, parts.channel, \
    parts.amount_msat, parts.fee_msat, parts.state, parts.route, parts.claim, parts.hash, parts.preimage, \
    parts.expiry";

impl Ledger {
    /// The payment with this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn payment(&self, id: &PaymentId) -> Result<Option<PaymentRow>, StoreError> {
        self.one_payment("payments.id = ?1", [Col(*id)])
    }

    /// The outgoing payment with this idempotency key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn payment_by_key(&self, key: &str) -> Result<Option<PaymentRow>, StoreError> {
        self.one_payment("payments.key = ?1", [key])
    }

    /// Payments in the order of their creation, newest first. Costs as much as the page is long.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn payments(&self, query: PaymentsQuery) -> Result<Page<PaymentRow>, StoreError> {
        let limit = query.limit.clamp(1, PAGE_LIMIT);
        let (below, one_more) = (Cursor::below(query.before), limit + 1);
        self.readers.read(|conn| {
            let mut rows: Vec<(i64, PaymentRow)> = vec![];
            if query.direction.is_none() && query.state.is_none() {
                let sql = format!("SELECT {PAYMENT} FROM payments WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
                rows.extend(all(conn, &sql, (below, one_more), numbered_payment)?);
            } else {
                let sql = format!(
                    "SELECT {PAYMENT} FROM payments INDEXED BY payments_group
                     WHERE direction = ?1 AND state = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4"
                );
                for (direction, state) in query.groups() {
                    let bounds = (Col(direction), Col(state), below, one_more);
                    rows.extend(all(conn, &sql, bounds, numbered_payment)?);
                }
            }
            Ok(Page::newest(rows, limit))
        })
    }

    /// How many payments there are. Takes time for each that it counts.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn payments_count(
        &self,
        direction: Option<Direction>,
        state: Option<State>,
    ) -> Result<u64, StoreError> {
        let query = PaymentsQuery { direction, state, ..PaymentsQuery::default() };
        self.readers.read(|conn| {
            let mut count =
                conn.prepare_cached("SELECT count(*) FROM payments WHERE direction = ?1 AND state = ?2")?;
            let counts = query.groups().map(|(direction, state)| {
                count.query_row((Col(direction), Col(state)), |row| row.get::<_, u64>(0))
            });
            Ok(counts.sum::<rusqlite::Result<u64>>()?)
        })
    }

    /// The attempts of a payment, first to last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn attempts(&self, payment: &PaymentId) -> Result<Vec<AttemptRow>, StoreError> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE payment = ?1 ORDER BY number");
        self.readers.read(|conn| all(conn, &sql, [Col(*payment)], attempt))
    }

    /// The parts of a payment, by attempt and number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn parts(&self, payment: &PaymentId) -> Result<Vec<PartRow>, StoreError> {
        let sql = format!("SELECT {PART} FROM parts WHERE payment = ?1 ORDER BY attempt, number");
        self.readers.read(|conn| all(conn, &sql, [Col(*payment)], part))
    }

    fn one_payment(&self, condition: &str, params: impl Params) -> Result<Option<PaymentRow>, StoreError> {
        let sql = format!("SELECT {PAYMENT} FROM payments WHERE {condition}");
        self.readers.read(|conn| Ok(conn.prepare_cached(&sql)?.query_row(params, payment).optional()?))
    }
}

/// All rows of a query.
pub(crate) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map(params, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn numbered_payment(row: &Row<'_>) -> rusqlite::Result<(i64, PaymentRow)> {
    Ok((row.get(0)?, payment(row)?))
}

/// Reads the columns of [`PAYMENT`].
pub(crate) fn payment(row: &Row<'_>) -> rusqlite::Result<PaymentRow> {
    Ok(PaymentRow {
        id: row.get::<_, Col<_>>(1)?.0,
        direction: row.get::<_, Col<_>>(2)?.0,
        kind: row.get::<_, Col<_>>(3)?.0,
        state: row.get::<_, Col<_>>(4)?.0,
        key: row.get(5)?,
        destination: opt(row.get(6)?),
        amount: row.get::<_, Col<_>>(7)?.0,
        fee: row.get::<_, Col<_>>(8)?.0,
        max_fee: row.get::<_, Col<_>>(9)?.0,
        hash: opt(row.get(10)?),
        preimage: opt(row.get(11)?),
        records: row.get::<_, Col<_>>(12)?.0,
        failure: failure(row.get(13)?, row.get(14)?),
        deadline: row.get::<_, Col<_>>(15)?.0,
        attempts: row.get(16)?,
        max_attempts: row.get(17)?,
        created_at: row.get::<_, Col<_>>(18)?.0,
        updated_at: row.get::<_, Col<_>>(19)?.0,
        receipt: Receipt {
            payment_addr: opt(row.get(20)?),
            set_id: opt(row.get(21)?),
            root: opt(row.get(22)?),
            sender: opt(row.get(23)?),
            deadline_height: opt(row.get(24)?),
        },
    })
}

/// Reads the columns of [`ATTEMPT`].
pub(crate) fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        id: row.get::<_, Col<_>>(0)?.0,
        payment: row.get::<_, Col<_>>(1)?.0,
        number: row.get(2)?,
        hash: row.get::<_, Col<_>>(3)?.0,
        state: row.get::<_, Col<_>>(4)?.0,
        fee: row.get::<_, Col<_>>(5)?.0,
        failure: failure(row.get(6)?, row.get(7)?),
        created_at: row.get::<_, Col<_>>(8)?.0,
        updated_at: row.get::<_, Col<_>>(9)?.0,
    })
}

/// Reads the columns of [`PART`].
pub(crate) fn part(row: &Row<'_>) -> rusqlite::Result<PartRow> {
    Ok(PartRow {
        payment: row.get::<_, Col<_>>(0)?.0,
        attempt: row.get(1)?,
        number: row.get(2)?,
        channel: row.get::<_, Col<_>>(3)?.0,
        amount: row.get::<_, Col<_>>(4)?.0,
        fee: row.get::<_, Col<_>>(5)?.0,
        state: row.get::<_, Col<_>>(6)?.0,
        route: row.get::<_, Col<_>>(7)?.0,
        claim: PartClaim {
            id: opt(row.get(8)?),
            hash: opt(row.get(9)?),
            preimage: opt(row.get(10)?),
            expiry: opt(row.get(11)?),
        },
    })
}
