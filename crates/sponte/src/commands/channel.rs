//! `sponte channel`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done};
use crate::output::{pairs, table};
use crate::show;
use crate::tree::Tree;
use crate::values::{self, NodeAddress};
use clap::{Args, Subcommand};
use sponte_api::{Channel, Channels, OpenChannelRequest};
use sponte_proto::{ChannelId, Msat, Sat};

/// Open, list and close channels
#[derive(Args, Debug)]
pub struct ChannelArgs {
    #[command(subcommand)]
    command: Option<ChannelCommand>,
}

#[derive(Subcommand, Debug)]
enum ChannelCommand {
    /// Open a channel with a node
    Open(OpenArgs),
    /// List channels, closing ones too (the default)
    List,
    /// Close a channel
    Close {
        /// Which: its id in the list
        #[arg(value_name = "CHANNEL ID")]
        channel: ChannelId,
        /// Without the peer's help: slower and dearer; for when it does not answer
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args, Debug)]
struct OpenArgs {
    /// With whom, and where it is if it is not connected yet
    #[arg(value_name = "NODE ID[@HOST:PORT]")]
    peer: NodeAddress,
    /// The channel's value, for example 100000sat
    #[arg(value_name = "AMOUNT", value_parser = values::sat)]
    value: Sat,
    /// A gift to the peer out of it
    #[arg(long, value_name = "AMOUNT", default_value = "0sat")]
    push: Msat,
    /// Let the network know of the channel, so that others may route through it
    #[arg(long)]
    announce: bool,
}

/// Asks the node.
pub async fn execute(context: &Context, args: ChannelArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or(ChannelCommand::List) {
        ChannelCommand::Open(args) => open(context, &node, args).await,
        ChannelCommand::List => list(context, &node).await,
        ChannelCommand::Close { channel, force } => {
            let done =
                node.client.close_channel(channel, force).await.map_err(|error| node.failure(error))?;
            context.output.answer(&done, |_| {
                format!("closing {channel}; `sponte channel list` says what is waited for")
            });
            Ok(Done::Well)
        }
    }
}

async fn open(context: &Context, node: &Node<'_>, args: OpenArgs) -> CommandResult {
    let request = OpenChannelRequest {
        peer: args.peer.id,
        address: args.peer.address,
        value_sat: args.value,
        push_msat: args.push,
        announce: args.announce,
    };
    let opened = node.client.open_channel(&request).await.map_err(|error| node.failure(error))?;
    context.output.answer(&opened, |opened| {
        pairs([
            ("channel", opened.channel.to_string()),
            ("funding transaction", opened.funding_txid.to_string()),
        ])
    });
    Ok(Done::Well)
}

async fn list(context: &Context, node: &Node<'_>) -> CommandResult {
    let channels = node.client.channels().await.map_err(|error| node.failure(error))?;
    context.output.answer(&channels, words);
    Ok(Done::Well)
}

/// A table, and below it what a line has no room for: what is waited for, closing transactions.
fn words(channels: &Channels) -> String {
    if channels.channels.is_empty() {
        return "no channels; open one with `sponte channel open <node id>@<host>:<port> <amount>`".into();
    }
    let header = [
        "state",
        "peer",
        ">can send",
        ">can receive",
        ">value",
        ">htlcs",
        "public",
        "short id",
        "channel id",
    ];
    let rows = channels.channels.iter().map(|channel| {
        vec![
            channel.state.as_str().to_owned(),
            show::short(&channel.peer.to_string()),
            show::amount(channel.sendable_msat),
            show::amount(channel.receivable_msat),
            show::amount(channel.value_sat.to_msat()),
            channel.htlcs.to_string(),
            if channel.announced { "yes" } else { "no" }.to_owned(),
            channel.short_channel_id.clone().unwrap_or_else(|| "-".into()),
            channel.id.to_string(),
        ]
    });
    let mut text = table(&header, rows);
    for tree in channels.channels.iter().filter_map(awaited) {
        text.push_str("\n\n");
        text.push_str(&tree.render());
    }
    text
}

/// Of a channel that waits for something: what for.
fn awaited(channel: &Channel) -> Option<Tree> {
    let mut tree = Tree::new(format!("{} is {}", channel.id, channel.state.as_str()));
    let mut any = false;
    if let Some(what) = &channel.waiting_for {
        tree.push(format!("waits for {what}"));
        any = true;
    }
    if channel.to_come_sat > Sat::ZERO {
        tree.push(format!("{} still to come back", show::amount(channel.to_come_sat.to_msat())));
        any = true;
    }
    for txid in &channel.closing_txids {
        tree.push(format!("closing transaction {txid}"));
        any = true;
    }
    any.then_some(tree)
}
