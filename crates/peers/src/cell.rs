//! What came out of each interop test, for the table in `docs/interop.md`.

use std::path::{Path, PathBuf};

/// The columns: who pays whom, over whom.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// sponte to LND.
    ToLnd,
    /// LND to sponte.
    FromLnd,
    /// sponte to sponte, LND between them.
    ThroughLnd,
    /// LND to LND, sponte between them.
    ThroughSponte,
}

/// One cell. Unless it is told how it went, it is told that it fails.
pub struct Cell {
    folder: PathBuf,
    row: &'static str,
    way: Way,
    told: bool,
}

impl Cell {
    /// A cell of a row, to be written below the folder for what tests leave behind (`CARGO_TARGET_TMPDIR`).
    pub fn new(folder: &str, row: &'static str, way: Way) -> Cell {
        Cell { folder: Path::new(folder).join("interop"), row, way, told: false }
    }

    /// Everything came out as it must.
    pub fn passes(self) {
        self.tell("passes", "");
    }

    /// The other side does not do it, and says so.
    pub fn limit(self, message: &str) {
        self.tell("limit", message);
    }

    fn tell(mut self, result: &str, message: &str) {
        self.told = true;
        self.write(result, message);
    }

    fn write(&self, result: &str, message: &str) {
        let way = format!("{:?}", self.way);
        let line = serde_json::json!({ "row": self.row, "way": way, "result": result, "message": message });
        std::fs::create_dir_all(&self.folder).expect("the folder is ours");
        let name = self.row.replace(|letter: char| !letter.is_alphanumeric(), "-");
        let file = self.folder.join(format!("{name}-{way}.json"));
        std::fs::write(file, line.to_string()).expect("the folder is ours");
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if !self.told {
            self.write("fails", "");
        }
    }
}
