//! `sponte wallet`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done};
use crate::output::pairs;
use crate::show;
use crate::values::{self, Coins};
use clap::{Args, Subcommand};
use sponte_api::WalletSendRequest;
use sponte_proto::Sat;

/// Receive and send coins on the chain
#[derive(Args, Debug)]
pub struct WalletArgs {
    #[command(subcommand)]
    command: Option<WalletCommand>,
}

#[derive(Subcommand, Debug)]
enum WalletCommand {
    /// A fresh address to receive coins
    Address,
    /// What the wallet holds (the default)
    Balance,
    /// Send coins to an address
    Send(SendArgs),
}

#[derive(Args, Debug)]
struct SendArgs {
    /// To whom
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// How much, for example 20000sat, or `all`; what anchor channels need stays in the wallet
    #[arg(value_name = "AMOUNT")]
    amount: Coins,
    /// Satoshi per virtual byte, instead of the estimate
    #[arg(long, value_name = "RATE", value_parser = values::fee_rate)]
    fee_rate: Option<Sat>,
}

/// Asks the node.
pub async fn execute(context: &Context, args: WalletArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or(WalletCommand::Balance) {
        WalletCommand::Address => address(context, &node).await,
        WalletCommand::Balance => balance(context, &node).await,
        WalletCommand::Send(args) => send(context, &node, args).await,
    }
}

async fn address(context: &Context, node: &Node<'_>) -> CommandResult {
    let address = node.client.wallet_address().await.map_err(|error| node.failure(error))?;
    context.output.answer(&address, |answer| answer.address.clone());
    Ok(Done::Well)
}

async fn balance(context: &Context, node: &Node<'_>) -> CommandResult {
    let balance = node.client.wallet_balance().await.map_err(|error| node.failure(error))?;
    context.output.answer(&balance, |balance| {
        let amount = |sat: Sat| show::amount(sat.to_msat());
        pairs([
            ("confirmed", amount(balance.confirmed_sat)),
            ("unconfirmed", amount(balance.unconfirmed_sat)),
            ("immature", amount(balance.immature_sat)),
            ("reserved", amount(balance.reserve_sat)),
            ("spendable", amount(balance.spendable_sat)),
        ])
    });
    Ok(Done::Well)
}

async fn send(context: &Context, node: &Node<'_>, args: SendArgs) -> CommandResult {
    let (amount_sat, all) = match args.amount {
        Coins::Amount(amount) => (Some(amount), false),
        Coins::All => (None, true),
    };
    let request =
        WalletSendRequest { address: args.address, amount_sat, all, fee_sat_per_kvb: args.fee_rate };
    let sent = node.client.wallet_send(&request).await.map_err(|error| node.failure(error))?;
    context.output.answer(&sent, |sent| {
        pairs([
            ("sent", show::amount(sent.amount_sat.to_msat())),
            ("fee", show::amount(sent.fee_sat.to_msat())),
            ("transaction", sent.txid.to_string()),
        ])
    });
    Ok(Done::Well)
}
