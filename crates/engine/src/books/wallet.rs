//! Wallet transactions: pending while they are young, posted when they are buried.
//!
//! A transaction may be gone and come back (a replacement that lost, a mempool that forgot), so
//! its pending transfers are numbered anew each time, and those that are posted have keys of
//! their own: whatever the order, it is posted once, and at most one pending set stands.

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
    /// A wallet transaction, or its fate. Repeats and what contradicts a burial are ignored.
    pub(crate) fn handle_wallet_tx(&mut self, step: &mut Step, tx: &WalletTx, found: &[TransferRow]) {
        let stem = prefix(tx.txid);
        let own = || found.iter().filter(|row| row.key.starts_with(&stem));
        if own().any(|row| row.state == TransferState::Posted) {
            return;
        }
        let pending: Vec<&TransferRow> = own().filter(|row| row.state == TransferState::Pending).collect();
        let what = match tx.state {
            WalletTxState::Seen if pending.is_empty() => {
                let turn = next_turn(own(), &stem);
                for (number, (debit, credit, amount)) in entries(&tx.kind).into_iter().enumerate() {
                    self.reserve(
                        step,
                        Entry::new(format!("{stem}seen/{turn}/{number}"), debit, credit, amount),
                    );
                }
                "seen"
            }
            WalletTxState::Gone if !pending.is_empty() => {
                void(step, &pending);
                "gone"
            }
            WalletTxState::Confirmed => {
                void(step, &pending);
                for (number, (debit, credit, amount)) in entries(&tx.kind).into_iter().enumerate() {
                    let debit = self.still_open(debit, found);
                    self.post(step, Entry::new(format!("{stem}confirmed/{number}"), debit, credit, amount));
                }
                "confirmed"
            }
            WalletTxState::Seen | WalletTxState::Gone => return,
        };
        let (name, amount) = describe(&tx.kind);
        let about = About { amount: Some(amount), ..About::default() };
        step.event("wallet_tx", about, format!("{name} {}: {what}", tx.txid));
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

/// How many times the transaction was seen and gone.
fn next_turn<'a>(own: impl Iterator<Item = &'a TransferRow>, stem: &str) -> u32 {
    let turn = |row: &TransferRow| -> Option<u32> {
        row.key.strip_prefix(stem)?.strip_prefix("seen/")?.split('/').next()?.parse().ok()
    };
    own.filter_map(turn).max().map_or(0, |last| last + 1)
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
    fn a_sweep_after_the_end_takes_from_the_rounding() {
        let (mut books, mut ledger) = (Books::new(vec![(channel(1), 50_000)]), Ledger::default());
        written(|step| books.handle_channel_resolved(step, channel(1), &[]));
        ledger.tell(&mut books, &tx(sweep(), Confirmed));
        assert_eq!(books.balance_msat(channel(1)), 0);
        assert_eq!(ledger.balance(Account::CloseRounding), (-50_000, 0));
        assert_eq!(ledger.balance(Account::Channel(channel(2))), (-30_000, 0));
    }

    proptest! {
        /// Any order, any repetition: once buried it is posted once and nothing is pending.
        #[test]
        fn buried_is_posted_once(
            states in proptest::collection::vec(prop_oneof![Just(Seen), Just(Gone), Just(Confirmed)], 0..12),
        ) {
            let (mut books, mut ledger) = (Books::default(), Ledger::default());
            for state in &states {
                ledger.tell(&mut books, &tx(sweep(), *state));
            }
            let buried = states.contains(&Confirmed);
            let seen = states.iter().rev().find(|state| matches!(state, Seen | Gone)) == Some(&Seen);
            let (posted, pending) = ledger.balance(Account::OnChain);
            prop_assert_eq!(posted, if buried { 77_000 } else { 0 });
            prop_assert_eq!(pending, if seen && !buried { 77_000 } else { 0 });
            prop_assert_eq!(books.balance_msat(channel(1)), if buried { -50_000 } else { 0 });
        }
    }
}
