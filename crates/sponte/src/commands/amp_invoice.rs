//! `sponte amp-invoice`

use crate::commands::held::PageArgs;
use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::output::{pairs, table};
use crate::{show, values};
use clap::{Args, Subcommand};
use sponte_api::{AmpInvoice, AmpInvoiceDetail, AmpInvoices, ClientError, Code, NewAmpInvoice};
use sponte_proto::Msat;
use std::time::Duration;

/// Make invoices that can be paid any number of times, by AMP
///
/// Only payers that know AMP can pay them, LND's for example. Each payment is one of `sponte payments
/// list`, of kind amp-invoice.
#[derive(Args, Debug)]
pub struct AmpInvoiceArgs {
    #[command(subcommand)]
    command: Option<AmpInvoiceCommand>,
}

#[derive(Subcommand, Debug)]
enum AmpInvoiceCommand {
    /// Make an invoice
    Create(CreateArgs),
    /// List invoices, newest first (the default)
    List(PageArgs),
    /// Show an invoice with its payments
    Show {
        /// Its payment address in the list
        #[arg(value_name = "PAYMENT ADDRESS", value_parser = values::payment_addr)]
        invoice: String,
    },
    /// Make an invoice unpayable for good
    Cancel {
        /// Its payment address in the list
        #[arg(value_name = "PAYMENT ADDRESS", value_parser = values::payment_addr)]
        invoice: String,
    },
}

#[derive(Args, Debug)]
struct CreateArgs {
    /// The least that each payment must be worth [default: any amount]
    amount: Option<Msat>,
    /// For the payer, at most 639 bytes
    #[arg(long, short = 'd', value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// For how long it can be paid: 90m, 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = values::expiry)]
    expiry: Duration,
}

/// Asks the node.
pub async fn execute(context: &Context, args: AmpInvoiceArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or_else(|| AmpInvoiceCommand::List(PageArgs::default())) {
        AmpInvoiceCommand::Create(args) => create(context, &node, args).await?,
        AmpInvoiceCommand::List(page) => {
            let page = node.client.amp_invoices(&page.query()).await.map_err(|error| node.failure(error))?;
            context.output.answer(&page, words);
        }
        AmpInvoiceCommand::Show { invoice } => {
            let detail = node.client.amp_invoice(&invoice).await;
            let detail = detail.map_err(|error| failure(context, &node, error))?;
            context.output.answer(&detail, shown);
        }
        AmpInvoiceCommand::Cancel { invoice } => {
            let done = node.client.cancel_amp_invoice(&invoice).await;
            let done = done.map_err(|error| failure(context, &node, error))?;
            context.output.answer(&done, |_| "nobody can pay it any more; what was paid stays".into());
        }
    }
    Ok(Done::Well)
}

async fn create(context: &Context, node: &Node<'_>, args: CreateArgs) -> Result<(), Failure> {
    let new = NewAmpInvoice {
        amount_msat: args.amount,
        description: args.description,
        expiry_seconds: Some(args.expiry.as_secs()),
    };
    let invoice = node.client.create_amp_invoice(&new).await.map_err(|error| node.failure(error))?;
    // The invoice alone, so that it can be piped to a payer.
    context.output.answer(&invoice, |invoice| invoice.bolt11.clone());
    Ok(())
}

fn failure(context: &Context, node: &Node<'_>, error: ClientError) -> Failure {
    match error.code() {
        Code::NotFound => Failure::new(
            Code::NotFound,
            format!(
                "no invoice has this payment address; `sponte amp-invoice list{}` shows those that there are",
                context.flags()
            ),
        ),
        _ => node.failure(error),
    }
}

fn amount(invoice: &AmpInvoice) -> String {
    invoice.amount_msat.map_or_else(|| "any".into(), show::amount)
}

fn words(page: &AmpInvoices) -> String {
    if page.amp_invoices.is_empty() {
        return "no AMP invoices; make one with `sponte amp-invoice create`".into();
    }
    let header = ["made (UTC)", "state", ">at least", ">paid", ">received", "description", "payment address"];
    let rows = page.amp_invoices.iter().map(|invoice| {
        vec![
            show::time(invoice.created_at_ms),
            invoice.state.to_string(),
            amount(invoice),
            invoice.payment_count.to_string(),
            show::amount(invoice.received_msat),
            show::message(Some(&invoice.description)),
            invoice.payment_addr.clone(),
        ]
    });
    let mut text = table(&header, rows);
    if let Some(next) = &page.next {
        text.push_str(&format!("\n\nolder ones: --before {next}"));
    }
    text
}

fn shown(detail: &AmpInvoiceDetail) -> String {
    let invoice = &detail.invoice;
    let mut text = pairs([
        ("invoice", invoice.bolt11.clone()),
        ("payment address", invoice.payment_addr.clone()),
        ("state", format!("{}, until {} UTC", invoice.state, show::time(invoice.expires_at_ms))),
        ("at least", amount(invoice)),
        ("description", invoice.description.clone()),
        (
            "received",
            format!("{} in {} payments", show::amount(invoice.received_msat), invoice.payment_count),
        ),
    ]);
    if detail.payments.is_empty() {
        return text;
    }
    let rows = detail.payments.iter().map(|payment| {
        vec![
            show::time(payment.created_at_ms),
            payment.state.to_string(),
            show::amount(payment.amount_msat),
            payment.id.to_string(),
        ]
    });
    text.push_str("\n\n");
    text.push_str(&table(&["time (UTC)", "state", ">amount", "payment id"], rows));
    text
}
