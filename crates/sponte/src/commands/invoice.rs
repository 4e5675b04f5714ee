//! `sponte invoice`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::values;
use clap::{Args, Subcommand};
use sponte_api::NewInvoice;
use sponte_proto::Msat;
use std::time::Duration;

/// Make invoices that any payer can pay, once
///
/// The node keeps no list of them: the payment of one is in `sponte payments list` once it comes, of kind
/// bolt11.
#[derive(Args, Debug)]
pub struct InvoiceArgs {
    #[command(subcommand)]
    command: InvoiceCommand,
}

#[derive(Subcommand, Debug)]
enum InvoiceCommand {
    /// Make an invoice
    Create(CreateArgs),
}

#[derive(Args, Debug)]
struct CreateArgs {
    /// The least that the payment must be worth [default: any amount]
    amount: Option<Msat>,
    /// For the payer, at most 639 bytes
    #[arg(long, short = 'd', value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// For how long it can be paid: 90m, 12h, 30d. A payer who is late may still succeed for two hours
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = values::expiry)]
    expiry: Duration,
}

/// Asks the node.
pub async fn execute(context: &Context, args: InvoiceArgs) -> CommandResult {
    let node = context.node()?;
    let InvoiceCommand::Create(args) = args.command;
    create(context, &node, args).await?;
    Ok(Done::Well)
}

async fn create(context: &Context, node: &Node<'_>, args: CreateArgs) -> Result<(), Failure> {
    let new = NewInvoice {
        amount_msat: args.amount,
        description: args.description,
        expiry_seconds: Some(args.expiry.as_secs()),
    };
    let made = node.client.create_invoice(&new).await.map_err(|error| node.failure(error))?;
    // The invoice alone, so that it can be piped to a payer.
    context.output.answer(&made, |made| made.bolt11.clone());
    Ok(())
}
