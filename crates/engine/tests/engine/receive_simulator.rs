//! Parts of many sets of all kinds in random orders, with repeats, crashes, blocks, timeouts, holds,
//! decisions and other policies: the laws hold after every step, and in the end all has ended.
//! `SPONTE_RECEIVE_SEED` runs one seed, `SPONTE_RECEIVE_SEEDS` so many, on all cores.

use crate::inbox::{Inbox, Outside};
use crate::ledger::Ledger;
use crate::rig::{config, msat};
use crate::senders::{address, random_set};
use crate::world::Random;
use sponte_engine::backend::{Claimable, Kinds};
use sponte_engine::commit::{Account, AmpInvoiceRow, InvoiceState, PartRow, State};
use sponte_engine::{
    Decision, Engine, Fact, Hold, Input, Output, Question, Receive, ReceiveError, Short, Ticket,
};
use sponte_proto::{Msat, PaymentId, Timestamp};
use std::collections::VecDeque;

const ACTIONS: usize = 30;
const HEIGHT: u32 = 700_000;

struct Simulation {
    random: Random,
    engine: Engine,
    ledger: Ledger,
    inbox: Inbox,
    /// What a crash comes back to.
    durable: (Ledger, Inbox),
    outside: Outside,
    /// Parts that senders will send.
    to_send: VecDeque<Claimable>,
    now: Timestamp,
    timeout: Option<Timestamp>,
    answers: Vec<Result<(), ReceiveError>>,
    sets: u64,
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let mut simulation = Simulation {
            random: Random(seed),
            engine: Engine::new(config(), Ledger::default().snapshot()),
            ledger: Ledger::default(),
            inbox: Inbox::at(HEIGHT),
            durable: (Ledger::default(), Inbox::at(HEIGHT)),
            outside: Outside::default(),
            to_send: VecDeque::new(),
            now: Timestamp::from_millis(1_700_000_000_000),
            timeout: None,
            answers: vec![],
            sets: 0,
        };
        let recovered = simulation.inbox.recovered();
        simulation.input(Input::Recovered(recovered));
        for number in 0..3 {
            let invoice = simulation.invoice(number);
            simulation.input(Input::AmpInvoice(Box::new(invoice), Ticket(0)));
        }
        simulation.commit();
        simulation
    }

    fn invoice(&self, number: u64) -> AmpInvoiceRow {
        AmpInvoiceRow {
            payment_addr: address(number),
            bolt11: String::new(),
            amount: (number == 1).then(|| msat(2_000)),
            description: String::new(),
            created_at: self.now,
            expires_at: self.now.plus_millis(if number == 2 { 200_000 } else { u64::MAX }),
            state: InvoiceState::Open,
            payments: 0,
            received: Msat::ZERO,
        }
    }

    fn act(&mut self) {
        match self.random.below(16) {
            0..=2 => self.new_set(),
            3..=7 => self.send(),
            8 => self.commit(),
            9 => self.pass_time(),
            10 => {
                let blocks = self.random.pick([1, 1, 2, 8, 40]).expect("some");
                self.mine(blocks);
            }
            11 => self.inbox.repeat(&mut self.random),
            12 => self.decide(),
            13 => self.change_policy(),
            14 if self.random.one_in(3) => self.cancel_invoice(),
            15 => self.crash(),
            _ => {}
        }
        if !self.random.one_in(4) {
            self.drain();
        }
        self.check();
    }

    fn new_set(&mut self) {
        self.sets += 1;
        let parts = random_set(&mut self.random, self.sets * 16, self.inbox.height);
        // Two sets at once come in turns.
        for part in parts {
            let at = self.random.below(self.to_send.len() + 1);
            self.to_send.insert(at, part);
        }
    }

    fn send(&mut self) {
        if let Some(part) = self.to_send.pop_front() {
            self.outside.sent.insert(part.id, part.clone());
            self.inbox.offer(&part);
        }
    }

    fn pass_time(&mut self) {
        let jump = self.random.pick([500, 70_000, 130_000, 4_000_000]).expect("some");
        self.now = self.now.plus_millis(jump);
        self.wake();
    }

    fn wake(&mut self) {
        if self.timeout.take_if(|at| *at <= self.now).is_some() {
            self.input(Input::Time);
        }
    }

    /// All that came before a block is handled before it, as in a step of LDK.
    fn mine(&mut self, blocks: u32) {
        self.drain();
        self.inbox.mine(blocks);
        self.drain();
    }

    fn decide(&mut self) {
        let ids: Vec<PaymentId> = self.ledger.payments.keys().copied().collect();
        let Some(id) = self.random.pick(ids) else { return };
        let known = self.ledger.payments[&id].clone();
        let decision = if self.random.one_in(2) { Decision::Settle } else { Decision::Cancel };
        let state = known.state;
        self.input(Input::Decide(id, decision, Ticket(0), Some(Box::new(known))));
        let answer = self.answers.pop().expect("answered at once");
        match state {
            State::Held => assert_eq!(answer, Ok(())),
            state => assert_eq!(answer, Err(ReceiveError::NotHeld(state))),
        }
    }

    fn change_policy(&mut self) {
        let random = &mut self.random;
        let hold = random.pick([Hold::None, Hold::All, Hold::From(msat(1_500))]).expect("some");
        let short = random.pick([Short::Accept, Short::Refuse]).expect("some");
        let kinds = Kinds {
            amp: !random.one_in(6),
            amp_invoice: !random.one_in(6),
            mpp_keysend: !random.one_in(6),
            ecdh0: random.one_in(2),
            ..Kinds::default()
        };
        let policy =
            Receive { kinds, hold, short, max: Some(msat(4_500)), hold_blocks: 5, ..Receive::default() };
        let policy = (!random.one_in(4)).then_some(Box::new(policy));
        self.input(Input::Receive(policy, Ticket(0)));
    }

    fn cancel_invoice(&mut self) {
        let known = self.ledger.invoices[self.random.below(3)].clone();
        self.input(Input::CancelAmpInvoice(Some(Box::new(known)), Ticket(0)));
    }

    fn drain(&mut self) {
        while let Some(event) = self.inbox.poll() {
            let fact = self.engine.question(&event).map_or(Fact::None, |asked| self.look_up(asked));
            self.input(Input::Backend(event, fact));
        }
    }

    fn look_up(&self, question: Question) -> Fact {
        self.ledger.look_up(question)
    }

    fn input(&mut self, input: Input) {
        self.engine.handle_input(input, self.now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Persist(changes) => self.ledger.apply(*changes),
                Output::Backend(command) => self.inbox.execute(&command),
                Output::Timeout(at) => self.timeout = Some(at),
                Output::Answer(_, answer) => self.answers.push(answer),
                Output::Reply(..) | Output::Quote(..) => unreachable!("nobody pays"),
            }
        }
    }

    /// Rows and the backend's state, in one transaction; then what waited for it leaves.
    fn commit(&mut self) {
        self.drain();
        self.durable = (self.ledger.clone(), self.inbox.clone());
        let (ledger, inbox) = &self.durable;
        self.outside.release(inbox, &mut self.inbox, |part| may_leave(ledger, part));
    }

    fn crash(&mut self) {
        (self.ledger, self.inbox) = self.durable.clone();
        self.engine = Engine::new(config(), self.ledger.snapshot());
        self.timeout = None;
        let (jump, blocks) = self.random.pick([(10, 0), (10, 1), (700_000, 4), (9, 50)]).expect("some");
        self.now = self.now.plus_millis(jump);
        self.inbox.restart(blocks);
        if self.random.one_in(2) {
            // Peers may be faster than the start.
            self.outside.retransmit(&mut self.inbox);
        }
        self.drain();
        let recovered = self.inbox.recovered();
        self.input(Input::Recovered(recovered));
        self.drain();
        self.outside.retransmit(&mut self.inbox);
    }

    fn check(&self) {
        self.ledger.check();
        let memory: Vec<_> = self.engine.channel_balances_msat().collect();
        assert_eq!(memory, self.ledger.channel_balances_msat(), "memory and ledger agree");
        assert!(self.ledger.payments.len() as u64 <= self.sets, "a set is at most one payment");
        let incomplete = self.ledger.events.iter().any(|row| row.kind == "receive_incomplete");
        assert!(!incomplete, "claimed whole or failed whole");
    }

    /// Nothing new happens, and all that is open comes to its end.
    fn finish(&mut self) {
        self.to_send.clear();
        for _ in 0..4 {
            self.commit();
            self.now = self.now.plus_millis(4_000_000);
            self.wake();
            self.mine(40);
        }
        self.commit();
        self.commit();
        self.check();
        assert!(self.ledger.waiting.is_empty(), "{:?}", self.ledger.waiting);
        for id in self.outside.sent.keys() {
            assert!(self.outside.ended.contains_key(id), "every part ends: {:?}", self.inbox.parts[id]);
        }
        for row in self.ledger.payments.values() {
            assert!(row.state.has_ended(), "{row:?}");
            let parts = self.ledger.parts.values().filter(|part| part.payment == row.id);
            parts.for_each(|part| self.check_part(row.state, part));
        }
        let truth = self.outside.truth_msat.iter().filter(|(_, msat)| **msat != 0);
        let truth: Vec<_> = truth.map(|(channel, msat)| (*channel, *msat)).collect();
        assert_eq!(self.ledger.channel_balances_msat(), truth, "the books are the channels");
        for account in [Account::HeldIn, Account::Held] {
            assert_eq!((self.ledger.posted(account), self.ledger.pending(account)), (0, 0));
        }
        self.check_invoices();
    }

    /// Claimed whole or failed whole.
    fn check_part(&self, payment: State, part: &PartRow) {
        assert_eq!(part.state, payment, "{part:?}");
        let claim = part.claim.id.expect("every part has one");
        let left = self.outside.ended[&claim];
        assert_eq!(left, payment == State::Settled, "{part:?}");
    }

    fn check_invoices(&self) {
        for invoice in &self.ledger.invoices {
            let paid = self.ledger.payments.values().filter(|row| {
                row.state == State::Settled
                    && row.receipt.payment_addr.as_ref() == Some(&invoice.payment_addr)
            });
            let (mut count, mut sum) = (0, 0);
            for row in paid {
                count += 1;
                sum += row.amount.to_msat();
            }
            assert_eq!((invoice.payments, invoice.received.to_msat()), (count, sum));
        }
    }
}

/// A preimage may leave when all of its set is durable: complete, and to be claimed.
fn may_leave(durable: &Ledger, part: &Claimable) {
    let row = durable.parts.values().find(|row| row.claim.id == Some(part.id));
    let row = row.unwrap_or_else(|| panic!("no durable payment has {part:?}"));
    let payment = &durable.payments[&row.payment];
    assert!(matches!(payment.state, State::Pending | State::Settled), "{payment:?}");
    let preimage = row.claim.preimage.clone().expect("with its preimage");
    assert!(preimage.opens(&part.hash));
    let of_payment = durable.parts.values().filter(|other| other.payment == row.payment);
    for other in of_payment {
        assert!(matches!(other.state, State::Pending | State::Settled), "{other:?}");
    }
}

/// Says which seed it was when a law is broken.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SPONTE_RECEIVE_SEED={} breaks a law", self.0);
        }
    }
}

fn run(seed: u64) {
    let _seed = Seed(seed);
    let mut simulation = Simulation::new(seed);
    for _ in 0..ACTIONS {
        simulation.act();
    }
    simulation.finish();
}

#[test]
fn the_laws_hold_whatever_arrives() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SPONTE_RECEIVE_SEED") {
        return run(seed);
    }
    let seeds = number("SPONTE_RECEIVE_SEEDS").unwrap_or(100_000);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || (first..seeds).step_by(threads as usize).for_each(run));
        }
    });
}
