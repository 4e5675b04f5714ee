//! How an HTLC ended is known whenever the node crashed in between.

use crate::net::{ALICE, BOB, CAROL, Net, sat};
use crate::node::{Crash, Taking, records};
use crate::sends::{keysend, part, preimage};
use sponte_engine::commit::PartFailure;
use sponte_proto::Preimage;
use sponte_proto::failure::FailureCode;

/// Sends, and Alice crashes at her n-th commit from then. `None` if the HTLC never left; else how it
/// ended, and whether she crashed before.
fn send(net: &mut Net, number: u8, at: (u32, Crash)) -> Option<(Result<Preimage, PartFailure>, bool)> {
    let request = net.request(CAROL, sat(1_000));
    let route = net.until("a route", |net| net.routes(request.clone()).found.ok()).remove(0);
    net[ALICE].crash_at(Some(at));
    net[ALICE].send(keysend(number, &route, records(1)));
    net.until("a crash, or the end", |net| {
        (!net[ALICE].is_running() || net[ALICE].end_of(part(number)).is_some()).then_some(())
    });
    let crashed = !net[ALICE].is_running();
    net[ALICE].crash_at(None);
    if crashed {
        let sent = net[ALICE].stored("ldk.sent") > 0 || net[ALICE].end_of(part(number)).is_some();
        let known = net[ALICE].run().contains(&part(number));
        net.connect(ALICE, BOB);
        if !sent {
            assert!(!known, "what is not durable never left");
            return None;
        }
    }
    let end = net.end(part(number));
    net.until("the channel to be free again", |net| {
        let channels = net[ALICE].channels();
        (net[ALICE].usable() == 1 && channels.iter().all(|channel| channel.htlcs == 0)).then_some(())
    });
    assert_eq!(net[ALICE].ended.iter().filter(|(ended, _)| *ended == part(number)).count(), 1, "once");
    Some((end, crashed))
}

/// At every commit in turn, until the HTLC ends before it.
fn at_every_commit(when: Crash, taking: Taking, expected: impl Fn(u8) -> Result<Preimage, PartFailure>) {
    let mut net = Net::line(&[100_000], 100_000);
    net[CAROL].taking = taking;
    for number in 1.. {
        match send(&mut net, number, (number.into(), when)) {
            None => assert!(number == 1 && when == Crash::Before, "{number}"),
            Some((end, crashed)) => {
                assert_eq!(end, expected(number), "{when:?} commit {number}");
                if !crashed {
                    assert!(number > 2, "an HTLC takes more than {number} commits");
                    break;
                }
            }
        }
    }
    assert_eq!(net[ALICE].stored("ldk.sent"), 0);
}

fn refused(_: u8) -> Result<Preimage, PartFailure> {
    let code = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;
    Err(PartFailure { hop: Some(2), code: Some(code), channel: None })
}

#[test]
fn a_refusal_is_decoded_if_the_payer_crashed_after_any_commit() {
    at_every_commit(Crash::After, Taking::Nothing, refused);
}

#[test]
fn a_refusal_is_decoded_if_the_payer_crashed_before_any_commit() {
    at_every_commit(Crash::Before, Taking::Nothing, refused);
}

#[test]
fn it_is_paid_if_the_payer_crashed_after_any_commit() {
    at_every_commit(Crash::After, Taking::All, |number| Ok(preimage(number)));
}

#[test]
fn it_is_paid_if_the_payer_crashed_before_any_commit() {
    at_every_commit(Crash::Before, Taking::All, |number| Ok(preimage(number)));
}
