//! `sponte pay`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Failure};
use crate::pay_options::PayOptions;
use crate::pay_values;
use crate::paying::{self, Order};
use crate::values::{self, NodeAddress};
use clap::Args;
use sponte_api::{Kind, PayRequest};
use sponte_proto::Msat;

/// Pay a node that sent no invoice
///
/// Waits for the end and shows what happens. The timeout ends attempts, not the payment: while
/// an HTLC is pending nobody can say whether it will be paid, and the answer is still_in_flight
/// with exit code 21. Repeat the command with the same --id to learn the end: one key is paid at
/// most once.
#[derive(Args, Debug)]
pub struct PayArgs {
    /// Who is paid; with an address, the node connects to it first
    #[arg(value_name = "NODE ID[@HOST:PORT]")]
    to: NodeAddress,
    /// What it gets: 50sat, 50000msat or 0.5btc
    #[arg(value_name = "AMOUNT")]
    amount: Msat,
    /// How: keysend, mpp-keysend, amp or ecdh [default: keysend if one path carries the amount, else amp
    /// if the destination says that it takes it, else mpp-keysend]
    #[arg(long, value_name = "KIND", value_parser = pay_values::kind)]
    kind: Option<Kind>,
    /// Try another kind once the destination has refused one [default, unless amp is asked for]
    #[arg(long, conflicts_with = "no_fall_back")]
    fall_back: bool,
    /// Try no other kind
    #[arg(long)]
    no_fall_back: bool,
    #[command(flatten)]
    options: PayOptions,
    /// The idempotency key [default: a random one, shown first]
    #[arg(long, value_name = "KEY", value_parser = values::key)]
    id: Option<String>,
}

/// Asks the node to pay, and tells how it ends.
pub async fn execute(context: &Context, args: PayArgs) -> CommandResult {
    args.options.require_room()?;
    let node = context.node()?;
    connect(&node, &args).await?;
    let order = Order::Node(request(&args));
    if args.options.dry_run {
        return paying::quote(context, &node, &order).await;
    }
    paying::pay(context, &node, order, args.options.no_wait).await
}

/// A payment that exists needs no peer to tell what became of it.
async fn connect(node: &Node<'_>, args: &PayArgs) -> Result<(), Failure> {
    let Some(address) = &args.to.address else { return Ok(()) };
    if let Some(key) = &args.id
        && node.payment_of_key(key).await?.is_some()
    {
        return Ok(());
    }
    let connected = node.client.connect_peer(args.to.id, address).await;
    connected.map(|_| ()).map_err(|error| node.failure(error))
}

fn request(args: &PayArgs) -> PayRequest {
    let fall_back = match (args.fall_back, args.no_fall_back) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    PayRequest {
        key: args.id.clone(),
        kind: args.kind,
        fall_back,
        limits: args.options.limits(),
        message: args.options.message.clone(),
        records: args.options.record.clone(),
        ..PayRequest::new(args.to.id, args.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    const NODE: &str = "021111111111111111111111111111111111111111111111111111111111111111";

    fn asked(options: &[&str]) -> PayRequest {
        let args = ["sponte", "pay", NODE, "50sat"].iter().chain(options);
        match Cli::try_parse_from(args).expect("sound").command {
            Command::Pay(args) => request(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_is_left_to_the_node() {
        let mut plain = asked(&[]);
        assert_eq!(plain.limits.timeout_ms.take(), Some(60_000));
        assert_eq!(
            plain,
            PayRequest::new(NODE.parse().expect("a node id"), Msat::from_sat(50).expect("small"))
        );
    }

    #[test]
    fn every_option_reaches_the_request() {
        let hint = format!("{NODE}:1x2x3:1000:20:40");
        let request = asked(&[
            "--kind",
            "ecdh",
            "--no-fall-back",
            "--max-fee",
            "0.5%",
            "--timeout",
            "5s",
            "--max-parts",
            "3",
            "--max-attempts",
            "4",
            "--final-cltv",
            "42",
            "--route-hint",
            &hint,
            "--route-hint",
            &hint,
            "--record",
            "70001=hex:00",
            "-m",
            "hi",
            "--id",
            "k",
        ]);
        assert_eq!((request.kind, request.fall_back), (Some(Kind::Ecdh), Some(false)));
        assert_eq!((request.key.as_deref(), request.message.as_deref()), (Some("k"), Some("hi")));
        let limits = &request.limits;
        assert_eq!(
            (limits.max_fee_msat, limits.max_fee_ppm, limits.timeout_ms),
            (None, Some(5_000), Some(5_000))
        );
        assert_eq!((limits.max_parts, limits.max_attempts, limits.final_cltv), (Some(3), Some(4), Some(42)));
        assert_eq!((limits.route_hints.len(), request.records.len()), (2, 1));
        assert_eq!(asked(&["--fall-back"]).fall_back, Some(true));
        assert_eq!(asked(&["--max-fee", "7sat"]).limits.max_fee_msat, Msat::from_sat(7));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for options in [
            &["--fall-back", "--no-fall-back"][..],
            &["--dry-run", "--no-wait"],
            &["--kind", "bolt11"],
            &["--max-parts", "0"],
            &["--max-parts", "101"],
            &["--max-attempts", "0"],
            &["--final-cltv", "41"],
            &["--final-cltv", "801"],
            &["--route-hint", ""],
        ] {
            let args = ["sponte", "pay", NODE, "50sat"].iter().chain(options);
            assert!(Cli::try_parse_from(args).is_err(), "{options:?}");
        }
    }
}
