//! Channels that end: what is waited for, what comes home, when nothing is left.

use crate::Ldk;
use crate::convert::{channel_id, ldk_channel_id, node_id, sat, txid};
use crate::persist::Persister;
use bitcoin::{OutPoint, Transaction};
use lightning::chain::channelmonitor::{ANTI_REORG_DELAY, Balance};
use lightning::events::{ClosureReason, Event, FundingInfo};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::sign::SpendableOutputDescriptor;
use lightning::util::sweep::{OutputSpendStatus, TrackedSpendableOutput};
use serde_json::{Value, json};
use sponte_engine::backend::{BackendEvent, Channel, ChannelState, Refusal, RefusalKind};
use sponte_proto::{ChannelId, Msat, NodeId, Sat, Txid};
use std::collections::BTreeMap;

/// Closed channels whose money is not all home, by channel id.
const CLOSING: &str = "ldk.closing";

/// A closed channel until nothing of it is outstanding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    peer: Option<NodeId>,
    value: Sat,
    funding: Option<(Txid, u32)>,
    reason: String,
    /// Our best block when it closed.
    height: u32,
    /// Transactions that spend its funding, and those that sweep its outputs.
    txids: Vec<Txid>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct ClosingBook(BTreeMap<ChannelId, Closing>);

impl ClosingBook {
    /// The namespace of the stored entries.
    pub(crate) const NAMESPACE: &str = CLOSING;

    /// From what was stored; `tip` is the height for what was stored without one.
    ///
    /// # Errors
    /// The key of an entry that makes no sense: without it a channel would never resolve.
    pub(crate) fn load(entries: &[(String, Vec<u8>)], tip: u32) -> Result<ClosingBook, String> {
        let read = |(id, bytes): &(String, Vec<u8>)| Some((id.parse().ok()?, Closing::decode(bytes, tip)?));
        let closings = entries.iter().map(|entry| read(entry).ok_or_else(|| entry.0.clone()));
        closings.collect::<Result<_, _>>().map(ClosingBook)
    }

    pub(crate) fn knows(&self, id: ChannelId) -> bool {
        self.0.contains_key(&id)
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.0.keys().copied()
    }

    /// Channels that closed at this height or below, with their funding outputs.
    pub(crate) fn older_than(&self, height: u32) -> Vec<(ChannelId, OutPoint)> {
        let old = self.0.iter().filter(|(_, closing)| closing.height <= height);
        old.filter_map(|(id, closing)| Some((*id, outpoint(closing.funding?)))).collect()
    }

    fn put(&mut self, id: ChannelId, closing: Closing, persister: &Persister) {
        persister.put(CLOSING, &id.to_string(), closing.encode());
        self.0.insert(id, closing);
    }

    fn remove(&mut self, id: ChannelId, persister: &Persister) {
        persister.delete(CLOSING, &id.to_string());
        self.0.remove(&id);
    }
}

impl Closing {
    fn encode(&self) -> Vec<u8> {
        let txids: Vec<String> = self.txids.iter().map(Txid::to_string).collect();
        json!({
            "peer": self.peer.map(|peer| peer.to_string()),
            "value_sat": self.value.to_sat(),
            "funding": self.funding.map(|(txid, vout)| json!([txid.to_string(), vout])),
            "reason": self.reason,
            "height": self.height,
            "txids": txids,
        })
        .to_string()
        .into_bytes()
    }

    fn decode(bytes: &[u8], tip: u32) -> Option<Closing> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let funding = match &value["funding"] {
            Value::Null => None,
            pair => Some((pair[0].as_str()?.parse().ok()?, number(&pair[1])?)),
        };
        let peer = match &value["peer"] {
            Value::Null => None,
            peer => Some(peer.as_str()?.parse().ok()?),
        };
        let height = match &value["height"] {
            Value::Null => tip,
            height => number(height)?,
        };
        let txids = value["txids"].as_array()?.iter().map(|txid| txid.as_str()?.parse().ok());
        Some(Closing {
            peer,
            value: Sat::new(value["value_sat"].as_u64()?)?,
            funding,
            reason: value["reason"].as_str()?.to_owned(),
            height,
            txids: txids.collect::<Option<_>>()?,
        })
    }
}

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
        let reason = plain(&reason);
        let message = format!("the channel was not opened: {reason}");
        self.refuse_opening(user_channel_id, Refusal::new(RefusalKind::Unavailable, message));
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
        if let Some(mut closing) = self.closing.0.get(&channel).cloned() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_closing() -> impl Strategy<Value = Closing> {
        let txid = || any::<[u8; 32]>().prop_map(Txid::from_bytes);
        let peer = (2u8..=3, any::<[u8; 32]>()).prop_map(|(sign, x)| {
            let mut bytes = [sign; 33];
            bytes[1..].copy_from_slice(&x);
            NodeId::from_bytes(bytes).expect("02 or 03")
        });
        let value = (0..=Sat::MAX.to_sat()).prop_map(|sat| Sat::new(sat).expect("in supply"));
        let funding = prop::option::of((txid(), any::<u32>()));
        let reason = prop::collection::vec(any::<char>(), 0..20);
        let reason = reason.prop_map(|chars| chars.into_iter().collect::<String>());
        let txids = prop::collection::vec(txid(), 0..4);
        (prop::option::of(peer), value, funding, reason, any::<u32>(), txids).prop_map(
            |(peer, value, funding, reason, height, txids)| Closing {
                peer,
                value,
                funding,
                reason,
                height,
                txids,
            },
        )
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "0[23][0-9a-f]{62}([0-9a-f]{2})?|.*".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::Array))
    }

    proptest! {
        #[test]
        fn closings_round_trip_and_are_read_whole_or_not_at_all(
            closing in any_closing(),
            cut in any::<prop::sample::Index>(),
            tip: u32,
        ) {
            let bytes = closing.encode();
            prop_assert_eq!(Closing::decode(&bytes, tip), Some(closing));
            prop_assert_eq!(Closing::decode(&bytes[..cut.index(bytes.len())], tip), None);
        }

        #[test]
        fn a_strange_field_is_refused_or_makes_sense(
            closing in any_closing(),
            field in prop::sample::select(vec!["peer", "value_sat", "funding", "reason", "height", "txids"]),
            strange in any_json(),
            tip: u32,
        ) {
            let mut value: Value = serde_json::from_slice(&closing.encode()).unwrap();
            value[field] = strange;
            if let Some(read) = Closing::decode(value.to_string().as_bytes(), tip) {
                // A height that was missing is there from now on, whatever the tip.
                prop_assert_eq!(Closing::decode(&read.encode(), !tip), Some(read));
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, json in any_json(), tip: u32) {
            let _ = Closing::decode(&bytes, tip);
            let _ = Closing::decode(json.to_string().as_bytes(), tip);
        }
    }

    #[test]
    fn a_closing_survives_its_encoding() {
        let closing = Closing {
            peer: format!("02{}", "ab".repeat(32)).parse().ok(),
            value: Sat::new(5).expect("small"),
            funding: Some((Txid::from_bytes([3; 32]), 7)),
            reason: "closed \"cooperatively\"".into(),
            height: 9,
            txids: vec![Txid::from_bytes([4; 32])],
        };
        assert_eq!(Closing::decode(&closing.encode(), 5), Some(closing.clone()));
        let bare = Closing { peer: None, funding: None, ..closing };
        assert_eq!(Closing::decode(&bare.encode(), 5), Some(bare));
    }

    #[test]
    fn only_a_missing_height_is_made_up() {
        let id = ChannelId::from_bytes([7; 32]).to_string();
        let load = |key: &str, bytes: &str| ClosingBook::load(&[(key.into(), bytes.into())], 5);
        let old = r#"{"value_sat":1,"reason":"","txids":[]}"#;
        let book = load(&id, old).unwrap();
        assert!(book.0.values().all(|closing| closing.height == 5) && book.0.len() == 1);
        let damaged = [
            "{}",
            "\u{ff}",
            r#"{"value_sat":1,"reason":"","txids":["x"]}"#,
            r#"{"value_sat":1,"reason":"","txids":[],"height":"9"}"#,
            r#"{"value_sat":1,"reason":"","txids":[],"peer":"x"}"#,
            r#"{"value_sat":1,"reason":"","txids":[],"funding":[]}"#,
        ];
        for bytes in damaged {
            assert_eq!(load(&id, bytes).err(), Some(id.clone()), "{bytes}");
        }
        assert_eq!(load("x", old).err(), Some("x".into()));
    }
}
