//! Wallet transactions: pending while they are young, posted when they are buried.
//!
//! A transaction may be gone and come back (a replacement that lost, a mempool that forgot), and
//! even of a buried one the wallet may think better: a reorg was deeper, or an address that is
//! found later makes another amount of it. So each set of transfers has its turn in its keys, and
//! a posted set that is gone is posted the other way round: whatever the order, at most one set
//! stands, pending or posted.

use super::{Books, Entry, channels};
use crate::backend::{WalletTx, WalletTxKind, WalletTxState};
use crate::commit::{Account, Settlement, TransferRow, TransferState};
use crate::step::{About, Step};
use sponte_proto::{Msat, Txid};

/// What the keys start with that tell where a transaction stands, and whether the channels that
/// it sweeps are resolved.
pub(super) fn prefixes(tx: &WalletTx) -> Vec<String> {
    let mut keys = vec![prefix(tx.txid)];
    if let WalletTxKind::Sweep { inputs, .. } = &tx.kind {
        keys.extend(inputs.iter().map(|(channel, _)| channels::resolved_key(*channel)));
    }
    keys
}

fn prefix(txid: Txid) -> String {
    format!("wallet/{txid}/")
}

impl Books {
    /// A wallet transaction, or its fate. Repeats are ignored, and that a buried one is seen.
    pub(crate) fn handle_wallet_tx(&mut self, step: &mut Step, tx: &WalletTx, found: &[TransferRow]) {
        let stem = prefix(tx.txid);
        let own = || found.iter().filter(|row| row.key.starts_with(&stem));
        let pending: Vec<&TransferRow> = own().filter(|row| row.state == TransferState::Pending).collect();
        let posted = last_turn(own(), &stem, "confirmed/");
        let stands = posted.filter(|_| posted != last_turn(own(), &stem, "undone/"));
        let what = match tx.state {
            WalletTxState::Seen if pending.is_empty() && stands.is_none() => {
                let turn = last_turn(own(), &stem, "seen/").map_or(0, |last| last + 1);
                for (number, (debit, credit, amount)) in entries(&tx.kind).into_iter().enumerate() {
                    self.reserve(
                        step,
                        Entry::new(format!("{stem}seen/{turn}/{number}"), debit, credit, amount),
                    );
                }
                "seen"
            }
            WalletTxState::Gone if !pending.is_empty() || stands.is_some() => {
                void(step, &pending);
                if let Some(turn) = stands {
                    self.undo(step, &stem, turn, found);
                }
                "gone"
            }
            WalletTxState::Confirmed if stands.is_none() => {
                void(step, &pending);
                let turn = posted.map_or(0, |last| last + 1);
                for (number, (debit, credit, amount)) in entries(&tx.kind).into_iter().enumerate() {
                    let debit = self.still_open(debit, found);
                    let key = format!("{stem}confirmed/{turn}/{number}");
                    self.post(step, Entry::new(key, debit, credit, amount));
                }
                "confirmed"
            }
            WalletTxState::Seen | WalletTxState::Gone | WalletTxState::Confirmed => return,
        };
        let (name, amount) = describe(&tx.kind);
        let about = About { amount: Some(amount), ..About::default() };
        step.event("wallet_tx", about, format!("{name} {}: {what}", tx.txid));
    }

    /// Posts the transfers of a posted set the other way round.
    fn undo(&mut self, step: &mut Step, stem: &str, turn: u32, found: &[TransferRow]) {
        let posted = format!("{stem}confirmed/{turn}/");
        for row in found {
            let Some(number) = row.key.strip_prefix(&posted) else { continue };
            let back_to = self.still_open(row.debit, found);
            let key = format!("{stem}undone/{turn}/{number}");
            self.post(step, Entry::new(key, row.credit, back_to, row.amount));
        }
    }

    /// Money that comes home after its channel was resolved was taken for lost.
    fn still_open(&self, account: Account, found: &[TransferRow]) -> Account {
        match account {
            Account::Channel(channel) if self.is_resolved(channel, found) => Account::CloseRounding,
            other => other,
        }
    }
}

fn void(step: &mut Step, pending: &[&TransferRow]) {
    let void = |row: &&TransferRow| Settlement { key: row.key.clone(), state: TransferState::Void };
    step.changes.settlements.extend(pending.iter().map(void));
}

/// The last turn of a kind of set; they count from 0.
fn last_turn<'a>(own: impl Iterator<Item = &'a TransferRow>, stem: &str, kind: &str) -> Option<u32> {
    let turn = |row: &TransferRow| -> Option<u32> {
        row.key.strip_prefix(stem)?.strip_prefix(kind)?.split('/').next()?.parse().ok()
    };
    own.filter_map(turn).max()
}

/// From where to where, and how much. Whole satoshi all.
fn entries(kind: &WalletTxKind) -> Vec<(Account, Account, Msat)> {
    use Account::{Channel, OnChain, OnChainFees, Opening, World};
    match kind {
        WalletTxKind::Deposit(amount) => vec![(World, OnChain, amount.to_msat())],
        WalletTxKind::Withdrawal { amount, fee } => {
            vec![(OnChain, World, amount.to_msat()), (OnChain, OnChainFees, fee.to_msat())]
        }
        WalletTxKind::Funding { value, fee } => {
            vec![(OnChain, Opening, value.to_msat()), (OnChain, OnChainFees, fee.to_msat())]
        }
        WalletTxKind::Sweep { inputs, fee } => inputs
            .iter()
            .map(|(channel, amount)| (Channel(*channel), OnChain, amount.to_msat()))
            .chain([(OnChain, OnChainFees, fee.to_msat())])
            .collect(),
        WalletTxKind::Bump { cost } => vec![(OnChain, OnChainFees, cost.to_msat())],
    }
}

/// A word and the amount that a reader looks for.
fn describe(kind: &WalletTxKind) -> (&'static str, Msat) {
    match kind {
        WalletTxKind::Deposit(amount) => ("deposit", amount.to_msat()),
        WalletTxKind::Withdrawal { amount, .. } => ("withdrawal", amount.to_msat()),
        WalletTxKind::Funding { value, .. } => ("funding", value.to_msat()),
        WalletTxKind::Sweep { inputs, .. } => {
            let sum =
                inputs.iter().try_fold(Msat::ZERO, |sum, (_, amount)| sum.checked_add(amount.to_msat()));
            ("sweep", sum.unwrap_or(Msat::MAX))
        }
        WalletTxKind::Bump { cost } => ("fee bump", cost.to_msat()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use WalletTxState::{Confirmed, Gone, Seen};
    use proptest::prelude::*;
    use sponte_proto::Sat;

    fn sat(sat: u64) -> Sat {
        Sat::new(sat).expect("below the supply")
    }

    fn tx(kind: WalletTxKind, state: WalletTxState) -> WalletTx {
        WalletTx { txid: Txid::from_bytes([9; 32]), state, kind }
    }

    fn sweep() -> WalletTxKind {
        WalletTxKind::Sweep { inputs: vec![(channel(1), sat(50)), (channel(2), sat(30))], fee: sat(3) }
    }

    /// A ledger of transfers that applies steps as the store does.
    #[derive(Default)]
    struct Ledger(Vec<TransferRow>);

    impl Ledger {
        fn tell(&mut self, books: &mut Books, tx: &WalletTx) {
            let step = written(|step| books.handle_wallet_tx(step, tx, &self.0));
            for row in step.changes.transfers {
                assert!(self.0.iter().all(|old| old.key != row.key), "{} twice", row.key);
                self.0.push(row);
            }
            for end in step.changes.settlements {
                let row = self.0.iter_mut().find(|row| row.key == end.key).expect("it is there");
                assert_eq!(row.state, TransferState::Pending);
                row.state = end.state;
            }
        }

        /// Posted, and pending in minus pending out.
        fn balance(&self, account: Account) -> (i64, i64) {
            let sum = |state| {
                self.0.iter().filter(move |row| row.state == state).map(move |row| {
                    let amount = row.amount.to_msat().cast_signed();
                    amount * (i64::from(row.credit == account) - i64::from(row.debit == account))
                })
            };
            (sum(TransferState::Posted).sum(), sum(TransferState::Pending).sum())
        }
    }

    #[test]
    fn a_funding_empties_opening_when_its_channel_counts() {
        let (mut books, mut ledger) = (Books::default(), Ledger::default());
        let funding = WalletTxKind::Funding { value: sat(100), fee: sat(2) };
        ledger.tell(&mut books, &tx(funding.clone(), Seen));
        assert_eq!(ledger.balance(Account::Opening), (0, 100_000));
        assert_eq!(ledger.balance(Account::OnChain), (0, -102_000));
        ledger.tell(&mut books, &tx(funding, Confirmed));
        assert_eq!(ledger.balance(Account::Opening), (100_000, 0));
        assert_eq!(ledger.balance(Account::OnChainFees), (2_000, 0));
    }

    #[test]
    fn what_came_back_after_it_was_gone_counts_again() {
        let (mut books, mut ledger) = (Books::default(), Ledger::default());
        for state in [Seen, Gone, Gone, Seen, Seen, Gone, Seen] {
            ledger.tell(&mut books, &tx(WalletTxKind::Deposit(sat(7)), state));
        }
        assert_eq!(ledger.balance(Account::OnChain), (0, 7_000));
        ledger.tell(&mut books, &tx(WalletTxKind::Deposit(sat(7)), Confirmed));
        assert_eq!(ledger.balance(Account::OnChain), (7_000, 0));
    }

    #[test]
    fn a_buried_transaction_that_turns_out_otherwise_is_corrected() {
        let (mut books, mut ledger) = (Books::default(), Ledger::default());
        let deposit = |value| WalletTxKind::Deposit(sat(value));
        ledger.tell(&mut books, &tx(deposit(7), Confirmed));
        // An address was found later: it brought more.
        ledger.tell(&mut books, &tx(deposit(7), Gone));
        ledger.tell(&mut books, &tx(deposit(9), Confirmed));
        assert_eq!(ledger.balance(Account::OnChain), (9_000, 0));
        // A deep reorg, and a double spend that does not last.
        ledger.tell(&mut books, &tx(deposit(9), Gone));
        assert_eq!(ledger.balance(Account::OnChain), (0, 0));
        ledger.tell(&mut books, &tx(deposit(9), Seen));
        assert_eq!(ledger.balance(Account::OnChain), (0, 9_000));
        ledger.tell(&mut books, &tx(deposit(9), Confirmed));
        assert_eq!(ledger.balance(Account::OnChain), (9_000, 0));
        assert_eq!(ledger.balance(Account::World), (-9_000, 0));
    }

    #[test]
    fn a_sweep_that_is_gone_after_the_end_gives_back_to_the_rounding() {
        let (mut books, mut ledger) = (Books::new(vec![(channel(1), 50_000)]), Ledger::default());
        ledger.tell(&mut books, &tx(sweep(), Confirmed));
        let resolved = written(|step| books.handle_channel_resolved(step, channel(2), &ledger.0));
        ledger.0.extend(resolved.changes.transfers);
        ledger.tell(&mut books, &tx(sweep(), Gone));
        assert_eq!(books.balance_msat(channel(1)), 50_000, "still open");
        assert_eq!(books.balance_msat(channel(2)), 0, "nobody empties it again");
        assert_eq!(ledger.balance(Account::OnChain), (0, 0));
    }

    #[test]
    fn a_sweep_after_the_end_takes_from_the_rounding() {
        let (mut books, mut ledger) = (Books::new(vec![(channel(1), 50_000)]), Ledger::default());
        written(|step| books.handle_channel_resolved(step, channel(1), &[]));
        ledger.tell(&mut books, &tx(sweep(), Confirmed));
        assert_eq!(books.balance_msat(channel(1)), 0);
        assert_eq!(ledger.balance(Account::CloseRounding), (-50_000, 0));
        assert_eq!(ledger.balance(Account::Channel(channel(2))), (-30_000, 0));
    }

    proptest! {
        /// Any order, any repetition: what was told last stands once, and nothing beside it. That a
        /// buried one is seen says nothing new.
        #[test]
        fn what_was_told_last_stands_once(
            states in proptest::collection::vec(prop_oneof![Just(Seen), Just(Gone), Just(Confirmed)], 0..12),
        ) {
            let (mut books, mut ledger) = (Books::default(), Ledger::default());
            for state in &states {
                ledger.tell(&mut books, &tx(sweep(), *state));
            }
            let last = |before, state: &WalletTxState| match (before, *state) {
                (Confirmed, Seen) => Confirmed,
                (_, state) => state,
            };
            let last = states.iter().fold(Gone, last);
            let (posted, pending) = ledger.balance(Account::OnChain);
            prop_assert_eq!(posted, if last == Confirmed { 77_000 } else { 0 });
            prop_assert_eq!(pending, if last == Seen { 77_000 } else { 0 });
            prop_assert_eq!(books.balance_msat(channel(1)), if last == Confirmed { -50_000 } else { 0 });
        }
    }
}
