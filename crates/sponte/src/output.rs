//! What a command says: exactly one JSON object on stdout, or words and tables for people.

use crate::failure::Failure;
use crate::show;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use sponte_api::ErrorBody;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the one object is on stdout, of which a process has one.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// Where answers go, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON for programs, or words for people.
    pub const fn new(json: bool) -> Output {
        Output { json }
    }

    /// Whether the answer is JSON.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// The answer of a command; comes once.
    pub fn answer<T: Serialize>(self, value: &T, words: impl FnOnce(&T) -> String) {
        let text = match self.json {
            true => serde_json::to_string(value).expect("answers are plain data with text keys"),
            false => show::harmless(&words(value)),
        };
        ANSWERED.store(true, Ordering::Relaxed);
        write_line(&mut io::stdout().lock(), &text);
    }

    /// A line while a command works: stderr, so that stdout stays the answer's.
    pub fn progress(self, line: &str) {
        write_line(&mut io::stderr().lock(), &show::harmless(line));
    }

    /// The failure of a command: one line on stderr, and with `--json` the error object as the
    /// one object on stdout, unless the answer was: what fails later, as when a node that runs
    /// ends, is told on stderr alone.
    pub fn failure(self, failure: &Failure) {
        if self.json && !ANSWERED.swap(true, Ordering::Relaxed) {
            let body = ErrorBody::from(failure.clone());
            let text = serde_json::to_string(&body).expect("errors are plain data");
            write_line(&mut io::stdout().lock(), &text);
        }
        self.progress(&format!("error: {}", failure.message));
    }
}

/// A reader that went away is no reason to panic, and there is nobody to tell.
fn write_line(to: &mut impl Write, text: &str) {
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A table without lines, one row per line: what is copied out of it stays whole. A name that
/// starts with `>` stands over a column of numbers, aligned to the right.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.trim_start_matches('>').to_uppercase()));
    table.add_rows(rows);
    for (i, name) in header.iter().enumerate() {
        let column = table.column_mut(i).expect("as many columns as names");
        column.set_padding((0, 2));
        if name.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Names and values, one per line, the values in one column.
pub fn pairs<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain() {
        let text = table(&["a", ">b sat"], [vec!["1".into(), "22".into()], vec!["333".into(), "4".into()]]);
        assert_eq!(text, "A    B SAT\n1       22\n333      4");
    }

    #[test]
    fn pairs_align() {
        assert_eq!(pairs([("a", "1".into()), ("bcd", "2".into())]), "a    1\nbcd  2");
    }
}
