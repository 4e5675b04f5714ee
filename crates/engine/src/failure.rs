//! Why an attempt or a payment failed, in words: one table, so that the same reason always has
//! the same code, and every message says what to do next.

use crate::backend::SendFailure;
use crate::commit::{Failure, PaymentRow};
use crate::incoming::Canceled;
use sponte_proto::Msat;

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.into(), message }
}

/// Why an attempt of `payment` failed, or the payment with it.
pub(crate) fn of_attempt(why: &SendFailure, payment: &PaymentRow) -> Failure {
    let destination = payment.destination.map(|node| node.to_string()).unwrap_or_default();
    let PaymentRow { amount, max_fee, .. } = payment;
    match why {
        SendFailure::SelfPayment => {
            failure("self_payment", "the destination is this node: give the id of another node".into())
        }
        SendFailure::BadDestination => failure(
            "unknown_destination",
            format!("{destination} names no point on the curve: check the node id"),
        ),
        SendFailure::RecordsTooLarge => failure(
            "records_too_large",
            "the records do not fit into an onion together with the route: send shorter ones".into(),
        ),
        SendFailure::InsufficientBalance { spendable } => insufficient(*amount, *spendable),
        SendFailure::PeersOffline => failure(
            "peers_offline",
            format!(
                "no peer with a channel that can send {amount} is connected: `sponte peer connect` one, or \
                 wait longer (--timeout)"
            ),
        ),
        SendFailure::FeeLimitTooLow { cheapest } => failure("fee_limit_too_low", {
            let (cheapest, limit) = in_one_unit(*cheapest, *max_fee);
            format!("the cheapest route costs {cheapest}, the limit is {limit}: allow it with --max-fee")
        }),
        SendFailure::NoRoute { destination_known: false } => failure(
            "unknown_destination",
            format!(
                "{destination} is neither in the public graph nor a peer: check the node id, wait for \
                 gossip, or connect to it and open a channel"
            ),
        ),
        SendFailure::NoRoute { destination_known: true } => no_route(payment),
        SendFailure::RecipientRefused => failure(
            "recipient_refused",
            format!("{destination} does not take this payment: ask its owner whether it accepts keysend"),
        ),
        SendFailure::OnTheWay => failure(
            "attempts_exhausted",
            "nodes on the way failed every attempt that was allowed: try again later, or allow more attempts"
                .into(),
        ),
        SendFailure::NeverLeft => {
            failure("never_left", "this node stopped before the attempt left: nothing to do".into())
        }
    }
}

/// Why a payment failed whose time ended with nothing on the way.
pub(crate) fn timeout() -> Failure {
    failure("timeout", "no attempt succeeded in time: try again, or wait longer (--timeout)".into())
}

/// Why an incoming payment failed after this node decided to take it.
pub(crate) fn not_received() -> Failure {
    failure(
        "not_received",
        "its HTLCs were failed before they could be claimed: ask the sender to pay again".into(),
    )
}

/// Why a held payment was failed.
pub(crate) fn of_canceled(why: Canceled) -> Failure {
    match why {
        Canceled::Asked => failure("canceled", "this node gave it back: nothing to do".into()),
        Canceled::Time => failure(
            "hold_timeout",
            "nobody decided in time: ask the sender to pay again, or hold payments for longer".into(),
        ),
        Canceled::Height => failure(
            "hold_deadline",
            "nobody decided before it came too near to its expiry: ask the sender to pay again".into(),
        ),
        Canceled::Lost => failure(
            "hold_lost",
            "some of its HTLCs were failed before the decision: ask the sender to pay again".into(),
        ),
    }
}

/// What is noted of an attempt that failed on the way and may be followed by another.
pub(crate) fn on_the_way() -> Failure {
    failure("on_the_way", "a node or channel on the way failed: other routes are tried".into())
}

fn insufficient(amount: Msat, spendable: Msat) -> Failure {
    let (amount, spendable) = in_one_unit(amount, spendable);
    failure(
        "insufficient_balance",
        format!(
            "the channels can send {spendable}, not {amount} and its fee: pay less, open a channel, or wait \
             for payments in flight"
        ),
    )
}

/// Two amounts that a reader compares: both in msat unless both are whole satoshis.
fn in_one_unit(one: Msat, other: Msat) -> (String, String) {
    let is_whole = |amount: Msat| amount.to_msat().is_multiple_of(1_000);
    if is_whole(one) && is_whole(other) {
        (one.to_string(), other.to_string())
    } else {
        (format!("{}msat", one.to_msat()), format!("{}msat", other.to_msat()))
    }
}

fn no_route(payment: &PaymentRow) -> Failure {
    let amount = payment.amount;
    let message = match payment.attempts {
        0 | 1 => format!("no route can carry {amount}: try a smaller amount, or open a channel closer to it"),
        tries => format!(
            "no other route can carry {amount} after {tries} attempts: the destination may be offline, or \
             lack inbound liquidity; try later or a smaller amount"
        ),
    };
    failure("no_route", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{Direction, Kind, Receipt, State};
    use sponte_proto::{NodeId, PaymentId, Records, Timestamp};

    fn payment() -> PaymentRow {
        PaymentRow {
            id: PaymentId::from_bytes([1; 32]),
            direction: Direction::Out,
            kind: Kind::Keysend,
            state: State::Pending,
            key: Some("k".into()),
            destination: NodeId::from_bytes([3; 33]).ok(),
            amount: Msat::from_sat(50).expect("small"),
            fee: Msat::ZERO,
            max_fee: Msat::from_sat(1).expect("small"),
            hash: None,
            preimage: None,
            records: Records::new(),
            failure: None,
            deadline: Timestamp::default(),
            attempts: 1,
            max_attempts: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            receipt: Receipt::default(),
        }
    }

    #[test]
    fn every_message_is_one_line_that_says_what_to_do() {
        let sat = |sat| Msat::from_sat(sat).expect("small");
        for why in [
            SendFailure::SelfPayment,
            SendFailure::BadDestination,
            SendFailure::RecordsTooLarge,
            SendFailure::InsufficientBalance { spendable: sat(3) },
            SendFailure::PeersOffline,
            SendFailure::FeeLimitTooLow { cheapest: sat(7) },
            SendFailure::NoRoute { destination_known: false },
            SendFailure::NoRoute { destination_known: true },
            SendFailure::RecipientRefused,
            SendFailure::OnTheWay,
            SendFailure::NeverLeft,
        ] {
            let Failure { message, .. } = of_attempt(&why, &payment());
            assert!(
                message.contains(": ") && !message.contains('\n') && !message.contains("  "),
                "{message}"
            );
        }
    }

    #[test]
    fn every_end_of_a_hold_says_what_to_do() {
        for why in [Canceled::Asked, Canceled::Time, Canceled::Height, Canceled::Lost] {
            let Failure { message, .. } = of_canceled(why);
            assert!(message.contains(": ") && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_low_fee_limit_names_the_cheapest_route() {
        let cheapest = Msat::from_sat(7).expect("small");
        let Failure { code, message } = of_attempt(&SendFailure::FeeLimitTooLow { cheapest }, &payment());
        assert_eq!(code, "fee_limit_too_low");
        assert!(message.contains("7sat") && message.contains("1sat"));
    }
}
