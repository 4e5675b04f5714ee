//! The command line as a whole: what is common to all commands, and their list.

use crate::commands;
use crate::network::Network;
use clap::{Args, Parser, Subcommand};
use sponte_api::Code;
use std::path::PathBuf;

/// Pays any Lightning node that sent no invoice.
#[derive(Parser, Debug)]
#[command(name = "sponte", version, max_term_width = 100, after_long_help = exit_codes())]
pub struct Cli {
    /// What is common to all commands.
    #[command(flatten)]
    pub global: Global,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// What is common to all commands.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// The node's folder [default: sponte/NETWORK in the platform's data directory]
    #[arg(long, global = true, env = "SPONTE_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The chain [default: what the folder's sponte.toml says, else signet]
    #[arg(long, global = true, env = "SPONTE_NETWORK", value_name = "NETWORK")]
    pub network: Option<Network>,
    /// Answer with exactly one JSON object on stdout, also when something goes wrong
    #[arg(long, global = true)]
    pub json: bool,
}

/// All commands; what help says of one stands at its arguments.
#[derive(Subcommand, Debug)]
pub enum Command {
    Init(commands::init::InitArgs),
    Run(Box<commands::run::RunArgs>),
    Chain(commands::chain::ChainArgs),
    /// Show the node as it stands, and what its owner should know
    Info,
    Pay(Box<commands::pay::PayArgs>),
    PayInvoice(Box<commands::pay_invoice::PayInvoiceArgs>),
    Payments(commands::payments::PaymentsArgs),
    Receive(commands::receive::ReceiveArgs),
    Held(commands::held::HeldArgs),
    Invoice(commands::invoice::InvoiceArgs),
    AmpInvoice(commands::amp_invoice::AmpInvoiceArgs),
    Wallet(commands::wallet::WalletArgs),
    Channel(commands::channel::ChannelArgs),
    Peer(commands::peer::PeerArgs),
    /// Check the books against the channels, and the ledger against itself
    Audit,
    Demo(commands::demo::DemoArgs),
    Completions(commands::completions::CompletionsArgs),
}

/// The table of the exit codes, for `sponte --help`.
fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n   0  it is done\n");
    for code in Code::ALL {
        text.push_str(&format!("  {:2}  {}: {}\n", code.exit_code(), code, code.meaning()));
    }
    text.push_str(
        "\nWith --json the answer, or {\"error\":{\"code\",\"message\"}}, is the one object on stdout;\n\
         a failure is one line on stderr as well. What ends `run` or `chain` after their answer is\n\
         on stderr alone, and `completions` prints its script.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_every_code() {
        let help = Cli::command().render_long_help().to_string();
        for code in Code::ALL {
            assert!(help.contains(&format!("{code}: ")), "{code}");
        }
    }
}
