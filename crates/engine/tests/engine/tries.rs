//! What counts as a try, and that the limit on them ends a payment whatever the network does.

use crate::rig::{ON_THE_WAY, Rig, msat, on_the_way, refusal, request};
use sponte_engine::PayRequest;
use sponte_engine::backend::{Command, Send};
use sponte_engine::commit::{Kind, PartFailure, State};
use sponte_proto::PaymentId;
use sponte_proto::failure::FailureCode;

/// 100,000 sat by AMP.
fn amp(max_attempts: u32) -> PayRequest {
    let amount = msat(100_000_000);
    PayRequest { amount, kind: Some(Kind::Amp), max_parts: 16, max_attempts, ..request("k") }
}

/// A channel had too little.
const fn too_little(channel: u64) -> PartFailure {
    PartFailure { code: Some(FailureCode::TEMPORARY_CHANNEL_FAILURE), ..on_the_way(channel) }
}

fn begun(request: PayRequest) -> (Rig, PaymentId, Vec<Send>) {
    let mut rig = Rig::new();
    let id = rig.pay(request).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 40_000_000, 0), (2, 60_000_000, 0)]);
    (rig, id, sends)
}

/// The one question that is open is answered with one route.
fn resent(rig: &mut Rig) -> Send {
    let asked = rig.asked();
    let amount = asked.amount.to_msat();
    rig.routed_on(&asked, &[(2, amount, 0)]).remove(0)
}

fn tries(rig: &Rig, id: PaymentId) -> u32 {
    rig.row(id).plan.tries
}

#[test]
fn each_time_that_a_failed_part_is_sent_again_is_a_try() {
    let (mut rig, id, sends) = begun(amp(3));
    assert_eq!(tries(&rig, id), 1);
    rig.failed(&sends[1], ON_THE_WAY);
    let second = resent(&mut rig);
    assert_eq!(tries(&rig, id), 2);
    rig.failed(&second, on_the_way(78));
    let third = resent(&mut rig);
    assert_eq!(tries(&rig, id), 3);
    rig.failed(&third, on_the_way(79));
    assert!(rig.commands.is_empty(), "the limit is reached");
    assert_eq!(rig.state(id), State::Pending, "one part waits at the destination");
    rig.failed(&sends[0], refusal(FailureCode::MPP_TIMEOUT));
    assert_eq!(rig.failure(id), "attempts_exhausted");
}

/// What failed at once goes out again at once.
#[test]
fn what_is_sent_again_together_is_one_try() {
    let mut rig = Rig::new();
    let id = rig.pay(amp(2)).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 30_000_000, 0), (2, 30_000_000, 0), (3, 40_000_000, 0)]);
    rig.failed(&sends[0], ON_THE_WAY);
    let for_one = rig.asked();
    rig.failed(&sends[1], on_the_way(78));
    assert!(rig.routed_on(&for_one, &[(2, 30_000_000, 0)]).is_empty(), "more is missing by now");
    let for_both = rig.asked();
    assert_eq!(for_both.amount, msat(60_000_000));
    rig.routed(&for_both, &[(2, 60_000_000, 0)]);
    assert_eq!((tries(&rig, id), rig.state(id)), (2, State::Pending));
}

#[test]
fn what_was_too_large_for_a_channel_goes_out_smaller_within_one_try() {
    let (mut rig, id, sends) = begun(amp(1));
    rig.failed(&sends[1], too_little(77));
    let halves = [resent(&mut rig), resent(&mut rig)];
    assert_eq!(halves.each_ref().map(|send| send.route.amount()), [msat(30_000_000); 2]);
    // The other large one went out before that was known.
    rig.failed(&sends[0], too_little(77));
    let quarters = [resent(&mut rig), resent(&mut rig)];
    assert_eq!(quarters.each_ref().map(|send| send.route.amount()), [msat(20_000_000); 2]);
    assert!(rig.commands.is_empty());
    assert_eq!((tries(&rig, id), rig.state(id)), (1, State::Pending));
    rig.failed(&quarters[0], ON_THE_WAY);
    assert!(rig.commands.is_empty(), "that was no matter of size");
}

/// Two of the same size, over the same channel: the second taught nothing, and is no try.
#[test]
fn equal_parts_that_were_too_large_are_halved_alike() {
    let mut rig = Rig::new();
    let id = rig.pay(amp(1)).expect("begun");
    let asked = rig.asked();
    let sends = rig.routed(&asked, &[(1, 40_000_000, 0), (1, 40_000_000, 0), (2, 20_000_000, 0)]);
    rig.failed(&sends[0], too_little(77));
    rig.failed(&sends[1], too_little(77));
    assert_eq!(rig.commands.len(), 1);
    let Some(Command::Route(first)) = rig.commands.first() else { panic!("not a question") };
    assert_eq!(first.avoid, [], "the channel may carry halves");
    for _ in 0..4 {
        assert_eq!(resent(&mut rig).route.amount(), msat(20_000_000));
    }
    assert_eq!((tries(&rig, id), rig.state(id)), (1, State::Pending));
}

/// Whatever size, some node fails it for want of liquidity, always another.
#[test]
fn a_network_that_fails_every_piece_is_given_up() {
    let (mut rig, id, sends) = begun(amp(5));
    let mut sent = vec![sends[1].clone()];
    for channel in 0.. {
        assert!(channel < 200, "it has an end");
        let Some(send) = sent.pop() else { break };
        rig.failed(&send, too_little(channel));
        while !rig.commands.is_empty() {
            sent.push(resent(&mut rig));
        }
    }
    assert_eq!((tries(&rig, id), rig.state(id)), (5, State::Pending));
    rig.failed(&sends[0], refusal(FailureCode::MPP_TIMEOUT));
    assert_eq!(rig.state(id), State::Failed);
}

/// Two may be on their way: what is missing has to go out whole, however often that was too much.
#[test]
fn what_cannot_go_out_smaller_is_a_try() {
    let (mut rig, id, sends) = begun(PayRequest { max_parts: 2, ..amp(3) });
    let mut gone = sends[1].clone();
    for channel in 0..4 {
        assert_eq!((tries(&rig, id), gone.route.amount()), (channel.max(1), msat(60_000_000)));
        rig.failed(&gone, too_little(channel.into()));
        if channel < 3 {
            gone = resent(&mut rig);
        }
    }
    assert!(rig.commands.is_empty());
}

#[test]
fn a_part_that_never_left_costs_no_try() {
    let (mut rig, id, sends) = begun(amp(1));
    let mut gone = sends[1].clone();
    for _ in 0..3 {
        rig.failed(&gone, PartFailure::NEVER_LEFT);
        assert!(rig.commands.is_empty(), "not the same at once");
        rig.wait();
        gone = resent(&mut rig);
    }
    assert_eq!((tries(&rig, id), rig.state(id)), (1, State::Pending));
}

#[test]
fn a_restart_counts_on_as_before() {
    // A failure that was not answered yet is answered by a try.
    let (mut rig, id, sends) = begun(amp(3));
    rig.failed(&sends[1], ON_THE_WAY);
    let mut rig = rig.restart();
    rig.recover(&[sends[0].part], &[]);
    let again = resent(&mut rig);
    assert_eq!(tries(&rig, id), 2);
    // One that was is not counted again.
    let mut rig = rig.restart();
    rig.recover(&[sends[0].part, again.part], &[]);
    assert_eq!((tries(&rig, id), rig.commands.len()), (2, 0));
    // Pieces stay pieces.
    rig.failed(&again, too_little(78));
    let half = resent(&mut rig);
    let mut rig = rig.restart();
    rig.recover(&[sends[0].part, half.part], &[]);
    assert_eq!(resent(&mut rig).route.amount(), msat(30_000_000));
}

#[test]
fn a_restart_between_two_pieces_is_no_try() {
    let (mut rig, id, sends) = begun(amp(1));
    rig.failed(&sends[1], too_little(77));
    let half = resent(&mut rig);
    let mut rig = rig.restart();
    rig.recover(&[sends[0].part, half.part], &[]);
    assert_eq!(resent(&mut rig).route.amount(), msat(30_000_000));
    assert!(rig.commands.is_empty());
    assert_eq!((tries(&rig, id), rig.state(id)), (1, State::Pending));
}
