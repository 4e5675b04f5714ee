//! A proof of payment for a part that was taken for failed: it is never lost.

use crate::rig::{ON_THE_WAY, Rig, channel, on_the_way, refusal, request};
use sponte_engine::backend::{NoRoutes, Send};
use sponte_engine::commit::{Account, State};
use sponte_proto::PaymentId;
use sponte_proto::failure::FailureCode;

/// A payment whose first attempt failed on the way, and its second, which is pending.
fn second_attempt(rig: &mut Rig) -> (PaymentId, Send, Send) {
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.failed(&first, ON_THE_WAY);
    let second = rig.sent();
    (id, first, second)
}

/// As [`Rig::paid`], where the books cannot be as they would be.
fn paid(rig: &mut Rig, send: &Send) {
    let preimage = crate::payee::proof(send);
    rig.event(sponte_engine::backend::BackendEvent::PartSent { part: send.part, preimage });
}

#[test]
fn a_failed_payment_becomes_paid() {
    for restart in [false, true] {
        let mut rig = Rig::new();
        let (id, first, second) = second_attempt(&mut rig);
        rig.failed(&second, refusal(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
        assert_eq!(rig.state(id), State::Failed);
        if restart {
            rig = rig.restart();
        }
        rig.paid(&first);
        assert_eq!((rig.state(id), &rig.row(id).preimage), (State::Settled, &first.payload.keysend));
        assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), -50_100);
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
    rig.failed(&second, on_the_way(78));
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::PeersOffline);
    rig.paid(&first);
    assert_eq!(rig.state(id), State::Settled);
    assert_eq!(rig.engine_timeout(), None);
    assert!(rig.commands.is_empty());
}

#[test]
fn no_attempt_follows_one_that_is_pending_meanwhile() {
    for restart in [false, true] {
        let mut rig = Rig::new();
        let (id, first, second) = second_attempt(&mut rig);
        paid(&mut rig, &first);
        assert_eq!(rig.state(id), State::Pending, "an HTLC is on its way");
        if restart {
            rig = rig.restart();
            rig.recover(&[second.part], &[]);
        }
        rig.failed(&second, ON_THE_WAY);
        assert_eq!((rig.state(id), &rig.row(id).preimage), (State::Settled, &first.payload.keysend));
        assert!(rig.commands.is_empty());
    }
}

#[test]
fn paid_twice_is_booked_twice_and_told() {
    let mut rig = Rig::new();
    let (id, first, second) = second_attempt(&mut rig);
    paid(&mut rig, &first);
    paid(&mut rig, &second);
    assert_eq!(rig.state(id), State::Settled);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), -100_200);
    assert_eq!(rig.events().iter().filter(|kind| **kind == "anomaly").count(), 2);
}
