//! Payments that wait for a decision: facts/hold.md, section 3.

use crate::rig::{HEIGHT, Rig, config, keysend, msat, preimage};
use crate::senders::{address, amp_of};
use sponte_engine::backend::{BackendEvent, Claimable, Claimed, ClaimedPart, Command, FailAs, ReceiveFailed};
use sponte_engine::commit::{Account, Reason, State};
use sponte_engine::{Decision, Hold, Input, Receive, ReceiveError, Short, Ticket};
use sponte_proto::{BlockHeight, CltvExpiry, PaymentId, Records};

fn holding(hold: Hold) -> Rig {
    let mut config = config();
    config.receive.hold = hold;
    Rig::with(config)
}

/// A keysend with so many blocks before its deadline.
fn with_blocks(byte: u8, blocks: u32) -> Claimable {
    let deadline = HEIGHT + blocks;
    Claimable {
        claim_deadline: Some(BlockHeight::new(deadline)),
        expiry: Some(CltvExpiry::new(deadline + 39)),
        ..keysend(byte)
    }
}

fn offer(rig: &mut Rig, claimable: &Claimable) -> Vec<Command> {
    rig.event(BackendEvent::Claimable(Box::new(claimable.clone())));
    rig.ledger.check();
    std::mem::take(&mut rig.commands)
}

fn decide(rig: &mut Rig, id: PaymentId, decision: Decision) -> Result<(), ReceiveError> {
    let known = rig.ledger.payments.get(&id).cloned().map(Box::new);
    rig.input(Input::Decide(id, decision, Ticket(9), known));
    rig.ledger.check();
    rig.answers.pop().expect("every decision is answered at once")
}

#[test]
fn a_held_payment_is_settled() {
    let mut rig = holding(Hold::All);
    let part = with_blocks(5, 60);
    assert_eq!(offer(&mut rig, &part), []);
    assert_eq!((rig.state(part.id), rig.events()), (State::Held, vec!["payment_held"]));
    assert_eq!((rig.ledger.pending(Account::Held), rig.ledger.pending(Account::HeldIn)), (7_000, 0));
    assert_eq!(rig.row(part.id).receipt.deadline_height, Some(BlockHeight::new(HEIGHT + 57)));
    assert_eq!(decide(&mut rig, part.id, Decision::Settle), Ok(()));
    assert_eq!(std::mem::take(&mut rig.commands), [Command::Claim(part.hash, preimage(5))]);
    assert_eq!((rig.ledger.pending(Account::Held), rig.ledger.pending(Account::HeldIn)), (0, 7_000));
    let again = decide(&mut rig, part.id, Decision::Settle);
    assert_eq!(again, Err(ReceiveError::NotHeld(State::Pending)));
    let claimed = ClaimedPart { channel: part.channels[0], amount: part.amount, expiry: CltvExpiry::new(1) };
    let claimed = Claimed { id: part.id, hash: part.hash, parts: vec![claimed] };
    rig.event(BackendEvent::Claimed(claimed));
    assert_eq!(rig.events(), ["payment_held", "payment_received"]);
}

#[test]
fn a_held_payment_is_canceled() {
    let mut rig = holding(Hold::All);
    let part = with_blocks(5, 60);
    offer(&mut rig, &part);
    assert_eq!(decide(&mut rig, part.id, Decision::Cancel), Ok(()));
    assert_eq!(std::mem::take(&mut rig.commands), [Command::Fail(part.hash, FailAs::Unknown)]);
    assert_eq!((rig.state(part.id), rig.ledger.pending(Account::Held)), (State::Canceled, 0));
    let late = decide(&mut rig, part.id, Decision::Settle);
    assert_eq!(late, Err(ReceiveError::NotHeld(State::Canceled)));
    let again = Claimable { id: PaymentId::from_bytes([6; 32]), ..part.clone() };
    assert_eq!(offer(&mut rig, &again), [Command::Fail(part.hash, FailAs::Unknown)], "its hash is used up");
    assert_eq!(rig.events(), ["payment_held", "payment_canceled"]);
    let unknown = decide(&mut rig, PaymentId::from_bytes([77; 32]), Decision::Settle);
    assert_eq!(unknown, Err(ReceiveError::UnknownPayment));
}

#[test]
fn nobody_decides_in_time() {
    let mut rig = holding(Hold::All);
    let part = with_blocks(5, 60);
    offer(&mut rig, &part);
    rig.now = rig.now.plus_millis(3_599_999);
    rig.input(Input::Time);
    assert_eq!(rig.state(part.id), State::Held);
    rig.wait();
    assert_eq!(rig.state(part.id), State::Canceled);
    assert_eq!(rig.row(part.id).failure.as_ref().expect("told").code, "hold_timeout");
}

#[test]
fn the_deadline_comes_before_the_decision() {
    let mut rig = holding(Hold::All);
    let part = with_blocks(5, 60);
    offer(&mut rig, &part);
    rig.event(BackendEvent::Block(BlockHeight::new(HEIGHT + 56)));
    assert_eq!(rig.state(part.id), State::Held);
    rig.event(BackendEvent::Block(BlockHeight::new(HEIGHT + 57)));
    assert_eq!(rig.row(part.id).failure.as_ref().expect("told").code, "hold_deadline");
    assert_eq!(rig.commands, [Command::Fail(part.hash, FailAs::Unknown)]);
}

#[test]
fn deadlines_outlive_a_restart() {
    for (millis, blocks, state) in
        [(0, 0, State::Held), (3_600_000, 0, State::Canceled), (0, 57, State::Canceled)]
    {
        let mut rig = holding(Hold::All);
        let part = with_blocks(5, 60);
        offer(&mut rig, &part);
        let mut rig = rig.restart();
        rig.now = rig.now.plus_millis(millis);
        rig.recover_at(HEIGHT + blocks, &[part.hash]);
        assert_eq!(rig.state(part.id), state);
        if state == State::Held {
            assert!(rig.commands.is_empty(), "the decision is still to come");
            assert_eq!(decide(&mut rig, part.id, Decision::Settle), Ok(()));
        }
    }
    let mut rig = holding(Hold::All);
    let part = with_blocks(5, 60);
    offer(&mut rig, &part);
    let mut rig = rig.restart();
    rig.recover_at(HEIGHT, &[]);
    assert_eq!(rig.row(part.id).failure.as_ref().expect("told").code, "hold_lost");
}

#[test]
fn a_payment_that_leaves_too_few_blocks_is_not_held() {
    for (short, state) in [(Short::Accept, Some(State::Pending)), (Short::Refuse, None)] {
        let mut config = config();
        config.receive = Receive { hold: Hold::All, short, hold_blocks: 12, ..Receive::default() };
        let mut rig = Rig::with(config);
        offer(&mut rig, &with_blocks(5, 15));
        assert_eq!(rig.state(keysend(5).id), State::Held, "twelve are left");
        offer(&mut rig, &with_blocks(6, 14));
        assert_eq!(rig.ledger.payments.get(&keysend(6).id).map(|row| row.state), state);
        let refused = rig.ledger.counters.keys().any(|(_, _, reason)| *reason == Reason::Hold);
        assert_eq!(refused, state.is_none());
    }
}

#[test]
fn what_is_held_is_said_by_amount_and_records() {
    let records = |part: Claimable, kind| {
        let records = Records::from_received([(kind, vec![1])]);
        Claimable { records, ..part }
    };
    for (hold, part, held) in [
        (Hold::None, with_blocks(5, 60), false),
        (Hold::From(msat(7_000)), with_blocks(5, 60), true),
        (Hold::From(msat(7_001)), with_blocks(5, 60), false),
        (Hold::Records([65_537, 9].into()), records(with_blocks(5, 60), 65_537), true),
        (Hold::Records([65_537].into()), records(with_blocks(5, 60), 65_539), false),
    ] {
        let mut rig = holding(hold);
        offer(&mut rig, &part);
        assert_eq!(rig.state(part.id), if held { State::Held } else { State::Pending });
    }
}

#[test]
fn a_set_of_many_parts_is_decided_whole() {
    for decision in [Decision::Settle, Decision::Cancel] {
        let mut rig = holding(Hold::All);
        let parts = amp_of(0, &address(1), 1, 3);
        parts.iter().for_each(|part| assert_eq!(offer(&mut rig, part), []));
        let (id, row) = rig.ledger.payments.iter().next().map(|(id, row)| (*id, row.clone())).expect("held");
        assert_eq!((row.state, row.amount), (State::Held, msat(3_000)));
        assert_eq!(decide(&mut rig, id, decision), Ok(()));
        let commands = std::mem::take(&mut rig.commands);
        let claims = commands.iter().filter(|command| matches!(command, Command::Claim(..))).count();
        assert_eq!((commands.len(), claims), (3, if decision == Decision::Settle { 3 } else { 0 }));
    }
}

#[test]
fn a_held_set_of_which_the_backend_lost_a_part_is_given_back() {
    let mut rig = holding(Hold::All);
    let parts = amp_of(0, &address(1), 1, 3);
    parts.iter().for_each(|part| drop(offer(&mut rig, part)));
    let lost = ReceiveFailed { hash: parts[1].hash, channels: vec![], claiming: false, waiting: false };
    rig.event(BackendEvent::ReceiveFailed(lost));
    let row = rig.ledger.payments.values().next().expect("one");
    assert_eq!(
        (row.state, row.failure.as_ref().expect("told").code.as_str()),
        (State::Canceled, "hold_lost")
    );
}

#[test]
fn another_policy_holds_from_the_next_payment_on_and_after_a_restart() {
    let mut rig = Rig::new();
    offer(&mut rig, &with_blocks(5, 60));
    let all = Receive { hold: Hold::All, ..Receive::default() };
    rig.input(Input::Receive(Some(Box::new(all.clone())), Ticket(1)));
    assert_eq!(rig.answers.pop(), Some(Ok(())));
    offer(&mut rig, &with_blocks(6, 60));
    assert_eq!((rig.state(keysend(5).id), rig.state(keysend(6).id)), (State::Pending, State::Held));
    let mut rig = rig.restart();
    rig.recover_at(HEIGHT, &[keysend(5).hash, keysend(6).hash]);
    assert_eq!(rig.engine.receive(), (&all, true));
    rig.input(Input::Receive(None, Ticket(2)));
    assert_eq!(rig.engine.receive(), (&Receive::default(), false));
    let narrow = Receive { max: Some(msat(0)), ..Receive::default() };
    rig.input(Input::Receive(Some(Box::new(narrow)), Ticket(3)));
    assert_eq!(rig.answers.pop(), Some(Err(ReceiveError::NoAmount)));
}
