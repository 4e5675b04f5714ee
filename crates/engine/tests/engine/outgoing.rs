//! Payments from us in one part, one thing at a time.

use crate::rig::{ON_THE_WAY, Rig, channel, msat, node, on_the_way, refusal, request};
use sponte_engine::backend::{BackendEvent, NoRoutes, SendFailed};
use sponte_engine::commit::{Account, Kind, PartFailure, State};
use sponte_engine::{Fact, Input, PayError, PayRequest};
use sponte_proto::failure::FailureCode;
use sponte_proto::{Msat, PaymentId, Records, ShortChannelId, Timestamp};

/// A payment that is never split and always keysend.
fn keysend(key: &str) -> PayRequest {
    PayRequest { kind: Some(Kind::Keysend), ..request(key) }
}

const REFUSED: FailureCode = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;

#[test]
fn a_payment_is_paid() {
    let mut rig = Rig::new();
    let id = rig.pay(keysend("k")).expect("begun");
    let asked = rig.asked();
    assert_eq!((asked.amount, asked.max_fee, asked.destination), (msat(50_000), msat(1_000), node(9)));
    assert_eq!((asked.max_parts, asked.final_cltv.to_u16()), (1, 144));
    let send = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    assert_eq!(rig.row(id).hash, Some(send.hash));
    assert_eq!(send.payload.keysend.as_ref().map(|preimage| preimage.payment_hash()), Some(send.hash));
    assert_eq!(send.payload.payment_data, None);

    assert_eq!(rig.ledger.pending(Account::Channel(channel(1))), -50_100);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), 0);
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
    assert_eq!((rig.row(id).fee, &rig.row(id).preimage), (msat(100), &send.payload.keysend));
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), -50_100);
    assert_eq!(rig.ledger.posted(Account::FeesPaid), 100);
    assert_eq!(rig.events(), ["payment_sent"]);
}

#[test]
fn a_free_route_books_no_fee() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let asked = rig.asked();
    let send = rig.routed(&asked, &[(1, 50_000, 0)]).remove(0);
    rig.paid(&send);
    assert_eq!(rig.row(id).fee, Msat::ZERO);
}

#[test]
fn a_route_that_failed_is_tried_again_when_no_other_is_left() {
    let mut rig = Rig::new();
    let id = rig.pay(keysend("k")).expect("begun");
    let first = rig.sent();
    rig.failed(&first, ON_THE_WAY);
    let second = rig.asked();
    assert_eq!(second.avoid, [ShortChannelId::new(77)]);
    rig.no_routes(&second, NoRoutes::NoRoute);
    assert_eq!(rig.state(id), State::Pending);
    assert!(rig.commands.is_empty(), "only time can mend it");
    rig.wait();
    let third = rig.asked();
    assert_eq!(third.avoid, []);
    rig.no_routes(&third, NoRoutes::NoRoute);
    assert_eq!(rig.failure(id), "no_route", "nothing was avoided: there is none");
}

/// Neither time nor attempts were what it lacked.
#[test]
fn what_stood_in_the_way_is_told_when_attempts_are_used_up() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { max_attempts: 2, ..keysend("k") }).expect("begun");
    for channel in 0..2 {
        let send = rig.sent();
        rig.failed(&send, on_the_way(channel));
        if channel == 0 {
            let asked = rig.asked();
            rig.no_routes(&asked, NoRoutes::FeeLimitTooLow { cheapest: msat(2_000) });
            rig.wait();
        }
    }
    assert_eq!(rig.failure(id), "fee_limit_too_low");
}

#[test]
fn routes_that_are_none_are_not_taken() {
    for ways in [
        &[][..],
        &[(1, 49_999, 0)],
        &[(1, 50_000, 1_001)],
        &[(1, 25_000, 0), (2, 25_000, 0)],
        &[(1, u64::MAX >> 12, 0), (1, u64::MAX >> 12, 0)],
    ] {
        let mut rig = Rig::new();
        let id = rig.pay(keysend("k")).expect("begun");
        let asked = rig.asked();
        assert!(rig.routed(&asked, ways).is_empty());
        assert_eq!(rig.failure(id), "no_route");
        assert!(rig.ledger.parts.is_empty() && rig.ledger.attempts.is_empty());
    }
}

#[test]
fn the_same_key_is_the_same_payment_for_ever() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    assert_eq!(rig.pay(request("k")), Ok(id));
    rig.paid(&send);
    assert_eq!(rig.pay(request("k")), Ok(id));
    assert!(rig.commands.is_empty(), "one attempt, however often it is asked for");

    for other in [
        PayRequest { amount: msat(1), ..request("k") },
        PayRequest { destination: node(8), ..request("k") },
        PayRequest { max_fee: None, ..request("k") },
        PayRequest { kind: Some(Kind::Amp), ..request("k") },
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
    rig.failed(&first, ON_THE_WAY);
    assert_eq!(rig.ledger.pending(Account::InFlightOut), 0);
    let asked = rig.asked();
    assert_eq!(asked.avoid, [ShortChannelId::new(77)]);
    let second = rig.routed(&asked, &[(2, 50_000, 100)]).remove(0);
    assert_ne!((second.part, second.hash), (first.part, first.hash));
    assert_ne!(second.session_key, first.session_key);
    assert_eq!(rig.row(id).hash, Some(second.hash));
    rig.paid(&second);
    assert_eq!((rig.state(id), rig.row(id).attempts), (State::Settled, 2));
    let failed = rig.ledger.parts[&(id, 0, 0)].sent.failure;
    assert_eq!(failed, Some(ON_THE_WAY), "what failed stays written");
}

#[test]
fn the_limit_on_attempts_ends_a_payment() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    for channel in 0..3 {
        assert_eq!(rig.state(id), State::Pending);
        let send = rig.sent();
        rig.failed(&send, on_the_way(channel));
    }
    assert!(rig.commands.is_empty());
    assert_eq!(rig.failure(id), "attempts_exhausted");
    assert_eq!(rig.events(), ["payment_failed"]);
}

/// A failure that teaches nothing new is no reason to try the same at once.
#[test]
fn the_same_channel_failing_again_does_not_keep_a_step_from_ending() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { max_attempts: 1_000, ..keysend("k") }).expect("begun");
    let own = PartFailure { hop: Some(0), code: None, channel: Some(ShortChannelId::new(1)) };
    for why in [own, ON_THE_WAY] {
        let send = rig.sent();
        rig.failed(&send, why);
        let send = rig.sent();
        rig.failed(&send, why);
        assert!(rig.commands.is_empty(), "the same again: {why:?}");
        assert_eq!(rig.state(id), State::Pending);
        rig.wait();
    }
    let send = rig.sent();
    rig.paid(&send);
}

#[test]
fn the_deadline_ends_attempts_and_not_the_payment() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.now = rig.now.plus_millis(120_000);
    rig.input(Input::Time);
    assert_eq!(rig.state(id), State::Pending, "an HTLC is on its way");
    rig.failed(&send, ON_THE_WAY);
    assert_eq!(rig.failure(id), "timeout");
}

#[test]
fn hopeless_failures_end_it_at_once_and_say_why() {
    let sat = |sat| Msat::from_sat(sat).expect("small");
    for (why, code) in [
        (NoRoutes::SelfPayment, "self_payment"),
        (NoRoutes::BadDestination, "unknown_destination"),
        (NoRoutes::RecordsTooLarge, "records_too_large"),
        (NoRoutes::InsufficientBalance { spendable: sat(3) }, "insufficient_balance"),
        (NoRoutes::FeeLimitTooLow { cheapest: sat(7) }, "fee_limit_too_low"),
        (NoRoutes::NoRoute, "no_route"),
    ] {
        let mut rig = Rig::new();
        let id = rig.pay(keysend("k")).expect("begun");
        let asked = rig.asked();
        rig.no_routes(&asked, why);
        assert_eq!(rig.failure(id), code);
        assert!(rig.commands.is_empty());
    }
}

#[test]
fn a_refusal_ends_it_and_says_what_was_said() {
    let mut rig = Rig::new();
    let id = rig.pay(keysend("k")).expect("begun");
    let send = rig.sent();
    rig.failed(&send, refusal(REFUSED));
    assert_eq!(rig.failure(id), "recipient_refused");
    let message = &rig.row(id).failure.as_ref().expect("it failed").message;
    assert!(message.contains("incorrect_or_unknown_payment_details, hop 2"), "{message}");
    assert!(rig.commands.is_empty());
}

/// Only the node before the destination can tell that it is not there.
#[test]
fn a_destination_that_cannot_be_reached_is_probably_offline() {
    let mut rig = Rig::new();
    let id = rig.pay(keysend("k")).expect("begun");
    let unknown = FailureCode::UNKNOWN_NEXT_PEER;
    for channel in 0..3 {
        let send = rig.sent();
        let channel = Some(ShortChannelId::new(channel));
        rig.failed(&send, PartFailure { hop: Some(1), code: Some(unknown), channel });
    }
    assert_eq!(rig.failure(id), "recipient_offline");
    assert!(rig.row(id).failure.as_ref().expect("it failed").message.contains("probably offline"));
}

#[test]
fn what_nobody_can_explain_is_tried_again_a_little_later() {
    let mut rig = Rig::new();
    let id = rig.pay(keysend("k")).expect("begun");
    let send = rig.sent();
    rig.failed(&send, PartFailure::default());
    assert!(rig.commands.is_empty());
    rig.wait();
    let send = rig.sent();
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
}

#[test]
fn absent_peers_are_waited_for_longer_each_time() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let begun = rig.now;
    let mut waits = vec![];
    loop {
        let asked = rig.asked();
        rig.no_routes(&asked, NoRoutes::PeersOffline);
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
    assert_eq!((rig.row(id).attempts, rig.row(id).plan.tries), (0, 0), "nothing left");
}

#[test]
fn a_usable_channel_ends_the_wait() {
    for event in [
        BackendEvent::ChannelUsable(channel(1)),
        BackendEvent::ChannelReady { channel: channel(1), peer: node(5) },
    ] {
        let mut rig = Rig::new();
        let id = rig.pay(request("k")).expect("begun");
        let asked = rig.asked();
        rig.no_routes(&asked, NoRoutes::PeersOffline);
        assert!(rig.commands.is_empty());
        rig.now = rig.now.plus_millis(999);
        rig.event(event.clone());
        assert!(rig.commands.is_empty(), "it was looked for just now");
        rig.now = rig.now.plus_millis(1);
        rig.event(event);
        let send = rig.sent();
        rig.paid(&send);
        assert_eq!(rig.state(id), State::Settled);
    }
}

#[test]
fn a_backend_that_never_sends_does_not_keep_a_step_from_ending() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.failed(&send, PartFailure::NEVER_LEFT);
    assert!(rig.commands.is_empty());
    assert_eq!(rig.state(id), State::Pending);
    rig.wait();
    rig.sent();
    assert_eq!(rig.row(id).plan.tries, 1, "what never left is not counted");
}

#[test]
fn a_caller_may_end_it_between_two_attempts() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::PeersOffline);
    assert_eq!(rig.cancel(id), Ok(id));
    assert_eq!(rig.failure(id), "canceled");
    assert_eq!(rig.cancel(id), Err(PayError::Ended(State::Failed)));
    assert_eq!(rig.cancel(PaymentId::from_bytes([8; 32])), Err(PayError::UnknownPayment));
    assert_eq!(rig.pay(request("k")), Ok(id), "the key stays that payment's");
    assert!(rig.commands.is_empty());
}

#[test]
fn a_cancel_waits_for_no_routes() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let asked = rig.asked();
    assert_eq!(rig.cancel(id), Ok(id));
    assert_eq!(rig.failure(id), "canceled");
    assert!(rig.routed(&asked, &[(1, 50_000, 100)]).is_empty(), "what was looked for comes too late");
    assert_eq!(rig.state(id), State::Failed);
}

#[test]
fn what_is_on_its_way_is_waited_for_after_a_cancel() {
    for restart in [false, true] {
        let mut rig = Rig::new();
        let id = rig.pay(request("k")).expect("begun");
        let send = rig.sent();
        assert_eq!(rig.cancel(id), Ok(id));
        assert_eq!(rig.state(id), State::Pending);
        if restart {
            rig = rig.restart();
            rig.recover(&[send.part], &[]);
        }
        rig.failed(&send, ON_THE_WAY);
        assert_eq!(rig.failure(id), "canceled");
        assert!(rig.commands.is_empty());
    }
}

#[test]
fn repeats_and_strangers_change_nothing() {
    let mut rig = Rig::new();
    rig.pay(request("k")).expect("begun");
    let asked = rig.asked();
    let send = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    assert!(rig.routed(&asked, &[(1, 50_000, 100)]).is_empty());
    rig.paid(&send);
    let settled = rig.ledger.clone();
    rig.paid(&send);
    assert!(rig.routed(&asked, &[(1, 50_000, 100)]).is_empty());
    rig.failed(&send, ON_THE_WAY);
    let stranger = PaymentId::from_bytes([9; 32]);
    rig.event(BackendEvent::PartFailed(SendFailed { part: stranger, why: ON_THE_WAY }));
    let preimage = crate::rig::preimage(3);
    rig.event(BackendEvent::PartSent { part: stranger, preimage });
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
    let preimage = send.payload.keysend.clone().expect("it is keysend");
    let sent = BackendEvent::PartSent { part: send.part, preimage };
    assert_eq!(rig.engine.question(&sent), None);
    rig.input(Input::Backend(sent.clone(), Fact::None));
    assert!(rig.engine.question(&sent).is_some());
}
