//! `sponte run`

use crate::config::{Config, NodeFlags};
use crate::context::Context;
use crate::data_dir;
use crate::failure::{CommandResult, Done, Failure};
use crate::logging;
use crate::network::Network;
use crate::node_start::{self, Extras, Started};
use crate::output::pairs;
use crate::stop::{Stop, StopArgs};
use crate::values;
use clap::Args;
use serde::Serialize;
use sponte_api::Code;
use sponte_engine::backend::Admin;
use sponte_http::Api;
use sponte_node::Handle;
use sponte_store::{Failpoints, Store};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Run the node until Ctrl-C
///
/// Needs a bitcoind of yours; while it does not answer, the node waits, says so in the log, and
/// goes on by itself. Says where the API is once it is served. A node may be killed at any time:
/// what it has shown is on the disk.
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    flags: NodeFlags,
    #[command(flatten)]
    stop: StopArgs,
    /// How often bitcoind is asked for a block
    #[arg(long, hide = true, value_parser = values::duration)]
    poll_interval: Option<Duration>,
    /// Trouble on order, for crash tests
    #[arg(long, hide = true, env = "SPONTE_FAILPOINTS", default_value = "", value_parser = Failpoints::parse)]
    failpoints: Failpoints,
}

/// What is said once the node runs.
#[derive(Serialize)]
struct Running {
    node_id: String,
    network: String,
    dir: String,
    api: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    listening: Option<String>,
}

/// Starts, serves, stops.
pub async fn execute(context: Context, args: RunArgs) -> CommandResult {
    context.require_node()?;
    let stop = Stop::listen(args.stop);
    let config = Config::resolve(context.network, args.flags, context.settings.clone())?;
    if context.network == Network::Mainnet && args.failpoints != Failpoints::default() {
        let message = "SPONTE_FAILPOINTS is for crash tests, not for real money: unset it";
        return Err(Failure::new(Code::BadConfig, message));
    }
    logging::start(&config.log)?;
    let extras = Extras { poll_interval: args.poll_interval, failpoints: args.failpoints };
    let token = token(&context)?;
    let store = node_start::open(&context, &extras)?;
    // From here on the folder is ours: an address of an earlier process is stale.
    forget_address(&context)?;
    let listener = bind(config.api_listen).await?;
    let api = Api::new(&token);
    let (tell, told) = oneshot::channel::<()>();
    let stopped = async move {
        // A sender that is gone says the same.
        let _ = told.await;
    };
    let address = listener.local_addr().map_err(|why| broken(&why))?;
    let mut started = None;
    let node = async {
        let starting = start_or_stop(&context, store, &config, &extras, &stop);
        let ran = run(&context, starting, &stop, &mut started, &api, address).await;
        drop(tell);
        ran
    };
    let (served, ran) = tokio::join!(api.serve(listener, stopped), node);
    let ended = match started {
        Some(started) => finish(&context, started, &stop).await,
        None => Ok(()),
    };
    // What ended the node says more than what that did to the server.
    ended.and(ran).and(served.map_err(|why| broken(&why)))?;
    Ok(Done::Well)
}

fn broken(why: &std::io::Error) -> Failure {
    Failure::new(Code::Internal, format!("the API failed: {why}; start again"))
}

fn token(context: &Context) -> Result<String, Failure> {
    let path = context.dir.token();
    match data_dir::read(&path)?.map(|text| text.trim().to_owned()) {
        Some(token) if !token.is_empty() => Ok(token),
        _ => Err(Failure::new(
            Code::BadConfig,
            format!("{} is missing or empty: write a long random word into it", path.display()),
        )),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|why| match why.kind() {
        ErrorKind::AddrInUse => Failure::new(
            Code::PortInUse,
            format!("something else listens on {address}: choose another --http-listen"),
        ),
        _ => Failure::new(
            Code::BadConfig,
            format!("cannot serve the API on {address}: {why}; choose another --http-listen"),
        ),
    })
}

/// Starting may wait for bitcoind for hours, on a thread of its own. Who stops it meanwhile loses
/// nothing: nothing has begun, and what is written is written whole.
async fn start_or_stop(
    context: &Context,
    store: Store,
    config: &Config,
    extras: &Extras,
    stop: &Stop,
) -> Result<Option<Started>, Failure> {
    let (done, started) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let (context, config, extras) = (context.clone(), config.clone(), extras.clone());
    std::thread::spawn(move || {
        // Nobody is there to take it if the process stops.
        let _ = done.send(node_start::start(&context, store, &config, &extras, runtime));
    });
    tokio::select! {
        started = started => match started {
            Ok(started) => started.map(Some),
            Err(_) => Err(Failure::new(Code::Internal, "the node failed at its start; its log says why")),
        },
        () = stop.asked() => Ok(None),
    }
}

/// Starts the node, lets requests reach it, and waits until somebody stops it or it stops by itself.
async fn run(
    context: &Context,
    starting: impl Future<Output = Result<Option<Started>, Failure>>,
    stop: &Stop,
    started: &mut Option<Started>,
    api: &Api,
    address: SocketAddr,
) -> Result<(), Failure> {
    *started = starting.await?;
    let Some(started) = started else { return Ok(()) };
    let handle = started.node.handle();
    api.node_runs(handle.clone());
    say(context, &handle, address).await?;
    tokio::select! {
        () = stop.asked() => {}
        // Its message is asked for when it is finished.
        _ = started.node.wait() => {}
    }
    Ok(())
}

/// Tells clients where the API is, then people.
async fn say(context: &Context, handle: &Handle, address: SocketAddr) -> Result<(), Failure> {
    data_dir::replace(&context.dir.api_address(), format!("{address}\n").as_bytes())?;
    let Ok(info) = handle.admin(Admin::Info).await else {
        // The node has stopped already: what it died of is told at its end.
        return Ok(());
    };
    let running = Running {
        node_id: info.id.to_string(),
        network: context.network.to_string(),
        dir: context.dir.path().display().to_string(),
        api: format!("http://{address}"),
        listening: info.listening,
    };
    context.output.answer(&running, |running| {
        pairs([
            ("node", running.node_id.clone()),
            ("network", running.network.clone()),
            ("folder", running.dir.clone()),
            ("API", running.api.clone()),
            ("peers at", running.listening.clone().unwrap_or_else(|| "-".into())),
            ("stop", "Ctrl-C".into()),
        ])
    });
    Ok(())
}

/// Stops the node in good order. Whoever asks twice does not want to wait for that.
async fn finish(context: &Context, started: Started, stop: &Stop) -> Result<(), Failure> {
    let forgotten = forget_address(context);
    let Started { node, store } = started;
    tokio::select! {
        ended = node.stop() => ended.map_err(|fatal| node_start::ended(&fatal))?,
        () = stop.asked_twice() => return Ok(()),
    }
    store.close().map_err(|why| node_start::store_failure(&why))?;
    forgotten
}

fn forget_address(context: &Context) -> Result<(), Failure> {
    let path = context.dir.api_address();
    match std::fs::remove_file(&path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(crate::failure::storage("remove", &path, &why)),
        _ => Ok(()),
    }
}
