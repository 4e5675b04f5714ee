//! `sponte pay-invoice`

use crate::context::Context;
use crate::failure::CommandResult;
use crate::pay_options::PayOptions;
use crate::paying::{self, Order};
use crate::{show, values};
use clap::Args;
use sponte_api::{Invoice, Kind, PayInvoiceRequest};
use sponte_proto::Msat;

/// Pay an invoice (BOLT 11), or an AMP invoice or an offer (BOLT 12) any number of times
///
/// An ordinary invoice is paid at most once, however often the command is repeated: its key is made of
/// its hash. An AMP invoice, as LND and `sponte amp-invoice` make them, and an offer (`lno1...`) are paid
/// once more each time, unless --id says that it is the same payment. The issuer of an offer is asked for an
/// invoice first. Waits for the end as `sponte pay` does.
#[derive(Args, Debug)]
pub struct PayInvoiceArgs {
    /// The invoice or the offer, with or without `lightning:` in front
    #[arg(value_name = "INVOICE")]
    invoice: String,
    /// How much, if the invoice does not say: 50sat, 50000msat or 0.5btc; of an offer, no less than it asks for
    #[arg(value_name = "AMOUNT")]
    amount: Option<Msat>,
    #[command(flatten)]
    options: PayOptions,
    /// The idempotency key [default: bolt11: and the invoice's hash; for an AMP invoice or an offer a random
    /// one, shown first]
    #[arg(long, value_name = "KEY", value_parser = values::key)]
    id: Option<String>,
    /// Of an offer: how many of what it offers, if it asks for that
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    quantity: Option<u32>,
    /// Of an offer: what its issuer is told with the payment
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Asks the node to pay, and tells how it ends.
pub async fn execute(context: &Context, args: PayInvoiceArgs) -> CommandResult {
    args.options.require_room()?;
    let node = context.node()?;
    let invoice = node.client.read_invoice(&args.invoice).await.map_err(|error| node.failure(error))?;
    let order = Order::Invoice(request(&args, &invoice));
    if args.options.dry_run {
        return paying::quote(context, &node, &order).await;
    }
    context.output.progress(&headline(&invoice));
    paying::pay(context, &node, order, args.options.no_wait).await
}

fn request(args: &PayInvoiceArgs, invoice: &Invoice) -> PayInvoiceRequest {
    PayInvoiceRequest {
        amount_msat: args.amount,
        key: args.id.clone().or_else(|| invoice.key.clone()),
        limits: args.options.limits(),
        message: args.options.message.clone(),
        records: args.options.record.clone(),
        quantity: args.quantity,
        note: args.note.clone(),
        ..PayInvoiceRequest::new(&args.invoice)
    }
}

/// Who wants how much for what, before it is paid.
fn headline(invoice: &Invoice) -> String {
    let amount = invoice.amount_msat.map_or_else(|| "any amount".into(), show::amount);
    let (what, over) = match (invoice.kind, invoice.amount_msat) {
        (Kind::Bolt12, Some(_)) => ("offer", "for at least"),
        (Kind::Bolt12, None) => ("offer", "for"),
        _ => ("invoice", "over"),
    };
    let text = show::message(Some(&invoice.description));
    let purpose = if text.is_empty() { String::new() } else { format!(": {text}") };
    format!("{what} of {} {over} {amount}{purpose}", show::short(&invoice.destination.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use sponte_proto::Timestamp;

    fn invoice() -> Invoice {
        Invoice {
            kind: Kind::AmpInvoice,
            destination: format!("02{}", "11".repeat(32)).parse().expect("a node id"),
            amount_msat: Msat::from_sat(60),
            hash: None,
            key: None,
            description: "soup".into(),
            in_parts: true,
            asks_quantity: false,
            min_final_cltv: Some(80),
            created_at_ms: Some(Timestamp::from_millis(1)),
            expires_at_ms: Some(Timestamp::from_millis(2)),
        }
    }

    fn asked(options: &[&str], invoice: &Invoice) -> PayInvoiceRequest {
        let args = ["sponte", "pay-invoice", "lnbc1"].iter().chain(options);
        match Cli::try_parse_from(args).expect("sound").command {
            Command::PayInvoice(args) => request(&args, invoice),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_an_ordinary_invoice_has_a_key_of_its_own() {
        assert_eq!(asked(&[], &invoice()).key, None);
        let once = Invoice { key: Some("bolt11:ab".into()), ..invoice() };
        assert_eq!(asked(&[], &once).key.as_deref(), Some("bolt11:ab"));
        let keyed = asked(&["7sat", "--id", "k", "--max-fee", "1sat"], &once);
        assert_eq!((keyed.key.as_deref(), keyed.amount_msat), (Some("k"), Msat::from_sat(7)));
        assert_eq!((keyed.invoice.as_str(), keyed.limits.max_fee_msat), ("lnbc1", Msat::from_sat(1)));
    }

    #[test]
    fn every_option_reaches_the_request() {
        let plain = asked(&[], &invoice());
        let limits = sponte_api::Limits { timeout_ms: Some(60_000), ..Default::default() };
        assert_eq!(plain, PayInvoiceRequest { limits, ..PayInvoiceRequest::new("lnbc1") });

        let full = asked(
            &["-m", "hi", "--record", "70001=hex:00", "--max-attempts", "4", "--max-parts", "3"],
            &invoice(),
        );
        assert_eq!((full.message.as_deref(), full.records.len()), (Some("hi"), 1));
        assert_eq!((full.limits.max_attempts, full.limits.max_parts), (Some(4), Some(3)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for options in [
            &["--dry-run", "--no-wait"][..],
            &["7"],
            &["--kind", "keysend"],
            &["--id", ""],
            &["--max-attempts", "0"],
            &["7sat", "8sat"],
        ] {
            let args = ["sponte", "pay-invoice", "lnbc1"].iter().chain(options);
            assert!(Cli::try_parse_from(args).is_err(), "{options:?}");
        }
        assert!(Cli::try_parse_from(["sponte", "pay-invoice"]).is_err(), "no invoice");
    }

    #[test]
    fn an_invoice_is_told_before_it_is_paid() {
        assert_eq!(headline(&invoice()), "invoice of 02111111…1111 over 60 sat: soup");
        let any = Invoice { amount_msat: None, description: String::new(), ..invoice() };
        assert_eq!(headline(&any), "invoice of 02111111…1111 over any amount");
        let offer = Invoice { kind: Kind::Bolt12, ..invoice() };
        assert_eq!(headline(&offer), "offer of 02111111…1111 for at least 60 sat: soup");
    }
}
