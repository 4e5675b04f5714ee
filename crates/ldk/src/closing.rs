//! Channels that end: what is waited for, what comes home, when nothing is left.

mod book;
mod spends;

pub(crate) use book::ClosingBook;
pub(crate) use spends::FundingSpends;

use crate::Ldk;
use crate::convert::{channel_id, ldk_channel_id, node_id, sat, txid};
use bitcoin::{OutPoint, Transaction};
use book::Closing;
use lightning::chain::channelmonitor::{ANTI_REORG_DELAY, Balance};
use lightning::events::{ClosureReason, Event, FundingInfo};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::sign::SpendableOutputDescriptor;
use lightning::util::sweep::{OutputSpendStatus, TrackedSpendableOutput};
use sponte_engine::backend::{BackendEvent, Channel, ChannelState, Refusal, RefusalKind};
use sponte_proto::{ChannelId, Msat, Sat, Txid};

impl Ldk {
    /// Takes an event about an ending; gives back any other.
    pub(crate) fn handle_closing_event(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::ChannelClosed { .. } => self.channel_closed(event),
            Event::DiscardFunding { channel_id: id, funding_info } => {
                let funding = match funding_info {
                    FundingInfo::Tx { transaction } => Some(transaction.compute_txid()),
                    FundingInfo::OutPoint { outpoint } => Some(outpoint.txid),
                    FundingInfo::Contribution { .. } => None,
                };
                self.discard(channel_id(id), funding);
            }
            Event::SpendableOutputs { outputs, channel_id: id, counterparty_node_id } => {
                if let Some(id) = id {
                    for output in &outputs {
                        let (outpoint, value) = outpoint_of(output);
                        self.node.wallet.note_spendable(channel_id(id), outpoint, value);
                    }
                }
                let tracked =
                    self.node.sweeper.track_spendable_outputs(outputs, id, counterparty_node_id, false, None);
                // Our store takes every write; it cannot fail here.
                debug_assert!(tracked.is_ok());
            }
            Event::BumpTransaction(event) => self.bump(event),
            other => return Some(other),
        }
        None
    }

    fn channel_closed(&mut self, event: Event) {
        let Event::ChannelClosed {
            channel_id: id,
            user_channel_id,
            reason,
            counterparty_node_id,
            channel_capacity_sats,
            channel_funding_txo,
            last_local_balance_msat,
        } = event
        else {
            return;
        };
        let refusal = Refusal::new(RefusalKind::Unavailable, not_opened(&reason));
        self.refuse_opening(user_channel_id, refusal);
        let reason = plain(&reason);
        self.node.handler.forget(id);
        let funded = channel_funding_txo.filter(|funding| self.has_monitor(id, funding));
        let ours = funded.is_some_and(|funding| self.our_fundings.remove(&funding.txid));
        if let (Some(funding), Some(peer), false) = (funded, counterparty_node_id, ours)
            && !self.fundings.contains_key(&funding.into_bitcoin_outpoint())
        {
            // Its `ChannelPending` waited for the first monitor, and will not come any more.
            self.pending_unbooked.insert(id, peer);
        }
        self.book_late(id, channel_capacity_sats, last_local_balance_msat, ours);
        let Some(funding) = funded else { return };
        let (channel, peer) = (channel_id(id), counterparty_node_id.map(|peer| node_id(&peer)));
        let funding_txo = funding.into_bitcoin_outpoint();
        self.fundings.insert(funding_txo, channel);
        let closing = Closing {
            peer,
            value: sat(channel_capacity_sats.unwrap_or(0)),
            funding: Some((txid(funding.txid), funding_txo.vout)),
            reason: reason.clone(),
            height: self.node.manager.current_best_block().height,
            txids: self.spends.get(&channel).cloned().unwrap_or_default(),
        };
        self.closing.put(channel, closing, &self.node.persister);
        self.events.push(BackendEvent::ChannelClosed { channel, peer, reason });
    }

    /// Whether a closed channel got as far as its first monitor. LDK queues that until the seal; it
    /// has queued one of a channel that a peer funds whose funding it tells, if anything.
    fn has_monitor(&self, id: LdkChannelId, funding: &lightning::chain::transaction::OutPoint) -> bool {
        let theirs = !self.our_fundings.contains(&funding.txid);
        self.node.monitor.get_monitor(id).is_ok()
            || (theirs && self.node.monitor.pending_operation_count() > 0)
    }

    /// A channel that never was.
    pub(crate) fn discard(&mut self, channel: ChannelId, funding: Option<bitcoin::Txid>) {
        if let Some(funding) = funding {
            self.node.wallet.cancel(funding);
        }
        self.closing.remove(channel, &self.node.persister);
        self.events.push(BackendEvent::ChannelDiscarded(channel));
    }

    /// Remembers which transactions close channels, from blocks and from what we broadcast.
    pub(crate) fn note_transactions<'a>(&mut self, transactions: impl Iterator<Item = &'a Transaction>) {
        if self.fundings.is_empty() {
            return;
        }
        for tx in transactions {
            for input in &tx.input {
                if let Some(channel) = self.fundings.get(&input.previous_output).copied() {
                    self.note_closing_txid(channel, txid(tx.compute_txid()));
                }
            }
        }
    }

    fn note_closing_txid(&mut self, channel: ChannelId, txid: Txid) {
        let seen = self.spends.entry(channel).or_default();
        if seen.contains(&txid) {
            return;
        }
        seen.push(txid);
        let unknown = |closing: &&Closing| !closing.txids.contains(&txid);
        if let Some(mut closing) = self.closing.0.get(&channel).filter(unknown).cloned() {
            closing.txids.push(txid);
            self.closing.put(channel, closing, &self.node.persister);
        }
    }

    /// After a block: channels of which nothing is outstanding any more.
    pub(crate) fn resolve_closed(&mut self) {
        let tracked = self.node.sweeper.tracked_spendable_outputs();
        let height = self.node.manager.current_best_block().height;
        // One without a monitor may have it in the queue.
        let all_known = self.node.monitor.pending_operation_count() == 0;
        let known = |id| all_known || self.node.monitor.get_monitor(ldk_channel_id(id)).is_ok();
        let done: Vec<ChannelId> = self
            .closing
            .0
            .keys()
            .copied()
            .filter(|id| {
                self.claimable(*id).is_empty()
                    && outputs_of(&tracked, *id).all(|o| buried(o, height))
                    && known(*id)
            })
            .collect();
        for id in done {
            let closing = self.closing.0.get(&id).cloned();
            self.closing.remove(id, &self.node.persister);
            self.spends.remove(&id);
            if let Some(funding) = closing.and_then(|closing| closing.funding) {
                self.fundings.remove(&outpoint(funding));
            }
            self.events.push(BackendEvent::ChannelResolved(id));
        }
    }

    pub(crate) fn claimable(&self, id: ChannelId) -> Vec<Balance> {
        let monitor = self.node.monitor.get_monitor(ldk_channel_id(id));
        monitor.map(|monitor| monitor.get_claimable_balances()).unwrap_or_default()
    }

    /// Closed channels as the list shows them.
    pub(crate) fn closing_list(&self) -> Vec<Channel> {
        let tracked = self.node.sweeper.tracked_spendable_outputs();
        let height = self.node.manager.current_best_block().height;
        self.closing.0.iter().map(|(id, closing)| self.closing_view(*id, closing, &tracked, height)).collect()
    }

    fn closing_view(
        &self,
        id: ChannelId,
        closing: &Closing,
        tracked: &[TrackedSpendableOutput],
        height: u32,
    ) -> Channel {
        let balances = self.claimable(id);
        let mut waits: Vec<String> =
            balances.iter().map(|balance| wait_for_balance(balance, height)).collect();
        let mut to_come: u64 = balances.iter().map(Balance::claimable_amount_satoshis).sum();
        let mut txids = closing.txids.clone();
        for output in outputs_of(tracked, id).filter(|output| !buried(output, height)) {
            to_come += outpoint_of(&output.descriptor).1.to_sat();
            waits.push(wait_for_sweep(&output.status, height));
            txids.extend(sweep_txid(&output.status));
        }
        txids.sort_unstable();
        txids.dedup();
        waits.dedup();
        Channel {
            id,
            peer: closing.peer.unwrap_or_else(|| node_id(&self.node.id)),
            state: ChannelState::Closing,
            short_channel_id: None,
            funding: closing.funding,
            value: closing.value,
            balance: None,
            sendable: Msat::ZERO,
            receivable: Msat::ZERO,
            htlcs: 0,
            announced: false,
            outbound: false,
            confirmations: None,
            waiting_for: Some(format!("{} ({})", waits.join("; "), closing.reason)),
            closing_txids: txids,
            to_come: sat(to_come),
        }
    }
}

/// The outpoint and value of an output that can be swept.
fn outpoint_of(descriptor: &SpendableOutputDescriptor) -> (OutPoint, Sat) {
    let (outpoint, output) = match descriptor {
        SpendableOutputDescriptor::StaticOutput { outpoint, output, .. } => (outpoint, output),
        SpendableOutputDescriptor::DelayedPaymentOutput(d) => (&d.outpoint, &d.output),
        SpendableOutputDescriptor::StaticPaymentOutput(d) => (&d.outpoint, &d.output),
    };
    (outpoint.into_bitcoin_outpoint(), sat(output.value.to_sat()))
}

fn outpoint((txid, vout): (Txid, u32)) -> OutPoint {
    use bitcoin::hashes::Hash;
    OutPoint { txid: bitcoin::Txid::from_byte_array(txid.to_bytes()), vout }
}

fn outputs_of(
    tracked: &[TrackedSpendableOutput],
    id: ChannelId,
) -> impl Iterator<Item = &TrackedSpendableOutput> {
    tracked.iter().filter(move |output| output.channel_id == Some(ldk_channel_id(id)))
}

/// Swept so deep that no reorg is expected to undo it.
fn buried(output: &TrackedSpendableOutput, height: u32) -> bool {
    match output.status {
        OutputSpendStatus::PendingThresholdConfirmations { confirmation_height, .. } => {
            height + 1 >= confirmation_height + ANTI_REORG_DELAY
        }
        _ => false,
    }
}

fn sweep_txid(status: &OutputSpendStatus) -> Option<Txid> {
    match status {
        OutputSpendStatus::PendingInitialBroadcast { .. } => None,
        OutputSpendStatus::PendingFirstConfirmation { latest_spending_tx, .. }
        | OutputSpendStatus::PendingThresholdConfirmations { latest_spending_tx, .. } => {
            Some(txid(latest_spending_tx.compute_txid()))
        }
    }
}

fn wait_for_sweep(status: &OutputSpendStatus, height: u32) -> String {
    match status {
        OutputSpendStatus::PendingInitialBroadcast { .. } => "the sweep's broadcast".into(),
        OutputSpendStatus::PendingFirstConfirmation { .. } => "the sweep's first confirmation".into(),
        OutputSpendStatus::PendingThresholdConfirmations { confirmation_height, .. } => {
            let left = (confirmation_height + ANTI_REORG_DELAY).saturating_sub(height + 1);
            format!("{left} more confirmations of the sweep")
        }
    }
}

fn wait_for_balance(balance: &Balance, height: u32) -> String {
    let until = |what: &str, at: u32| format!("{what} in {} blocks", at.saturating_sub(height));
    match balance {
        Balance::ClaimableOnChannelClose { .. } => "the closing transaction's first confirmation".into(),
        Balance::ClaimableAwaitingConfirmations { confirmation_height, .. } => {
            until("the output can be spent", *confirmation_height)
        }
        Balance::ContentiousClaimable { timeout_height, .. } => {
            until("our claim of an HTLC must confirm", *timeout_height)
        }
        Balance::MaybeTimeoutClaimableHTLC { claimable_height, .. } => {
            until("an HTLC of ours times out", *claimable_height)
        }
        Balance::MaybePreimageClaimableHTLC { expiry_height, .. } => {
            until("an HTLC to us expires unless its preimage comes", *expiry_height)
        }
        Balance::CounterpartyRevokedOutputClaimable { .. } => {
            "our claim of what the peer tried to steal".into()
        }
    }
}

/// Why a channel does not come to be, and what to do.
fn not_opened(reason: &ClosureReason) -> String {
    match reason {
        ClosureReason::CounterpartyForceClosed { peer_msg } => {
            format!("the peer refused the channel ({peer_msg}): ask for another value, or another peer")
        }
        other => format!("the channel was not opened ({}): try again", plain(other)),
    }
}

/// Why a channel closed, in one line for people.
fn plain(reason: &ClosureReason) -> String {
    match reason {
        ClosureReason::CounterpartyForceClosed { peer_msg } => {
            format!("the peer force-closed it: {peer_msg}")
        }
        ClosureReason::HolderForceClosed { message, .. } => format!("force-closed here: {message}"),
        ClosureReason::LegacyCooperativeClosure
        | ClosureReason::CounterpartyInitiatedCooperativeClosure
        | ClosureReason::LocallyInitiatedCooperativeClosure => "closed cooperatively".into(),
        ClosureReason::CommitmentTxConfirmed => "the peer's commitment transaction confirmed".into(),
        other => other.to_string(),
    }
}
