//! A proof of payment for an attempt that was taken for failed: it is never lost.

use crate::rig::{Rig, channel, request};
use sponte_engine::backend::{Send, SendFailure};
use sponte_engine::commit::{Account, State};
use sponte_proto::PaymentId;

/// A payment whose first attempt failed on the way, and its second, which is pending.
fn second_attempt(rig: &mut Rig) -> (PaymentId, Send, Send) {
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.dispatched(first.attempt);
    rig.failed(first.attempt, SendFailure::OnTheWay);
    let second = rig.sent();
    rig.dispatched(second.attempt);
    (id, first, second)
}

#[test]
fn a_failed_payment_becomes_paid() {
    for restart in [false, true] {
        let mut rig = Rig::new();
        let (id, first, second) = second_attempt(&mut rig);
        rig.failed(second.attempt, SendFailure::RecipientRefused);
        assert_eq!(rig.state(id), State::Failed);
        if restart {
            rig = rig.restart();
        }
        rig.paid(&first);
        assert_eq!((rig.state(id), &rig.row(id).preimage), (State::Settled, &Some(first.preimage.clone())));
        assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), -50_100);
        rig.ledger.check();
        assert!(rig.events().contains(&"anomaly"));
        let settled = rig.ledger.transfers.clone();
        rig.paid(&first);
        assert_eq!(rig.ledger.transfers, settled);
    }
}

#[test]
fn a_payment_that_waits_is_paid_and_tries_no_more() {
    let mut rig = Rig::new();
    let (id, first, second) = second_attempt(&mut rig);
    rig.failed(second.attempt, SendFailure::PeersOffline);
    rig.paid(&first);
    assert_eq!(rig.state(id), State::Settled);
    rig.wait();
    assert!(rig.commands.is_empty());
    rig.ledger.check();
}

#[test]
fn no_attempt_follows_one_that_is_pending_meanwhile() {
    for restart in [false, true] {
        let mut rig = Rig::new();
        let (id, first, second) = second_attempt(&mut rig);
        rig.paid(&first);
        assert_eq!(rig.state(id), State::Pending, "an HTLC is on its way");
        if restart {
            rig = rig.restart();
            rig.recover(&[second.attempt], &[]);
        }
        rig.failed(second.attempt, SendFailure::OnTheWay);
        assert_eq!((rig.state(id), &rig.row(id).preimage), (State::Settled, &Some(first.preimage.clone())));
        assert!(rig.commands.is_empty());
    }
}

#[test]
fn paid_twice_is_booked_twice_and_told() {
    let mut rig = Rig::new();
    let (id, first, second) = second_attempt(&mut rig);
    rig.paid(&first);
    rig.paid(&second);
    assert_eq!(rig.state(id), State::Settled);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), -100_200);
    assert_eq!(rig.events().iter().filter(|kind| **kind == "anomaly").count(), 2);
}
