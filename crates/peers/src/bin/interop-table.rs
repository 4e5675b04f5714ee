//! Puts what the interop tests have written down into a document: `interop-table RESULTS DOCUMENT DATE`.
//! It fails if a cell does, or if a row is new to it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

const ROWS: [&str; 29] = [
    "keysend",
    "keysend with records, odd and even",
    "keysend to a receiver that has it off",
    "keysend held by LND",
    "keysend held by sponte",
    "1 msat",
    "1 sat",
    "below dust",
    "near the channel's capacity",
    "MPP keysend",
    "MPP keysend, then the fallback",
    "AMP, 1 shard",
    "AMP, 3 shards",
    "AMP, 16 shards",
    "AMP with max_shard_size",
    "AMP with a shard that fails and is sent again",
    "AMP set that never completes",
    "AMP held by sponte",
    "AMP invoice, paid three times",
    "ECDH",
    "BOLT 11",
    "cooperative close with an HTLC pending",
    "forced close with an HTLC pending, settled",
    "forced close by LND with an HTLC pending, settled",
    "forced close with an HTLC pending, timed out",
    "LND restarted mid-payment",
    "LND killed mid-payment",
    "sponte restarted mid-payment",
    "sponte killed mid-payment",
];
const WAYS: [(&str, &str); 4] = [
    ("ToLnd", "sponte → LND"),
    ("FromLnd", "LND → sponte"),
    ("ThroughLnd", "sponte → LND → sponte"),
    ("ThroughSponte", "LND → sponte → LND"),
];
const BEGIN: &str = "<!-- written by interop-table -->\n";
const END: &str = "<!-- end -->\n";

/// What a test has written of one cell.
#[derive(Deserialize)]
struct Cell {
    row: String,
    way: String,
    result: String,
    message: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [results, document, date] = &arguments[..] else {
        eprintln!("usage: interop-table RESULTS DOCUMENT DATE");
        return ExitCode::from(2);
    };
    let cells = read(Path::new(results));
    let table = format!("{}\n{}", versions(date), table(&cells));
    let text = std::fs::read_to_string(document).expect("the document is there");
    let (before, rest) = text.split_once(BEGIN).expect("the document says where the table begins");
    let (_, after) = rest.split_once(END).expect("the document says where the table ends");
    std::fs::write(document, format!("{before}{BEGIN}\n{table}\n{END}{after}")).expect("it can be written");
    let failed: Vec<String> = cells
        .values()
        .filter(|cell| cell.result == "fails")
        .map(|cell| format!("{}, {}", cell.row, cell.way))
        .collect();
    failed.iter().for_each(|cell| eprintln!("fails: {cell}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// By row and way.
fn read(results: &Path) -> BTreeMap<(usize, usize), Cell> {
    let mut cells = BTreeMap::new();
    for entry in std::fs::read_dir(results).expect("tests have written something") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        let cell: Cell =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let row = ROWS.iter().position(|row| *row == cell.row);
        let row = row.unwrap_or_else(|| panic!("no row is called {}", cell.row));
        let way = WAYS.iter().position(|(way, _)| *way == cell.way).expect("one of the ways");
        cells.insert((row, way), cell);
    }
    cells
}

fn table(cells: &BTreeMap<(usize, usize), Cell>) -> String {
    let mut lines = vec!["| |".to_owned(), "|---|".to_owned()];
    for (_, title) in WAYS {
        lines[0] += &format!(" {title} |");
        lines[1] += "---|";
    }
    for (row, title) in ROWS.iter().enumerate() {
        let mut line = format!("| {title} |");
        for way in 0..WAYS.len() {
            let said = cells.get(&(row, way)).map_or(String::new(), |cell| match cell.result.as_str() {
                "passes" => "✓".into(),
                "limit" => format!("LND: {}", cell.message),
                _ => "**fails**".into(),
            });
            line += &format!(" {said} |");
        }
        lines.push(line);
    }
    lines.join("\n") + "\n"
}

fn versions(date: &str) -> String {
    let of = |name, argument| {
        let output = Command::new(sponte_peers::program(name)).arg(argument).output();
        let text = String::from_utf8(output.expect("it runs").stdout).expect("text");
        // LND tells a commit, which what is built from the module proxy does not have.
        text.lines().next().unwrap_or_default().trim_end_matches(" commit=").to_owned()
    };
    let (bitcoind, lnd) = (of("bitcoind", "-version"), of("lnd", "--version"));
    format!("{date}: sponte {}, {lnd}, {bitcoind}.\n", env!("CARGO_PKG_VERSION"))
}
