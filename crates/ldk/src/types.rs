//! The concrete types of this node's LDK. Nothing is generic above this file.

use crate::chain::{Broadcaster, Fees};
use crate::entropy::Entropy;
use crate::gossip::Gossip;
use crate::handler::Handler;
use crate::log::Log;
use crate::offers::{Answers, Limited};
use crate::persist::{Persister, SweeperStore};
use crate::wallet::Wallet;
use lightning::chain::{self, Filter};
use lightning::events::bump_transaction::sync::BumpTransactionEventHandlerSync;
use lightning::ln::peer_handler::{self, IgnoringMessageHandler};
use lightning::onion_message::messenger::{DefaultMessageRouter, OnionMessenger};
use lightning::routing::gossip::{NetworkGraph, P2PGossipSync};
use lightning::routing::router::DefaultRouter;
use lightning::routing::scoring::{ProbabilisticScorer, ProbabilisticScoringFeeParameters};
use lightning::routing::utxo::UtxoLookup;
use lightning::sign::{InMemorySigner, KeysManager};
use lightning::util::sweep::OutputSweeperSync;
use lightning::util::wallet_utils::WalletSync;
use lightning_net_tokio::SocketDescriptor;
use std::sync::{Arc, RwLock};

/// Watches the chain for every channel.
pub(crate) type ChainMonitor = chain::chainmonitor::ChainMonitor<
    InMemorySigner,
    Arc<dyn Filter + Send + Sync>,
    Arc<Broadcaster>,
    Arc<Fees>,
    Arc<Log>,
    Arc<Persister>,
    Arc<KeysManager>,
>;
/// One channel's watcher.
pub(crate) type ChannelMonitor = chain::channelmonitor::ChannelMonitor<InMemorySigner>;
/// The public network.
pub(crate) type Graph = NetworkGraph<Arc<Log>>;
/// What former payments taught about channels.
pub(crate) type Scorer = ProbabilisticScorer<Arc<Graph>, Arc<Log>>;
/// LDK's own path finding.
pub(crate) type PathFinder = DefaultRouter<
    Arc<Graph>,
    Arc<Log>,
    Arc<KeysManager>,
    Arc<RwLock<Scorer>>,
    ProbabilisticScoringFeeParameters,
    Scorer,
>;
pub(crate) type MessageRouter = DefaultMessageRouter<Arc<Graph>, Arc<Log>, Arc<KeysManager>>;
/// All channels.
pub(crate) type ChannelManager = lightning::ln::channelmanager::ChannelManager<
    Arc<ChainMonitor>,
    Arc<Broadcaster>,
    Arc<Entropy>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Fees>,
    Arc<PathFinder>,
    Arc<MessageRouter>,
    Arc<Log>,
>;
/// LDK's own gossip handler.
pub(crate) type NetworkSync = P2PGossipSync<Arc<Graph>, Arc<dyn UtxoLookup + Send + Sync>, Arc<Log>>;
/// Onion messages: those of peers to peers, and answers to questions of ours.
pub(crate) type Messenger = OnionMessenger<
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Log>,
    Arc<ChannelManager>,
    Arc<MessageRouter>,
    Arc<Answers>,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
>;
/// All connections.
pub(crate) type PeerManager = peer_handler::PeerManager<
    SocketDescriptor,
    Arc<Handler<ChannelManager>>,
    Arc<Gossip>,
    Arc<Limited<Messenger>>,
    Arc<Log>,
    IgnoringMessageHandler,
    Arc<KeysManager>,
    Arc<ChainMonitor>,
>;
/// Brings outputs of closed channels into the wallet.
pub(crate) type Sweeper = OutputSweeperSync<
    Arc<Broadcaster>,
    Arc<Wallet>,
    Arc<Fees>,
    Arc<dyn Filter + Send + Sync>,
    Arc<SweeperStore>,
    Arc<Log>,
    Arc<KeysManager>,
>;
/// Pays the fees of anchor channels' transactions out of the wallet.
pub(crate) type Bumper = BumpTransactionEventHandlerSync<
    Arc<Broadcaster>,
    Arc<WalletSync<Arc<Wallet>, Arc<Log>>>,
    Arc<KeysManager>,
    Arc<Log>,
>;
