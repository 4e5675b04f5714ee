//! `sponte held`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::output::table;
use crate::{payment_view, show};
use clap::{Args, Subcommand};
use sponte_api::{Code, Held, HeldPage, PageQuery};
use sponte_proto::PaymentId;
use std::time::Duration;

/// Decide on payments to this node that are held
///
/// Which payments are held is said by `[receive]` in sponte.toml, or by `sponte receive set`. One that
/// nobody decides on is canceled by itself, in time for its HTLCs to be given back.
#[derive(Args, Debug)]
pub struct HeldArgs {
    #[command(subcommand)]
    command: Option<HeldCommand>,
}

#[derive(Subcommand, Debug)]
enum HeldCommand {
    /// List held payments, newest first (the default)
    List(PageArgs),
    /// Take a payment: its money is this node's
    Settle {
        /// The payment's id in the list
        #[arg(value_name = "PAYMENT ID")]
        id: PaymentId,
    },
    /// Give a payment back: its sender hears as of an unknown payment
    Cancel {
        /// The payment's id in the list
        #[arg(value_name = "PAYMENT ID")]
        id: PaymentId,
    },
}

/// A page of a list.
#[derive(Args, Debug, Default)]
pub struct PageArgs {
    /// How many at most
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Go on where an earlier list ended: its last line says how
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
}

impl PageArgs {
    /// As the API has it.
    pub fn query(self) -> PageQuery {
        PageQuery { before: self.before, limit: self.limit }
    }
}

/// Asks the node.
pub async fn execute(context: &Context, args: HeldArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or_else(|| HeldCommand::List(PageArgs::default())) {
        HeldCommand::List(page) => {
            let held = node.client.held(&page.query()).await.map_err(|error| node.failure(error))?;
            context.output.answer(&held, words);
        }
        HeldCommand::Settle { id } => decide(context, &node, id, true).await?,
        HeldCommand::Cancel { id } => decide(context, &node, id, false).await?,
    }
    Ok(Done::Well)
}

async fn decide(context: &Context, node: &Node<'_>, id: PaymentId, settle: bool) -> Result<(), Failure> {
    let detail = node.client.decide(id, settle).await.map_err(|error| match error.code() {
        Code::NotFound => Failure::new(
            Code::NotFound,
            format!(
                "no payment has this id; `sponte held list{}` shows those that are held",
                context.flags()
            ),
        ),
        _ => node.failure(error),
    })?;
    context.output.answer(&detail, |detail| payment_view::tree(detail).render());
    Ok(())
}

fn words(page: &HeldPage) -> String {
    if page.held.is_empty() {
        return "no payment is held".into();
    }
    let header = ["since (UTC)", "kind", ">amount", ">minutes left", ">blocks left", "message", "payment id"];
    let mut text = table(&header, page.held.iter().map(row));
    if let Some(next) = &page.next {
        text.push_str(&format!("\n\nolder ones: --before {next}"));
    }
    text
}

fn row(held: &Held) -> Vec<String> {
    let Held { payment, left_ms, left_blocks } = held;
    vec![
        show::time(payment.created_at_ms),
        payment.kind.to_string(),
        show::amount(payment.amount_msat),
        (Duration::from_millis(*left_ms).as_secs() / 60).to_string(),
        left_blocks.map_or_else(|| "-".into(), |blocks| blocks.to_string()),
        show::message(payment.message()),
        payment.id.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_view::examples;
    use sponte_proto::Timestamp;

    #[test]
    fn a_deadline_is_told_in_minutes_and_blocks() {
        let held = Held { payment: examples::outgoing().payment, left_ms: 179_000, left_blocks: Some(7) };
        let now_ms = Timestamp::from_millis(0);
        let page = HeldPage { height: 100, now_ms, held: vec![held], next: Some("c".into()) };
        let text = words(&page);
        let line = text.lines().nth(1).expect("a row");
        assert!(line.contains("  2  ") && line.contains("  7  "), "{text}");
        assert!(text.ends_with("--before c"));
        assert_eq!(words(&HeldPage { held: vec![], ..page }), "no payment is held");
    }
}
