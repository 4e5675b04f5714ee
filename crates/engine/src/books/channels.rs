//! Channels: how their money begins and ends.

use super::{Books, Entry};
use crate::backend::ChannelPending;
use crate::commit::{Account, TransferRow};
use crate::step::{About, Step};
use sponte_proto::{ChannelId, Msat, NodeId};

/// What the keys of all transfers of a channel's life start with.
pub(super) fn prefix(channel: ChannelId) -> String {
    format!("channel/{channel}/")
}

/// The transfer that empties the account of a channel of which nothing is outstanding.
pub(super) fn resolved_key(channel: ChannelId) -> String {
    format!("{}resolved", prefix(channel))
}

impl Books {
    /// A new channel's money: ours and what we gave away, out of its funding, or what we were
    /// given.
    pub(crate) fn handle_channel_pending(
        &mut self,
        step: &mut Step,
        pending: &ChannelPending,
        found: &[TransferRow],
    ) {
        let open = format!("{}open/", prefix(pending.channel));
        if found.iter().any(|row| row.key.starts_with(&open)) {
            return;
        }
        if !self.first(pending.channel, "channel_pending") {
            return;
        }
        let account = Account::Channel(pending.channel);
        let from = if pending.funded_by_us { Account::Opening } else { Account::World };
        let value = pending.value.to_msat();
        let ours = pending.ours.min(value);
        self.post(step, Entry::new(format!("{open}ours"), from, account, ours));
        if pending.funded_by_us {
            let push = value.saturating_sub(ours);
            self.post(step, Entry::new(format!("{open}push"), Account::Opening, Account::World, push));
        }
        let about = About { amount: Some(value), ..About::channel(pending.channel) };
        let who = if pending.funded_by_us { "opened by us" } else { "opened by the peer" };
        step.event("channel_pending", about, format!("with {}, {who}, {ours} of it ours", pending.peer));
    }

    /// A channel is ready.
    pub(crate) fn handle_channel_ready(&mut self, step: &mut Step, channel: ChannelId, peer: NodeId) {
        if self.first(channel, "channel_ready") {
            step.event("channel_ready", About::channel(channel), format!("with {peer}"));
        }
    }

    /// A channel takes no more HTLCs. Its money moves with its sweeps, and when it is resolved.
    pub(crate) fn handle_channel_closed(
        &mut self,
        step: &mut Step,
        channel: ChannelId,
        peer: Option<NodeId>,
        reason: &str,
    ) {
        if self.first(channel, "channel_closed") {
            let peer = peer.map(|peer| format!("with {peer}: ")).unwrap_or_default();
            step.event("channel_closed", About::channel(channel), format!("{peer}{reason}"));
        }
    }

    /// A channel that never was: exactly what its opening booked is taken back.
    pub(crate) fn handle_channel_discarded(
        &mut self,
        step: &mut Step,
        channel: ChannelId,
        found: &[TransferRow],
    ) {
        let (open, discard) = (format!("{}open/", prefix(channel)), format!("{}discard/", prefix(channel)));
        let repeated = found.iter().any(|row| row.key.starts_with(&discard));
        if repeated || !self.first(channel, "channel_discarded") {
            return;
        }
        for row in found {
            let Some(name) = row.key.strip_prefix(&open) else { continue };
            self.post(step, Entry::new(format!("{discard}{name}"), row.credit, row.debit, row.amount));
        }
        self.empty(step, channel, found);
        step.event(
            "channel_discarded",
            About::channel(channel),
            "its funding transaction will never confirm".into(),
        );
    }

    /// Nothing of a closed channel is outstanding: what is left in its account, either sign, is
    /// [`Account::CloseRounding`].
    pub(crate) fn handle_channel_resolved(
        &mut self,
        step: &mut Step,
        channel: ChannelId,
        found: &[TransferRow],
    ) {
        let repeated = found.iter().any(|row| row.key == resolved_key(channel));
        if repeated || !self.first(channel, "channel_resolved") {
            return;
        }
        let rounding = self.empty(step, channel, found);
        let about = About { amount: Some(rounding), ..About::channel(channel) };
        step.event("channel_resolved", about, format!("all came back but {rounding}"));
    }

    /// Empties a channel's account; answers the amount.
    fn empty(&mut self, step: &mut Step, channel: ChannelId, found: &[TransferRow]) -> Msat {
        let key = resolved_key(channel);
        let left = self.balance_msat(channel);
        let amount = Msat::new(left.unsigned_abs()).unwrap_or(Msat::MAX);
        if found.iter().any(|row| row.key == key) {
            return amount;
        }
        let account = Account::Channel(channel);
        let (debit, credit) = match left {
            0.. => (account, Account::CloseRounding),
            _ => (Account::CloseRounding, account),
        };
        self.post(step, Entry::new(key, debit, credit, amount));
        amount
    }

    /// Whether a channel's account was emptied.
    pub(super) fn is_resolved(&self, channel: ChannelId, found: &[TransferRow]) -> bool {
        self.told.contains(&(channel, "channel_resolved"))
            || found.iter().any(|row| row.key == resolved_key(channel))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use sponte_proto::Sat;

    fn pending(ours_msat: u64, funded_by_us: bool) -> ChannelPending {
        ChannelPending {
            channel: channel(1),
            peer: NodeId::from_bytes([2; 33]).expect("starts with 02"),
            value: Sat::new(100).expect("small"),
            ours: msat(ours_msat),
            funded_by_us,
        }
    }

    #[test]
    fn our_funding_is_ours_and_what_we_push() {
        let mut books = Books::default();
        let step = written(|step| books.handle_channel_pending(step, &pending(70_001, true), &[]));
        assert_eq!(posted(&step, Account::Opening), -100_000);
        assert_eq!(posted(&step, Account::Channel(channel(1))), 70_001);
        assert_eq!(posted(&step, Account::World), 29_999);
    }

    #[test]
    fn a_gift_comes_from_the_world() {
        let mut books = Books::default();
        let step = written(|step| books.handle_channel_pending(step, &pending(5, false), &[]));
        assert_eq!(posted(&step, Account::Opening), 0);
        assert_eq!(posted(&step, Account::World), -5);
        assert_eq!(books.balance_msat(channel(1)), 5);
    }

    #[test]
    fn a_repeat_after_a_restart_changes_nothing() {
        let first =
            written(|step| Books::default().handle_channel_pending(step, &pending(70_000, true), &[]));
        let mut books = Books::new(vec![(channel(1), 70_000)]);
        let found = first.changes.transfers;
        let again = written(|step| books.handle_channel_pending(step, &pending(70_000, true), &found));
        assert!(again.changes.is_empty());
        assert_eq!(books.balance_msat(channel(1)), 70_000);
    }

    #[test]
    fn a_discarded_channel_leaves_no_trace_in_any_balance() {
        for pending in [pending(70_000, true), pending(5, false), pending(0, false)] {
            let mut books = Books::default();
            let opened = written(|step| books.handle_channel_pending(step, &pending, &[]));
            let mut found = opened.changes.transfers.clone();
            let discarded = written(|step| books.handle_channel_discarded(step, channel(1), &found));
            for account in [Account::Opening, Account::World, Account::Channel(channel(1))] {
                assert_eq!(posted(&opened, account) + posted(&discarded, account), 0);
            }
            assert_eq!(books.balance_msat(channel(1)), 0);
            found.extend(discarded.changes.transfers);
            let again = written(|step| books.handle_channel_discarded(step, channel(1), &found));
            assert!(again.changes.is_empty());
        }
    }

    #[test]
    fn what_did_not_come_back_is_rounding_of_either_sign() {
        for left in [700, -700, 0] {
            let mut books = Books::new(vec![(channel(1), left)]);
            let step = written(|step| books.handle_channel_resolved(step, channel(1), &[]));
            assert_eq!(posted(&step, Account::CloseRounding), left);
            assert_eq!(books.balance_msat(channel(1)), 0);
            let again = written(|step| books.handle_channel_resolved(step, channel(1), &[]));
            assert!(again.changes.is_empty());
        }
    }
}
