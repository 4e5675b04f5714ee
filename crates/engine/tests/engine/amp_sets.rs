//! AMP sets, one check at a time: facts/amp.md, sections 7 and 10.

use crate::rig::{HEIGHT, Rig, channel, config, msat};
use crate::senders::{address, amp_of, bytes, reshard};
use sponte_engine::backend::{BackendEvent, Claimable, Claimed, ClaimedPart, Command, FailAs, Kinds};
use sponte_engine::commit::{AmpInvoiceRow, InvoiceState, Kind, PaymentRow, Reason, State};
use sponte_engine::{Input, MAX_SETS_PER_ADDRESS, ReceiveError, Ticket};
use sponte_proto::amp::{MAX_SHARDS, SetId};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{BlockHeight, CltvExpiry, Msat, PaymentId, PaymentSecret};

fn offer(rig: &mut Rig, claimable: &Claimable) -> Vec<Command> {
    rig.event(BackendEvent::Claimable(Box::new(claimable.clone())));
    rig.ledger.check();
    std::mem::take(&mut rig.commands)
}

fn refused(parts: &[&Claimable]) -> Vec<Command> {
    let mut hashes: Vec<_> = parts.iter().map(|part| part.hash).collect();
    hashes.sort_unstable();
    hashes.into_iter().map(|hash| Command::Fail(hash, FailAs::Unknown)).collect()
}

fn sorted(mut commands: Vec<Command>) -> Vec<Command> {
    commands.sort_by_key(|command| match command {
        Command::Fail(hash, _) | Command::Claim(hash, _) => *hash,
        other => panic!("{other:?}"),
    });
    commands
}

fn counted(rig: &Rig, reason: Reason) -> u64 {
    let counters = rig.ledger.counters.iter().filter(|((_, _, why), _)| *why == reason);
    counters.map(|(_, (count, _))| *count).sum()
}

fn payments(rig: &Rig) -> Vec<&PaymentRow> {
    rig.ledger.payments.values().collect()
}

fn claim_all(rig: &mut Rig, parts: &[Claimable]) {
    for part in parts {
        let claimed =
            ClaimedPart { channel: part.channels[0], amount: part.amount, expiry: CltvExpiry::new(800_000) };
        let claimed = Claimed { id: part.id, hash: part.hash, parts: vec![claimed] };
        rig.event(BackendEvent::Claimed(claimed));
    }
}

fn invoice(rig: &mut Rig, addr: &PaymentSecret, amount: Option<Msat>) {
    let row = AmpInvoiceRow {
        payment_addr: addr.clone(),
        bolt11: "lnbcrt1".into(),
        amount,
        description: String::new(),
        created_at: rig.now,
        expires_at: rig.now.plus_millis(3_600_000),
        state: InvoiceState::Open,
        payments: 0,
        received: Msat::ZERO,
    };
    rig.input(Input::AmpInvoice(Box::new(row), Ticket(1)));
    assert_eq!(rig.answers.pop(), Some(Ok(())));
}

#[test]
fn a_set_is_claimed_once_it_is_complete_and_not_before() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(1), 1, 3);
    assert_eq!(offer(&mut rig, &parts[0]), []);
    assert_eq!(offer(&mut rig, &parts[2]), []);
    assert_eq!(rig.ledger.waiting.len(), 2, "parts that wait are durable");
    assert!(payments(&rig).is_empty());
    let claims = offer(&mut rig, &parts[1]);
    assert!(
        claims.iter().all(|claim| matches!(claim, Command::Claim(hash, preimage) if preimage.opens(hash)))
    );
    assert_eq!((claims.len(), rig.ledger.waiting.len()), (3, 0));
    let row = payments(&rig)[0];
    assert_eq!((row.kind, row.state, row.amount), (Kind::Amp, State::Pending, msat(3_000)));
    assert!(row.hash.is_none() && row.receipt.root.is_some());
    claim_all(&mut rig, &parts[..2]);
    assert_eq!(payments(&rig)[0].state, State::Pending, "a part of it is no payment");
    claim_all(&mut rig, &parts[2..]);
    assert_eq!(payments(&rig)[0].state, State::Settled);
    assert_eq!(rig.events(), ["payment_received"]);
}

#[test]
fn a_total_that_differs_fails_the_new_shard_alone() {
    let mut rig = Rig::new();
    let addr = address(1);
    let mut parts = amp_of(0, &addr, 1, 3);
    offer(&mut rig, &parts[0]);
    reshard(&mut parts[1], |data, _| *data = PaymentData::new(addr, msat(2_999)));
    assert_eq!(offer(&mut rig, &parts[1]), refused(&[&parts[1]]));
    assert_eq!((rig.ledger.waiting.len(), counted(&rig, Reason::Total)), (1, 1));
}

#[test]
fn no_total_and_no_set_id_are_refused() {
    let mut rig = Rig::new();
    let addr = address(1);
    let mut parts = amp_of(0, &addr, 1, 2);
    reshard(&mut parts[0], |data, _| *data = PaymentData::new(addr, Msat::ZERO));
    reshard(&mut parts[1], |_, record| record.set_id = SetId::from_bytes([0; 32]));
    for part in &parts {
        assert_eq!(offer(&mut rig, part), refused(&[part]));
    }
    assert_eq!((counted(&rig, Reason::Total), counted(&rig, Reason::Shares)), (1, 1));
}

#[test]
fn two_equal_shards_fail_the_set_at_once() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(1), 1, 3);
    offer(&mut rig, &parts[0]);
    let mut twin = parts[1].clone();
    reshard(&mut twin, |_, record| {
        let mut first = parts[0].clone();
        reshard(&mut first, |_, same| record.clone_from(same));
    });
    assert_eq!(sorted(offer(&mut rig, &twin)), refused(&[&parts[0], &twin]));
    assert!(rig.ledger.waiting.is_empty() && payments(&rig).is_empty());
}

#[test]
fn a_wrong_share_fails_its_set_and_no_other_of_the_invoice() {
    let mut rig = Rig::new();
    let addr = address(1);
    invoice(&mut rig, &addr, None);
    let (good, mut bad) = (amp_of(0, &addr, 1, 2), amp_of(20, &addr, 2, 2));
    offer(&mut rig, &good[0]);
    offer(&mut rig, &bad[0]);
    reshard(&mut bad[1], |_, record| record.child_index += 7);
    assert_eq!(sorted(offer(&mut rig, &bad[1])), refused(&[&bad[0], &bad[1]]));
    assert_eq!(offer(&mut rig, &good[1]).len(), 2, "the other is claimed");
    assert_eq!(payments(&rig)[0].kind, Kind::AmpInvoice);
    assert_eq!(rig.ledger.invoices[0].state, InvoiceState::Open, "LND would have canceled it");
}

#[test]
fn an_address_that_the_sender_chose_is_paid_once() {
    let mut rig = Rig::new();
    let (first, second) = (amp_of(0, &address(1), 1, 2), amp_of(20, &address(1), 2, 1));
    offer(&mut rig, &first[0]);
    assert_eq!(offer(&mut rig, &second[0]), refused(&[&second[0]]), "one set at a time");
    offer(&mut rig, &first[1]);
    claim_all(&mut rig, &first);
    assert_eq!(offer(&mut rig, &second[0]), refused(&[&second[0]]), "and one for ever");
    let mut late = amp_of(40, &address(1), 1, 3);
    assert_eq!(offer(&mut rig, &late[0]), refused(&[&late.remove(0)]), "a shard that comes late");
}

#[test]
fn an_invoice_is_paid_any_number_of_times_and_counts() {
    let mut rig = Rig::new();
    let addr = address(1);
    invoice(&mut rig, &addr, Some(msat(2_000)));
    for number in 0..3 {
        let parts = amp_of(20 * number, &addr, number, 2);
        parts.iter().for_each(|part| drop(offer(&mut rig, part)));
        claim_all(&mut rig, &parts);
    }
    let row = &rig.ledger.invoices[0];
    assert_eq!((row.payments, row.received), (3, msat(6_000)));
    assert_eq!(payments(&rig).len(), 3);
    let too_little = amp_of(80, &addr, 8, 1);
    assert_eq!(offer(&mut rig, &too_little[0]), refused(&[&too_little[0]]));
}

#[test]
fn an_invoice_that_has_expired_or_is_canceled_is_not_paid() {
    let mut rig = Rig::new();
    let (addr, other) = (address(1), address(2));
    invoice(&mut rig, &addr, None);
    invoice(&mut rig, &other, None);
    let waiting = amp_of(0, &other, 1, 2);
    offer(&mut rig, &waiting[0]);
    let known = rig.ledger.invoices[1].clone();
    rig.input(Input::CancelAmpInvoice(Some(Box::new(known.clone())), Ticket(2)));
    assert_eq!(std::mem::take(&mut rig.commands), refused(&[&waiting[0]]), "what waits is refused");
    assert_eq!(offer(&mut rig, &waiting[1]), refused(&[&waiting[1]]));
    let canceled = AmpInvoiceRow { state: InvoiceState::Canceled, ..known };
    rig.input(Input::CancelAmpInvoice(Some(Box::new(canceled)), Ticket(3)));
    assert_eq!(rig.answers.pop(), Some(Err(ReceiveError::InvoiceCanceled)));

    rig.now = rig.now.plus_millis(3_600_000);
    let late = amp_of(40, &addr, 4, 1);
    assert_eq!(offer(&mut rig, &late[0]), refused(&[&late[0]]));
    assert_eq!(counted(&rig, Reason::Invoice), 3);
}

#[test]
fn kinds_that_are_off_are_refused() {
    let mut config = config();
    config.receive.kinds = Kinds { amp: false, ..Kinds::default() };
    let mut rig = Rig::with(config);
    let spontaneous = amp_of(0, &address(1), 1, 1);
    assert_eq!(offer(&mut rig, &spontaneous[0]), refused(&[&spontaneous[0]]));
    invoice(&mut rig, &address(2), None);
    assert_eq!(offer(&mut rig, &amp_of(20, &address(2), 1, 1)[0]).len(), 1, "an invoice is another kind");
}

#[test]
fn an_incomplete_set_times_out_after_its_last_part_and_ten_minutes_at_most() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(1), 1, 9);
    let begun = rig.now;
    for part in &parts[..6] {
        offer(&mut rig, part);
        rig.now = rig.now.plus_millis(110_000);
        rig.input(Input::Time);
    }
    assert!(rig.now.millis_since(begun) > 600_000);
    assert!(rig.ledger.waiting.is_empty(), "ten minutes after the first");
    let timeouts = std::mem::take(&mut rig.commands);
    assert!(timeouts.iter().all(|command| matches!(command, Command::Fail(_, FailAs::Timeout))));

    let parts = amp_of(40, &address(2), 2, 2);
    offer(&mut rig, &parts[0]);
    rig.now = rig.now.plus_millis(119_999);
    rig.input(Input::Time);
    assert!(rig.commands.is_empty());
    rig.now = rig.now.plus_millis(1);
    rig.input(Input::Time);
    assert_eq!(rig.commands, [Command::Fail(parts[0].hash, FailAs::Timeout)]);
}

#[test]
fn the_first_deadline_wins_over_patience() {
    let mut rig = Rig::new();
    let mut parts = amp_of(0, &address(1), 1, 3);
    parts[1].claim_deadline = Some(BlockHeight::new(HEIGHT + 10));
    offer(&mut rig, &parts[0]);
    offer(&mut rig, &parts[1]);
    rig.event(BackendEvent::Block(BlockHeight::new(HEIGHT + 6)));
    assert!(rig.commands.is_empty());
    rig.event(BackendEvent::Block(BlockHeight::new(HEIGHT + 7)));
    let mut failed = std::mem::take(&mut rig.commands);
    failed = sorted(failed);
    assert!(failed.iter().all(|command| matches!(command, Command::Fail(_, FailAs::Timeout))));
    assert_eq!(failed.len(), 2, "all of the set, three blocks before the first deadline");
    parts[2].claim_deadline = Some(BlockHeight::new(HEIGHT + 10));
    assert_eq!(offer(&mut rig, &parts[2]), refused(&[&parts[2]]), "too near when it comes");
    assert_eq!(counted(&rig, Reason::Expiry), 1);
}

#[test]
fn more_than_the_total_is_taken() {
    let mut rig = Rig::new();
    let mut parts = amp_of(0, &address(1), 1, 2);
    parts[1].amount = msat(5_000);
    offer(&mut rig, &parts[0]);
    assert_eq!(offer(&mut rig, &parts[1]).len(), 2);
    assert_eq!(payments(&rig)[0].amount, msat(6_000));
}

#[test]
fn a_shard_that_comes_twice_is_one() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(1), 1, 2);
    offer(&mut rig, &parts[0]);
    assert_eq!(offer(&mut rig, &parts[0]), [], "a repeat of the backend's");
    assert_eq!(rig.ledger.waiting.len(), 1);
    let another = Claimable { id: PaymentId::from_bytes(bytes(2, 99)), ..parts[0].clone() };
    let failed = offer(&mut rig, &another);
    assert!(!failed.is_empty() && failed.iter().all(|command| *command == refused(&[&parts[0]])[0]));
    assert!(rig.ledger.waiting.is_empty(), "a second HTLC with the hash: a failure is by hash");
}

#[test]
fn what_may_wait_is_bounded() {
    let mut rig = Rig::new();
    let addr = address(1);
    invoice(&mut rig, &addr, None);
    for set in 0..MAX_SETS_PER_ADDRESS as u64 {
        assert_eq!(offer(&mut rig, &amp_of(20 * set, &addr, set, 2)[0]), []);
    }
    let one_more = amp_of(2_000, &addr, 99, 2);
    assert_eq!(offer(&mut rig, &one_more[0]), refused(&[&one_more[0]]));
    assert_eq!(counted(&rig, Reason::Limit), 1);

    // A thousand shards are a set; the one after them is too many.
    let mut rig = Rig::new();
    let mut parts = amp_of(0, &address(2), 1, MAX_SHARDS as u64 + 1);
    let last = parts.pop().expect("many");
    parts.iter().for_each(|part| assert_eq!(offer_unchecked(&mut rig, part), []));
    assert_eq!(offer_unchecked(&mut rig, &last), refused(&[&last]));
    assert_eq!(rig.ledger.waiting.len(), MAX_SHARDS);
}

#[test]
fn a_thousand_shards_are_claimed_together() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(2), 1, MAX_SHARDS as u64);
    let claims: Vec<_> = parts.iter().flat_map(|part| offer_unchecked(&mut rig, part)).collect();
    assert_eq!(claims.len(), MAX_SHARDS);
    rig.ledger.check();
}

/// Without a look at the whole ledger for each.
fn offer_unchecked(rig: &mut Rig, claimable: &Claimable) -> Vec<Command> {
    rig.event(BackendEvent::Claimable(Box::new(claimable.clone())));
    std::mem::take(&mut rig.commands)
}

#[test]
fn parts_that_the_backend_lost_leave_their_set() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(1), 1, 3);
    offer(&mut rig, &parts[0]);
    offer(&mut rig, &parts[1]);
    let mut rig = rig.restart();
    rig.recover(&[], &[parts[1].hash]);
    assert_eq!(rig.ledger.waiting.len(), 1);
    assert_eq!(offer(&mut rig, &parts[2]), [], "one is missing again");
    let again = Claimable { id: PaymentId::from_bytes(bytes(2, 77)), ..parts[0].clone() };
    assert_eq!(offer(&mut rig, &again).len(), 3);
    assert_eq!(channel(1), again.channels[0]);
}

#[test]
fn a_part_that_is_lost_during_the_claim_is_told() {
    let mut rig = Rig::new();
    let parts = amp_of(0, &address(1), 1, 3);
    parts.iter().for_each(|part| drop(offer(&mut rig, part)));
    claim_all(&mut rig, &parts[..1]);
    let mut rig = rig.restart();
    // The node was down beyond the deadline of one.
    rig.recover(&[], &[parts[1].hash]);
    assert_eq!(std::mem::take(&mut rig.commands).len(), 1, "what is there is claimed again");
    claim_all(&mut rig, &parts[1..2]);
    assert_eq!((payments(&rig)[0].state, payments(&rig)[0].amount), (State::Settled, msat(2_000)));
    assert_eq!(rig.events(), ["payment_received", "receive_incomplete"]);
}

#[test]
fn nobody_shuts_an_invoice_with_less_than_others_bring() {
    let mut rig = Rig::new();
    let addr = address(1);
    invoice(&mut rig, &addr, None);
    let most = MAX_SETS_PER_ADDRESS as u64;
    let dust: Vec<_> = (0..most).map(|set| amp_of(20 * set, &addr, set, 2).remove(0)).collect();
    for (nth, part) in dust.iter().enumerate() {
        offer(&mut rig, &Claimable { amount: msat(1 + nth as u64), ..part.clone() });
    }
    assert_eq!(offer(&mut rig, &amp_of(900, &addr, 90, 1)[0]).len(), 1, "what is complete needs no room");
    let honest = amp_of(1_000, &addr, 91, 2);
    assert_eq!(offer(&mut rig, &honest[0]), [Command::Fail(dust[0].hash, FailAs::Timeout)]);
    assert_eq!(offer(&mut rig, &honest[1]).len(), 2);
    let poorer = Claimable { amount: msat(1), ..amp_of(2_000, &addr, 92, 2).remove(0) };
    offer(&mut rig, &Claimable { amount: msat(50), ..amp_of(3_000, &addr, 93, 2).remove(0) });
    assert_eq!(offer(&mut rig, &poorer), refused(&[&poorer]));
}
