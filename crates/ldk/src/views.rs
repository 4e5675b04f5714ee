//! The node as people see it.

use crate::Ldk;
use crate::convert::{balance, channel_id, msat, node_id, sat, txid};
use lightning::ln::channel_state::{ChannelDetails, ChannelShutdownState};
use sponte_engine::backend::{Channel, ChannelState, NodeInfo, WalletBalance};
use sponte_proto::{BlockHeight, Msat, Sat};
use std::time::{SystemTime, UNIX_EPOCH};

impl Ldk {
    /// The wallet's coins, less what is kept back.
    pub(crate) fn wallet_balance(&self) -> WalletBalance {
        self.node.wallet.balance(self.reserve(0))
    }

    /// All channels, closing ones last.
    pub(crate) fn channel_list(&self) -> Vec<Channel> {
        let mut list: Vec<Channel> = self.node.manager.list_channels().iter().map(view).collect();
        list.sort_by_key(|channel| channel.id);
        list.extend(self.closing_list());
        list
    }

    /// Nodes, and the channels that payments can be routed through: LDK wants both directions.
    /// The graph is locked only in here: whoever asks the peers anything while it is, waits for a
    /// thread that holds a peer and waits for the graph.
    fn graph_size(&self) -> (u32, u32) {
        let graph = self.node.graph.read_only();
        let known = graph.channels().unordered_iter();
        let whole = known.filter(|(_, channel)| channel.one_to_two.is_some() && channel.two_to_one.is_some());
        (graph.nodes().len() as u32, whole.count() as u32)
    }

    pub(crate) fn info(&self) -> NodeInfo {
        let channels = self.node.manager.list_channels();
        let usable = channels.iter().filter(|channel| channel.is_usable);
        let sendable = usable.clone().map(|channel| channel.next_outbound_htlc_limit_msat);
        let best = self.node.manager.current_best_block();
        let (graph_nodes, graph_channels) = self.graph_size();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let chain = self.status.snapshot();
        let silent = chain.last_answer.and_then(|at| at.elapsed().ok()).map(|since| since.as_secs());
        let tip = chain.tip;
        NodeInfo {
            id: node_id(&self.node.id),
            alias: self.config.alias.clone(),
            network: network_name(self.config.network).into(),
            height: BlockHeight::new(best.height),
            block_hash: best.block_hash.to_string(),
            chain_silent_seconds: chain.last_error.as_ref().and(silent),
            chain_error: chain.last_error,
            tip_age_seconds: tip.map_or(0, |tip| now.as_secs().saturating_sub(u64::from(tip.time_s))),
            listening: self.listening.map(|address| address.to_string()),
            peers: self.node.peers.list_peers().len() as u32,
            graph_nodes,
            graph_channels,
            balance: self.wallet_balance(),
            channels_usable: usable.clone().count() as u32,
            channels: channels.len() as u32,
            sendable: msat(sendable.clone().sum()),
            sendable_in_one_part: msat(sendable.max().unwrap_or(0)),
            receivable: msat(usable.map(|channel| channel.inbound_capacity_msat).sum()),
        }
    }
}

/// The network's name in configuration and API.
pub(crate) fn network_name(network: bitcoin::Network) -> &'static str {
    match network {
        bitcoin::Network::Bitcoin => "mainnet",
        bitcoin::Network::Testnet4 => "testnet4",
        bitcoin::Network::Signet => "signet",
        bitcoin::Network::Regtest => "regtest",
        _ => "testnet",
    }
}

fn state(channel: &ChannelDetails) -> ChannelState {
    let open = matches!(channel.channel_shutdown_state, None | Some(ChannelShutdownState::NotShuttingDown));
    match (open, channel.is_channel_ready, channel.is_usable) {
        (false, _, _) => ChannelState::ShuttingDown,
        (true, false, _) => ChannelState::Pending,
        (true, true, true) => ChannelState::Usable,
        (true, true, false) => ChannelState::Offline,
    }
}

fn waiting_for(channel: &ChannelDetails, state: ChannelState) -> Option<String> {
    match state {
        ChannelState::Pending if channel.funding_txo.is_none() => Some("the funding transaction".into()),
        ChannelState::Pending => {
            let needed = channel.confirmations_required.unwrap_or(0);
            let left = needed.saturating_sub(channel.confirmations.unwrap_or(0));
            Some(match left {
                0 => "the peer to see the confirmations".into(),
                left => format!("{left} confirmations of the funding transaction"),
            })
        }
        ChannelState::Offline => Some("the peer to connect".into()),
        ChannelState::ShuttingDown => {
            let htlcs = channel.pending_inbound_htlcs.len() + channel.pending_outbound_htlcs.len();
            Some(match htlcs {
                0 => "the peer to sign the closing transaction".into(),
                htlcs => format!("{htlcs} HTLCs to end"),
            })
        }
        _ => None,
    }
}

fn view(channel: &ChannelDetails) -> Channel {
    let state = state(channel);
    let funding = channel.funding_txo.map(|funding| (txid(funding.txid), u32::from(funding.index)));
    Channel {
        id: channel_id(channel.channel_id),
        peer: node_id(&channel.counterparty.node_id),
        state,
        short_channel_id: channel.short_channel_id,
        funding,
        value: sat(channel.channel_value_satoshis),
        balance: funding.and_then(|_| balance(channel)),
        sendable: if channel.is_usable { msat(channel.next_outbound_htlc_limit_msat) } else { Msat::ZERO },
        receivable: if channel.is_usable { msat(channel.inbound_capacity_msat) } else { Msat::ZERO },
        htlcs: (channel.pending_inbound_htlcs.len() + channel.pending_outbound_htlcs.len()) as u32,
        announced: channel.is_announced,
        outbound: channel.is_outbound,
        confirmations: channel.confirmations.zip(channel.confirmations_required),
        waiting_for: waiting_for(channel, state),
        closing_txids: vec![],
        to_come: Sat::ZERO,
    }
}
