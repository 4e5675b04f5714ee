//! `sponte chain`

use crate::failure::{CommandResult, Done, Failure};
use crate::output::{Output, pairs};
use crate::stop::{Stop, StopArgs};
use crate::values;
use clap::Args;
use serde::Serialize;
use sponte_api::Code;
use sponte_chain::{RunningServer, Server, ServerConfig};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

/// Serve a private Bitcoin chain: regtest in memory, behind bitcoind's JSON-RPC
///
/// For trying things out: its coins are worth nothing, and all of it is gone when the command
/// ends. Nodes made with `--network regtest` find it where it listens by default. Besides what
/// a Lightning node asks for it answers generatetoaddress, sendtoaddress (from a faucet of its
/// own), invalidateblock and reconsiderblock.
#[derive(Args, Debug)]
pub struct ChainArgs {
    /// Where to listen, loopback only; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:18443")]
    listen: SocketAddr,
    /// The user of the RPC
    #[arg(long, value_name = "NAME", default_value = "sponte")]
    user: String,
    /// The password of the RPC
    #[arg(long, value_name = "PASSWORD", default_value = "sponte")]
    password: String,
    /// Mine a block again and again after this time; without it blocks come when asked for
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    mine_every: Option<Duration>,
    #[command(flatten)]
    stop: StopArgs,
}

#[derive(Serialize)]
struct Serving {
    url: String,
    user: String,
    password: String,
}

/// Serves until it is told to stop.
pub async fn execute(output: Output, args: ChainArgs) -> CommandResult {
    let stop = Stop::listen(args.stop);
    let mine_every = args.mine_every;
    let server = start(args).await?;
    let serving =
        Serving { url: server.url(), user: server.user().to_owned(), password: server.password().to_owned() };
    output.answer(&serving, |serving| {
        pairs([
            ("url", serving.url.clone()),
            ("user", serving.user.clone()),
            ("password", serving.password.clone()),
        ])
    });
    tokio::select! {
        () = stop.asked() => {}
        failure = mine(&server, mine_every) => return Err(failure),
    }
    let stopped = server.stop().await;
    stopped
        .map_err(|why| Failure::new(Code::Internal, format!("the server failed: {why}; start it again")))?;
    Ok(Done::Well)
}

async fn start(args: ChainArgs) -> Result<RunningServer, Failure> {
    let address = args.listen;
    if !address.ip().is_loopback() {
        let message =
            format!("the chain is served on loopback only: write --listen 127.0.0.1:{}", address.port());
        return Err(Failure::new(Code::BadConfig, message));
    }
    let config =
        ServerConfig { bind: address, user: args.user, password: args.password, ..ServerConfig::default() };
    Server::start(config).await.map_err(|why| match why.kind() {
        ErrorKind::AddrInUse => Failure::new(
            Code::PortInUse,
            format!("something else listens on {address}: choose another --listen"),
        ),
        _ => Failure::new(
            Code::BadConfig,
            format!("cannot listen on {address}: {why}; choose another --listen"),
        ),
    })
}

/// Ends only when a block cannot be mined.
async fn mine(server: &RunningServer, every: Option<Duration>) -> Failure {
    let Some(every) = every.filter(|every| !every.is_zero()) else { return std::future::pending().await };
    loop {
        tokio::time::sleep(every).await;
        if let Err(why) = server.chain().mine(1) {
            return Failure::new(
                Code::Internal,
                format!("no block can be mined: {why}; start the chain again"),
            );
        }
    }
}
