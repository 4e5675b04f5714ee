//! Pays any Lightning node that sent no invoice.
//!
//! The command: wiring and words only. One file per command in [`commands`]; what a payment is,
//! how it is decided and what is remembered of it is in the crates below.

mod cli;
mod commands;
mod config;
mod context;
mod data_dir;
mod failure;
mod network;
mod output;
mod pay_progress;
mod payment_view;
mod record_names;
mod seed;
mod settings;
mod show;
mod tree;
mod usage;
mod values;

use clap::Parser;
use cli::{Cli, Command};
use context::Context;
use failure::{CommandResult, Done, Failure};
use output::Output;
use sponte_api::Code;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::told(&error),
    };
    let output = Output::new(cli.global.json);
    let code = match dispatch(cli, output) {
        Ok(Done::Well) => return ExitCode::SUCCESS,
        Ok(Done::Told(code)) => code,
        Err(failure) => {
            output.failure(&failure);
            failure.code
        }
    };
    ExitCode::from(code.exit_code())
}

fn dispatch(cli: Cli, output: Output) -> CommandResult {
    if let Command::Completions(args) = cli.command {
        return commands::completions::execute(&args);
    }
    let context = Context::new(&cli.global, output)?;
    match cli.command {
        Command::Init(args) => commands::init::execute(&context, &args),
        Command::Info => wait_for(commands::info::execute(&context)),
        Command::Pay(args) => wait_for(commands::pay::execute(&context, args)),
        Command::Payments(args) => wait_for(commands::payments::execute(&context, args)),
        Command::Wallet(args) => wait_for(commands::wallet::execute(&context, args)),
        Command::Channel(args) => wait_for(commands::channel::execute(&context, args)),
        Command::Peer(args) => wait_for(commands::peer::execute(&context, args)),
        Command::Audit => wait_for(commands::audit::execute(&context)),
        Command::Completions(_) => unreachable!("answered above, without a folder"),
    }
}

/// Client commands need one thread.
fn wait_for(command: impl Future<Output = CommandResult>) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::new(Code::Internal, format!("cannot start: {why}")))?;
    runtime.block_on(command)
}
