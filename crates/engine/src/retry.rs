//! What a failure means for what comes next.

use crate::backend::NoRoutes;
use crate::commit::{Failure, PartFailure, PaymentRow};
use crate::failure;
use sponte_proto::failure::FailureCode;

/// The first wait for something that only time can mend.
const FIRST_DELAY_MS: u64 = 1_000;
/// No wait is longer.
const LONGEST_DELAY_MS: u64 = 30_000;

/// What the failure of an HTLC means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The destination does not take it, and would not take it again.
    Refused,
    /// The node at which a blinded path begins says that something behind it failed, perhaps the
    /// destination itself.
    Hidden,
    /// The destination waited in vain for the rest of the set.
    Incomplete,
    /// Another way may pass at once: the failure tells what to avoid.
    Again,
    /// Only time can tell: nothing is known that could be avoided.
    Pause,
}

/// What the last failure on the way says of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// The last node before it could not reach it.
    Offline,
}

impl Lesson {
    /// What a payment fails with that gets no further.
    pub(crate) fn reason(self, row: &PaymentRow) -> Failure {
        match self {
            Lesson::Offline => failure::offline(row),
        }
    }
}

/// What it means, `hops` being the length of the route.
pub(crate) fn outcome(why: &PartFailure, hops: u32) -> Outcome {
    match (why.hop, why.code) {
        (Some(hop), Some(code)) if hop == hops => of_destination(code),
        (Some(0), None) | (None, _) if why.channel.is_none() => Outcome::Pause,
        _ => Outcome::Again,
    }
}

fn of_destination(code: FailureCode) -> Outcome {
    match code {
        FailureCode::MPP_TIMEOUT => Outcome::Incomplete,
        FailureCode::INVALID_ONION_BLINDING => Outcome::Hidden,
        // Somebody on the way gave it less, or later, than our onion says.
        FailureCode::FINAL_INCORRECT_CLTV_EXPIRY | FailureCode::FINAL_INCORRECT_HTLC_AMOUNT => Outcome::Again,
        FailureCode::TEMPORARY_NODE_FAILURE | FailureCode::TEMPORARY_CHANNEL_FAILURE => Outcome::Pause,
        _ => Outcome::Refused,
    }
}

/// What it teaches of the destination. Nothing, if anything else stood in the way.
pub(crate) fn lesson(why: &PartFailure, hops: u32) -> Option<Lesson> {
    let unreachable = matches!(
        why.code,
        Some(
            FailureCode::UNKNOWN_NEXT_PEER
                | FailureCode::TEMPORARY_CHANNEL_FAILURE
                | FailureCode::CHANNEL_DISABLED
        )
    );
    (unreachable && hops > 1 && why.hop == Some(hops - 1)).then_some(Lesson::Offline)
}

/// Whether routes may be found later: a peer comes back, or those that failed may pass again.
/// `avoids` tells whether some were kept out.
pub(crate) fn may_pass_later(why: &NoRoutes, avoids: bool) -> bool {
    match why {
        NoRoutes::PeersOffline => true,
        NoRoutes::NoRoute | NoRoutes::FeeLimitTooLow { .. } | NoRoutes::InsufficientBalance { .. } => avoids,
        NoRoutes::SelfPayment | NoRoutes::BadDestination | NoRoutes::RecordsTooLarge => false,
    }
}

/// 1 s, 2 s, 4 s, up to 30 s.
pub(crate) fn delay_ms(delays: u32) -> u64 {
    FIRST_DELAY_MS.checked_shl(delays.min(16)).map_or(LONGEST_DELAY_MS, |delay| delay.min(LONGEST_DELAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let delays: Vec<u64> = (0..7).map(delay_ms).collect();
        assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(delay_ms(u32::MAX), LONGEST_DELAY_MS);
    }

    fn at(hop: u32, code: FailureCode) -> PartFailure {
        PartFailure { hop: Some(hop), code: Some(code), channel: None }
    }

    #[test]
    fn only_the_destination_refuses() {
        let unknown = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;
        assert_eq!(outcome(&at(3, unknown), 3), Outcome::Refused);
        assert_eq!(outcome(&at(2, unknown), 3), Outcome::Again);
        assert_eq!(outcome(&at(3, FailureCode::INVALID_ONION_PAYLOAD), 3), Outcome::Refused);
        assert_eq!(outcome(&at(3, FailureCode::REQUIRED_NODE_FEATURE_MISSING), 3), Outcome::Refused);
        assert_eq!(outcome(&at(3, FailureCode::MPP_TIMEOUT), 3), Outcome::Incomplete);
        assert_eq!(outcome(&at(3, FailureCode::FINAL_INCORRECT_HTLC_AMOUNT), 3), Outcome::Again);
        assert_eq!(outcome(&PartFailure::default(), 3), Outcome::Pause);
        assert_eq!(outcome(&PartFailure::NEVER_LEFT, 3), Outcome::Pause);
    }

    #[test]
    fn a_destination_is_offline_only_where_its_neighbour_says_so() {
        assert_eq!(lesson(&at(2, FailureCode::UNKNOWN_NEXT_PEER), 3), Some(Lesson::Offline));
        assert_eq!(lesson(&at(1, FailureCode::UNKNOWN_NEXT_PEER), 3), None);
        assert_eq!(lesson(&at(2, FailureCode::FEE_INSUFFICIENT), 3), None);
        assert_eq!(lesson(&at(1, FailureCode::TEMPORARY_CHANNEL_FAILURE), 1), None);
    }
}
