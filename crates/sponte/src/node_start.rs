//! From a folder and its settings to a running node.

use crate::config::{Bitcoind, BitcoindAuth, Config};
use crate::context::Context;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::network::Network;
use crate::{config, data_dir, seed};
use sponte_api::Code;
use sponte_engine::NodeSecret;
use sponte_ldk::chain::{ChainError, RpcAuth, RpcConfig};
use sponte_ldk::{Ldk, Stored, node_id_of};
use sponte_node::Node;
use sponte_store::{Failpoints, OpenError, Options, Store, StoreError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked again whether a folder is free.
const LOOKS: u32 = 10;
/// And after how long.
const GLANCE: Duration = Duration::from_millis(20);

/// A running node and its memory, which outlives it.
pub struct Started {
    /// The node.
    pub node: Node,
    /// Its memory.
    pub store: Store,
}

/// What only tests and the demo set.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// How often bitcoind is asked for a block.
    pub poll_interval: Option<Duration>,
    /// Trouble on order.
    pub failpoints: Failpoints,
}

/// Makes the database of a new node: a start takes none for a new one, as it might be a lost one.
///
/// # Errors
/// See [`open`].
pub fn create(dir: &DataDir) -> Result<(), Failure> {
    let store = open_store(dir, Options { create: true, ..Options::default() })?;
    store.close().map_err(|why| store_failure(&why))
}

/// Opens the folder; it is this process's until the store is dropped.
///
/// # Errors
/// Locked, missing, unreadable, newer, or the system does not let us.
pub fn open(context: &Context, extras: &Extras) -> Result<Store, Failure> {
    open_store(&context.dir, Options { create: false, failpoints: extras.failpoints.clone() })
}

fn open_store(dir: &DataDir, options: Options) -> Result<Store, Failure> {
    open_patiently(dir.path(), &options).map_err(|why| {
        let code = match &why {
            OpenError::Locked { .. } => Code::Locked,
            OpenError::Newer { .. } | OpenError::Missing { .. } | OpenError::Unreadable { .. } => {
                Code::Database
            }
            OpenError::Store(why) => store_code(why),
            _ => Code::Storage,
        };
        Failure::new(code, why.to_string())
    })
}

/// A client that looks whether a node runs holds the lock for a moment; a node holds it longer.
fn open_patiently(path: &Path, options: &Options) -> Result<Store, OpenError> {
    for _ in 0..LOOKS {
        match Store::open(path, options.clone()) {
            Err(OpenError::Locked { .. }) => std::thread::sleep(GLANCE),
            opened => return opened,
        }
    }
    Store::open(path, options.clone())
}

/// Starts the node: blocks until bitcoind answers and the node has caught up with it.
///
/// # Errors
/// What needs a person; that bitcoind is away for a while does not.
pub fn start(
    context: &Context,
    store: Store,
    config: &Config,
    extras: &Extras,
    runtime: tokio::runtime::Handle,
) -> Result<Started, Failure> {
    let seed = seed::read(&context.dir)?;
    let birthday = match data_dir::read(&context.dir.birthday())? {
        Some(text) => Some(config::birthday(&text)?.to_u32()),
        None => None,
    };
    let stored = Stored::read(|namespace| store.kv(namespace)).map_err(|why| store_failure(&why))?;
    let mut engine = sponte_engine::Config::new(node_id_of(&seed), NodeSecret::new(seed.node_secret()));
    engine.receive = sponte_http::receive_policy(config.receive.clone());
    let ldk = ldk_config(config, birthday, extras.poll_interval)?;
    let node = sponte_node::spawn(&store, engine, move |waker| {
        Ldk::open(ldk, &seed, stored, runtime, Arc::new(move || waker.wake()))
    });
    Ok(Started { node: node.map_err(start_failure)?, store })
}

fn ldk_config(
    config: &Config,
    birthday_height: Option<u32>,
    poll_interval: Option<Duration>,
) -> Result<sponte_ldk::Config, Failure> {
    let forwarding = config.forwarding;
    let base = u32::try_from(forwarding.fee_base.to_msat()).map_err(|_| {
        Failure::new(Code::BadConfig, "fee_base is above 4294967sat, more than any channel can say; lower it")
    })?;
    Ok(sponte_ldk::Config {
        network: bitcoin_network(config.network),
        rpc: rpc(&config.bitcoind),
        listen: Some(config.listen),
        announce: config.announce.clone(),
        alias: config.alias.clone(),
        forwarding_fee_base_msat: base,
        forwarding_fee_ppm: forwarding.fee_ppm,
        cltv_expiry_delta: forwarding.cltv_delta.to_u16(),
        accept_channels: config.accept.any,
        min_channel: config.accept.min,
        max_channels_per_peer: usize::try_from(config.accept.per_peer).unwrap_or(usize::MAX),
        birthday_height,
        poll_interval,
    })
}

fn bitcoin_network(network: Network) -> bitcoin::Network {
    match network {
        Network::Regtest => bitcoin::Network::Regtest,
        Network::Signet => bitcoin::Network::Signet,
        Network::Testnet4 => bitcoin::Network::Testnet4,
        Network::Mainnet => bitcoin::Network::Bitcoin,
    }
}

fn rpc(bitcoind: &Bitcoind) -> RpcConfig {
    let auth = match &bitcoind.auth {
        BitcoindAuth::Password(user, password) => {
            RpcAuth::Password { user: user.clone(), password: password.0.clone() }
        }
        BitcoindAuth::Cookie(path) => RpcAuth::CookieFile(path.clone()),
    };
    RpcConfig::new(format!("http://{}:{}", bitcoind.host, bitcoind.port), auth)
}

fn start_failure(why: sponte_node::StartError<sponte_ldk::StartError>) -> Failure {
    use sponte_ldk::StartError as Ldk;
    use sponte_node::StartError as Node;
    let code = match &why {
        Node::Ledger(why) => store_code(why),
        Node::Backend(Ldk::Chain(why)) => chain_code(why),
        Node::Backend(Ldk::Unreadable { .. }) => Code::Database,
        Node::Backend(Ldk::Announce(_) | Ldk::Birthday { .. }) => Code::BadConfig,
        Node::Backend(Ldk::Listen { error, .. }) if error.kind() == ErrorKind::AddrInUse => Code::PortInUse,
        Node::Backend(Ldk::Listen { .. }) => Code::BadConfig,
        Node::Fatal(fatal) => return ended(fatal),
        _ => Code::Internal,
    };
    Failure::new(code, why.to_string())
}

fn chain_code(why: &ChainError) -> Code {
    match why {
        ChainError::Config(_) => Code::BadConfig,
        ChainError::WrongPassword { .. }
        | ChainError::NotAllowed { .. }
        | ChainError::WrongNetwork { .. }
        | ChainError::UnknownBlock { .. } => Code::ChainRefused,
        _ => Code::ChainUnusable,
    }
}

/// What ended a node that nobody had told to stop.
pub fn ended(fatal: &sponte_node::Fatal) -> Failure {
    let code = match fatal {
        sponte_node::Fatal::Commit(why) | sponte_node::Fatal::Ledger(why) => store_code(why),
        sponte_node::Fatal::Backend(_) => Code::ChainUnusable,
        _ => Code::Internal,
    };
    Failure::new(code, fatal.to_string())
}

/// What the memory says.
pub fn store_failure(why: &StoreError) -> Failure {
    Failure::new(store_code(why), why.to_string())
}

fn store_code(why: &StoreError) -> Code {
    match why {
        StoreError::Damaged(_) => Code::Database,
        StoreError::Books(_) | StoreError::Refused(_) => Code::Internal,
        _ => Code::Storage,
    }
}
