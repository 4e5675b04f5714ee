//! What a start makes of what was pending.

use crate::rig::{ON_THE_WAY, Rig, keysend, on_the_way, preimage, request};
use sponte_engine::backend::{BackendEvent, Command, NoRoutes};
use sponte_engine::commit::State;

#[test]
fn a_part_that_the_backend_knows_goes_on() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    let mut rig = rig.restart();
    rig.recover(&[send.part], &[]);
    assert!(rig.commands.is_empty());
    assert_eq!(rig.pay(request("k")), Ok(id));
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
}

#[test]
fn attempts_that_never_left_are_not_counted() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    for _ in 0..20 {
        rig.sent();
        rig = rig.restart();
        rig.recover(&[], &[]);
        rig.ledger.check();
        assert_eq!(rig.state(id), State::Pending, "a crash fails no payment that could be paid");
    }
    for channel in 0..3 {
        let send = rig.sent();
        rig.failed(&send, on_the_way(channel));
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
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::PeersOffline);
    let mut rig = rig.restart();
    assert!(rig.commands.is_empty(), "nothing starts before the backend has told what it knows");
    rig.recover(&[], &[]);
    let send = rig.sent();
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
}

/// Buffered events come before the backend tells what survived, and nothing starts on them.
#[test]
fn an_end_that_comes_before_the_start_is_followed_after_it() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    let mut rig = rig.restart();
    rig.failed(&first, ON_THE_WAY);
    assert!(rig.commands.is_empty());
    rig.recover(&[], &[]);
    let second = rig.sent();
    assert_ne!(second.hash, first.hash);
    rig.paid(&second);
    assert_eq!((rig.state(id), rig.row(id).plan.tries), (State::Settled, 2));
}

/// A request may come before the backend has told what survived.
#[test]
fn a_payment_begun_since_the_start_is_not_taken_for_lost() {
    let mut rig = Rig::over(crate::ledger::Ledger::default());
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.recover(&[], &[]);
    assert!(rig.commands.is_empty());
    rig.paid(&send);
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
