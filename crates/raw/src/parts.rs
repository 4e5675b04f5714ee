//! The parts of LDK that the node needs and that have little to do.

use crate::handler::RawHandler;
use bitcoin::Transaction;
use bitcoin::secp256k1::{PublicKey, Secp256k1, Signing, Verification};
use lightning::blinded_path::payment::{BlindedPaymentPath, ReceiveTlvs};
use lightning::chain::chaininterface::{
    BroadcasterInterface, ConfirmationTarget, FeeEstimator, TransactionType,
};
use lightning::chain::chainmonitor::{self, Persist};
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::chain::{ChannelMonitorUpdateStatus, Filter};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager;
use lightning::ln::peer_handler::{self, IgnoringMessageHandler};
use lightning::onion_message::messenger::NullMessageRouter;
use lightning::routing::router::{InFlightHtlcs, Route, RouteParameters, Router};
use lightning::sign::{InMemorySigner, KeysManager, ReceiveAuthKey};
use lightning::util::config::{MaxDustHTLCExposure, UserConfig};
use lightning::util::logger::{Logger, Record};
use lightning::util::persist::MonitorName;
use lightning_net_tokio::SocketDescriptor;
use sponte_proto::Msat;
use std::sync::{Arc, Mutex};

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

/// Every route is given.
pub struct NoRoutes;

impl Router for NoRoutes {
    fn find_route(
        &self,
        _: &PublicKey,
        _: &RouteParameters,
        _: Option<&[&ChannelDetails]>,
        _: InFlightHtlcs,
    ) -> Result<Route, &'static str> {
        Err("routes are given")
    }

    fn create_blinded_payment_paths<T: Signing + Verification>(
        &self,
        _: PublicKey,
        _: ReceiveAuthKey,
        _: Vec<ChannelDetails>,
        _: ReceiveTlvs,
        _: Option<u64>,
        _: &Secp256k1<T>,
    ) -> Result<Vec<BlindedPaymentPath>, ()> {
        Err(())
    }
}

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
    Arc<NoRoutes>,
    Arc<NullMessageRouter>,
    Arc<Silent>,
>;
pub type Peers = peer_handler::PeerManager<
    SocketDescriptor,
    Arc<RawHandler<Manager>>,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
    Arc<Silent>,
    IgnoringMessageHandler,
    Arc<KeysManager>,
    Arc<Monitor>,
>;

/// Forwards over unannounced channels, for a constant fee; as many and as large HTLCs as fit.
pub fn config(fee: Msat, delta: u16) -> UserConfig {
    let mut config = UserConfig { accept_forwards_to_priv_channels: true, ..UserConfig::default() };
    config.channel_config.forwarding_fee_base_msat = u32::try_from(fee.to_msat()).unwrap_or(u32::MAX);
    config.channel_config.forwarding_fee_proportional_millionths = 0;
    config.channel_config.cltv_expiry_delta = delta;
    config.channel_config.max_dust_htlc_exposure = MaxDustHTLCExposure::FixedLimitMsat(50_000_000);
    config.channel_handshake_config.our_max_accepted_htlcs = 483;
    config.channel_handshake_config.unannounced_channel_max_inbound_htlc_value_in_flight_percentage = 100;
    config.channel_handshake_config.negotiate_anchors_zero_fee_htlc_tx = true;
    config.channel_handshake_config.minimum_depth = 1;
    config
}
