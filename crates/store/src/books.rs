//! Transfers and the balances that follow from them, as the writer keeps them.
//!
//! Balances of the accounts that a batch touches are summed up in memory and written once per
//! batch: the account `world` takes part in every payment.

use crate::codec::Col;
use crate::error::StoreError;
use rusqlite::{Connection, OptionalExtension};
use sponte_engine::commit::{Account, Settlement, TransferRow, TransferState};
use sponte_proto::Msat;
use std::collections::HashMap;

/// Rows that cannot be true: a fault of whoever made them, and too much to go on after.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BooksError {
    /// A transfer of nothing.
    #[error("transfer `{0}` moves nothing: please report this, then start sponte again")]
    Zero(String),
    /// One key, two meanings.
    #[error("transfer `{0}` is in the books with other accounts or another amount: please report this")]
    Conflict(String),
    /// A transfer that begins void, or a settlement to pending.
    #[error("transfer `{0}` cannot take that state: please report this, then start sponte again")]
    State(String),
    /// A settlement of a transfer that is not there.
    #[error("transfer `{0}` is to end and never began: please report this, then start sponte again")]
    Unknown(String),
    /// A sum that no balance can hold.
    #[error("the balance of `{0}` is out of range: please report this, then start sponte again")]
    Overflow(String),
}

/// The accounts, as the writer sees them.
#[derive(Debug, Default)]
pub(crate) struct Books {
    ids: HashMap<Account, i64>,
    balances: HashMap<i64, Balance>,
}

#[derive(Clone, Debug)]
struct Balance {
    name: String,
    posted_msat: i64,
    pending_in_msat: i64,
    pending_out_msat: i64,
    dirty: bool,
}

/// A change of one side of a transfer.
#[derive(Clone, Copy)]
enum Step {
    Reserve,
    Release,
    Post,
}

impl Books {
    /// Inserts a transfer, or finds that it is there already, with the same meaning.
    pub(crate) fn transfer(&mut self, conn: &Connection, row: &TransferRow) -> Result<(), StoreError> {
        if row.amount == Msat::ZERO {
            return Err(BooksError::Zero(row.key.clone()).into());
        }
        let step = match row.state {
            TransferState::Pending => Step::Reserve,
            TransferState::Posted => Step::Post,
            TransferState::Void => return Err(BooksError::State(row.key.clone()).into()),
        };
        let (debit, credit) = (self.id(conn, row.debit)?, self.id(conn, row.credit)?);
        let inserted = conn
            .prepare_cached(
                "INSERT INTO transfers (key, debit, credit, amount_msat, state, payment, created_at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (key) DO NOTHING",
            )?
            .execute((
                &row.key,
                debit,
                credit,
                Col(row.amount),
                Col(row.state),
                row.payment.map(Col),
                Col(row.created_at),
            ))?;
        if inserted == 0 {
            return same(conn, row, debit, credit);
        }
        self.apply(debit, credit, row.amount, &[step])
    }

    /// Ends a pending transfer; one that has ended stays as it is.
    pub(crate) fn settle(&mut self, conn: &Connection, end: &Settlement) -> Result<(), StoreError> {
        let steps: &[Step] = match end.state {
            TransferState::Posted => &[Step::Release, Step::Post],
            TransferState::Void => &[Step::Release],
            TransferState::Pending => return Err(BooksError::State(end.key.clone()).into()),
        };
        let settled = conn
            .prepare_cached(
                "UPDATE transfers SET state = ?2 WHERE key = ?1 AND state = 'pending'
                 RETURNING debit, credit, amount_msat",
            )?
            .query_row((&end.key, Col(end.state)), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        if let Some((debit, credit, Col(amount))) = settled {
            self.load(conn, debit)?;
            self.load(conn, credit)?;
            return self.apply(debit, credit, amount, steps);
        }
        let known = conn.prepare_cached("SELECT 1 FROM transfers WHERE key = ?1")?.exists([&end.key])?;
        if known { Ok(()) } else { Err(BooksError::Unknown(end.key.clone()).into()) }
    }

    /// Writes the balances that changed since the last time.
    pub(crate) fn flush(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let mut update = conn.prepare_cached(
            "UPDATE accounts SET posted_msat = ?2, pending_in_msat = ?3, pending_out_msat = ?4 WHERE id = ?1",
        )?;
        for (id, balance) in self.balances.iter_mut().filter(|(_, balance)| balance.dirty) {
            update.execute((id, balance.posted_msat, balance.pending_in_msat, balance.pending_out_msat))?;
            balance.dirty = false;
        }
        Ok(())
    }

    /// The row of an account, made if it is new.
    fn id(&mut self, conn: &Connection, account: Account) -> Result<i64, StoreError> {
        if let Some(id) = self.ids.get(&account) {
            return Ok(*id);
        }
        let found = conn
            .prepare_cached("SELECT id FROM accounts WHERE name = ?1")?
            .query_row([Col(account)], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => conn
                .prepare_cached(
                    "INSERT INTO accounts (name, posted_msat, pending_in_msat, pending_out_msat)
                     VALUES (?1, 0, 0, 0)",
                )?
                .insert([Col(account)])?,
        };
        self.ids.insert(account, id);
        self.load(conn, id)?;
        Ok(id)
    }

    fn load(&mut self, conn: &Connection, id: i64) -> Result<(), StoreError> {
        if self.balances.contains_key(&id) {
            return Ok(());
        }
        let balance = conn
            .prepare_cached(
                "SELECT name, posted_msat, pending_in_msat, pending_out_msat FROM accounts WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Balance {
                    name: row.get(0)?,
                    posted_msat: row.get(1)?,
                    pending_in_msat: row.get(2)?,
                    pending_out_msat: row.get(3)?,
                    dirty: false,
                })
            })?;
        self.balances.insert(id, balance);
        Ok(())
    }

    fn apply(&mut self, debit: i64, credit: i64, amount: Msat, steps: &[Step]) -> Result<(), StoreError> {
        let msat = i64::try_from(amount.to_msat()).expect("the money supply fits");
        for step in steps {
            for (id, side) in [(debit, -1), (credit, 1)] {
                let balance = self.balances.get_mut(&id).expect("loaded with the transfer");
                balance.step(*step, side, msat)?;
            }
        }
        Ok(())
    }
}

impl Balance {
    /// `side` is -1 for the account that loses, 1 for the one that gains.
    fn step(&mut self, step: Step, side: i64, msat: i64) -> Result<(), BooksError> {
        let pending = if side < 0 { &mut self.pending_out_msat } else { &mut self.pending_in_msat };
        let (field, change) = match step {
            Step::Reserve => (pending, msat),
            Step::Release => (pending, -msat),
            Step::Post => (&mut self.posted_msat, side * msat),
        };
        *field = field.checked_add(change).ok_or_else(|| BooksError::Overflow(self.name.clone()))?;
        self.dirty = true;
        Ok(())
    }
}

/// A key that is there must mean what it meant. Its state may have moved on.
fn same(conn: &Connection, row: &TransferRow, debit: i64, credit: i64) -> Result<(), StoreError> {
    let kept: (i64, i64, Col<Msat>) = conn
        .prepare_cached("SELECT debit, credit, amount_msat FROM transfers WHERE key = ?1")?
        .query_row([&row.key], |kept| Ok((kept.get(0)?, kept.get(1)?, kept.get(2)?)))?;
    if kept == (debit, credit, Col(row.amount)) {
        Ok(())
    } else {
        Err(BooksError::Conflict(row.key.clone()).into())
    }
}
