//! What a loss of power may do to the write-ahead log, for crash tests: a mark tells how much of
//! it is on the disk, and what was written behind the mark may be cut.
//!
//! The log's layout is SQLite's ("WAL File Format"): a header of 32 bytes with the page size at 8
//! and two salts at 16, then frames of 24 bytes and a page, each with the salts at 8. A log that
//! starts anew after a checkpoint gets new salts and is written over from its beginning, so
//! frames with other salts are remains.

use crate::folder::LOG;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Salts and end of the log after the last commit.
const SYNCED: &str = "synced";
const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// How far a log is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    salts: u64,
    offset: u64,
}

impl End {
    /// Of the log in this folder; `None` if there is none, or it has no header yet.
    fn of_log(dir: &Path) -> io::Result<Option<End>> {
        let Some(mut log) = found(File::open(dir.join(LOG)))? else { return Ok(None) };
        let length = log.metadata()?.len();
        if length < HEADER {
            return Ok(None);
        }
        let mut header = [0; HEADER as usize];
        log.read_exact(&mut header)?;
        let page = u32::from_be_bytes(header[8..12].try_into().expect("4 bytes"));
        let salts = u64::from_be_bytes(header[16..24].try_into().expect("8 bytes"));
        let frame = FRAME_HEADER + u64::from(page);
        let mut offset = HEADER;
        while offset + frame <= length {
            let mut found = [0; 8];
            log.seek(SeekFrom::Start(offset + 8))?;
            log.read_exact(&mut found)?;
            if u64::from_be_bytes(found) != salts {
                break;
            }
            offset += frame;
        }
        Ok(Some(End { salts, offset }))
    }

    fn parse(mark: &str) -> Option<End> {
        let (salts, offset) = mark.trim().split_once(' ')?;
        Some(End { salts: salts.parse().ok()?, offset: offset.parse().ok()? })
    }
}

/// Notes that all of the log is on the disk.
pub(crate) fn mark(dir: &Path) -> io::Result<()> {
    let Some(end) = End::of_log(dir)? else { return Ok(()) };
    let new = dir.join("synced.new");
    fs::write(&new, format!("{} {}", end.salts, end.offset))?;
    fs::rename(new, dir.join(SYNCED))
}

/// A mark of an earlier run would let the harness cut what this one syncs.
pub(crate) fn unmark(dir: &Path) -> io::Result<()> {
    found(fs::remove_file(dir.join(SYNCED))).map(drop)
}

/// Cuts the log of a store that no process has open, at a point that `random` picks between the
/// end of what was synced and the end of what was written, as a loss of power may. Answers how
/// many written bytes went. Without a mark it cuts nothing.
///
/// # Errors
/// The files cannot be read or shortened, or the mark is damaged.
pub fn cut_unsynced(dir: &Path, random: u64) -> io::Result<u64> {
    let Some(mark) = found(fs::read_to_string(dir.join(SYNCED)))? else { return Ok(0) };
    let mark = End::parse(&mark).ok_or_else(|| io::Error::other("the mark `synced` is damaged"))?;
    let Some(written) = End::of_log(dir)? else { return Ok(0) };
    // A log that has started anew since: all before it is in the database.
    let synced = if written.salts == mark.salts { mark.offset } else { HEADER };
    let Some(unsynced) = written.offset.checked_sub(synced).filter(|bytes| *bytes > 0) else {
        return Ok(0);
    };
    let cut = random % (unsynced + 1);
    let file = OpenOptions::new().write(true).open(dir.join(LOG))?;
    file.set_len(written.offset - cut)?;
    file.sync_all()?;
    Ok(cut)
}

/// `None` for a file that is not there.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;
    const FRAME: u64 = FRAME_HEADER + PAGE as u64;

    /// A log with so many frames of these salts, then remains of other salts.
    fn log(salts: u64, frames: usize, remains: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER as usize];
        bytes[8..12].copy_from_slice(&(PAGE as u32).to_be_bytes());
        bytes[16..24].copy_from_slice(&salts.to_be_bytes());
        for frame in 0..frames + remains {
            let salts = if frame < frames { salts } else { !salts };
            bytes.extend([0; 8]);
            bytes.extend(salts.to_be_bytes());
            bytes.extend([0; PAGE + 8]);
        }
        bytes
    }

    fn folder() -> (tempfile::TempDir, impl Fn(&[u8]), impl Fn() -> u64) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join(LOG);
        let (write_to, read_from) = (path.clone(), path);
        let write = move |bytes: &[u8]| fs::write(&write_to, bytes).expect("written");
        let left = move || fs::metadata(&read_from).expect("there").len();
        (dir, write, left)
    }

    #[test]
    fn only_what_lies_behind_the_mark_is_cut() {
        let (dir, write, left) = folder();
        write(&log(7, 5, 2));
        assert_eq!(cut_unsynced(dir.path(), 7).expect("no mark"), 0);
        write(&log(7, 3, 4));
        mark(dir.path()).expect("marked");
        assert_eq!(cut_unsynced(dir.path(), u64::MAX).expect("nothing to cut"), 0);
        write(&log(7, 5, 2));
        assert_eq!(cut_unsynced(dir.path(), 2 * FRAME + 1 + 9).expect("cut"), 9);
        assert_eq!(left(), HEADER + 5 * FRAME - 9);
        write(&log(7, 5, 2));
        assert_eq!(cut_unsynced(dir.path(), 2 * FRAME).expect("cut"), 2 * FRAME);
        assert_eq!(left(), HEADER + 3 * FRAME);
    }

    #[test]
    fn a_log_that_started_anew_is_cut_to_its_header_at_most() {
        let (dir, write, left) = folder();
        write(&log(7, 6, 0));
        mark(dir.path()).expect("marked");
        write(&log(8, 2, 4));
        assert_eq!(cut_unsynced(dir.path(), 2 * FRAME).expect("cut"), 2 * FRAME);
        assert_eq!(left(), HEADER);
    }

    #[test]
    fn a_mark_that_is_none_is_told() {
        let (dir, write, _) = folder();
        write(&log(7, 1, 0));
        fs::write(dir.path().join(SYNCED), "x").expect("written");
        assert!(cut_unsynced(dir.path(), 1).is_err());
        unmark(dir.path()).expect("gone");
        assert_eq!(cut_unsynced(dir.path(), 1).expect("no mark"), 0);
        unmark(dir.path()).expect("nothing to do");
    }
}
