//! What a start makes of what was pending.

use crate::rig::{Rig, keysend, preimage, request};
use sponte_engine::backend::{BackendEvent, Command, SendFailure};
use sponte_engine::commit::State;

#[test]
fn an_attempt_that_the_backend_knows_goes_on() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.dispatched(send.attempt);
    let mut rig = rig.restart();
    rig.recover(&[send.attempt], &[]);
    assert!(rig.commands.is_empty());
    assert_eq!(rig.pay(request("k")), Ok(id));
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
    rig.ledger.check();
}

#[test]
fn attempts_that_never_left_are_not_counted() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    for _ in 0..20 {
        let attempt = rig.sent().attempt;
        rig.dispatched(attempt);
        rig = rig.restart();
        rig.recover(&[], &[]);
        rig.ledger.check();
        assert_eq!(rig.state(id), State::Pending, "a crash fails no payment that could be paid");
    }
    for _ in 0..3 {
        let attempt = rig.sent().attempt;
        rig.dispatched(attempt);
        rig.failed(attempt, SendFailure::OnTheWay);
    }
    assert_eq!(rig.failure(id), "attempts_exhausted");
    assert_eq!(rig.ledger.attempts.len(), 23);
}

#[test]
fn a_deadline_that_passed_during_the_stop_ends_it() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let mut rig = rig.restart();
    rig.now = rig.now.plus_millis(60_000);
    rig.recover(&[], &[]);
    assert_eq!(rig.failure(id), "timeout");
}

#[test]
fn a_payment_that_waited_is_tried_again() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let attempt = rig.sent().attempt;
    rig.failed(attempt, SendFailure::PeersOffline);
    let mut rig = rig.restart();
    assert!(rig.commands.is_empty(), "nothing starts before the backend has told what it knows");
    rig.recover(&[], &[]);
    let send = rig.sent();
    assert_ne!(send.attempt, attempt);
    rig.dispatched(send.attempt);
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
}

#[test]
fn an_attempt_begun_since_the_start_is_not_taken_for_lost() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.dispatched(first.attempt);
    let mut rig = rig.restart();
    // A buffered event, before the backend tells what survived.
    rig.failed(first.attempt, SendFailure::OnTheWay);
    let second = rig.sent();
    rig.recover(&[], &[]);
    assert!(rig.commands.is_empty());
    rig.dispatched(second.attempt);
    rig.paid(&second);
    assert_eq!(rig.state(id), State::Settled);
}

#[test]
fn what_the_backend_still_holds_is_claimed_again() {
    let mut rig = Rig::new();
    for byte in [5, 6] {
        rig.event(BackendEvent::Claimable(Box::new(keysend(byte))));
    }
    let mut rig = rig.restart();
    rig.recover(&[], &[keysend(5).hash]);
    assert_eq!(rig.commands, [Command::Claim(keysend(5).hash, preimage(5))]);
    assert_eq!(rig.state(keysend(5).id), State::Pending);
    assert_eq!(rig.failure(keysend(6).id), "not_received");
    rig.ledger.check();
}
