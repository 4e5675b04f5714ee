//! LDK, and its turns.

use crate::chain::RawChain;
use crate::config::RawConfig;
use crate::forwards::{Keeping, Kept};
use crate::handler::RawHandler;
use crate::issuer::Issuer;
use crate::parts::*;
use crate::pay::Waiting;
use crate::receive::Receives;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, BlockHash, Network, ScriptBuf};
use lightning::chain::transaction::OutPoint;
use lightning::chain::{BlockLocator, Listen as _};
use lightning::events::{Event, EventsProvider as _, PathFailure};
use lightning::ln::channelmanager::ChainParameters;
use lightning::ln::peer_handler::{IgnoringMessageHandler, MessageHandler};
use lightning::ln::types::ChannelId;
use lightning::routing::scoring::{ProbabilisticScoringDecayParameters, ProbabilisticScoringFeeParameters};
use lightning::sign::{KeysManager, NodeSigner as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

pub struct Inner {
    pub keys: Arc<KeysManager>,
    pub manager: Arc<Manager>,
    pub handler: Arc<RawHandler<Manager>>,
    pub peers: Arc<Peers>,
    pub graph: Arc<Graph>,
    pub scorer: Arc<RwLock<Scorer>>,
    pub keeping: Keeping,
    pub receives: Mutex<Receives>,
    pub waiting: Waiting,
    pub issuer: Arc<Issuer>,
    messenger: Arc<Messenger>,
    /// Channels whose funding both sides have signed.
    pub funded: AtomicUsize,
    monitor: Arc<Monitor>,
    outbox: Arc<Outbox>,
    /// Channels that wait for coins of the faucet.
    unfunded: Mutex<Vec<Funding>>,
}

/// What a new channel needs.
#[derive(Clone)]
struct Funding {
    channel: ChannelId,
    peer: PublicKey,
    script: ScriptBuf,
    value: Amount,
}

impl Inner {
    pub fn new(seed: [u8; 32], (hash, height): (BlockHash, u32), config: &RawConfig) -> Inner {
        // Gossip from a fortnight ago is not heard.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32;
        let keys = Arc::new(KeysManager::new(&seed, 1, 1, true));
        let (log, fees, outbox) = (Arc::new(Silent), Arc::new(Fees), Arc::new(Outbox::default()));
        let monitor = Arc::new(Monitor::new(
            None,
            outbox.clone(),
            log.clone(),
            fees.clone(),
            Arc::new(Forgetful),
            keys.clone(),
            keys.get_peer_storage_key(),
            false,
        ));
        let graph = Arc::new(Graph::new(Network::Regtest, log.clone()));
        let decay = ProbabilisticScoringDecayParameters::default();
        let scorer = Arc::new(RwLock::new(Scorer::new(decay, graph.clone(), log.clone())));
        let penalties = ProbabilisticScoringFeeParameters::default();
        let finder = Finder::new(graph.clone(), log.clone(), keys.clone(), scorer.clone(), penalties);
        let router = Arc::new(MessageRouter::new(graph.clone(), keys.clone()));
        let best_block = BlockLocator::new(hash, height);
        let manager = Arc::new(Manager::new(
            fees,
            monitor.clone(),
            outbox.clone(),
            Arc::new(finder),
            router.clone(),
            log.clone(),
            keys.clone(),
            keys.clone(),
            keys.clone(),
            config.of_ldk(),
            ChainParameters { network: Network::Regtest, best_block },
            now,
        ));
        let handler =
            Arc::new(RawHandler::new(manager.clone(), graph.clone(), keys.clone(), config.announced_fee));
        let issuer = Arc::new(Issuer::new(manager.clone()));
        let messenger = Arc::new(Messenger::new(
            keys.clone(),
            keys.clone(),
            log.clone(),
            manager.clone(),
            router,
            issuer.clone(),
            IgnoringMessageHandler {},
            IgnoringMessageHandler {},
            IgnoringMessageHandler {},
        ));
        let messages = MessageHandler {
            chan_handler: handler.clone(),
            route_handler: Arc::new(Gossip::new(graph.clone(), None, log.clone())),
            onion_message_handler: messenger.clone(),
            custom_message_handler: IgnoringMessageHandler {},
            send_only_message_handler: monitor.clone(),
        };
        let peers = Arc::new(Peers::new(messages, now, &seed, log, keys.clone()));
        Inner {
            keys,
            manager,
            handler,
            peers,
            graph,
            scorer,
            keeping: Keeping::default(),
            receives: Mutex::default(),
            waiting: Waiting::default(),
            issuer,
            messenger,
            funded: AtomicUsize::new(0),
            monitor,
            outbox,
            unfunded: Mutex::default(),
        }
    }

    /// Blocks, then LDK's work, then messages, then what the chain is to do.
    pub async fn turn(&self, chain: &impl RawChain) {
        while let Some(block) = chain.block(self.manager.current_best_block().height + 1).await {
            let height = self.manager.current_best_block().height + 1;
            self.monitor.block_connected(&block, height);
            self.manager.block_connected(&block, height);
        }
        self.manager.process_pending_htlc_forwards();
        let handle = |event: Event| {
            self.handle(event);
            Ok(())
        };
        self.manager.process_pending_events(&handle);
        self.monitor.process_pending_events(&handle);
        // It reaches nobody by itself.
        self.messenger.process_pending_events(&|_| Ok(()));
        self.peers.process_events();
        for transaction in self.outbox.take() {
            chain.broadcast(transaction).await;
        }
        self.fund(chain).await;
    }

    fn handle(&self, event: Event) {
        match event {
            Event::OpenChannelRequest { temporary_channel_id, counterparty_node_id, .. } => {
                let (channel, peer) = (temporary_channel_id, counterparty_node_id);
                let accepted = self.manager.accept_inbound_channel(&channel, &peer, 0, None);
                tracing::debug!(target: "raw", ?accepted, "channel");
            }
            Event::FundingGenerationReady {
                temporary_channel_id: channel,
                counterparty_node_id: peer,
                channel_value_satoshis,
                output_script: script,
                ..
            } => {
                let value = Amount::from_sat(channel_value_satoshis);
                self.unfunded().push(Funding { channel, peer, script, value });
            }
            Event::PaymentPathFailed { payment_hash, failure: PathFailure::InitialSend { .. }, .. } => {
                self.handler.unsent(payment_hash)
            }
            Event::ChannelPending { .. } => {
                self.funded.fetch_add(1, Ordering::AcqRel);
            }
            Event::HTLCIntercepted {
                intercept_id: id,
                requested_next_hop_scid: scid,
                expected_outbound_amount_msat: amount_msat,
                ..
            } => self.intercepted(Kept { id, scid, amount_msat }),
            Event::PaymentClaimable { payment_hash, purpose, onion_fields, .. } => {
                self.claimable(&payment_hash, purpose, onion_fields);
            }
            other => self.paying(other),
        }
    }

    /// Pays for the channels that wait; those that the faucet pays nothing for wait on.
    async fn fund(&self, chain: &impl RawChain) {
        let waiting = std::mem::take(&mut *self.unfunded());
        for funding in waiting {
            let Some(output) = chain.give(funding.script.clone(), funding.value).await else {
                self.unfunded().push(funding);
                continue;
            };
            let index = u16::try_from(output.vout).unwrap_or(u16::MAX);
            let output = OutPoint { txid: output.txid, index };
            let Funding { channel, peer, .. } = funding;
            let funded = self.manager.unsafe_manual_funding_transaction_generated(channel, peer, output);
            tracing::debug!(target: "raw", ?funded, "funding");
        }
    }

    fn unfunded(&self) -> MutexGuard<'_, Vec<Funding>> {
        self.unfunded.lock().expect("unpoisoned")
    }
}
