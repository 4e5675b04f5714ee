//! The books held against the ledger itself, the wallet and the channels (law 4).
//!
//! A running node moves while it is read. So the backend is asked between two looks into the
//! ledger, again until both looks are the same; and a difference counts only if two readings in a
//! row show the same, since a channel may have changed a moment before the event that books it. A
//! channel that is being opened is listed long before: it is booked when both sides have signed.

use crate::blocking::blocking;
use crate::error::AdminError;
use crate::handle::Handle;
use crate::reading::{self, Reading};
use sponte_engine::backend::{Channel, ChannelState};
use sponte_engine::commit::Account;
use sponte_proto::Msat;
use sponte_store::{AccountBalance, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

/// Readings that are tried before an audit says that the node is too busy.
const READINGS: u32 = 20;
/// How long the next reading waits for the node to move on.
const PAUSE: Duration = Duration::from_millis(100);

/// What to do about a node that moves too fast.
const LESS_BUSY: &str = "audit again when it is less busy";

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One line per comparison.
    pub lines: Vec<Line>,
    /// Whether no line says [`Verdict::Differs`].
    pub ok: bool,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it ended.
    pub verdict: Verdict,
    /// What was compared with what, for people.
    pub text: String,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both sides say the same.
    Agrees,
    /// They do not.
    Differs,
    /// There is no one right number now, for example while a channel has HTLCs.
    NotNow,
}

/// Why there is no report.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The backend did not answer.
    #[error(transparent)]
    Backend(#[from] AdminError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// Another audit runs.
    #[error("another audit runs: try again in a moment")]
    Busy,
    /// The process is about to end.
    #[error("the node is stopping: start it again, then audit")]
    Stopped,
}

/// Holds the ledger against itself, the wallet and the channels. One at a time: it reads all of the
/// ledger.
///
/// # Errors
/// Another one runs, or the ledger or the backend could not be read.
pub async fn audit(handle: &Handle) -> Result<Report, AuditError> {
    let _only = handle.begin_audit().ok_or(AuditError::Busy)?;
    let ledger = handle.ledger().clone();
    let deviations = blocking(move || ledger.check()).await.ok_or(AuditError::Stopped)??;
    let mut lines: Vec<Line> = deviations.into_iter().map(differs).collect();
    if lines.is_empty() {
        lines.push(agrees("the ledger holds together".into()));
    }
    lines.extend(compare_until_sure(handle).await?);
    let ok = lines.iter().all(|line| line.verdict != Verdict::Differs);
    Ok(Report { lines, ok })
}

/// Compares until nothing differs, or the same differs twice in a row.
async fn compare_until_sure(handle: &Handle) -> Result<Vec<Line>, AuditError> {
    let mut commits = handle.commits();
    let mut last: Option<Vec<Line>> = None;
    for _ in 0..READINGS {
        let lines = reading::take(handle).await?.map(|reading| compare(&reading));
        if let Some(lines) = lines {
            let twice = |line: &Line| last.as_ref().is_some_and(|last| last.contains(line));
            if lines.iter().all(|line| line.verdict != Verdict::Differs || twice(line)) {
                return Ok(lines);
            }
            last = Some(lines);
        }
        // Either the node moves on, or it stands still and the next reading is the proof.
        let _ = tokio::time::timeout(PAUSE, commits.changed()).await;
    }
    Ok(match last {
        Some(lines) => lines.into_iter().map(unconfirmed).collect(),
        None => vec![not_now(format!("the node never stood still between two looks: {LESS_BUSY}"))],
    })
}

/// A difference that no second reading showed is none.
fn unconfirmed(line: Line) -> Line {
    match line.verdict {
        Verdict::Differs => not_now(format!("{}; it is another one each time: {LESS_BUSY}", line.text)),
        _ => line,
    }
}

fn compare(reading: &Reading) -> Vec<Line> {
    let mut lines = vec![wallet(reading), opening(reading)];
    lines.extend(in_flight(reading));
    lines.extend(channels(reading));
    lines
}

fn wallet(reading: &Reading) -> Line {
    let wallet = reading.wallet;
    let coins = [wallet.confirmed, wallet.unconfirmed, wallet.immature];
    let coins: u64 = coins.iter().map(|sat| sat.to_msat().to_msat()).sum();
    line("on chain", with_pending(balance(reading, Account::OnChain)), "the wallet", coins.into())
}

fn opening(reading: &Reading) -> Line {
    let under_way = reading.channels.iter().filter(|channel| channel.outbound && unbooked(reading, channel));
    let under_way: u64 = under_way.map(|channel| channel.value.to_msat().to_msat()).sum();
    let opening = with_pending(balance(reading, Account::Opening));
    line("opening", opening, "channels under way", under_way.into())
}

/// Whether a channel's funding is there and its [`ChannelPending`] is still to come.
///
/// [`ChannelPending`]: sponte_engine::backend::ChannelPending
fn unbooked(reading: &Reading, channel: &Channel) -> bool {
    let account = Account::Channel(channel.id);
    channel.state == ChannelState::Pending
        && channel.balance.is_some_and(|ours| ours > Msat::ZERO)
        && reading.books.accounts.iter().all(|balance| balance.account != account)
}

/// What is pending belongs to pending payments, and nothing is posted there.
fn in_flight(reading: &Reading) -> Vec<Line> {
    let out = balance(reading, Account::InFlightOut);
    let claimed = balance(reading, Account::HeldIn);
    let held = balance(reading, Account::Held);
    vec![
        line(
            "in flight",
            out.pending_in_msat.into(),
            "pending payments",
            reading.books.in_flight_msat.into(),
        ),
        line(
            "being claimed",
            claimed.pending_in_msat.into(),
            "pending receipts",
            reading.books.claiming_msat.into(),
        ),
        line("held", held.pending_in_msat.into(), "held payments", reading.books.held_msat.into()),
        line("posted in flight", out.posted_msat.into(), "what is on its way for good", 0),
        line("posted being claimed", claimed.posted_msat.into(), "what is being claimed for good", 0),
        line("posted held", held.posted_msat.into(), "what is held for good", 0),
    ]
}

fn channels(reading: &Reading) -> Vec<Line> {
    let known: BTreeSet<_> = reading.channels.iter().map(|channel| channel.id).collect();
    let listed = reading.channels.iter().map(|channel| {
        let name = format!("channel {}", channel.id);
        match channel.balance {
            Some(_) if unbooked(reading, channel) => {
                not_now(format!("{name}: its opening is not booked yet"))
            }
            Some(ours) => {
                let posted = balance(reading, Account::Channel(channel.id)).posted_msat;
                line(&name, posted.into(), "its balance", ours.to_msat().into())
            }
            None if matches!(channel.state, ChannelState::Closing | ChannelState::Closed) => {
                not_now(format!("{name}: closed, {} still to come back", channel.to_come))
            }
            None => not_now(format!("{name}: not comparable while HTLCs are pending ({})", channel.htlcs)),
        }
    });
    let unlisted = reading.books.accounts.iter().filter_map(|account| match account.account {
        Account::Channel(id) if !known.contains(&id) && account.posted_msat != 0 => {
            Some(line(&format!("channel {id}"), account.posted_msat.into(), "no such channel", 0))
        }
        _ => None,
    });
    listed.chain(unlisted).collect()
}

fn balance(reading: &Reading, account: Account) -> AccountBalance {
    let found = reading.books.accounts.iter().find(|balance| balance.account == account).copied();
    let none = AccountBalance { account, posted_msat: 0, pending_in_msat: 0, pending_out_msat: 0 };
    found.unwrap_or(none)
}

fn with_pending(balance: AccountBalance) -> i128 {
    i128::from(balance.posted_msat) + i128::from(balance.pending_in_msat)
        - i128::from(balance.pending_out_msat)
}

fn line(what: &str, books_msat: i128, other: &str, other_msat: i128) -> Line {
    if books_msat == other_msat {
        agrees(format!("{what}: {books_msat} msat"))
    } else {
        let off = books_msat - other_msat;
        differs(format!("{what}: the books say {books_msat} msat, {other} {other_msat} msat ({off:+} msat)"))
    }
}

fn agrees(text: String) -> Line {
    Line { verdict: Verdict::Agrees, text }
}

fn differs(text: String) -> Line {
    Line { verdict: Verdict::Differs, text }
}

fn not_now(text: String) -> Line {
    Line { verdict: Verdict::NotNow, text }
}
