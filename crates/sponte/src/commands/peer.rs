//! `sponte peer`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::output::table;
use crate::values::NodeAddress;
use clap::{Args, Subcommand};
use sponte_api::{Code, Peers};
use sponte_proto::NodeId;

/// Connect to and disconnect from other nodes
#[derive(Args, Debug)]
pub struct PeerArgs {
    #[command(subcommand)]
    command: Option<PeerCommand>,
}

#[derive(Subcommand, Debug)]
enum PeerCommand {
    /// Connect to a node, and stay connected
    Connect {
        /// Which, and where
        #[arg(value_name = "NODE ID@HOST:PORT")]
        peer: NodeAddress,
    },
    /// List peers (the default)
    List,
    /// Disconnect from a node, and do not dial it again; it may dial this one
    Disconnect {
        /// Which
        #[arg(value_name = "NODE ID")]
        peer: NodeId,
    },
}

/// Asks the node.
pub async fn execute(context: &Context, args: PeerArgs) -> CommandResult {
    let node = context.node()?;
    match args.command.unwrap_or(PeerCommand::List) {
        PeerCommand::Connect { peer } => connect(context, &node, &peer).await,
        PeerCommand::List => list(context, &node).await,
        PeerCommand::Disconnect { peer } => {
            let done = node.client.disconnect_peer(peer).await.map_err(|error| node.failure(error))?;
            context
                .output
                .answer(&done, |_| format!("disconnected from {peer}; this node does not dial it again"));
            Ok(Done::Well)
        }
    }
}

async fn connect(context: &Context, node: &Node<'_>, peer: &NodeAddress) -> CommandResult {
    let Some(address) = &peer.address else {
        return Err(Failure::new(Code::Usage, format!("say where it is: {}@host:port", peer.id)));
    };
    let done = node.client.connect_peer(peer.id, address).await.map_err(|error| node.failure(error))?;
    context.output.answer(&done, |_| format!("connected to {}", peer.id));
    Ok(Done::Well)
}

async fn list(context: &Context, node: &Node<'_>) -> CommandResult {
    let peers = node.client.peers().await.map_err(|error| node.failure(error))?;
    context.output.answer(&peers, words);
    Ok(Done::Well)
}

fn words(peers: &Peers) -> String {
    if peers.peers.is_empty() {
        return "no peers; connect to one with `sponte peer connect <node id>@<host>:<port>`".into();
    }
    let rows = peers.peers.iter().map(|peer| {
        let state = match (peer.connected, peer.outbound) {
            (true, true) => "connected, by us",
            (true, false) => "connected, by them",
            (false, _) => "not connected",
        };
        let address = peer.address.clone().unwrap_or_else(|| "-".into());
        vec![peer.id.to_string(), state.into(), peer.channels.to_string(), address]
    });
    table(&["node", "state", "channels", "address"], rows)
}
