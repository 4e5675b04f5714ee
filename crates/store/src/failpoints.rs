//! Trouble on order, for crash tests: a process that dies around a commit, a disk that is full,
//! slow or loses what was not synced, and a control that breaks the first law on purpose.

use crate::error::StoreError;
use crate::folder::LOG;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Length of the log after the last commit, in decimal: what a loss of power leaves at least.
const SYNCED: &str = "synced";

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
    /// Each commit waits a pseudo-random time up to this many milliseconds.
    pub slow_ms: u64,
    /// The control that crash tests must catch: completions are called before the commit.
    pub early: bool,
    /// After each commit the file `synced` tells how much of the log is on the disk, for
    /// [`cut_unsynced`].
    pub mark_synced: bool,
}

impl Failpoints {
    /// Reads for example `abort-before=7,abort-after=9,fail=3,slow-ms=40,early,mark-synced`; an
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
        let active = Active { failpoints: self, dir: dir.to_owned() };
        if active.failpoints.mark_synced {
            active.mark()?;
        } else {
            // A mark of an earlier run would let the harness cut what this one syncs.
            ignore_missing(fs::remove_file(dir.join(SYNCED)))?;
        }
        Ok(active)
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
            self.mark()?;
        }
        Ok(())
    }

    fn mark(&self) -> io::Result<()> {
        let length = length(&self.dir.join(LOG))?.unwrap_or(0);
        let new = self.dir.join("synced.new");
        fs::write(&new, length.to_string())?;
        fs::rename(new, self.dir.join(SYNCED))
    }
}

/// Cuts the log of a store that no process has open, at a point that `random` picks between the
/// end of what was synced and the end of the file, as a loss of power may. Answers how many
/// bytes went.
///
/// Only bytes behind the file's length at the last marked commit go. A log that started anew
/// after a checkpoint is written over from its beginning and keeps its length, so what was not
/// synced then lies below the mark and stays: it never cuts too much, at times too little.
/// Without a mark it cuts nothing.
///
/// # Errors
/// The files cannot be read or shortened, or the mark is no number.
pub fn cut_unsynced(dir: &Path, random: u64) -> io::Result<u64> {
    let mark = match fs::read_to_string(dir.join(SYNCED)) {
        Ok(mark) => mark,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mark: u64 = mark.trim().parse().map_err(io::Error::other)?;
    let log = dir.join(LOG);
    let length = length(&log)?.unwrap_or(0);
    let Some(unsynced) = length.checked_sub(mark).filter(|unsynced| *unsynced > 0) else {
        return Ok(0);
    };
    let cut = match unsynced.checked_add(1) {
        Some(choices) => random % choices,
        None => random,
    };
    let file = OpenOptions::new().write(true).open(log)?;
    file.set_len(length - cut)?;
    file.sync_all()?;
    Ok(cut)
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
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
        let all = Failpoints::parse("abort-before=7, abort-after=9,fail=3,slow-ms=40,early,mark-synced");
        let expected = Failpoints {
            abort_before: Some(7),
            abort_after: Some(9),
            fail: Some(3),
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

    #[test]
    fn only_what_lies_behind_the_mark_is_cut() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("written");
        let left = || length(&dir.path().join(LOG)).expect("readable").expect("there");
        write(LOG, &[0; 100]);
        assert_eq!(cut_unsynced(dir.path(), 7).expect("no mark"), 0);
        write(SYNCED, b"60");
        assert_eq!(cut_unsynced(dir.path(), 7).expect("cut"), 7);
        assert_eq!(left(), 93);
        assert_eq!(cut_unsynced(dir.path(), 33).expect("cut"), 33);
        assert_eq!(left(), 60);
        assert_eq!(cut_unsynced(dir.path(), 33).expect("nothing left to cut"), 0);
        write(SYNCED, b"61");
        assert_eq!(cut_unsynced(dir.path(), 1).expect("a log that is shorter"), 0);
        write(SYNCED, b"x");
        assert!(cut_unsynced(dir.path(), 1).is_err());
    }

    #[test]
    fn an_old_mark_goes() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join(SYNCED), b"60").expect("written");
        Failpoints::default().activate(dir.path()).expect("active");
        assert_eq!(length(&dir.path().join(SYNCED)).expect("readable"), None);
    }
}
