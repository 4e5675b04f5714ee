//! Why an attempt or a payment failed, in words: one table, so that the same reason always has
//! the same code, and every message says what to do next.

use crate::backend::{Destination, NoRoutes};
use crate::commit::{Failure, Kind, PartFailure, PaymentRow, Plan};
use crate::incoming::Canceled;
use sponte_proto::Msat;
use sponte_proto::failure::FailureCode;

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.into(), message }
}

/// Why there are no routes for `payment`.
pub(crate) fn of_no_routes(why: &NoRoutes, known: bool, payment: &PaymentRow) -> Failure {
    let destination = destination(payment);
    let PaymentRow { amount, max_fee, .. } = payment;
    match why {
        NoRoutes::SelfPayment => {
            failure("self_payment", "the destination is this node: give the id of another node".into())
        }
        NoRoutes::BadDestination => failure(
            "unknown_destination",
            format!("{destination} names no point on the curve: check the node id"),
        ),
        NoRoutes::RecordsTooLarge => failure(
            "records_too_large",
            "the records do not fit into an onion together with the route: send shorter ones".into(),
        ),
        // Of a part that is sent again: the rest is on its way, and more than enough is left for it.
        NoRoutes::InsufficientBalance { spendable } if spendable >= amount => no_route(payment),
        NoRoutes::InsufficientBalance { spendable } => insufficient(*amount, *spendable),
        NoRoutes::PeersOffline => failure(
            "peers_offline",
            format!(
                "no peer with a channel that can send {amount} is connected: `sponte peer connect` one, or \
                 wait longer (--timeout)"
            ),
        ),
        NoRoutes::FeeLimitTooLow { cheapest } => failure("fee_limit_too_low", {
            let (cheapest, limit) = in_one_unit(*cheapest, *max_fee);
            format!("the cheapest route costs {cheapest}, the limit is {limit}: allow it with --max-fee")
        }),
        NoRoutes::NoRoute if !known => failure(
            "unknown_destination",
            format!(
                "{destination} is neither in the public graph nor a peer: check the node id, wait for \
                 gossip, connect to it and open a channel, or give a --route-hint"
            ),
        ),
        NoRoutes::NoRoute => no_route(payment),
    }
}

/// The destination does not take a payment of this kind.
pub(crate) fn refused(payment: &PaymentRow, kind: Kind, why: &PartFailure) -> Failure {
    let said = match (why.code, why.hop) {
        (Some(code), Some(hop)) => format!("{code}, hop {hop}"),
        _ => "no reason".into(),
    };
    if why.code == Some(FailureCode::INVALID_ONION_BLINDING) {
        let message = format!(
            "{}, or a node on the hidden part of the way to it, refused {} ({said}): pay again with a new \
             key, or ask its owner what is wrong",
            destination(payment),
            kind.as_str()
        );
        return failure("recipient_refused", message);
    }
    let advice = match kind {
        Kind::Bolt11 | Kind::AmpInvoice => "ask its owner for a new invoice",
        Kind::Bolt12 => "pay again with a new key, for which it gives a new invoice",
        Kind::Keysend => "ask its owner whether it accepts keysend",
        Kind::MppKeysend | Kind::Amp | Kind::Ecdh => "try another --kind, or ask its owner what it accepts",
    };
    failure(
        Failure::REFUSED,
        format!("{} refused {} ({said}): {advice}", destination(payment), kind.as_str()),
    )
}

/// The destination's neighbour could not reach it.
pub(crate) fn offline(payment: &PaymentRow) -> Failure {
    failure(
        "recipient_offline",
        format!(
            "{} is probably offline: the last node before it could not reach it; try again later",
            destination(payment)
        ),
    )
}

/// All attempts that were allowed failed on the way.
pub(crate) fn exhausted() -> Failure {
    failure(
        "attempts_exhausted",
        "nodes on the way failed every attempt that was allowed: try again later, or allow more attempts"
            .into(),
    )
}

/// The caller wanted no further attempt.
pub(crate) fn canceled() -> Failure {
    failure("canceled", "you canceled it before any attempt was paid: nothing to do".into())
}

/// An invoice's kind without an invoice, or a route through something that is no node.
pub(crate) fn no_invoice() -> Failure {
    failure("no_route", "no HTLC can be made for it: pay with another --kind".into())
}

/// What is noted of an attempt that never left.
pub(crate) fn never_left() -> Failure {
    failure("never_left", "this node stopped before the attempt left: nothing to do".into())
}

/// What is noted of a set that never became complete.
pub(crate) fn incomplete() -> Failure {
    failure("incomplete", "not all parts of it could be sent in time: other ways are tried".into())
}

/// Why a payment is of its kind, and what speaks against it.
pub(crate) fn why_kind(kind: Kind, plan: &Plan, refused: &[Kind], to: Destination) -> String {
    let why = match (refused.last(), plan.asked, kind) {
        (Some(refused), ..) => format!("the destination refused {}", refused.as_str()),
        (None, _, Kind::Bolt12) => "the offer asks for it".into(),
        (None, _, Kind::Bolt11 | Kind::AmpInvoice) => "the invoice asks for it".into(),
        (None, Some(_), _) => "asked for".into(),
        (None, None, Kind::Amp) => "no single path carries the amount, and the destination takes AMP".into(),
        (None, None, Kind::MppKeysend) => {
            "no single path carries the amount, and the destination does not say that it takes AMP".into()
        }
        (None, None, _) => "one path carries the amount".into(),
    };
    let says = match kind {
        Kind::Keysend => to.keysend,
        Kind::MppKeysend => to.keysend && to.mpp,
        Kind::Amp => to.amp,
        Kind::AmpInvoice | Kind::Bolt11 | Kind::Bolt12 | Kind::Ecdh => true,
    };
    if says { why } else { format!("{why}; warning: the destination does not say that it takes it") }
}

fn destination(payment: &PaymentRow) -> String {
    payment.destination.map(|node| node.to_string()).unwrap_or_default()
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
    use crate::commit::{Direction, Receipt, State};
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
            plan: Plan::default(),
        }
    }

    #[test]
    fn every_message_is_one_line_that_says_what_to_do() {
        let sat = |sat| Msat::from_sat(sat).expect("small");
        let no_routes = [
            NoRoutes::SelfPayment,
            NoRoutes::BadDestination,
            NoRoutes::RecordsTooLarge,
            NoRoutes::InsufficientBalance { spendable: sat(3) },
            NoRoutes::PeersOffline,
            NoRoutes::FeeLimitTooLow { cheapest: sat(7) },
            NoRoutes::NoRoute,
        ];
        let of = |known| move |why: &NoRoutes| of_no_routes(why, known, &payment());
        let why = PartFailure { hop: Some(2), code: Some(FailureCode::MPP_TIMEOUT), channel: None };
        let kinds = [
            Kind::Keysend,
            Kind::MppKeysend,
            Kind::Amp,
            Kind::AmpInvoice,
            Kind::Ecdh,
            Kind::Bolt11,
            Kind::Bolt12,
        ];
        let hidden = PartFailure { code: Some(FailureCode::INVALID_ONION_BLINDING), ..why };
        let all_hidden = [refused(&payment(), Kind::Bolt12, &hidden)];
        let others = [offline(&payment()), exhausted(), canceled(), no_invoice(), never_left(), incomplete()];
        let all = no_routes.iter().map(of(true)).chain(no_routes.iter().map(of(false)));
        let all =
            all.chain(kinds.map(|kind| refused(&payment(), kind, &why))).chain(others).chain(all_hidden);
        for Failure { message, .. } in all {
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
        let Failure { code, message } =
            of_no_routes(&NoRoutes::FeeLimitTooLow { cheapest }, true, &payment());
        assert_eq!(code, "fee_limit_too_low");
        assert!(message.contains("7sat") && message.contains("1sat"));
    }
}
