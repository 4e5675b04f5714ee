//! `sponte payments`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::output::table;
use crate::{payment_view, show};
use clap::{Args, Subcommand};
use sponte_api::{ClientError, Code, Direction, Payment, PaymentDetail, Payments, PaymentsQuery, State};
use sponte_proto::PaymentId;
use std::time::Duration;

/// List payments, show one, or end its attempts
#[derive(Args, Debug)]
pub struct PaymentsArgs {
    #[command(subcommand)]
    command: Option<PaymentsCommand>,
}

#[derive(Subcommand, Debug)]
enum PaymentsCommand {
    /// List payments, newest first (the default)
    List(ListArgs),
    /// Show a payment with its attempts, parts and records
    Show(OneArgs),
    /// Make no further attempt of a payment from this node; what is on its way may still be paid
    Cancel(OneArgs),
}

#[derive(Args, Debug, Default)]
struct ListArgs {
    /// Only those to this node (in) or from it (out)
    #[arg(long, value_name = "in|out")]
    direction: Option<Direction>,
    /// Only those in this state
    #[arg(long, value_name = "pending|held|settled|failed|canceled")]
    state: Option<State>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Go on where an earlier list ended: its last line says how
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
}

#[derive(Args, Debug)]
struct OneArgs {
    /// The payment's id in the list
    #[arg(value_name = "PAYMENT ID", required_unless_present = "key")]
    id: Option<PaymentId>,
    /// Its idempotency key, instead of its id
    #[arg(long, value_name = "KEY", conflicts_with = "id")]
    key: Option<String>,
}

/// Asks the node.
pub async fn execute(context: &Context, args: PaymentsArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or_else(|| PaymentsCommand::List(ListArgs::default())) {
        PaymentsCommand::List(args) => list(context, &node, args).await,
        PaymentsCommand::Show(args) => show_one(context, &node, args).await,
        PaymentsCommand::Cancel(args) => cancel(context, &node, args).await,
    }
}

async fn list(context: &Context, node: &Node<'_>, args: ListArgs) -> CommandResult {
    let query = PaymentsQuery {
        direction: args.direction,
        state: args.state,
        key: None,
        before: args.before,
        limit: args.limit,
    };
    let payments = node.client.payments(&query).await.map_err(|error| node.failure(error))?;
    context.output.answer(&payments, words);
    Ok(Done::Well)
}

async fn show_one(context: &Context, node: &Node<'_>, args: OneArgs) -> CommandResult {
    let id = id(context, node, args).await?;
    let detail = node.client.payment(id, Duration::ZERO).await;
    tell(context, node, detail)
}

async fn cancel(context: &Context, node: &Node<'_>, args: OneArgs) -> CommandResult {
    let id = id(context, node, args).await?;
    tell(context, node, node.client.cancel_payment(id).await)
}

fn tell(context: &Context, node: &Node<'_>, answer: Result<PaymentDetail, ClientError>) -> CommandResult {
    let detail = answer.map_err(|error| match error.code() {
        Code::NotFound => unknown(context, "id"),
        _ => node.failure(error),
    })?;
    context.output.answer(&detail, |detail| payment_view::tree(detail).render());
    Ok(Done::Well)
}

async fn id(context: &Context, node: &Node<'_>, args: OneArgs) -> Result<PaymentId, Failure> {
    match (args.id, args.key) {
        (Some(id), _) => Ok(id),
        (None, key) => of_key(context, node, key.expect("clap asks for one of them")).await,
    }
}

async fn of_key(context: &Context, node: &Node<'_>, key: String) -> Result<PaymentId, Failure> {
    let found = node.payment_of_key(&key).await?;
    found.map(|payment| payment.id).ok_or_else(|| unknown(context, "key"))
}

fn unknown(context: &Context, name: &str) -> Failure {
    let flags = context.flags();
    Failure::new(
        Code::NotFound,
        format!("no payment has this {name}; `sponte payments list{flags}` shows those that there are"),
    )
}

fn words(payments: &Payments) -> String {
    if payments.payments.is_empty() {
        return "no payments".into();
    }
    let header = ["time (UTC)", "way", "kind", "state", ">amount", ">fee", "message", "payment id"];
    let mut text = table(&header, payments.payments.iter().map(row));
    if let Some(next) = &payments.next {
        text.push_str(&format!("\n\nolder ones: --before {next}"));
    }
    text
}

fn row(payment: &Payment) -> Vec<String> {
    vec![
        show::time(payment.created_at_ms),
        payment.direction.to_string(),
        payment.kind.to_string(),
        payment.state.to_string(),
        show::amount(payment.amount_msat),
        show::amount(payment.fee_msat),
        show::message(payment.message()),
        payment.id.to_string(),
    ]
}
