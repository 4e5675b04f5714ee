//! A wrong command line, told in one line.

use crate::failure::Failure;
use crate::output::Output;
use clap::error::ErrorKind;
use sponte_api::Code;
use std::process::ExitCode;

/// Tells what clap says: help and version as they are, a mistake in one line.
pub fn told(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // A reader that went away is nobody to tell.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Code::Usage.exit_code()));
    }
    // What could not be parsed may still say how it wants to be answered.
    let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    Output::new(json).failure(&Failure::new(Code::Usage, one_line(&error.to_string())));
    ExitCode::from(Code::Usage.exit_code())
}

/// clap writes the mistake, tips, the usage and a pointer to the help, in paragraphs.
fn one_line(text: &str) -> String {
    let mistake = text.strip_prefix("error: ").unwrap_or(text);
    let paragraphs = mistake.split("\n\n").filter(|paragraph| {
        !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
    });
    let words: Vec<&str> = paragraphs.flat_map(str::split_whitespace).collect();
    format!("{}; --help shows how it is written", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn line(args: &[&str]) -> String {
        let error = Cli::try_parse_from(["sponte"].iter().chain(args)).expect_err("wrong");
        one_line(&error.to_string())
    }

    #[test]
    fn a_mistake_is_one_line() {
        let id = format!("02{}", "11".repeat(32));
        for (args, said) in [
            (&["pay", &id, "50"][..], "has no unit"),
            (&["pay", "02", "50sat"], "66 hex digits"),
            (&["pay", &id], "<AMOUNT>"),
            (&["pay", &id, "1sat", "--record", "7=hex:00"], "below 65536"),
            (&["pay", &id, "1sat", "--timeout", "60"], "no unit"),
            (&["--network", "testnet", "info"], "testnet4"),
            (&["paay"], "pay"),
        ] {
            let line = line(args);
            assert!(line.contains(said) && !line.contains('\n') && !line.contains("Usage"), "{line}");
        }
    }
}
