//! What is new about a payment since the last look: one line for each thing that happened.

use crate::show;
use sponte_api::{Attempt, PaymentDetail, State};

/// What was told already.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// By attempt: whether its start, and whether its end was told.
    told: Vec<(bool, bool)>,
}

impl Progress {
    /// Lines for what happened since the last call.
    pub fn lines(&mut self, detail: &PaymentDetail) -> Vec<String> {
        let mut lines = vec![];
        for (i, attempt) in detail.attempts.iter().enumerate() {
            if self.told.len() <= i {
                self.told.push((false, false));
            }
            let (started, ended) = &mut self.told[i];
            if !*started && !attempt.parts.is_empty() {
                *started = true;
                lines.push(format!("attempt {}: {}", attempt.number + 1, route(attempt)));
            }
            // The end of the last attempt is that of the payment, which is told as such.
            let last = detail.payment.state == State::Failed && i + 1 == detail.attempts.len();
            if !*ended && attempt.state == State::Failed && !last {
                *ended = true;
                let why = attempt.failure.as_ref().map_or("failed", |failure| failure.message.as_str());
                lines.push(format!("attempt {}: {why}", attempt.number + 1));
            }
        }
        lines
    }
}

/// Which way it goes, and what that costs.
fn route(attempt: &Attempt) -> String {
    let hops = |part: &sponte_api::Part| {
        part.route.iter().map(|node| show::short(&node.to_string())).collect::<Vec<_>>().join(" → ")
    };
    let ways: Vec<String> = attempt.parts.iter().map(hops).collect();
    format!("→ {}, fee {}", ways.join(" and → "), show::amount(attempt.fee_msat))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_view::examples::outgoing;
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
        detail.attempts.push(sponte_api::Attempt {
            number: 1,
            state: State::Settled,
            failure: None,
            ..second
        });
        let then = progress.lines(&detail);
        assert_eq!(then, ["attempt 1: a node on the way failed", "attempt 2: → 02111111…1111, fee 1.5 sat"]);
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
