//! What came out of each test, for the table in `docs/interop.md`.

use std::io::Write as _;
use std::path::PathBuf;

/// The columns: who pays whom, over whom.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// sponte to LND, over one channel.
    ToLnd,
    /// LND to sponte, over one channel.
    FromLnd,
    /// sponte to sponte, LND between them.
    ThroughLnd,
    /// LND to LND, sponte between them.
    ThroughSponte,
}

/// One cell. Unless it is told how it went, it is told that it failed.
pub struct Cell {
    row: &'static str,
    way: Way,
    told: bool,
}

impl Cell {
    pub fn new(row: &'static str, way: Way) -> Cell {
        Cell { row, way, told: false }
    }

    /// Everything came out as it must.
    pub fn passes(self) {
        self.tell("passes", "");
    }

    /// LND does not do it, and says so.
    pub fn limit(self, message: &str) {
        self.tell("limit", message);
    }

    fn tell(mut self, result: &str, message: &str) {
        self.told = true;
        self.write(result, message);
    }

    fn write(&self, result: &str, message: &str) {
        let line = serde_json::json!({
            "row": self.row, "way": format!("{:?}", self.way), "result": result, "message": message,
        });
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interop");
        std::fs::create_dir_all(&folder).expect("the folder is ours");
        let name = format!("{}-{:?}.json", self.row.replace(|c: char| !c.is_alphanumeric(), "-"), self.way);
        let mut file = std::fs::File::create(folder.join(name)).expect("the folder is ours");
        writeln!(file, "{line}").expect("the folder is ours");
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if !self.told {
            self.write("fails", "");
        }
    }
}
