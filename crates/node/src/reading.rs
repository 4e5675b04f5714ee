//! One reading of the ledger and the backend, for an audit.

use crate::audit::AuditError;
use crate::blocking::blocking;
use crate::handle::Handle;
use sponte_engine::backend::{Admin, Channel, WalletBalance};
use sponte_engine::commit::{Direction, State};
use sponte_proto::Msat;
use sponte_store::{AccountBalance, Ledger, PaymentsQuery, StoreError};

/// What the ledger says now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) accounts: Vec<AccountBalance>,
    /// What pending outgoing payments have on their way, fees included.
    pub(crate) in_flight_msat: u64,
    /// What pending incoming payments still bring.
    pub(crate) claiming_msat: u64,
    /// What held payments would bring.
    pub(crate) held_msat: u64,
}

/// What the ledger says, and what the backend says while the ledger says so.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) books: Books,
    pub(crate) channels: Vec<Channel>,
    pub(crate) wallet: WalletBalance,
}

/// Asks the backend between two looks into the ledger. `None` if they differ: then nobody knows
/// which of them the backend's answers belong to.
pub(crate) async fn take(handle: &Handle) -> Result<Option<Reading>, AuditError> {
    let before = books(handle).await?;
    let channels = handle.admin(Admin::Channels).await?;
    let wallet = handle.admin(Admin::Balance).await?;
    let after = books(handle).await?;
    Ok((before == after).then_some(Reading { books: after, channels, wallet }))
}

async fn books(handle: &Handle) -> Result<Books, AuditError> {
    let ledger = handle.ledger().clone();
    Ok(blocking(move || look(&ledger)).await.ok_or(AuditError::Stopped)??)
}

/// Several reads of a ledger that may move on between them: the caller compares two looks.
fn look(ledger: &Ledger) -> Result<Books, StoreError> {
    let mut books = Books { accounts: ledger.accounts()?, ..Books::default() };
    for state in [State::Pending, State::Held] {
        look_at(ledger, state, &mut books)?;
    }
    Ok(books)
}

fn look_at(ledger: &Ledger, state: State, books: &mut Books) -> Result<(), StoreError> {
    let mut query = PaymentsQuery { state: Some(state), limit: 1_000, ..PaymentsQuery::default() };
    loop {
        let page = ledger.payments(query.clone())?;
        for payment in &page.rows {
            let sum = match (payment.direction, state) {
                (Direction::Out, _) => &mut books.in_flight_msat,
                (Direction::In, State::Held) => &mut books.held_msat,
                (Direction::In, _) => &mut books.claiming_msat,
            };
            for part in ledger.parts(&payment.id)?.iter().filter(|part| part.state == state) {
                let gross = part.amount.checked_add(part.fee).unwrap_or(Msat::MAX);
                *sum = sum.saturating_add(gross.to_msat());
            }
        }
        match page.next {
            None => return Ok(()),
            next => query.before = next,
        }
    }
}
