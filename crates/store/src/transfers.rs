//! The books, as readers see them: balances and the transfers behind them.

use crate::codec::{Col, opt};
use crate::error::StoreError;
use crate::ledger::{Cursor, Ledger, PAGE_LIMIT, Page};
use crate::payments::all;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, ToSql, params_from_iter};
use sponte_engine::commit::{Account, TransferRow};
use sponte_proto::PaymentId;

/// An account and what it holds, signed where it may be owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountBalance {
    /// Which.
    pub account: Account,
    /// Credits less debits of posted transfers, in msat.
    pub posted_msat: i64,
    /// Credits of pending transfers, in msat.
    pub pending_in_msat: i64,
    /// Debits of pending transfers, in msat.
    pub pending_out_msat: i64,
}

/// Which transfers a page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransfersQuery {
    /// Only those from or to this account.
    pub account: Option<Account>,
    /// Only those of this payment.
    pub payment: Option<PaymentId>,
    /// [`Page::next`] of the page before; the newest transfers without.
    pub before: Option<Cursor>,
    /// Rows at most; from 1 to 1,000, what lies outside is taken for the nearest.
    pub limit: u32,
}

impl Default for TransfersQuery {
    fn default() -> TransfersQuery {
        TransfersQuery { account: None, payment: None, before: None, limit: 100 }
    }
}

impl Ledger {
    /// Every account that ever was part of a transfer, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn accounts(&self) -> Result<Vec<AccountBalance>, StoreError> {
        let sql = "SELECT name, posted_msat, pending_in_msat, pending_out_msat FROM accounts ORDER BY name";
        self.readers.read(|conn| all(conn, sql, [], balance))
    }

    /// Transfers in the order in which they were written, newest first. Costs as much as the
    /// page is long, or as the payment has transfers.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn transfers(&self, query: TransfersQuery) -> Result<Page<TransferRow>, StoreError> {
        let limit = query.limit.clamp(1, PAGE_LIMIT);
        self.readers.read(|conn| {
            let account = match query.account {
                None => None,
                Some(account) => {
                    let mut select = conn.prepare_cached("SELECT id FROM accounts WHERE name = ?1")?;
                    let id: Option<i64> = select.query_row([Col(account)], |row| row.get(0)).optional()?;
                    match id {
                        None => return Ok(Page::empty()),
                        id => id,
                    }
                }
            };
            // Each condition is one index in the order of `seq`; both sides of an account are two.
            let (conditions, first): (&[&str], Option<Value>) = match (account, query.payment) {
                (_, Some(payment)) => (&["t.payment = ?3"], Some(payment.to_bytes().to_vec().into())),
                (Some(id), None) => (&["t.debit = ?3", "t.credit = ?3"], Some(id.into())),
                (None, None) => (&["true"], None),
            };
            let mut rows = vec![];
            for condition in conditions {
                let mut sql = format!(
                    "SELECT t.seq, t.key, d.name, c.name, t.amount_msat, t.state, t.payment, t.created_at_ms
                     FROM transfers t CROSS JOIN accounts d ON d.id = t.debit
                     CROSS JOIN accounts c ON c.id = t.credit WHERE {condition} AND t.seq < ?1"
                );
                let (below, one_more) = (Cursor::below(query.before), limit + 1);
                let mut params: Vec<&dyn ToSql> = vec![&below, &one_more];
                params.extend(first.as_ref().map(|value| value as &dyn ToSql));
                if query.payment.is_some() && account.is_some() {
                    sql += " AND ?4 IN (t.debit, t.credit)";
                    params.push(&account);
                }
                sql += " ORDER BY t.seq DESC LIMIT ?2";
                rows.extend(all(conn, &sql, params_from_iter(params), transfer)?);
            }
            Ok(Page::newest(rows, limit))
        })
    }
}

pub(crate) fn balance(row: &Row<'_>) -> rusqlite::Result<AccountBalance> {
    Ok(AccountBalance {
        account: row.get::<_, Col<_>>(0)?.0,
        posted_msat: row.get(1)?,
        pending_in_msat: row.get(2)?,
        pending_out_msat: row.get(3)?,
    })
}

pub(crate) fn transfer(row: &Row<'_>) -> rusqlite::Result<(i64, TransferRow)> {
    let transfer = TransferRow {
        key: row.get(1)?,
        debit: row.get::<_, Col<_>>(2)?.0,
        credit: row.get::<_, Col<_>>(3)?.0,
        amount: row.get::<_, Col<_>>(4)?.0,
        state: row.get::<_, Col<_>>(5)?.0,
        payment: opt(row.get(6)?),
        created_at: row.get::<_, Col<_>>(7)?.0,
    };
    Ok((row.get(0)?, transfer))
}
