//! Payments from us, one thing at a time.

use crate::rig::{Rig, channel, msat, node, request};
use sponte_engine::backend::{BackendEvent, SendFailure};
use sponte_engine::commit::{Account, State};
use sponte_engine::{Fact, Input, PayError, PayRequest};
use sponte_proto::{Msat, Records, Timestamp};

#[test]
fn a_payment_is_paid() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    assert_eq!((send.amount, send.max_fee, send.destination), (msat(50_000), msat(1_000), node(9)));
    assert_eq!(rig.row(id).hash, Some(send.preimage.payment_hash()));

    rig.dispatched(send.attempt);
    assert_eq!(rig.ledger.pending(Account::Channel(channel(1))), -50_100);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), 0);
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
    assert_eq!((rig.row(id).fee, &rig.row(id).preimage), (msat(100), &Some(send.preimage.clone())));
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), -50_100);
    assert_eq!(rig.ledger.posted(Account::FeesPaid), 100);
    assert_eq!(rig.events(), ["payment_sent"]);
    rig.ledger.check();
}

#[test]
fn a_free_route_books_no_fee() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    let part = sponte_engine::backend::SentPart {
        channel: channel(1),
        amount: send.amount,
        fee: Msat::ZERO,
        route: vec![node(9)],
    };
    rig.event(BackendEvent::Dispatched { attempt: send.attempt, parts: vec![part] });
    rig.event(BackendEvent::Sent { attempt: send.attempt, preimage: send.preimage, fee: Msat::ZERO });
    assert_eq!(rig.row(id).fee, Msat::ZERO);
    rig.ledger.check();
}

#[test]
fn a_route_that_failed_is_tried_again_when_no_other_is_left() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.dispatched(first.attempt);
    rig.event(BackendEvent::PartFailed { attempt: first.attempt, channel: Some(7), by_recipient: false });
    rig.failed(first.attempt, SendFailure::OnTheWay);
    let second = rig.sent();
    assert_eq!(second.avoid, [7]);
    rig.failed(second.attempt, SendFailure::NoRoute { destination_known: true });
    assert_eq!(rig.state(id), State::Pending);
    assert!(rig.commands.is_empty(), "only time can mend it");
    rig.wait();
    let third = rig.sent();
    assert_eq!(third.avoid, [0; 0]);
    rig.failed(third.attempt, SendFailure::NoRoute { destination_known: true });
    assert_eq!(rig.failure(id), "no_route", "nothing was avoided: there is none");
    rig.ledger.check();
}

#[test]
fn the_same_key_is_the_same_payment_for_ever() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    assert_eq!(rig.pay(request("k")), Ok(id));
    rig.dispatched(send.attempt);
    rig.paid(&send);
    assert_eq!(rig.pay(request("k")), Ok(id));
    assert!(rig.commands.is_empty(), "one attempt, however often it is asked for");

    for other in [
        PayRequest { amount: msat(1), ..request("k") },
        PayRequest { destination: node(8), ..request("k") },
        PayRequest { max_fee: None, ..request("k") },
        PayRequest { records: Records::from_received([(65_537, vec![])]), ..request("k") },
    ] {
        assert_eq!(rig.pay(other), Err(PayError::KeyReused));
    }
    assert_ne!(rig.pay(request("l")), Ok(id));
}

/// The engine forgets what has ended; the ledger does not, whatever the clock says.
#[test]
fn a_key_is_one_payment_for_ever() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("sound");
    let send = rig.sent();
    rig.dispatched(send.attempt);
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
    for now in [rig.now.plus_millis(86_400_000), Timestamp::default()] {
        rig.now = now;
        assert_eq!(rig.pay(request("k")), Ok(id));
        assert_eq!(rig.pay(PayRequest { amount: msat(1), ..request("k") }), Err(PayError::KeyReused));
        assert!(rig.commands.is_empty());
    }
    rig.pay(request("l")).expect("a new key, by a clock that was set back");
    assert_eq!(rig.commands.len(), 1);
}

#[test]
fn what_makes_no_sense_writes_nothing() {
    let mut rig = Rig::new();
    assert_eq!(rig.pay(PayRequest { amount: Msat::ZERO, ..request("k") }), Err(PayError::ZeroAmount));
    assert_eq!(rig.pay(PayRequest { destination: node(1), ..request("k") }), Err(PayError::SelfPayment));
    assert!(rig.ledger.payments.is_empty() && rig.commands.is_empty());
}

#[test]
fn a_failure_on_the_way_is_followed_by_another_attempt_that_avoids_it() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.dispatched(first.attempt);
    let part_failed =
        BackendEvent::PartFailed { attempt: first.attempt, channel: Some(77), by_recipient: false };
    rig.event(part_failed);
    rig.failed(first.attempt, SendFailure::OnTheWay);
    let second = rig.sent();
    assert_eq!(second.avoid, [77]);
    assert_ne!((second.attempt, &second.preimage), (first.attempt, &first.preimage));
    assert_eq!(rig.row(id).hash, Some(second.preimage.payment_hash()));
    assert_eq!(rig.ledger.pending(Account::InFlightOut), 0);
    rig.dispatched(second.attempt);
    rig.paid(&second);
    assert_eq!((rig.state(id), rig.row(id).attempts), (State::Settled, 2));
}

#[test]
fn the_limit_on_attempts_ends_a_payment() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    for _ in 0..3 {
        assert_eq!(rig.state(id), State::Pending);
        let attempt = rig.sent().attempt;
        rig.dispatched(attempt);
        rig.failed(attempt, SendFailure::OnTheWay);
    }
    assert!(rig.commands.is_empty());
    assert_eq!(rig.failure(id), "attempts_exhausted");
    assert_eq!(rig.events(), ["payment_failed"]);
}

#[test]
fn the_deadline_ends_attempts_and_not_the_payment() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.dispatched(send.attempt);
    rig.now = rig.now.plus_millis(120_000);
    rig.input(Input::Time);
    assert_eq!(rig.state(id), State::Pending, "an HTLC is on its way");
    rig.failed(send.attempt, SendFailure::OnTheWay);
    assert_eq!(rig.failure(id), "timeout");
}

#[test]
fn hopeless_failures_end_it_at_once_and_say_why() {
    let sat = |sat| Msat::from_sat(sat).expect("small");
    for (why, code) in [
        (SendFailure::SelfPayment, "self_payment"),
        (SendFailure::BadDestination, "unknown_destination"),
        (SendFailure::RecordsTooLarge, "records_too_large"),
        (SendFailure::InsufficientBalance { spendable: sat(3) }, "insufficient_balance"),
        (SendFailure::FeeLimitTooLow { cheapest: sat(7) }, "fee_limit_too_low"),
        (SendFailure::NoRoute { destination_known: true }, "no_route"),
        (SendFailure::NoRoute { destination_known: false }, "unknown_destination"),
        (SendFailure::RecipientRefused, "recipient_refused"),
    ] {
        let mut rig = Rig::new();
        let id = rig.pay(request("k")).expect("begun");
        let attempt = rig.sent().attempt;
        rig.failed(attempt, why);
        assert_eq!(rig.failure(id), code);
        assert!(rig.commands.is_empty());
    }
}

#[test]
fn absent_peers_are_waited_for_longer_each_time() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let begun = rig.now;
    let mut waits = vec![];
    loop {
        let attempt = rig.sent().attempt;
        rig.failed(attempt, SendFailure::PeersOffline);
        let before = rig.now;
        rig.wait();
        waits.push(rig.now.millis_since(before));
        if rig.state(id) != State::Pending {
            break;
        }
    }
    assert_eq!(rig.failure(id), "peers_offline", "not the limit on attempts, and not just a timeout");
    assert_eq!(rig.now.millis_since(begun), 60_000);
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 29_000]);
}

#[test]
fn a_usable_channel_ends_the_wait() {
    for event in [
        BackendEvent::ChannelUsable(channel(1)),
        BackendEvent::ChannelReady { channel: channel(1), peer: node(5) },
    ] {
        let mut rig = Rig::new();
        let id = rig.pay(request("k")).expect("begun");
        let attempt = rig.sent().attempt;
        rig.failed(attempt, SendFailure::PeersOffline);
        assert!(rig.commands.is_empty());
        rig.event(event);
        let send = rig.sent();
        rig.dispatched(send.attempt);
        rig.paid(&send);
        assert_eq!(rig.state(id), State::Settled);
    }
}

#[test]
fn a_backend_that_never_sends_does_not_keep_a_step_from_ending() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let attempt = rig.sent().attempt;
    rig.failed(attempt, SendFailure::NeverLeft);
    assert!(rig.commands.is_empty());
    assert_eq!(rig.state(id), State::Pending);
    rig.wait();
    rig.sent();
}

#[test]
fn repeats_and_strangers_change_nothing() {
    let mut rig = Rig::new();
    rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.dispatched(send.attempt);
    rig.dispatched(send.attempt);
    rig.paid(&send);
    let settled = rig.ledger.clone();
    rig.paid(&send);
    rig.dispatched(send.attempt);
    rig.failed(send.attempt, SendFailure::OnTheWay);
    let stranger = sponte_proto::PaymentId::from_bytes([9; 32]);
    rig.failed(stranger, SendFailure::OnTheWay);
    let sent = BackendEvent::Sent { attempt: stranger, preimage: send.preimage, fee: Msat::ZERO };
    rig.event(sent);
    assert_eq!(rig.ledger.transfers, settled.transfers);
    assert_eq!(rig.ledger.payments, settled.payments);
    assert_eq!(rig.ledger.events, settled.events);
    assert!(rig.commands.is_empty());
}

#[test]
fn no_question_is_asked_of_what_memory_knows() {
    let mut rig = Rig::new();
    rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    let sent = BackendEvent::Sent { attempt: send.attempt, preimage: send.preimage, fee: Msat::ZERO };
    assert_eq!(rig.engine.question(&sent), None);
    rig.input(Input::Backend(sent.clone(), Fact::None));
    assert!(rig.engine.question(&sent).is_some());
}
