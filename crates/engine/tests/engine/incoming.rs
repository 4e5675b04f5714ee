//! Payments to us, one thing at a time.

use crate::rig::{HEIGHT, Rig, channel, config, keysend, msat, preimage};
use sponte_engine::backend::{
    BackendEvent, Claimable, Claimed, ClaimedPart, Command, FailAs, Kinds, Purpose, ReceiveFailed,
};
use sponte_engine::commit::{Account, State};
use sponte_engine::{Fact, Hold, Input};
use sponte_proto::{BlockHeight, CltvExpiry, Msat, PaymentHash, PaymentId};

fn claimed(claimable: &Claimable, amounts_msat: &[u64]) -> Claimed {
    let part = |msat_: &u64| ClaimedPart {
        channel: channel(1),
        amount: msat(*msat_),
        expiry: CltvExpiry::new(800_000),
    };
    Claimed { id: claimable.id, hash: claimable.hash, parts: amounts_msat.iter().map(part).collect() }
}

fn failed_of(hash: PaymentHash) -> ReceiveFailed {
    ReceiveFailed { hash, channels: vec![], claiming: false, waiting: false }
}

fn failed(hash: PaymentHash) -> BackendEvent {
    BackendEvent::ReceiveFailed(failed_of(hash))
}

fn offer(rig: &mut Rig, claimable: &Claimable) -> Vec<Command> {
    rig.event(BackendEvent::Claimable(Box::new(claimable.clone())));
    std::mem::take(&mut rig.commands)
}

#[test]
fn a_keysend_payment_is_taken() {
    let mut rig = Rig::new();
    let keysend = keysend(5);
    assert_eq!(offer(&mut rig, &keysend), [Command::Claim(keysend.hash, preimage(5))]);
    assert_eq!(rig.state(keysend.id), State::Pending);
    assert_eq!(rig.ledger.pending(Account::HeldIn), 7_000);
    rig.event(BackendEvent::Claimed(claimed(&keysend, &[3_000, 4_000])));
    assert_eq!(rig.state(keysend.id), State::Settled);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), 7_000);
    assert_eq!(rig.ledger.parts.len(), 2);
    assert_eq!(rig.events(), ["payment_received"]);
    rig.ledger.check();

    let settled = rig.ledger.clone();
    rig.event(BackendEvent::Claimed(claimed(&keysend, &[3_000, 4_000])));
    assert_eq!((rig.ledger.transfers, rig.ledger.events), (settled.transfers, settled.events));
}

#[test]
fn what_is_refused_leaves_no_row() {
    let zero = Claimable { amount: Msat::ZERO, ..keysend(5) };
    let unknown = Claimable { purpose: Purpose::Unknown, ..keysend(5) };
    let wrong =
        Claimable { purpose: Purpose::Keysend { preimage: preimage(6), payment_data: None }, ..keysend(5) };
    for refused in [zero, unknown, wrong] {
        let mut rig = Rig::new();
        assert_eq!(offer(&mut rig, &refused), [Command::Fail(refused.hash, FailAs::Unknown)]);
        rig.event(failed(refused.hash));
        assert!(rig.ledger.payments.is_empty() && rig.ledger.events.is_empty());
    }
}

#[test]
fn a_kind_that_is_off_is_refused() {
    let mut config = config();
    config.receive.kinds = Kinds { keysend: false, mpp_keysend: false, ..Kinds::default() };
    let mut rig = Rig::with(config);
    assert_eq!(offer(&mut rig, &keysend(5)), [Command::Fail(keysend(5).hash, FailAs::Unknown)]);
}

#[test]
fn a_preimage_is_for_one_payment() {
    let mut rig = Rig::new();
    offer(&mut rig, &keysend(5));
    rig.event(BackendEvent::Claimed(claimed(&keysend(5), &[7_000])));
    let again = Claimable { id: PaymentId::from_bytes([6; 32]), ..keysend(5) };
    assert_eq!(offer(&mut rig, &again), [Command::Fail(again.hash, FailAs::Unknown)]);
    // Without the ledger's word nobody knows, and it is refused as well.
    rig.input(Input::Backend(BackendEvent::Claimable(Box::new(keysend(8))), Fact::None));
    assert_eq!(rig.commands, [Command::Fail(keysend(8).hash, FailAs::Unknown)]);
}

#[test]
fn a_repeat_is_claimed_again_and_a_second_set_left_alone() {
    let mut rig = Rig::new();
    offer(&mut rig, &keysend(5));
    assert_eq!(offer(&mut rig, &keysend(5)), [Command::Claim(keysend(5).hash, preimage(5))]);
    let second = Claimable { id: PaymentId::from_bytes([6; 32]), ..keysend(5) };
    assert_eq!(offer(&mut rig, &second), [], "a failure by hash would hit the first");
    assert_eq!(rig.ledger.payments.len(), 1);
}

#[test]
fn htlcs_that_are_failed_end_the_payment() {
    let mut rig = Rig::new();
    offer(&mut rig, &keysend(5));
    rig.event(failed(keysend(5).hash));
    assert_eq!(rig.failure(keysend(5).id), "not_received");
    assert_eq!(rig.ledger.pending(Account::HeldIn), 0);
    rig.ledger.check();
    rig.event(failed(keysend(5).hash));
    assert_eq!(rig.events(), ["receive_failed"]);
}

#[test]
fn a_second_set_that_fails_during_the_claim_ends_nothing() {
    let mut rig = Rig::new();
    offer(&mut rig, &keysend(5));
    rig.event(BackendEvent::ReceiveFailed(ReceiveFailed { claiming: true, ..failed_of(keysend(5).hash) }));
    assert_eq!(rig.state(keysend(5).id), State::Pending);
    rig.event(BackendEvent::Claimed(claimed(&keysend(5), &[7_000])));
    assert_eq!(rig.events(), ["payment_received"]);
    rig.ledger.check();
}

#[test]
fn the_books_follow_what_the_channels_gained() {
    let mut rig = Rig::new();
    offer(&mut rig, &keysend(5));
    rig.event(BackendEvent::Claimed(claimed(&keysend(5), &[6_999])));
    assert_eq!(rig.row(keysend(5).id).amount, msat(6_999));
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), 6_999);
    rig.ledger.check();
}

#[test]
fn money_that_came_after_all_is_booked() {
    let mut rig = Rig::new();
    offer(&mut rig, &keysend(5));
    rig.event(failed(keysend(5).hash));
    rig.event(BackendEvent::Claimed(claimed(&keysend(5), &[7_000])));
    assert_eq!(rig.state(keysend(5).id), State::Settled);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), 7_000);
    rig.ledger.check();
    let settled = rig.ledger.transfers.clone();
    rig.event(BackendEvent::Claimed(claimed(&keysend(5), &[7_000])));
    assert_eq!(rig.ledger.transfers, settled);
}

/// Payers leave 42 blocks, LDK fails an HTLC 39 before its expiry, and blocks come on the way.
#[test]
fn a_keysend_is_taken_up_to_the_backends_own_deadline() {
    for (blocks, taken) in [(0, false), (1, true), (3, true)] {
        let mut rig = Rig::new();
        let deadline = Some(BlockHeight::new(HEIGHT + blocks));
        let commands = offer(&mut rig, &Claimable { claim_deadline: deadline, ..keysend(5) });
        assert_eq!(matches!(commands[..], [Command::Claim(..)]), taken, "{blocks}: {commands:?}");
    }
}

/// LDK refuses a second HTLC with the hash of one that waits as soon as it runs, before it says what
/// it has.
#[test]
fn what_fails_before_the_backend_says_what_it_has_ends_nothing() {
    let mut config = config();
    config.receive.hold = Hold::All;
    let mut rig = Rig::with(config);
    let part = Claimable { claim_deadline: Some(BlockHeight::new(HEIGHT + 90)), ..keysend(5) };
    offer(&mut rig, &part);
    let mut rig = rig.restart();
    rig.event(failed(part.hash));
    rig.recover(&[], &[part.hash]);
    assert_eq!(rig.state(part.id), State::Held);
}
