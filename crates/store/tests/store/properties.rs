//! Whatever valid rows come, in whatever batches and however often: the books balance.

use crate::rows::*;
use proptest::prelude::*;
use sponte_engine::commit::*;
use std::collections::BTreeMap;

/// Something that happens to the books; its number makes its keys.
#[derive(Clone, Debug)]
enum Step {
    Open {
        channel: u8,
        amount: u64,
    },
    Send {
        channel: u8,
        amount: u64,
        fee: u64,
    },
    Receive {
        channel: u8,
        amount: u64,
    },
    Forward {
        from: u8,
        to: u8,
        amount: u64,
        fee: u64,
    },
    /// Ends the pending payment of that step, if it is one.
    End {
        step: usize,
        paid: bool,
    },
    /// Says again what that step said.
    Again {
        step: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let channel = 0u8..4;
    let amount = 1u64..1_000_000_000;
    prop_oneof![
        (channel.clone(), amount.clone()).prop_map(|(channel, amount)| Step::Open { channel, amount }),
        (channel.clone(), amount.clone(), 0u64..1000).prop_map(|(channel, amount, fee)| Step::Send {
            channel,
            amount,
            fee
        }),
        (channel.clone(), amount.clone()).prop_map(|(channel, amount)| Step::Receive { channel, amount }),
        (channel.clone(), channel, amount, 1u64..1000).prop_map(|(from, to, amount, fee)| Step::Forward {
            from,
            to,
            amount,
            fee
        }),
        (0usize..40, any::<bool>()).prop_map(|(step, paid)| Step::End { step, paid }),
        (0usize..40).prop_map(|step| Step::Again { step }),
    ]
}

fn account(number: u8) -> Account {
    Account::Channel(channel(number.into()))
}

/// The rows of a step, and of a payment those that end it either way.
#[derive(Default)]
struct Script {
    said: BTreeMap<usize, ChangeSet>,
    open: BTreeMap<usize, (PaymentRow, PartRow, Vec<TransferRow>)>,
    /// What the world has in the end, by the script's own account.
    world_msat: i64,
}

impl Script {
    fn changes(&mut self, at: usize, step: &Step) -> ChangeSet {
        let changes = match step {
            Step::Open { channel, amount } => {
                self.world_msat -= *amount as i64;
                let row = transfer(&format!("{at}/open"), Account::World, account(*channel), *amount);
                ChangeSet { transfers: vec![row], ..ChangeSet::default() }
            }
            Step::Forward { from, to, amount, fee } => {
                let through = transfer(&format!("{at}/through"), account(*to), account(*from), *amount);
                let earned = transfer(&format!("{at}/fee"), Account::FeesEarned, account(*from), *fee);
                ChangeSet { transfers: vec![through, earned], ..ChangeSet::default() }
            }
            Step::Send { channel, amount, fee } => self.send(at, account(*channel), *amount, *fee),
            Step::Receive { channel, amount } => self.receive(at, account(*channel), *amount),
            Step::End { step, paid } => self.end(*step, *paid),
            Step::Again { step } => return self.said.get(step).cloned().unwrap_or_default(),
        };
        // A payment's row may not go back; what the engine repeats is its transfers.
        let said = ChangeSet { transfers: changes.transfers.clone(), ..ChangeSet::default() };
        let said = ChangeSet { settlements: changes.settlements.clone(), ..said };
        self.said.insert(at, said);
        changes
    }

    fn send(&mut self, at: usize, from: Account, amount: u64, fee: u64) -> ChangeSet {
        let number = at as u64;
        let row = PaymentRow { amount: msat(amount), fee: msat(fee), ..payment(number, State::Pending) };
        let one = PartRow { fee: msat(fee), ..part(number, 0, 0, amount, State::Pending) };
        let mut transfers = vec![transfer(&format!("{at}/out"), from, Account::World, amount)];
        if fee > 0 {
            transfers.push(transfer(&format!("{at}/fee"), from, Account::FeesPaid, fee));
        }
        self.begin(at, row, one, transfers)
    }

    fn receive(&mut self, at: usize, to: Account, amount: u64) -> ChangeSet {
        let number = at as u64;
        let row = PaymentRow { amount: msat(amount), ..received(number, State::Pending) };
        let one = part(number, 0, 0, amount, State::Pending);
        self.begin(at, row, one, vec![transfer(&format!("{at}/in"), Account::World, to, amount)])
    }

    fn begin(&mut self, at: usize, row: PaymentRow, part: PartRow, transfers: Vec<TransferRow>) -> ChangeSet {
        let transfers: Vec<_> =
            transfers.into_iter().map(|row| of_payment(at as u64, pending(row))).collect();
        self.open.insert(at, (row.clone(), part.clone(), transfers.clone()));
        let events = vec![event("begun", Some(at as u64))];
        ChangeSet { payments: vec![row], parts: vec![part], transfers, events, ..ChangeSet::default() }
    }

    fn end(&mut self, step: usize, paid: bool) -> ChangeSet {
        let Some((row, part, transfers)) = self.open.remove(&step) else { return ChangeSet::default() };
        let (state, ended) = match paid {
            true => (State::Settled, TransferState::Posted),
            false => (State::Failed, TransferState::Void),
        };
        if paid {
            let amount = row.amount.to_msat() as i64;
            self.world_msat += if row.direction == Direction::In { -amount } else { amount };
        }
        ChangeSet {
            payments: vec![PaymentRow { state, ..row }],
            parts: vec![PartRow { state, ..part }],
            settlements: transfers.iter().map(|transfer| end(&transfer.key, ended)).collect(),
            events: vec![event("ended", Some(step as u64))],
            ..ChangeSet::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_books_balance(steps in prop::collection::vec(step(), 1..40), reopen_at in 0usize..40) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut store = open(dir.path());
        let mut script = Script::default();
        for (at, step) in steps.iter().enumerate() {
            if at == reopen_at {
                store.close().expect("nothing failed");
                store = open(dir.path());
            }
            let transaction = Transaction { changes: script.changes(at, step), kv: KvBatch::default() };
            store.writer().submit(transaction, Box::new(|end| { end.expect("valid rows"); }));
        }
        write(&store, put("test", "after", b"")).expect("written behind all of them");

        let ledger = store.ledger();
        prop_assert_eq!(ledger.check().expect("read"), [""; 0]);
        let accounts = ledger.accounts().expect("read");
        prop_assert_eq!(accounts.iter().map(|account| account.posted_msat).sum::<i64>(), 0);
        let world = accounts.iter().find(|balance| balance.account == Account::World);
        prop_assert_eq!(world.map_or(0, |world| world.posted_msat), script.world_msat);
        let pending: Vec<_> = script.open.values().map(|(row, ..)| row.clone()).collect();
        prop_assert_eq!(store.snapshot().expect("read").payments, pending);
    }
}
