//! Corners of the sender: proofs that come when nobody waits for them, routes that carry more than was
//! asked for, keys and invoices that are used twice.

use crate::payee::{End, Payee};
use crate::rig::{ON_THE_WAY, Rig, refusal, request};
use sponte_engine::PayRequest;
use sponte_engine::backend::{BackendEvent, Command, NoRoutes, Send};
use sponte_engine::commit::{Kind, PartFailure, State};
use sponte_proto::failure::FailureCode;

fn late(rig: &mut Rig, send: &Send) {
    rig.event(BackendEvent::PartSent { part: send.part, preimage: crate::payee::proof(send) });
}

/// The proof of the first attempt comes while routes for the second are looked for.
#[test]
fn no_attempt_follows_a_proof_that_came_before_the_routes() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.failed(&first, ON_THE_WAY);
    let asked = rig.asked();
    late(&mut rig, &first);
    let sends = rig.routed(&asked, &[(1, 50_000, 100)]);
    assert_eq!(sends, [], "it is paid");
    assert_eq!(rig.state(id), State::Settled);
}

/// A set goes on being completed though the payment is paid by the attempt before.
#[test]
fn a_set_is_not_completed_once_an_attempt_before_is_paid() {
    let mut rig = Rig::new();
    rig.pay(PayRequest { kind: Some(Kind::MppKeysend), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let first = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    rig.failed(&first, ON_THE_WAY);
    let asked = rig.asked();
    let second = rig.routed(&asked, &[(1, 30_000, 100), (2, 20_000, 100)]);
    late(&mut rig, &first);
    rig.event(BackendEvent::PartFailed(sponte_engine::backend::SendFailed {
        part: second[1].part,
        why: ON_THE_WAY,
    }));
    assert_eq!(rig.commands, [], "it is paid: what failed of the second set stays away");
}

/// AMP leaves no proof in the payment's row, so a restart forgets that it is paid.
#[test]
fn a_restart_remembers_that_an_amp_attempt_before_is_paid() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { kind: Some(Kind::Amp), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let first = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    rig.failed(&first, ON_THE_WAY);
    let asked = rig.asked();
    let second = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    let mut payee = Payee::default();
    payee.arrive(first.part, &first);
    let Some(End::Paid(proof)) = payee.ends.get(&first.part).cloned() else { panic!("not claimed") };
    rig.event(BackendEvent::PartSent { part: first.part, preimage: proof });
    let mut rig = rig.restart();
    rig.recover(&[second.part], &[]);
    rig.failed(&second, ON_THE_WAY);
    assert!(rig.commands.iter().all(|command| !matches!(command, Command::Route(_))), "it is paid");
    assert_eq!(rig.state(id), State::Settled);
}

/// A route that carries more than was asked for makes the set reach its total without one of
/// its shards: the destination reconstructs, and fails all.
#[test]
fn an_amp_set_is_complete_only_with_all_of_its_shards() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { kind: Some(Kind::Amp), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 25_000, 100), (2, 2_500, 100), (3, 22_500, 100)]);
    rig.failed(&sends[2], ON_THE_WAY);
    let again = rig.asked();
    assert_eq!(again.amount.to_msat(), 22_500);
    // The one channel that is left has a minimum of 30 sat.
    let new = rig.routed(&again, &[(1, 30_000, 0)]);
    if new.is_empty() {
        return; // Refused as a route: one cure.
    }
    // Now the small one fails. Nothing is missing by the sum, but its share is.
    rig.failed(&sends[1], ON_THE_WAY);
    let mut all = vec![sends[0].clone()];
    all.extend(new);
    while let [Command::Route(_)] = &rig.commands[..] {
        let asked = rig.asked();
        let amount = asked.amount.to_msat();
        all.extend(rig.routed(&asked, &[(1, amount, 0)]));
    }
    let mut payee = Payee::default();
    all.iter().for_each(|send| payee.arrive(send.part, send));
    for send in &all {
        match payee.ends.get(&send.part) {
            Some(End::Paid(preimage)) => rig.proven(send, preimage.clone()),
            other => panic!("not claimed: {other:?}"),
        }
    }
    assert_eq!(rig.state(id), State::Settled);
}

/// A request of before the update, repeated as it was.
#[test]
fn a_key_of_before_the_update_still_stands_for_its_payment() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    rig.paid(&send);
    // What migration 0004 makes of every row that is there.
    let plan = &mut rig.ledger.payments.get_mut(&id).expect("there").plan;
    (plan.asked, plan.max_parts, plan.fall_back) = (None, 1, false);
    assert_eq!(rig.pay(request("k")), Ok(id));
}

/// The proof of a part that the memory took for failed, of the set that is on its way: one
/// attempt is paid, not two.
#[test]
fn one_attempt_is_not_told_as_two() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { kind: Some(Kind::MppKeysend), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 30_000, 100), (2, 20_000, 100)]);
    rig.failed(&sends[1], refusal(FailureCode::MPP_TIMEOUT));
    late(&mut rig, &sends[1]);
    late(&mut rig, &sends[0]);
    assert_eq!(rig.state(id), State::Settled);
    let twice = rig.ledger.events.iter().filter(|row| row.detail.contains("two attempts")).count();
    assert_eq!(twice, 0, "{:?}", rig.ledger.events);
}

/// A refusal and the kind that follows it are lost with a restart.
#[test]
fn a_kind_that_was_refused_is_not_tried_again_after_a_restart() {
    let mut rig = Rig::new();
    rig.pay(PayRequest { kind: Some(Kind::MppKeysend), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let send = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    rig.failed(&send, refusal(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
    rig.asked();
    let mut rig = rig.restart();
    rig.recover(&[], &[]);
    let asked = rig.asked();
    assert_eq!(asked.max_parts, 1, "keysend by one path: parts are refused");
}

/// Nor once the kind that followed is on its way, and fails there.
#[test]
fn a_kind_that_was_refused_stays_so_once_another_has_begun() {
    let mut rig = Rig::new();
    let request =
        PayRequest { kind: Some(Kind::Amp), fall_back: Some(true), max_attempts: 9, ..request("k") };
    let id = rig.pay(request).expect("begun");
    let asked = rig.asked();
    let send = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    rig.failed(&send, refusal(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
    for kind in [Kind::Keysend, Kind::MppKeysend] {
        let mut asked = rig.asked();
        if kind == Kind::MppKeysend {
            rig.no_routes(&asked, NoRoutes::NoRoute);
            asked = rig.asked();
        }
        let send = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
        assert_eq!((rig.row(id).kind, &send.payload.amp), (kind, &None));
        assert!(rig.row(id).plan.reason.contains("refused amp"), "{}", rig.row(id).plan.reason);
        rig = rig.restart();
        rig.recover(&[send.part], &[]);
        rig.failed(&send, PartFailure { channel: None, ..ON_THE_WAY });
        rig.wait();
    }
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::NoRoute);
    assert_eq!(rig.failure(id), "no_route", "the last kind was not refused");
}

/// What the destination said is told, over a restart, as long as no other kind has begun.
#[test]
fn a_refusal_is_the_last_word_over_a_restart() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { kind: Some(Kind::MppKeysend), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let send = rig.routed(&asked, &[(1, 50_000, 100)]).remove(0);
    rig.failed(&send, refusal(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
    rig.asked();
    let mut rig = rig.restart();
    rig.recover(&[], &[]);
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::NoRoute);
    assert_eq!(rig.failure(id), "recipient_refused");
}

/// As F1, but no route is found: a payment that is paid must not end as failed.
#[test]
fn a_proof_outlives_a_search_that_finds_nothing() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.failed(&first, ON_THE_WAY);
    let asked = rig.asked();
    late(&mut rig, &first);
    rig.event(BackendEvent::Routes(Box::new(sponte_engine::backend::Routes {
        query: asked.query,
        found: Err(sponte_engine::backend::NoRoutes::NoRoute),
        destination: sponte_engine::backend::Destination::default(),
    })));
    assert_eq!(rig.state(id), State::Settled);
}

/// The second attempt is refused: a payment that is paid must not end as failed.
#[test]
fn a_proof_outlives_a_refusal_of_the_next_attempt() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let first = rig.sent();
    rig.failed(&first, ON_THE_WAY);
    let second = rig.sent();
    late(&mut rig, &first);
    rig.event(BackendEvent::PartFailed(sponte_engine::backend::SendFailed {
        part: second.part,
        why: refusal(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS),
    }));
    assert_eq!(rig.state(id), State::Settled);
}

/// One invoice of one hash, two keys: two payments of one hash at once.
#[test]
fn an_invoice_with_a_hash_is_on_its_way_once() {
    use sponte_engine::commit::PaidInvoice;
    use sponte_proto::{PaymentSecret, Timestamp};
    let invoice = PaidInvoice {
        text: "lnbcrt1".into(),
        hash: Some(crate::rig::preimage(3).payment_hash()),
        payment_addr: Some(PaymentSecret::from_bytes([5; 32])),
        metadata: None,
        offered: None,
    };
    let invoice = Some((invoice, Timestamp::from_millis(u64::MAX / 2)));
    let mut rig = Rig::new();
    rig.pay(PayRequest { invoice: invoice.clone(), ..request("a") }).expect("begun");
    let asked = rig.asked();
    let first = rig.routed(&asked, &[(1, 50_000, 100)]);
    if rig.pay(PayRequest { invoice, ..request("b") }).is_ok() {
        let asked = rig.asked();
        let second = rig.routed(&asked, &[(1, 50_000, 100)]);
        assert!(second.is_empty(), "both on their way: {} {}", first[0].hash, second[0].hash);
    }
}
