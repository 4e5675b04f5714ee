//! The books (law 4): every change of an amount is a transfer between two accounts, under a key
//! that the same event makes again, so that a replay is written once.
//!
//! What an audit may compare, and with what:
//! * posted [`Account::Channel`] with the channel's balance while it has no HTLCs. Money in
//!   flight leaves a channel's account when the payment is paid, and a forward moves it when it is
//!   settled, so a channel with HTLCs has no one right number.
//! * [`Account::OnChain`], posted and pending in and out together, with all coins of the wallet,
//!   unconfirmed ones too: a wallet transaction is pending until it is buried.
//! * [`Account::Opening`], posted and pending together, is zero as soon as both sides of a funding
//!   were told: the channel counts at once ([`BackendEvent::ChannelPending`] is posted), its
//!   funding transaction once it is buried, so the posted balance alone is negative meanwhile.
//! * posted [`Account::HeldIn`] and [`Account::InFlightOut`] with zero, always: only pending
//!   transfers stand there between two commits.
//!
//! The engine keeps the posted balances of channels, because what a closed channel did not give
//! back is whatever is left. They follow the ledger's exactly: payments are told apart by their
//! state, all else by what [`Fact::Transfers`](crate::Fact::Transfers) found.
//!
//! [`BackendEvent::ChannelPending`]: crate::backend::BackendEvent::ChannelPending

mod channels;
mod forwards;
mod wallet;

use crate::backend::BackendEvent;
use crate::commit::{Account, Settlement, TransferRow, TransferState};
use crate::step::Step;
use sponte_proto::{ChannelId, Msat, PaymentId};
use std::collections::{BTreeMap, BTreeSet};

/// Posted balances of the channels, and what was told of them since the start.
#[derive(Debug, Default)]
pub(crate) struct Books {
    channels: BTreeMap<ChannelId, i64>,
    told: BTreeSet<(ChannelId, &'static str)>,
}

/// A transfer, whatever its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) debit: Account,
    pub(crate) credit: Account,
    pub(crate) amount: Msat,
    pub(crate) payment: Option<PaymentId>,
}

impl Books {
    pub(crate) fn new(channel_balances_msat: Vec<(ChannelId, i64)>) -> Books {
        Books { channels: channel_balances_msat.into_iter().collect(), told: BTreeSet::new() }
    }

    /// The keys of the transfers that tell whether an event is a repeat.
    pub(crate) fn keys(event: &BackendEvent) -> Option<Vec<String>> {
        match event {
            BackendEvent::Forwarded(forward) => Some(vec![forwards::prefix(forward)]),
            BackendEvent::ChannelPending(pending) => Some(vec![channels::prefix(pending.channel)]),
            BackendEvent::ChannelDiscarded(channel) | BackendEvent::ChannelResolved(channel) => {
                Some(vec![channels::prefix(*channel)])
            }
            BackendEvent::WalletTx(tx) => Some(wallet::prefixes(tx)),
            _ => None,
        }
    }

    /// Moves an amount for good. Nothing happens if it is zero, or stays where it is.
    pub(crate) fn post(&mut self, step: &mut Step, entry: Entry) {
        if entry.moves() {
            self.apply(&entry);
            step.changes.transfers.push(entry.row(TransferState::Posted, step));
        }
    }

    /// Reserves an amount.
    pub(crate) fn reserve(&mut self, step: &mut Step, entry: Entry) {
        if entry.moves() {
            step.changes.transfers.push(entry.row(TransferState::Pending, step));
        }
    }

    /// Moves an amount that was reserved.
    pub(crate) fn settle(&mut self, step: &mut Step, entry: Entry) {
        if entry.moves() {
            self.apply(&entry);
            step.changes.settlements.push(Settlement { key: entry.key, state: TransferState::Posted });
        }
    }

    /// Gives back an amount that was reserved.
    pub(crate) fn void(&mut self, step: &mut Step, entry: Entry) {
        if entry.moves() {
            step.changes.settlements.push(Settlement { key: entry.key, state: TransferState::Void });
        }
    }

    /// What is left in a channel's account, signed msat.
    pub(crate) fn balance_msat(&self, channel: ChannelId) -> i64 {
        self.channels.get(&channel).copied().unwrap_or(0)
    }

    /// Every channel account that is not zero.
    pub(crate) fn balances_msat(&self) -> impl Iterator<Item = (ChannelId, i64)> {
        self.channels.iter().map(|(channel, msat)| (*channel, *msat))
    }

    /// Whether something of a channel is told for the first time since the start.
    fn first(&mut self, channel: ChannelId, kind: &'static str) -> bool {
        self.told.insert((channel, kind))
    }

    fn apply(&mut self, entry: &Entry) {
        let msat = i64::try_from(entry.amount.to_msat()).expect("the money supply fits");
        for (account, change) in [(entry.debit, -msat), (entry.credit, msat)] {
            let Account::Channel(channel) = account else { continue };
            let balance = self.channels.entry(channel).or_default();
            *balance = balance.saturating_add(change);
            if *balance == 0 {
                self.channels.remove(&channel);
            }
        }
    }
}

impl Entry {
    pub(crate) fn new(key: String, debit: Account, credit: Account, amount: Msat) -> Entry {
        Entry { key, debit, credit, amount, payment: None }
    }

    pub(crate) fn of(self, payment: PaymentId) -> Entry {
        Entry { payment: Some(payment), ..self }
    }

    fn moves(&self) -> bool {
        self.amount != Msat::ZERO && self.debit != self.credit
    }

    fn row(self, state: TransferState, step: &Step) -> TransferRow {
        let Entry { key, debit, credit, amount, payment } = self;
        TransferRow { key, debit, credit, amount, state, payment, created_at: step.now }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use sponte_proto::Timestamp;

    /// What a handler wrote.
    pub(crate) fn written(handle: impl FnOnce(&mut Step)) -> Step {
        let mut step = Step::new(Timestamp::from_millis(1));
        handle(&mut step);
        step
    }

    pub(crate) fn channel(byte: u8) -> ChannelId {
        ChannelId::from_bytes([byte; 32])
    }

    pub(crate) fn msat(msat: u64) -> Msat {
        Msat::new(msat).expect("below the supply")
    }

    /// Posted balance of an account over all transfers of a step.
    pub(crate) fn posted(step: &Step, account: Account) -> i64 {
        step.changes
            .transfers
            .iter()
            .filter(|row| row.state == TransferState::Posted)
            .map(|row| {
                let amount = i64::try_from(row.amount.to_msat()).expect("small");
                amount * (i64::from(row.credit == account) - i64::from(row.debit == account))
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    #[test]
    fn nothing_is_written_of_nothing() {
        let mut books = Books::default();
        let entry = Entry::new("k".into(), Account::World, Account::OnChain, Msat::ZERO);
        let step = written(|step| {
            books.post(step, entry.clone());
            books.reserve(step, entry.clone());
            books.settle(step, entry.clone());
            books.void(step, entry);
        });
        assert!(step.changes.is_empty());
    }

    #[test]
    fn only_what_is_posted_counts_for_a_channel() {
        let mut books = Books::default();
        let to = |key: &str| Entry::new(key.into(), Account::World, Account::Channel(channel(1)), msat(5));
        written(|step| books.reserve(step, to("a")));
        assert_eq!(books.balance_msat(channel(1)), 0);
        written(|step| books.settle(step, to("a")));
        assert_eq!(books.balance_msat(channel(1)), 5);
        written(|step| books.void(step, to("b")));
        assert_eq!(books.balance_msat(channel(1)), 5);
        assert_eq!(books.balances_msat().collect::<Vec<_>>(), [(channel(1), 5)]);
    }
}
