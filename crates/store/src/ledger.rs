//! Where everybody reads: pages, events, and the door to the rest.

use crate::check;
use crate::codec::{Col, opt};
use crate::error::StoreError;
use crate::readers::Readers;
use rusqlite::Row;
use sponte_proto::{ChannelId, Msat, PaymentId, Timestamp};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

/// Committed rows, read on connections of its own. Cheap to clone; works on any thread, and
/// never blocks the writer. Each call waits for the disk, and sees one moment.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) readers: Arc<Readers>,
}

/// Where a page ended. Opaque; its text round-trips. Rows that are added meanwhile move nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(pub(crate) i64);

/// A text that no page gave out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: use one that a page of this list gave")]
pub struct CursorError(#[source] Option<ParseIntError>);

/// Some rows of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where older rows begin; `None` if there are none.
    pub next: Option<Cursor>,
}

/// An event as it stands in the log. Its `seq` rises and is never used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Counts from 1; gaps may occur.
    pub seq: u64,
    /// What, for example `payment_received`.
    pub kind: String,
    /// The payment that it is about.
    pub payment: Option<PaymentId>,
    /// The channel that it is about.
    pub channel: Option<ChannelId>,
    /// The amount that it is about.
    pub amount: Option<Msat>,
    /// A line for people.
    pub detail: String,
    /// When.
    pub created_at: Timestamp,
}

/// No page holds more rows, whatever is asked for.
pub(crate) const PAGE_LIMIT: u32 = 1000;

impl Ledger {
    pub(crate) fn new(readers: Arc<Readers>) -> Ledger {
        Ledger { readers }
    }

    /// Events behind `after_seq` in the order of `seq`; at most 1,000, however large `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn events(&self, after_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let Ok(after) = i64::try_from(after_seq) else { return Ok(vec![]) };
        self.readers.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT seq, kind, payment, channel, amount_msat, detail, created_at_ms FROM events
                 WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let rows = select.query_map((after, limit.min(PAGE_LIMIT)), event)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The `seq` of the last event; zero if there is none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_event_seq(&self) -> Result<u64, StoreError> {
        self.readers.read(|conn| {
            let mut select = conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?;
            Ok(select.query_row([], |row| row.get(0))?)
        })
    }

    /// Holds the ledger against itself. Each deviation is one line; none means that
    /// * every account's balance is that of its transfers, and the sum over all accounts is
    ///   zero, posted and pending;
    /// * every settled payment's transfers move its amount between us and the world, and its
    ///   fee into the fees; those of a failed one move nothing;
    /// * no payment that has ended has pending transfers or attempts, and no attempt that has ended
    ///   pending parts;
    /// * no two parts were sent under one id;
    /// * a settled payment's parts sum to it, fee included;
    /// * the file's pages are whole, and no row refers to one that is not there.
    ///
    /// Reads everything, as of one commit: half a minute per million payments, in which the
    /// writer goes on and its log grows.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.readers.read(|conn| check::run(conn))
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        seq: row.get(0)?,
        kind: row.get(1)?,
        payment: opt(row.get(2)?),
        channel: opt(row.get(3)?),
        amount: opt(row.get(4)?),
        detail: row.get(5)?,
        created_at: row.get::<_, Col<_>>(6)?.0,
    })
}

impl<T> Page<T> {
    /// The newest of `rows`, which come from lists that hold at least one row more than `limit`
    /// each, if there are so many. A row that is in two lists counts once.
    pub(crate) fn newest(mut rows: Vec<(i64, T)>, limit: u32) -> Page<T> {
        rows.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        rows.dedup_by_key(|(seq, _)| *seq);
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = if more { rows.last().map(|(seq, _)| Cursor(*seq)) } else { None };
        Page { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
    }

    pub(crate) fn empty() -> Page<T> {
        Page { rows: vec![], next: None }
    }
}

impl Cursor {
    /// The `seq` that every row of the page lies below.
    pub(crate) fn below(cursor: Option<Cursor>) -> i64 {
        cursor.map_or(i64::MAX, |Cursor(seq)| seq)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Cursor, CursorError> {
        match text.parse() {
            Ok(seq) if seq > 0 => Ok(Cursor(seq)),
            Ok(_) => Err(CursorError(None)),
            Err(error) => Err(CursorError(Some(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pages_of_merged_lists() {
        let page = Page::newest(vec![(3, 'c'), (1, 'a'), (4, 'd'), (3, 'c')], 2);
        assert_eq!(page, Page { rows: vec!['d', 'c'], next: Some(Cursor(3)) });
        let page = Page::newest(vec![(3, 'c'), (3, 'c'), (1, 'a')], 2);
        assert_eq!(page, Page { rows: vec!['c', 'a'], next: None });
    }

    proptest! {
        #[test]
        fn cursors_round_trip(seq in 1..=i64::MAX) {
            prop_assert_eq!(Cursor(seq).to_string().parse::<Cursor>(), Ok(Cursor(seq)));
        }

        #[test]
        fn no_text_panics_or_is_a_cursor_of_no_row(text in "[+-]?[0-9]{0,25}|.*") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert!(cursor.0 > 0);
                prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
            }
        }
    }

    #[test]
    fn cursors_are_text() {
        assert_eq!("17".parse(), Ok(Cursor(17)));
        assert_eq!(Cursor(17).to_string(), "17");
        for wrong in ["", "0", "-1", "x", "9223372036854775808"] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
    }
}
