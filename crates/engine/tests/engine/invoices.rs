//! Invoices of this node that are paid once.

use crate::rig::{HEIGHT, Rig, channel, config, msat};
use crate::senders::{bolt11_of, preimage_of};
use sponte_engine::backend::{BackendEvent, Claimable, Claimed, ClaimedPart, Command, FailAs, Kinds};
use sponte_engine::commit::{Account, Kind, State};
use sponte_engine::{Decision, Hold, Input, Receive, Ticket};
use sponte_proto::{BlockHeight, CltvExpiry, Msat, Records, TEXT_RECORD};

const NONE: Kinds =
    Kinds { keysend: false, mpp_keysend: false, amp: false, amp_invoice: false, ecdh1: false, ecdh0: false };

/// Two HTLCs of the first invoice, worth 7,000 msat together.
fn paid(claim: u64) -> Claimable {
    bolt11_of(claim, 7_000, preimage_of(1))
}

fn with(receive: Receive) -> Rig {
    let mut config = config();
    config.receive = receive;
    Rig::with(config)
}

fn offer(rig: &mut Rig, claimable: &Claimable) -> Vec<Command> {
    rig.event(BackendEvent::Claimable(Box::new(claimable.clone())));
    rig.ledger.check();
    std::mem::take(&mut rig.commands)
}

fn claimed(claimable: &Claimable) -> BackendEvent {
    let part = |byte: u8, amount: u64| ClaimedPart {
        channel: channel(byte),
        amount: msat(amount),
        expiry: CltvExpiry::new(800_000),
    };
    let parts = vec![part(1, 3_000), part(2, 4_000)];
    BackendEvent::Claimed(Claimed { id: claimable.id, hash: claimable.hash, parts })
}

fn claim() -> [Command; 1] {
    [Command::Claim(preimage_of(1).payment_hash(), preimage_of(1))]
}

fn refusal() -> [Command; 1] {
    [Command::Fail(preimage_of(1).payment_hash(), FailAs::Unknown)]
}

#[test]
fn an_invoice_is_paid_once_whatever_is_taken_without_one() {
    let narrow = Receive { kinds: NONE, min: msat(1), max: Some(msat(1)), ..Receive::default() };
    let wide = Receive { kinds: NONE, min: msat(8_000), ..Receive::default() };
    for receive in [narrow, wide] {
        let mut rig = with(receive);
        assert_eq!(offer(&mut rig, &paid(1)), claim());
        rig.event(claimed(&paid(1)));
        let row = rig.row(paid(1).id);
        assert_eq!((row.kind, row.state, row.amount), (Kind::Bolt11, State::Settled, msat(7_000)));
        assert_eq!((row.hash, &row.preimage), (Some(paid(1).hash), &Some(preimage_of(1))));
        let [first, second] = [1, 2].map(|byte| rig.ledger.posted(Account::Channel(channel(byte))));
        assert_eq!((first, second, rig.ledger.parts.len()), (3_000, 4_000, 2));
        assert_eq!(rig.events(), ["payment_received"]);

        assert_eq!(offer(&mut rig, &paid(2)), refusal());
        rig.event(claimed(&paid(1)));
        let mut rig = rig.restart();
        rig.recover(&[], &[]);
        assert_eq!(offer(&mut rig, &paid(3)), refusal());
        assert_eq!((rig.ledger.payments.len(), rig.events()), (1, vec!["payment_received"]));
        rig.ledger.check();
    }
}

#[test]
fn what_is_no_payment_of_it_is_refused() {
    let zero = Claimable { amount: Msat::ZERO, ..paid(1) };
    let wrong = Claimable { hash: paid(1).hash, ..bolt11_of(1, 7_000, preimage_of(2)) };
    let text = Records::from_received([(TEXT_RECORD, vec![b'a'; 50])]);
    let large = Claimable { records: text, ..paid(1) };
    for refused in [zero, wrong, large] {
        let mut rig = with(Receive { max_records_bytes: 40, ..Receive::default() });
        assert_eq!(offer(&mut rig, &refused), refusal());
        assert!(rig.ledger.payments.is_empty() && rig.ledger.events.is_empty());
    }
}

#[test]
fn a_held_invoice_is_settled_or_canceled_for_good() {
    for (decision, state) in [(Decision::Settle, State::Settled), (Decision::Cancel, State::Canceled)] {
        let mut rig = with(Receive { hold: Hold::From(msat(7_000)), ..Receive::default() });
        assert_eq!(offer(&mut rig, &paid(1)), []);
        assert_eq!((rig.state(paid(1).id), rig.ledger.pending(Account::Held)), (State::Held, 7_000));
        let known = rig.ledger.payments.get(&paid(1).id).cloned().map(Box::new);
        rig.input(Input::Decide(paid(1).id, decision, Ticket(9), known));
        match decision {
            Decision::Settle => {
                assert_eq!(std::mem::take(&mut rig.commands), claim());
                rig.event(claimed(&paid(1)));
            }
            Decision::Cancel => assert_eq!(std::mem::take(&mut rig.commands), refusal()),
        }
        assert_eq!(rig.state(paid(1).id), state);
        assert_eq!(offer(&mut rig, &paid(2)), refusal(), "its hash is used up");
    }
}

/// LDK shows what the peer sent again before it says what it has.
#[test]
fn what_comes_before_the_start_is_over_waits_also_over_a_crash() {
    let part = Claimable { claim_deadline: Some(BlockHeight::new(HEIGHT + 9)), ..paid(1) };
    for crash in [false, true] {
        let mut rig = Rig::new().restart();
        assert_eq!(offer(&mut rig, &part), []);
        let [row] = &rig.ledger.waiting[..] else { panic!("one waits") };
        assert!(row.to_invoice, "the store tells it by that from a keysend");
        if crash {
            rig = rig.restart();
        }
        rig.recover(&[], &[part.hash]);
        assert_eq!(std::mem::take(&mut rig.commands), claim());
        assert_eq!((rig.row(part.id).kind, rig.ledger.waiting.len()), (Kind::Bolt11, 0));
    }
}
