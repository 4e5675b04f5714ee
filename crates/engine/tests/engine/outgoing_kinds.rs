//! Payments from us in parts, of every kind, and from one kind to another.

use crate::payee::{End, Payee};
use crate::rig::{ON_THE_WAY, Rig, msat, node, on_the_way, preimage, refusal, request};
use crate::world::Random;
use sponte_engine::backend::{NoRoutes, Send};
use sponte_engine::commit::{Kind, PaidInvoice, PartFailure, State};
use sponte_engine::{Input, PayError, PayRequest, Ticket};
use sponte_proto::failure::FailureCode;
use sponte_proto::{PaymentId, PaymentSecret, Timestamp};

const REFUSED: FailureCode = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;

fn of_kind(kind: Kind) -> PayRequest {
    PayRequest { kind: Some(kind), ..request("k") }
}

/// All of them arrive, and the destination claims the set.
fn claim(rig: &mut Rig, sends: &[Send]) {
    let mut payee = Payee::default();
    for send in sends {
        payee.arrive(send.part, send);
    }
    for send in sends {
        match payee.ends.get(&send.part) {
            Some(End::Paid(preimage)) => rig.proven(send, preimage.clone()),
            other => panic!("not claimed: {other:?}"),
        }
    }
}

#[test]
fn keysend_where_one_path_does() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let send = rig.sent();
    assert_eq!(rig.row(id).kind, Kind::Keysend);
    assert_eq!(rig.row(id).plan.reason, "one path carries the amount");
    rig.paid(&send);
}

#[test]
fn amp_where_one_path_does_not() {
    for why in [
        NoRoutes::NoRoute,
        NoRoutes::InsufficientBalance { spendable: msat(20_000) },
        NoRoutes::FeeLimitTooLow { cheapest: msat(2_000) },
    ] {
        let mut rig = Rig::new();
        let id = rig.pay(request("k")).expect("begun");
        let single = rig.asked();
        assert_eq!(single.max_parts, 1);
        rig.no_routes(&single, why);
        let several = rig.asked();
        assert_eq!(several.max_parts, 4);
        assert!(several.payload_bytes > single.payload_bytes);
        let sends = rig.routed(&several, &[(1, 20_000, 100), (2, 20_000, 200), (1, 10_000, 0)]);
        assert_eq!((rig.row(id).kind, rig.row(id).hash), (Kind::Amp, None));
        assert!(rig.row(id).plan.reason.contains("takes AMP"));
        claim(&mut rig, &sends);
        assert_eq!((rig.state(id), rig.row(id).fee, rig.row(id).attempts), (State::Settled, msat(300), 1));
    }
}

#[test]
fn what_one_path_lacks_is_told_if_several_lack_it_too() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let single = rig.asked();
    rig.no_routes(&single, NoRoutes::FeeLimitTooLow { cheapest: msat(2_000) });
    let several = rig.asked();
    rig.no_routes(&several, NoRoutes::NoRoute);
    assert_eq!(rig.failure(id), "fee_limit_too_low");
}

#[test]
fn mpp_keysend_has_one_hash_and_one_total() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::MppKeysend)).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 30_000, 100), (2, 20_000, 0)]);
    assert_eq!(sends[0].hash, sends[1].hash);
    assert_eq!(sends[0].payload.payment_data, sends[1].payload.payment_data);
    assert_eq!(sends[0].payload.payment_data.as_ref().map(|data| data.total()), Some(msat(50_000)));
    assert_ne!(sends[0].part, sends[1].part);
    assert_ne!(sends[0].session_key, sends[1].session_key);
    claim(&mut rig, &sends);
    assert_eq!((rig.state(id), rig.row(id).hash), (State::Settled, Some(sends[0].hash)));
    assert_eq!(rig.row(id).preimage, sends[0].payload.keysend);
}

/// The one that failed goes out anew, in two, and with what is left of the fee.
#[test]
fn a_shard_that_failed_is_split_and_sent_again() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::Amp)).expect("begun");
    let asked = rig.asked();
    let mut sends = rig.routed(&asked, &[(1, 20_000, 100), (2, 20_000, 200), (1, 10_000, 300)]);
    rig.failed(&sends[1].clone(), ON_THE_WAY);
    let again = rig.asked();
    assert_eq!((again.amount, again.max_fee, again.max_parts), (msat(20_000), msat(600), 2));
    let new = rig.routed(&again, &[(3, 12_000, 100), (1, 8_000, 100)]);
    let gone = sends.remove(1);
    sends.extend(new);
    assert!(sends.iter().all(|send| send.hash != gone.hash), "a new share, index and hash");
    claim(&mut rig, &sends);
    assert_eq!((rig.state(id), rig.row(id).fee), (State::Settled, msat(600)));
    assert_eq!((rig.row(id).attempts, rig.row(id).plan.tries), (1, 2), "one set, sent twice");
}

/// What one channel cannot carry goes out in halves, and the channel may carry one of them.
#[test]
fn a_shard_that_found_too_little_is_halved() {
    let mut rig = Rig::new();
    let amount = msat(100_000_000);
    let id = rig.pay(PayRequest { amount, ..of_kind(Kind::Amp) }).expect("begun");
    let asked = rig.asked();
    let mut sends = rig.routed(&asked, &[(1, 40_000_000, 0), (2, 60_000_000, 0)]);
    let too_little = PartFailure { code: Some(FailureCode::TEMPORARY_CHANNEL_FAILURE), ..ON_THE_WAY };
    let gone = sends.remove(1);
    rig.failed(&gone, too_little);
    for _ in 0..2 {
        let half = rig.asked();
        assert_eq!((half.amount, half.avoid.len()), (msat(30_000_000), 0));
        sends.extend(rig.routed_on(&half, &[(2, 30_000_000, 0)]));
    }
    assert!(rig.commands.is_empty());
    claim(&mut rig, &sends);
    assert_eq!((rig.state(id), rig.row(id).attempts), (State::Settled, 1));
}

/// After a crash the share that failed is still the one that is missing.
#[test]
fn shares_fit_together_across_a_restart() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::Amp)).expect("begun");
    let asked = rig.asked();
    let mut sends = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
    let mut rig = rig.restart();
    let gone = sends.remove(1);
    rig.recover(&[sends[0].part], &[]);
    let again = rig.asked();
    assert_eq!(again.amount, msat(30_000));
    sends.extend(rig.routed(&again, &[(3, 10_000, 0), (2, 20_000, 0)]));
    assert!(sends.iter().all(|send| send.hash != gone.hash));
    claim(&mut rig, &sends);
    assert_eq!(rig.state(id), State::Settled);
}

#[test]
fn a_set_that_cannot_be_completed_waits_and_says_why() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::Amp)).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
    rig.failed(&sends[1], ON_THE_WAY);
    let again = rig.asked();
    rig.no_routes(&again, NoRoutes::NoRoute);
    assert!(rig.commands.is_empty(), "the destination waits, and so do we");
    rig.now = rig.now.plus_millis(60_000);
    rig.input(Input::Time);
    assert!(rig.commands.is_empty());
    assert_eq!(rig.state(id), State::Pending, "a part is on its way");
    rig.failed(&sends[0], refusal(FailureCode::MPP_TIMEOUT));
    assert_eq!(rig.failure(id), "no_route");
}

#[test]
fn a_set_that_the_destination_gave_up_is_begun_anew_with_another_root() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::Amp)).expect("begun");
    let asked = rig.asked();
    let first = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
    rig.failed(&first[0], refusal(FailureCode::MPP_TIMEOUT));
    assert!(rig.commands.is_empty(), "the other is still on its way");
    rig.failed(&first[1], refusal(FailureCode::MPP_TIMEOUT));
    let asked = rig.asked();
    assert_eq!(asked.amount, msat(50_000));
    let second = rig.routed(&asked, &[(1, 50_000, 0)]);
    let set = |send: &Send| send.payload.amp.as_ref().map(|amp| amp.set_id);
    assert_ne!(set(&first[0]), set(&second[0]));
    assert_ne!(first[0].payload.payment_data, second[0].payload.payment_data);
    claim(&mut rig, &second);
    assert_eq!((rig.state(id), rig.row(id).attempts), (State::Settled, 2));
}

#[test]
fn a_refused_set_falls_back_only_after_all_of_it_has_failed() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::MppKeysend)).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
    rig.failed(&sends[0], refusal(REFUSED));
    assert!(rig.commands.is_empty(), "the other part may still be claimed");
    rig.failed(&sends[1], refusal(REFUSED));
    let single = rig.asked();
    assert_eq!((single.max_parts, single.amount), (1, msat(50_000)));
    let send = rig.routed(&single, &[(1, 50_000, 0)]).remove(0);
    assert_eq!(send.payload.payment_data, None);
    assert_ne!(send.hash, sends[0].hash, "the destination knows the other preimage");
    assert_eq!((rig.row(id).kind, rig.row(id).plan.asked), (Kind::Keysend, Some(Kind::MppKeysend)));
    assert!(rig.row(id).plan.reason.contains("refused mpp-keysend"));
    rig.paid(&send);
    assert_eq!(rig.state(id), State::Settled);
}

#[test]
fn a_fallback_without_a_way_is_a_refusal() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::MppKeysend)).expect("begun");
    let asked = rig.asked();
    let send = rig.routed(&asked, &[(1, 50_000, 0)]).remove(0);
    rig.failed(&send, refusal(FailureCode::INVALID_ONION_PAYLOAD));
    let single = rig.asked();
    rig.no_routes(&single, NoRoutes::NoRoute);
    assert_eq!(rig.failure(id), "recipient_refused");
}

#[test]
fn amp_falls_back_if_the_caller_wants_it() {
    for (fall_back, falls) in [(None, false), (Some(false), false), (Some(true), true)] {
        let mut rig = Rig::new();
        let id = rig.pay(PayRequest { fall_back, ..of_kind(Kind::Amp) }).expect("begun");
        let asked = rig.asked();
        let send = rig.routed(&asked, &[(1, 50_000, 0)]).remove(0);
        rig.failed(&send, refusal(REFUSED));
        if !falls {
            assert_eq!(rig.failure(id), "recipient_refused");
            continue;
        }
        let single = rig.asked();
        assert_eq!(single.max_parts, 1);
        rig.no_routes(&single, NoRoutes::NoRoute);
        let several = rig.asked();
        let sends = rig.routed(&several, &[(1, 20_000, 0), (2, 30_000, 0)]);
        assert_eq!(rig.row(id).kind, Kind::MppKeysend);
        claim(&mut rig, &sends);
        assert_eq!(rig.state(id), State::Settled);
    }
}

/// The last of them that is left is a refusal, too.
#[test]
fn kinds_that_were_refused_are_not_tried_again() {
    let mut rig = Rig::new();
    let id = rig.pay(request("k")).expect("begun");
    let single = rig.asked();
    rig.no_routes(&single, NoRoutes::NoRoute);
    for kind in [Kind::Amp, Kind::MppKeysend] {
        let several = rig.asked();
        let send = rig.routed(&several, &[(1, 50_000, 0)]).remove(0);
        assert_eq!(rig.row(id).kind, kind);
        rig.failed(&send, refusal(REFUSED));
        let single = rig.asked();
        assert_eq!(single.max_parts, 1);
        rig.no_routes(&single, NoRoutes::NoRoute);
    }
    assert_eq!(rig.failure(id), "recipient_refused");
}

#[test]
fn ecdh_derives_its_hash_anew_for_every_attempt() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::Ecdh)).expect("begun");
    let first = rig.sent();
    assert_eq!((first.payload.keysend.as_ref(), first.payload.payment_data.as_ref()), (None, None));
    rig.failed(&first, ON_THE_WAY);
    let second = rig.sent();
    assert_ne!((first.hash, &first.session_key), (second.hash, &second.session_key));
    assert_eq!(rig.row(id).hash, Some(second.hash));
    rig.paid(&second);
    assert_eq!((rig.state(id), rig.row(id).attempts), (State::Settled, 2));
}

/// Once the destination has the preimage nothing of the set may be sent again, and nothing is lost.
#[test]
fn a_set_that_is_half_claimed_is_paid_and_told() {
    let mut rig = Rig::new();
    let id = rig.pay(of_kind(Kind::MppKeysend)).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
    rig.paid(&sends[0]);
    assert_eq!(rig.state(id), State::Pending);
    let failed = sponte_engine::backend::SendFailed { part: sends[1].part, why: ON_THE_WAY };
    rig.event(sponte_engine::backend::BackendEvent::PartFailed(failed));
    assert!(rig.commands.is_empty());
    assert_eq!(rig.state(id), State::Settled);
    assert!(rig.events().contains(&"anomaly"));
}

fn invoice(hash: Option<u8>) -> Option<(PaidInvoice, Timestamp)> {
    let invoice = PaidInvoice {
        text: "lnbcrt1".into(),
        hash: hash.map(|byte| preimage(byte).payment_hash()),
        payment_addr: Some(PaymentSecret::from_bytes([5; 32])),
        metadata: hash.map(|byte| vec![byte]),
        offered: None,
    };
    Some((invoice, Timestamp::from_millis(1_800_000_000_000)))
}

#[test]
fn an_amp_invoice_is_paid_to_its_address_as_often_as_one_likes() {
    let mut rig = Rig::new();
    let mut sets = vec![];
    for key in ["a", "b"] {
        let id = rig.pay(PayRequest { invoice: invoice(None), ..request(key) }).expect("begun");
        let asked = rig.asked();
        let sends = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
        let data = sends[0].payload.payment_data.clone().expect("it is AMP");
        assert_eq!(data.payment_secret(), &PaymentSecret::from_bytes([5; 32]));
        sets.push(sends[0].payload.amp.as_ref().expect("it is AMP").set_id);
        claim(&mut rig, &sends);
        assert_eq!((rig.state(id), rig.row(id).kind), (State::Settled, Kind::AmpInvoice));
    }
    assert_ne!(sets[0], sets[1]);
}

#[test]
fn an_invoice_is_paid_with_its_own_hash_and_secret() {
    let mut rig = Rig::new();
    let id = rig.pay(PayRequest { invoice: invoice(Some(6)), ..request("k") }).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 20_000, 0), (2, 30_000, 0)]);
    for send in &sends {
        assert_eq!((send.hash, &send.payload.keysend), (preimage(6).payment_hash(), &None));
        assert_eq!(send.payload.payment_metadata, Some(vec![6]));
        rig.proven(send, preimage(6));
    }
    assert_eq!((rig.state(id), &rig.row(id).preimage), (State::Settled, &Some(preimage(6))));
    let late = PayRequest { invoice: invoice(Some(7)), ..request("l") };
    rig.now = Timestamp::from_millis(1_800_000_000_000);
    assert_eq!(rig.pay(late), Err(PayError::Expired));
}

#[test]
fn a_quote_says_what_a_payment_would_do_and_writes_nothing() {
    let mut rig = Rig::new();
    rig.input(Input::Quote(Box::new(request("k")), Ticket(9)));
    let single = rig.asked();
    rig.no_routes(&single, NoRoutes::NoRoute);
    let several = rig.asked();
    assert!(rig.routed(&several, &[(1, 20_000, 7), (2, 30_000, 0)]).is_empty(), "nothing is sent");
    let quoted = rig.quotes.remove(0).expect("sound").expect("there is a way");
    assert_eq!((quoted.kind, quoted.routes.len(), quoted.routes[0].fee()), (Kind::Amp, 2, msat(7)));

    rig.input(Input::Quote(Box::new(of_kind(Kind::Keysend)), Ticket(9)));
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::FeeLimitTooLow { cheapest: msat(2_000) });
    assert_eq!(rig.quotes.remove(0).expect("sound").expect_err("too dear").code, "fee_limit_too_low");

    let own = PayRequest { destination: node(1), ..request("k") };
    rig.input(Input::Quote(Box::new(own), Ticket(9)));
    assert_eq!(rig.quotes.remove(0), Err(PayError::SelfPayment));
    assert!(rig.ledger.payments.is_empty() && rig.ledger.parts.is_empty());
}

/// Shares that are on their way or paid make the root, whatever failed and however it was split.
#[test]
fn shares_make_the_root_over_any_history() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut rig = Rig::new();
        let request = PayRequest { max_attempts: 1_000, max_parts: 8, ..of_kind(Kind::Amp) };
        let id: PaymentId = rig.pay(request).expect("begun");
        let mut sends: Vec<Send> = vec![];
        for round in 0..20 {
            if !rig.commands.is_empty() {
                let asked = rig.asked();
                let mut amount = asked.amount.to_msat();
                let count = 1 + random.below((asked.max_parts as usize).min(3)) as u64;
                let mut ways = vec![];
                for left in (0..count).rev() {
                    let part = if left == 0 { amount } else { (amount / (left + 1)).max(1) };
                    amount -= part;
                    ways.push((1 + random.below(3) as u8, part, 0));
                }
                ways.retain(|(_, part, _)| *part > 0);
                sends.extend(rig.routed(&asked, &ways));
            }
            if sends.len() > 1 && random.one_in(2) {
                let gone = sends.remove(random.below(sends.len()));
                rig.failed(&gone, on_the_way(round));
            }
        }
        if rig.commands.is_empty() {
            claim(&mut rig, &sends);
            assert_eq!(rig.state(id), State::Settled);
        }
    }
}
