//! Trouble on order, for crash tests: a process that dies around a commit, a disk that is full,
//! slow or loses what was not synced, and a control that breaks the first law on purpose.

use crate::error::StoreError;
use crate::power_loss;
use rusqlite::Connection;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is to go wrong. Nothing by default. Commits count from 1 since the store was opened;
/// those that set up the schema do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failpoints {
    /// The process aborts before this commit, its rows written but not committed.
    pub abort_before: Option<u64>,
    /// The process aborts after this commit, before anybody is told of it.
    pub abort_after: Option<u64>,
    /// This commit fails as if the disk were full.
    pub fail: Option<u64>,
    /// From this commit on the file may not grow: SQLite itself finds no room, as soon as what is
    /// free within the file is used up.
    pub full: Option<u64>,
    /// Each commit waits a pseudo-random time up to this many milliseconds.
    pub slow_ms: u64,
    /// The control that crash tests must catch: completions are called before the commit.
    pub early: bool,
    /// After each commit the file `synced` tells how much of the log is on the disk, for
    /// [`crate::cut_unsynced`].
    pub mark_synced: bool,
}

impl Failpoints {
    /// Reads for example `abort-before=7,abort-after=9,fail=3,full=5,slow-ms=40,early,mark-synced`; an
    /// empty text is no trouble at all.
    ///
    /// # Errors
    /// A word that is none of these, or a number that is missing, zero or not a number.
    pub fn parse(text: &str) -> Result<Failpoints, String> {
        let mut failpoints = Failpoints::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (word, number) = match item.split_once('=') {
                Some((word, number)) => (word, Some(number)),
                None => (item, None),
            };
            let number = || {
                let number = number.and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                number.ok_or_else(|| format!("failpoint `{item}` needs a number from 1, as in `{word}=3`"))
            };
            match word {
                "abort-before" => failpoints.abort_before = Some(number()?),
                "abort-after" => failpoints.abort_after = Some(number()?),
                "fail" => failpoints.fail = Some(number()?),
                "full" => failpoints.full = Some(number()?),
                "slow-ms" => failpoints.slow_ms = number()?,
                "early" if item == word => failpoints.early = true,
                "mark-synced" if item == word => failpoints.mark_synced = true,
                _ => return Err(format!("`{item}` is no failpoint")),
            }
        }
        Ok(failpoints)
    }

    /// Puts them to work on a folder.
    pub(crate) fn activate(self, dir: &Path) -> io::Result<Active> {
        if self.mark_synced {
            power_loss::mark(dir)?;
        } else {
            power_loss::unmark(dir)?;
        }
        Ok(Active { failpoints: self, dir: dir.to_owned() })
    }
}

/// [`Failpoints`] of an open store.
#[derive(Debug)]
pub(crate) struct Active {
    failpoints: Failpoints,
    dir: PathBuf,
}

impl Active {
    pub(crate) fn early(&self) -> bool {
        self.failpoints.early
    }

    /// Nothing of commit `number` is written yet.
    pub(crate) fn before_rows(&self, conn: &Connection, number: u64) -> Result<(), StoreError> {
        if self.failpoints.full == Some(number) {
            let pages: u32 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            conn.pragma_update(None, "max_page_count", pages)?;
        }
        Ok(())
    }

    /// All rows of commit `number` are written.
    pub(crate) fn before_commit(&self, number: u64) -> Result<(), StoreError> {
        if self.failpoints.slow_ms > 0 {
            let wait_ms = mix(number) % (self.failpoints.slow_ms + 1);
            std::thread::sleep(Duration::from_millis(wait_ms));
        }
        if self.failpoints.abort_before == Some(number) {
            std::process::abort();
        }
        if self.failpoints.fail == Some(number) {
            return Err(StoreError::DiskFull);
        }
        Ok(())
    }

    /// Commit `number` is on the disk, and nobody knows yet.
    pub(crate) fn after_commit(&self, number: u64) -> Result<(), StoreError> {
        if self.failpoints.abort_after == Some(number) {
            std::process::abort();
        }
        if self.failpoints.mark_synced {
            power_loss::mark(&self.dir)?;
        }
        Ok(())
    }
}

/// SplitMix64's finish: the same commit waits the same time in every run.
fn mix(number: u64) -> u64 {
    let x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word() {
        let all =
            Failpoints::parse("abort-before=7, abort-after=9,fail=3,full=5,slow-ms=40,early,mark-synced");
        let expected = Failpoints {
            abort_before: Some(7),
            abort_after: Some(9),
            fail: Some(3),
            full: Some(5),
            slow_ms: 40,
            early: true,
            mark_synced: true,
        };
        assert_eq!(all, Ok(expected));
        assert_eq!(Failpoints::parse(""), Ok(Failpoints::default()));
        for wrong in ["abort", "fail", "fail=0", "fail=x", "early=1", "slow-ms=-1"] {
            assert!(Failpoints::parse(wrong).is_err(), "{wrong}");
        }
    }
}
