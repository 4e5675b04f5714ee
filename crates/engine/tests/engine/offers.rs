//! Payments of offers: one invoice each, whose ways are hidden.

use crate::rig::{ON_THE_WAY, Rig, msat, preimage, refusal, request};
use sponte_engine::backend::{NoRoutes, OfferInvoice, Quantities, ReadOffer};
use sponte_engine::commit::{Kind, State};
use sponte_engine::{PayError, PayRequest};
use sponte_proto::failure::FailureCode;
use sponte_proto::{Records, Timestamp};

const HIDDEN: FailureCode = FailureCode::INVALID_ONION_BLINDING;

fn offer() -> ReadOffer {
    ReadOffer {
        text: "lno1".into(),
        issuer: request("k").destination,
        amount: None,
        quantities: Quantities::One,
        expires_at: Some(Timestamp::from_millis(1_800_000_000_000)),
        description: String::new(),
    }
}

/// Of an offer whose issuer has not been asked.
fn asked_for(key: &str) -> PayRequest {
    request(key).for_offer(offer(), None, Some("hi".into()))
}

fn given(byte: u8) -> OfferInvoice {
    OfferInvoice {
        invoice: vec![byte],
        hash: preimage(byte).payment_hash(),
        expires_at: Timestamp::from_millis(1_700_000_100_000),
        in_parts: true,
    }
}

fn with_invoice(key: &str, byte: u8) -> PayRequest {
    asked_for(key).with_offer_invoice(given(byte))
}

#[test]
fn an_offer_is_paid_with_the_invoice_that_was_given() {
    let mut rig = Rig::new();
    assert_eq!(rig.pay(asked_for("k")), Err(PayError::InvoiceAwaited));
    assert!(rig.ledger.payments.is_empty() && rig.commands.is_empty());
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    let asked = rig.asked();
    let ways = asked.blinded.as_ref().expect("hidden");
    assert_eq!((&ways.invoice, ways.avoid.len()), (&vec![6], 0));
    let send = rig.routed_hidden(&asked, 0, 1).remove(0);
    assert_eq!((send.hash, send.payload.total), (preimage(6).payment_hash(), Some(msat(50_000))));
    assert_eq!((&send.payload.payment_data, &send.payload.keysend), (&None, &None));
    assert_eq!((send.route.amount(), send.route.fee()), (msat(50_000), msat(400)));
    rig.proven(&send, preimage(6));
    let row = rig.row(id);
    assert_eq!((row.state, row.kind, row.fee), (State::Settled, Kind::Bolt12, msat(400)));
    assert_eq!((row.preimage.clone(), row.hash), (Some(preimage(6)), Some(send.hash)));
    assert_eq!(row.plan.reason, "the offer asks for it");
}

#[test]
fn a_key_stands_for_what_was_asked_and_not_for_the_invoice() {
    let mut rig = Rig::new();
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    rig.asked();
    for same in [asked_for("k"), with_invoice("k", 7), with_invoice("k", 6)] {
        assert_eq!(rig.pay(same), Ok(id));
    }
    let other_note = request("k").for_offer(offer(), None, None).with_offer_invoice(given(6));
    let other_number = request("k").for_offer(offer(), Some(1), Some("hi".into()));
    let other_offer = ReadOffer { text: "lno2".into(), ..offer() };
    let other_offer = request("k").for_offer(other_offer, None, Some("hi".into()));
    let other_amount = PayRequest { amount: msat(50_001), ..asked_for("k") };
    for other in [other_note, other_number, other_offer, other_amount] {
        assert_eq!(rig.pay(other), Err(PayError::KeyReused));
    }
    assert!(rig.commands.is_empty());
}

#[test]
fn an_offer_is_paid_as_often_as_one_likes_and_an_invoice_of_it_once() {
    let mut rig = Rig::new();
    let one = rig.pay(with_invoice("a", 6)).expect("begun");
    let asked = rig.asked();
    rig.routed_hidden(&asked, 0, 1);
    assert_eq!(rig.pay(with_invoice("b", 6)), Err(PayError::InvoicePaid(one)), "its issuer gave it twice");
    assert_ne!(rig.pay(with_invoice("b", 7)), Ok(one));
}

#[test]
fn each_hidden_way_is_tried_and_then_the_destination_is_told_to_refuse() {
    let mut rig = Rig::new();
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    let asked = rig.asked();
    let send = rig.routed_hidden(&asked, 1, 2).remove(0);
    rig.failed(&send, refusal(HIDDEN));
    let again = rig.asked();
    assert_eq!(again.blinded.as_ref().expect("hidden").avoid, [1]);
    assert_eq!((again.avoid.len(), rig.state(id)), (0, State::Pending), "no channel is to blame");
    let send = rig.routed_hidden(&again, 0, 2).remove(0);
    rig.failed(&send, refusal(HIDDEN));
    assert_eq!(rig.failure(id), "recipient_refused");
    let message = &rig.row(id).failure.as_ref().expect("a reason").message;
    assert!(message.contains("hidden part") && message.contains("invalid_onion_blinding"), "{message}");
}

#[test]
fn where_the_other_ways_do_not_carry_it_the_refusal_is_told() {
    let mut rig = Rig::new();
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    let asked = rig.asked();
    let send = rig.routed_hidden(&asked, 0, 2).remove(0);
    rig.failed(&send, refusal(HIDDEN));
    let asked = rig.asked();
    rig.no_routes(&asked, NoRoutes::NoRoute);
    assert_eq!(rig.failure(id), "recipient_refused");
}

#[test]
fn what_is_known_to_be_its_refusal_ends_it_at_once() {
    let mut rig = Rig::new();
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    let asked = rig.asked();
    let send = rig.routed_hidden(&asked, 0, 2).remove(0);
    rig.failed(&send, refusal(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS));
    assert_eq!(rig.failure(id), "recipient_refused");
}

#[test]
fn an_invoice_outlives_a_stop() {
    let mut rig = Rig::new();
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    let asked = rig.asked();
    let send = rig.routed_hidden(&asked, 0, 1).remove(0);
    let mut rig = rig.restart();
    rig.recover(&[send.part], &[]);
    assert!(rig.commands.is_empty(), "it is on its way");
    assert_eq!(rig.pay(asked_for("k")), Ok(id));
    rig.failed(&send, ON_THE_WAY);
    let asked = rig.asked();
    assert_eq!(asked.blinded.as_ref().expect("hidden").invoice, [6]);
    let send = rig.routed_hidden(&asked, 0, 1).remove(0);
    rig.proven(&send, preimage(6));
    assert_eq!(rig.state(id), State::Settled);
}

/// Which path it took is forgotten: nothing can be avoided, and something may have changed.
#[test]
fn a_hidden_failure_after_a_stop_is_tried_again_a_little_later() {
    let mut rig = Rig::new();
    let id = rig.pay(with_invoice("k", 6)).expect("begun");
    let asked = rig.asked();
    let send = rig.routed_hidden(&asked, 0, 1).remove(0);
    let mut rig = rig.restart();
    rig.recover(&[send.part], &[]);
    rig.failed(&send, refusal(HIDDEN));
    assert!(rig.commands.is_empty() && rig.state(id) == State::Pending);
    rig.wait();
    let asked = rig.asked();
    let send = rig.routed_hidden(&asked, 0, 1).remove(0);
    rig.failed(&send, refusal(HIDDEN));
    assert_eq!(rig.failure(id), "recipient_refused");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut rig = Rig::new();
    let records = Records::from_received([(65_537, vec![1])]);
    assert_eq!(rig.pay(PayRequest { records, ..asked_for("k") }), Err(PayError::OfferedRecords));
    let long = request("k").for_offer(offer(), None, Some("n".repeat(513)));
    assert_eq!(rig.pay(long), Err(PayError::LongNote));
    rig.now = Timestamp::from_millis(1_700_000_100_000);
    assert_eq!(rig.pay(with_invoice("k", 6)), Err(PayError::Expired), "the invoice");
    rig.now = Timestamp::from_millis(1_800_000_000_000);
    assert_eq!(rig.pay(asked_for("k")), Err(PayError::Expired), "the offer");
    let once = OfferInvoice { in_parts: false, ..given(6) };
    assert_eq!(asked_for("k").with_offer_invoice(once).max_parts, 1);
}

#[test]
fn an_offer_says_what_is_paid() {
    let priced = |quantities| ReadOffer { amount: Some(msat(5_000)), quantities, ..offer() };
    let one = priced(Quantities::One);
    assert_eq!(one.amount_to_pay(None, None), Ok(msat(5_000)));
    assert_eq!(one.amount_to_pay(Some(msat(5_001)), None), Ok(msat(5_001)));
    assert_eq!(one.amount_to_pay(Some(msat(4_999)), None), Err(PayError::OfferAsksMore(msat(5_000))));
    assert_eq!(one.amount_to_pay(None, Some(1)), Err(PayError::BadQuantity(Quantities::One)));
    let three = priced(Quantities::UpTo(3));
    assert_eq!(three.amount_to_pay(None, Some(3)), Ok(msat(15_000)));
    assert_eq!(three.amount_to_pay(None, None), Err(PayError::NoQuantity));
    for wrong in [0, 4] {
        assert_eq!(three.amount_to_pay(None, Some(wrong)), Err(PayError::BadQuantity(Quantities::UpTo(3))));
    }
    let any = priced(Quantities::Any);
    assert_eq!(any.amount_to_pay(Some(msat(14_999)), Some(3)), Err(PayError::OfferAsksMore(msat(15_000))));
    assert_eq!(any.amount_to_pay(None, Some(u32::MAX)), Ok(msat(21_474_836_475_000)));
    assert_eq!(offer().amount_to_pay(None, None), Err(PayError::NoAmount));
    assert_eq!(offer().amount_to_pay(Some(msat(7)), None), Ok(msat(7)));
}
