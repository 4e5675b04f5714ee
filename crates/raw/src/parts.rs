//! The parts of LDK that the node needs and that have little to do.

use crate::handler::RawHandler;
use crate::issuer::Issuer;
use bitcoin::Transaction;
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::chainmonitor::{self, Persist};
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::chain::{ChannelMonitorUpdateStatus, Filter};
use lightning::ln::channelmanager;
use lightning::ln::peer_handler::{self, IgnoringMessageHandler};
use lightning::onion_message::messenger::{DefaultMessageRouter, OnionMessenger};
use lightning::routing::gossip::{NetworkGraph, P2PGossipSync};
use lightning::routing::router::DefaultRouter;
use lightning::routing::scoring::{ProbabilisticScorer, ProbabilisticScoringFeeParameters};
use lightning::routing::utxo::UtxoLookup;
use lightning::sign::{InMemorySigner, KeysManager};
use lightning::util::logger::{Logger, Record};
use lightning::util::persist::MonitorName;
use lightning_net_tokio::SocketDescriptor;
use std::sync::{Arc, Mutex, RwLock};

pub struct Silent;

impl Logger for Silent {
    fn log(&self, record: Record) {
        tracing::debug!(target: "raw", "{}", record.args);
    }
}

pub struct Fees;

impl FeeEstimator for Fees {
    fn get_est_sat_per_1000_weight(&self, _: ConfirmationTarget) -> u32 {
        253
    }
}

/// Transactions that wait for the chain.
#[derive(Default)]
pub struct Outbox(Mutex<Vec<Transaction>>);

impl Outbox {
    pub fn take(&self) -> Vec<Transaction> {
        std::mem::take(&mut self.0.lock().expect("unpoisoned"))
    }
}

impl BroadcasterInterface for Outbox {
    fn broadcast_transactions(&self, transactions: &[(&Transaction, TransactionType)]) {
        let mut waiting = self.0.lock().expect("unpoisoned");
        waiting.extend(transactions.iter().map(|(transaction, _)| (*transaction).clone()));
    }
}

pub struct Forgetful;

impl Persist<InMemorySigner> for Forgetful {
    fn persist_new_channel(
        &self,
        _: MonitorName,
        _: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        ChannelMonitorUpdateStatus::Completed
    }

    fn update_persisted_channel(
        &self,
        _: MonitorName,
        _: Option<&ChannelMonitorUpdate>,
        _: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        ChannelMonitorUpdateStatus::Completed
    }

    fn archive_persisted_channel(&self, _: MonitorName) {}
}

pub type Graph = NetworkGraph<Arc<Silent>>;
/// Believes every announced channel.
pub type Gossip = P2PGossipSync<Arc<Graph>, Arc<dyn UtxoLookup + Send + Sync>, Arc<Silent>>;
pub type Scorer = ProbabilisticScorer<Arc<Graph>, Arc<Silent>>;
/// For payments whose route is not given.
pub type Finder = DefaultRouter<
    Arc<Graph>,
    Arc<Silent>,
    Arc<KeysManager>,
    Arc<RwLock<Scorer>>,
    ProbabilisticScoringFeeParameters,
    Scorer,
>;
pub type Monitor = chainmonitor::ChainMonitor<
    InMemorySigner,
    Arc<dyn Filter + Send + Sync>,
    Arc<Outbox>,
    Arc<Fees>,
    Arc<Silent>,
    Arc<Forgetful>,
    Arc<KeysManager>,
>;
pub type Manager = channelmanager::ChannelManager<
    Arc<Monitor>,
    Arc<Outbox>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Fees>,
    Arc<Finder>,
    Arc<MessageRouter>,
    Arc<Silent>,
>;
pub type MessageRouter = DefaultMessageRouter<Arc<Graph>, Arc<Silent>, Arc<KeysManager>>;
pub type Messenger = OnionMessenger<
    Arc<KeysManager>,
    Arc<KeysManager>,
    Arc<Silent>,
    Arc<Manager>,
    Arc<MessageRouter>,
    Arc<Issuer>,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
>;
pub type Peers = peer_handler::PeerManager<
    SocketDescriptor,
    Arc<RawHandler<Manager>>,
    Arc<Gossip>,
    Arc<Messenger>,
    Arc<Silent>,
    IgnoringMessageHandler,
    Arc<KeysManager>,
    Arc<Monitor>,
>;
