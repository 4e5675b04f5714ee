//! Whether a failed attempt is followed by another one, and when.

use crate::backend::SendFailure;
use crate::commit::{Failure, PaymentRow};
use crate::failure;
use sponte_proto::Timestamp;

/// The first wait for something that only time can mend.
const FIRST_DELAY_MS: u64 = 1_000;
/// No wait is longer.
const LONGEST_DELAY_MS: u64 = 30_000;

/// What follows a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another attempt at once: the failure told the backend what to avoid.
    Again,
    /// Another attempt after so many milliseconds, or as soon as a channel is usable. If none can
    /// start before the deadline, the payment fails for this reason.
    Later(u64, Failure),
    /// None: the same would happen again.
    Fail(Failure),
}

/// An attempt that never left costs the caller none of those that may leave: otherwise crashes,
/// or peers that are away for a moment, would use them up.
pub(crate) fn is_free(why: &SendFailure) -> bool {
    matches!(why, SendFailure::NeverLeft | SendFailure::PeersOffline)
}

/// Whether there is no route only because those that failed are avoided. They may pass later: a
/// peer that was away comes back, liquidity moves.
pub(crate) fn only_avoided(why: &SendFailure, avoids: bool) -> bool {
    avoids && matches!(why, SendFailure::NoRoute { .. } | SendFailure::FeeLimitTooLow { .. })
}

/// Decides after a failure. `delays` counts the waits of this payment so far, `avoids` tells
/// whether channels that failed were kept out of the attempt.
pub(crate) fn judge(
    why: &SendFailure,
    payment: &PaymentRow,
    delays: u32,
    avoids: bool,
    now: Timestamp,
) -> Verdict {
    match why {
        why if only_avoided(why, avoids) => {
            Verdict::Later(delay_ms(delays), failure::of_attempt(why, payment))
        }
        SendFailure::OnTheWay if now >= payment.deadline => Verdict::Fail(failure::timeout()),
        SendFailure::OnTheWay if payment.attempts >= payment.max_attempts => {
            Verdict::Fail(failure::of_attempt(why, payment))
        }
        SendFailure::OnTheWay => Verdict::Again,
        SendFailure::PeersOffline => Verdict::Later(delay_ms(delays), failure::of_attempt(why, payment)),
        // A backend that says so again and again must not keep a step from ending.
        SendFailure::NeverLeft => Verdict::Later(delay_ms(delays), failure::timeout()),
        SendFailure::SelfPayment
        | SendFailure::BadDestination
        | SendFailure::RecordsTooLarge
        | SendFailure::InsufficientBalance { .. }
        | SendFailure::FeeLimitTooLow { .. }
        | SendFailure::NoRoute { .. }
        | SendFailure::RecipientRefused => Verdict::Fail(failure::of_attempt(why, payment)),
    }
}

/// 1 s, 2 s, 4 s, up to 30 s.
fn delay_ms(delays: u32) -> u64 {
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
}
