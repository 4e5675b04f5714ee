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
mod interrupt;
mod logging;
mod network;
mod node_start;
mod output;
mod pay_options;
mod pay_progress;
mod pay_values;
mod paying;
mod payment_view;
mod quote_view;
mod receive_settings;
mod record_names;
mod seed;
mod settings;
mod show;
mod stop;
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
    // These need no folder.
    let command = match cli.command {
        Command::Completions(args) => return commands::completions::execute(&args),
        Command::Chain(args) => return live(commands::chain::execute(output, args)),
        Command::Demo(args) => return wait_for(commands::demo::execute(output, &args)),
        command => command,
    };
    let context = Context::new(&cli.global, output)?;
    match command {
        Command::Run(args) => live(commands::run::execute(context, *args)),
        Command::Init(args) => commands::init::execute(&context, &args),
        Command::Info => wait_for(commands::info::execute(&context)),
        Command::Pay(args) => wait_for(commands::pay::execute(&context, *args)),
        Command::PayInvoice(args) => wait_for(commands::pay_invoice::execute(&context, *args)),
        Command::Payments(args) => wait_for(commands::payments::execute(&context, args)),
        Command::Receive(args) => wait_for(commands::receive::execute(&context, args)),
        Command::Held(args) => wait_for(commands::held::execute(&context, args)),
        Command::Invoice(args) => wait_for(commands::invoice::execute(&context, args)),
        Command::AmpInvoice(args) => wait_for(commands::amp_invoice::execute(&context, args)),
        Command::Wallet(args) => wait_for(commands::wallet::execute(&context, args)),
        Command::Channel(args) => wait_for(commands::channel::execute(&context, args)),
        Command::Peer(args) => wait_for(commands::peer::execute(&context, args)),
        Command::Audit => wait_for(commands::audit::execute(&context)),
        Command::Completions(_) | Command::Chain(_) | Command::Demo(_) => {
            unreachable!("answered above, without a folder")
        }
    }
}

/// Commands that serve others need all cores. Threads that still wait for something when the
/// command is done are not waited for: nothing of theirs is of use any more.
fn live(command: impl Future<Output = CommandResult>) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::new(Code::Internal, format!("cannot start: {why}")))?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

/// Client commands need one thread.
fn wait_for(command: impl Future<Output = CommandResult>) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Failure::new(Code::Internal, format!("cannot start: {why}")))?;
    runtime.block_on(command)
}
