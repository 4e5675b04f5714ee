//! `sponte completions`

use crate::cli::Cli;
use crate::failure::{CommandResult, Done};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;

/// Print completions for a shell
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: Shell,
}

/// Prints the script; it is no JSON, whatever the flags say.
pub fn execute(args: &CompletionsArgs) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sponte", &mut script);
    // A reader that went away is nobody to tell.
    let _ = std::io::stdout().lock().write_all(&script);
    Ok(Done::Well)
}
