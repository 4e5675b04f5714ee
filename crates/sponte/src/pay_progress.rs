//! What is new about a payment since the last look: one line for each thing that happened.

use crate::payment_view::said;
use crate::show;
use sponte_api::{Attempt, Part, PaymentDetail, State};
use std::collections::BTreeSet;

/// What was told already.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    told: BTreeSet<Thing>,
}

/// Something that happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    /// A part left, by the numbers of its attempt and its own.
    Left(u32, u32),
    /// A part failed.
    Failed(u32, u32),
    /// An attempt ended unpaid.
    Ended(u32),
    /// Nothing more is tried.
    Canceled,
}

impl Progress {
    /// Lines for what happened since the last call.
    pub fn lines(&mut self, detail: &PaymentDetail) -> Vec<String> {
        let mut lines = vec![];
        for (i, attempt) in detail.attempts.iter().enumerate() {
            // The end of the last attempt is that of the payment, which is told as such.
            let last = detail.payment.state == State::Failed && i + 1 == detail.attempts.len();
            self.attempt(attempt, last, &mut lines);
        }
        let waits = detail.payment.state == State::Pending;
        if waits && detail.payment.canceled == Some(true) && self.told.insert(Thing::Canceled) {
            lines.push("canceled: no further attempt; what is on its way may still be paid".into());
        }
        lines
    }

    fn attempt(&mut self, attempt: &Attempt, last: bool, lines: &mut Vec<String>) {
        for part in &attempt.parts {
            let name = name(attempt, part);
            if self.told.insert(Thing::Left(attempt.number, part.number)) {
                lines.push(format!("{name}: {}", way(attempt, part)));
            }
            let failed = part.failure.as_ref().filter(|_| part.state == State::Failed);
            if let Some(failure) = failed
                && self.told.insert(Thing::Failed(attempt.number, part.number))
            {
                lines.push(format!("{name}: {}", said(failure)));
            }
        }
        let ended = attempt.state == State::Failed && !last;
        if ended && self.told.insert(Thing::Ended(attempt.number)) {
            let why = attempt.failure.as_ref().map_or("failed", |failure| failure.message.as_str());
            lines.push(format!("attempt {}: {why}", attempt.number + 1));
        }
    }
}

/// The only part of an attempt needs no number.
fn name(attempt: &Attempt, part: &Part) -> String {
    match attempt.parts.len() {
        1 => format!("attempt {}", attempt.number + 1),
        _ => format!("attempt {}, part {}", attempt.number + 1, part.number + 1),
    }
}

/// Which way it goes, and what that costs.
fn way(attempt: &Attempt, part: &Part) -> String {
    let hops: Vec<String> = part.route.iter().map(|node| show::short(&node.to_string())).collect();
    let amount = match attempt.parts.len() {
        1 => String::new(),
        _ => format!("{} ", show::amount(part.amount_msat)),
    };
    format!("{amount}→ {}, fee {}", hops.join(" → "), show::amount(part.fee_msat))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_view::examples::{in_parts, outgoing};
    use sponte_api::Failure;

    #[test]
    fn each_thing_is_told_once() {
        let mut progress = Progress::default();
        let mut detail = outgoing();
        let first = progress.lines(&detail);
        assert_eq!(first, ["attempt 1: → 02111111…1111, fee 1.5 sat"]);
        assert!(progress.lines(&detail).is_empty());
        detail.attempts[0].state = State::Failed;
        detail.attempts[0].failure =
            Some(Failure { code: "on_the_way".into(), message: "a node on the way failed".into() });
        let second = detail.attempts[0].clone();
        detail.attempts.push(Attempt { number: 1, state: State::Settled, failure: None, ..second });
        let then = progress.lines(&detail);
        assert_eq!(then, ["attempt 1: a node on the way failed", "attempt 2: → 02111111…1111, fee 1.5 sat"]);
        assert!(progress.lines(&detail).is_empty());
    }

    #[test]
    fn each_part_of_a_set_is_told() {
        let mut progress = Progress::default();
        let mut detail = in_parts();
        let resent = detail.attempts[0].parts.pop().expect("the last");
        let lines = progress.lines(&detail);
        assert_eq!(
            lines,
            [
                "attempt 1, part 1: 30 sat → 02111111…1111 → 02222222…2222, fee 1 sat",
                "attempt 1, part 2: 20 sat → 02333333…3333 → 02222222…2222, fee 2 sat",
                "attempt 1, part 2: 02333333…3333 at hop 1 said temporary_channel_failure (0x1007): \
                 the next channel lacks the balance, or is otherwise busy, for now",
            ]
        );
        detail.attempts[0].parts.push(resent);
        detail.payment.canceled = Some(true);
        let lines = progress.lines(&detail);
        assert_eq!(lines[0], "attempt 1, part 3: 20 sat → 02111111…1111 → 02222222…2222, fee 1 sat");
        assert!(lines[1].starts_with("canceled: no further attempt"), "{lines:?}");
        assert!(progress.lines(&detail).is_empty());
    }

    #[test]
    fn the_end_of_a_payment_is_not_told_twice() {
        let mut detail = outgoing();
        detail.payment.state = State::Failed;
        detail.attempts[0].state = State::Failed;
        detail.attempts[0].parts.clear();
        assert!(Progress::default().lines(&detail).is_empty());
    }
}
