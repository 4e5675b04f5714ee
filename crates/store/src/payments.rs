//! Payments, their attempts and their parts, as readers see them.

use crate::codec::{Col, failure};
use crate::columns::{self, Columns};
use crate::error::StoreError;
use crate::ledger::{Cursor, Ledger, PAGE_LIMIT, Page};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use sponte_engine::commit::{
    AttemptRow, Direction, Offered, PaidInvoice, PartClaim, PartFailure, PartRow, PartSent, PaymentRow, Plan,
    Receipt, State,
};
use sponte_proto::{PaymentId, PaymentSecret};

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

pub(crate) const PAYMENT: &str = columns::payments::COLUMNS;
pub(crate) const ATTEMPT: &str = columns::attempts::COLUMNS;
pub(crate) const PART: &str = columns::parts::COLUMNS;

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
                let sql =
                    format!("SELECT {PAYMENT}, seq FROM payments WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
                rows.extend(all(conn, &sql, (below, one_more), numbered_payment)?);
            } else {
                let sql = format!(
                    "SELECT {PAYMENT}, seq FROM payments INDEXED BY payments_group
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

/// Reads [`PAYMENT`] and `seq`.
fn numbered_payment(row: &Row<'_>) -> rusqlite::Result<(i64, PaymentRow)> {
    let mut columns = Columns::of(row);
    let payment = read_payment(&mut columns)?;
    Ok((columns.plain()?, payment))
}

/// Reads [`PAYMENT`].
pub(crate) fn payment(row: &Row<'_>) -> rusqlite::Result<PaymentRow> {
    read_payment(&mut Columns::of(row))
}

// Fields are read in the order in which they are written down here.
fn read_payment(columns: &mut Columns<'_>) -> rusqlite::Result<PaymentRow> {
    Ok(PaymentRow {
        id: columns.value()?,
        direction: columns.value()?,
        kind: columns.value()?,
        state: columns.value()?,
        key: columns.plain()?,
        destination: columns.optional()?,
        amount: columns.value()?,
        fee: columns.value()?,
        max_fee: columns.value()?,
        hash: columns.optional()?,
        preimage: columns.optional()?,
        records: columns.value()?,
        failure: failure(columns.plain()?, columns.plain()?),
        deadline: columns.value()?,
        attempts: columns.plain()?,
        max_attempts: columns.plain()?,
        created_at: columns.value()?,
        updated_at: columns.value()?,
        receipt: Receipt {
            payment_addr: columns.optional()?,
            set_id: columns.optional()?,
            root: columns.optional()?,
            sender: columns.optional()?,
            deadline_height: columns.optional()?,
        },
        plan: Plan {
            asked: columns.optional()?,
            fall_back: columns.plain()?,
            max_parts: columns.plain()?,
            final_cltv: columns.value()?,
            hints: columns.value()?,
            invoice: invoice(columns)?,
            tries: columns.plain()?,
            canceled: columns.plain()?,
            reason: columns.plain()?,
        },
    })
}

fn invoice(columns: &mut Columns<'_>) -> rusqlite::Result<Option<Box<PaidInvoice>>> {
    let text: Option<String> = columns.plain()?;
    let hash = columns.optional()?;
    let payment_addr = columns.plain::<Option<Vec<u8>>>()?.map(payment_addr).transpose()?.flatten();
    let (metadata, offered) = (columns.plain()?, offered(columns)?);
    Ok(text.map(|text| Box::new(PaidInvoice { text, hash, payment_addr, metadata, offered })))
}

/// An invoice behind blinded paths has none.
fn payment_addr(bytes: Vec<u8>) -> rusqlite::Result<Option<PaymentSecret>> {
    let wrong = |_| FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: bytes.len() };
    let secret = (!bytes.is_empty()).then(|| bytes.as_slice().try_into().map_err(wrong));
    Ok(secret.transpose()?.map(PaymentSecret::from_bytes))
}

fn offered(columns: &mut Columns<'_>) -> rusqlite::Result<Option<Offered>> {
    let (invoice, quantity, note) = (columns.plain::<Option<_>>()?, columns.plain()?, columns.plain()?);
    Ok(invoice.map(|invoice| Offered { invoice, quantity, note }))
}

/// Reads [`ATTEMPT`].
pub(crate) fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    let columns = &mut Columns::of(row);
    Ok(AttemptRow {
        id: columns.value()?,
        payment: columns.value()?,
        number: columns.plain()?,
        kind: columns.value()?,
        hash: columns.optional()?,
        set_id: columns.optional()?,
        state: columns.value()?,
        fee: columns.value()?,
        failure: failure(columns.plain()?, columns.plain()?),
        created_at: columns.value()?,
        updated_at: columns.value()?,
    })
}

/// Reads [`PART`].
pub(crate) fn part(row: &Row<'_>) -> rusqlite::Result<PartRow> {
    let columns = &mut Columns::of(row);
    Ok(PartRow {
        payment: columns.value()?,
        attempt: columns.plain()?,
        number: columns.plain()?,
        channel: columns.value()?,
        amount: columns.value()?,
        fee: columns.value()?,
        state: columns.value()?,
        route: columns.value()?,
        claim: PartClaim {
            id: columns.optional()?,
            hash: columns.optional()?,
            preimage: columns.optional()?,
            expiry: columns.optional()?,
        },
        sent: PartSent { share: columns.optional()?, failure: part_failure(columns)? },
    })
}

fn part_failure(columns: &mut Columns<'_>) -> rusqlite::Result<Option<PartFailure>> {
    let failed: bool = columns.plain()?;
    let failure =
        PartFailure { hop: columns.plain()?, code: columns.optional()?, channel: columns.optional()? };
    Ok(failed.then_some(failure))
}
