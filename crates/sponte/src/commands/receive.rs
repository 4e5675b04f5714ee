//! `sponte receive`

use crate::commands::held::PageArgs;
use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::output::{pairs, table};
use crate::show;
use crate::values::{self, HoldValue};
use clap::{Args, Subcommand};
use sponte_api::{Code, Hold, Receive, ReceiveKind, ReceivePolicy, RefusedPage, Short};
use sponte_proto::Msat;

/// Say which payments to this node are taken and held, and see what was refused
#[derive(Args, Debug)]
pub struct ReceiveArgs {
    #[command(subcommand)]
    command: Option<ReceiveCommand>,
}

#[derive(Subcommand, Debug)]
enum ReceiveCommand {
    /// Show which payments are taken and held (the default)
    Show,
    /// Take and hold others from now on, also after a restart; what is not named stays
    Set(SetArgs),
    /// Go back to what sponte.toml says
    Reset,
    /// Show what was refused, by hour, channel and reason
    Refused(PageArgs),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct SetArgs {
    /// The kinds that are on, all others are off: keysend, mpp-keysend, amp, amp-invoice, ecdh1, ecdh0
    #[arg(long, value_name = "KIND,..", value_delimiter = ',')]
    kinds: Option<Vec<ReceiveKind>>,
    /// The smallest payment; `sponte invoice` says the amount of its own
    #[arg(long, value_name = "AMOUNT")]
    min: Option<Msat>,
    /// The largest payment, or `any`
    #[arg(long, value_name = "AMOUNT|any", value_parser = values::amount_or_any)]
    max: Option<values::AmountOrAny>,
    /// The most bytes of custom records
    #[arg(long, value_name = "BYTES")]
    max_records_bytes: Option<u32>,
    /// Which payments are held: none, all, those from an AMOUNT on, or those with a record of a TYPE
    #[arg(long, value_name = "none|all|AMOUNT|TYPE,..")]
    hold: Option<HoldValue>,
    /// After so many minutes a held payment is canceled
    #[arg(long, value_name = "MINUTES")]
    hold_minutes: Option<u32>,
    /// A payment is held only if so many blocks are left for the decision
    #[arg(long, value_name = "BLOCKS")]
    hold_blocks: Option<u32>,
    /// What becomes of one that leaves fewer
    #[arg(long, value_name = "accept|refuse")]
    hold_short: Option<Short>,
}

/// Asks the node.
pub async fn execute(context: &Context, args: ReceiveArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or(ReceiveCommand::Show) {
        ReceiveCommand::Show => {
            let policy = current(&node).await?;
            context.output.answer(&policy, words);
        }
        ReceiveCommand::Set(args) => {
            let receive = changed(current(&node).await?.receive, args)?;
            let policy = node.client.set_receive(&receive).await.map_err(|error| node.failure(error))?;
            context.output.answer(&policy, words);
        }
        ReceiveCommand::Reset => {
            let policy = node.client.reset_receive().await.map_err(|error| node.failure(error))?;
            context.output.answer(&policy, words);
        }
        ReceiveCommand::Refused(page) => {
            let page = node.client.refused(&page.query()).await.map_err(|error| node.failure(error))?;
            context.output.answer(&page, refused);
        }
    }
    Ok(Done::Well)
}

async fn current(node: &Node<'_>) -> Result<ReceivePolicy, Failure> {
    node.client.receive().await.map_err(|error| node.failure(error))
}

fn changed(mut receive: Receive, args: SetArgs) -> Result<Receive, Failure> {
    if args.kinds.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::new(Code::Usage, "name at least one kind, or hold all"));
    }
    fn put<T>(to: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *to = value;
        }
    }
    put(&mut receive.kinds, args.kinds);
    put(&mut receive.min_msat, args.min);
    put(&mut receive.max_msat, args.max.map(|max| max.0));
    put(&mut receive.max_records_bytes, args.max_records_bytes);
    put(&mut receive.hold, args.hold.map(|hold| hold.0));
    put(&mut receive.hold_minutes, args.hold_minutes);
    put(&mut receive.hold_blocks, args.hold_blocks);
    put(&mut receive.hold_short, args.hold_short);
    Ok(receive)
}

fn words(policy: &ReceivePolicy) -> String {
    let receive = &policy.receive;
    let kinds: Vec<_> = receive.kinds.iter().map(|kind| kind.as_str()).collect();
    let held = match &receive.hold {
        Hold::None => "none".into(),
        Hold::All => "all".into(),
        Hold::From(least) => format!("those of at least {}", show::amount(*least)),
        Hold::Records(types) => {
            let types: Vec<_> = types.iter().map(u64::to_string).collect();
            format!("those with a record of type {}", types.join(" or "))
        }
    };
    pairs([
        ("kinds", if kinds.is_empty() { "none".into() } else { kinds.join(", ") }),
        ("smallest", show::amount(receive.min_msat)),
        ("largest", receive.max_msat.map_or_else(|| "any".into(), show::amount)),
        ("records", format!("at most {} bytes", receive.max_records_bytes)),
        ("held", held),
        ("held for", format!("{} minutes", receive.hold_minutes)),
        ("held if", format!("{} blocks are left, else: {}", receive.hold_blocks, receive.hold_short)),
        (
            "set by",
            match policy.replaced {
                true => "`sponte receive set`, before sponte.toml".into(),
                false => "sponte.toml, or the defaults".into(),
            },
        ),
    ])
}

fn refused(page: &RefusedPage) -> String {
    if page.refused.is_empty() {
        return "nothing was refused".into();
    }
    let header = ["hour (UTC)", "reason", ">HTLCs", ">amount", "channel"];
    let rows = page.refused.iter().map(|row| {
        vec![
            show::time(row.hour_ms),
            row.reason.clone(),
            show::grouped(row.count),
            show::amount(row.amount_msat),
            row.channel.to_string(),
        ]
    });
    let mut text = table(&header, rows);
    if let Some(next) = &page.next {
        text.push_str(&format!("\n\nolder ones: --before {next}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn policy() -> Receive {
        Receive {
            kinds: vec![ReceiveKind::Keysend],
            min_msat: Msat::ZERO,
            max_msat: None,
            max_records_bytes: 1_300,
            hold: Hold::None,
            hold_minutes: 60,
            hold_blocks: 12,
            hold_short: Short::Refuse,
        }
    }

    fn set(flags: &[&str]) -> Result<Receive, String> {
        let words = ["sponte", "receive", "set"].iter().chain(flags);
        let cli = Cli::try_parse_from(words).map_err(|why| why.to_string())?;
        match cli.command {
            Command::Receive(ReceiveArgs { command: Some(ReceiveCommand::Set(args)) }) => {
                changed(policy(), args).map_err(|why| why.message)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_named_changes_and_nothing_else() {
        let sat = |sat| Msat::from_sat(sat).expect("small");
        let changed = set(&["--kinds", "amp,ecdh1", "--hold", "50sat"]).expect("sound");
        let kinds = vec![ReceiveKind::Amp, ReceiveKind::Ecdh1];
        assert_eq!(changed, Receive { kinds, hold: Hold::From(sat(50)), ..policy() });
        let changed = set(&["--max", "7sat", "--hold", "696969,7"]).expect("sound");
        let hold = Hold::Records([696_969, 7].into());
        assert_eq!(changed, Receive { max_msat: Some(sat(7)), hold, ..policy() });
        assert_eq!(set(&["--max", "any", "--hold", "all"]).expect("sound").hold, Hold::All);
        assert!(
            set(&[]).is_err() && set(&["--kinds", "bolt12"]).is_err() && set(&["--hold", "some"]).is_err()
        );
    }

    #[test]
    fn a_policy_is_told_in_words() {
        let text = words(&ReceivePolicy { receive: policy(), replaced: true });
        assert!(text.contains("keysend") && text.contains("12 blocks are left, else: refuse"), "{text}");
        assert!(text.contains("sponte receive set"));
    }
}
