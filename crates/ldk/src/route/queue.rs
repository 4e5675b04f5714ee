//! Questions for routes that wait. A search takes milliseconds on a large graph, and a question
//! without an answer several: so many are answered in a step that its commit is not put off.

use sponte_engine::backend::RouteRequest;
use std::collections::VecDeque;
use std::time::Duration;

/// No search begins in a step after so long a time of searching.
const TIME_PER_STEP: Duration = Duration::from_millis(20);
/// Nor after so many.
const PER_STEP: u32 = 64;

/// In the order in which they were asked.
#[derive(Default)]
pub(crate) struct RouteQueue {
    waiting: VecDeque<Box<RouteRequest>>,
    answered: u32,
    spent: Duration,
}

impl RouteQueue {
    pub(crate) fn push(&mut self, request: Box<RouteRequest>) {
        self.waiting.push_back(request);
    }

    /// The next that may be answered in this step.
    pub(super) fn next(&mut self) -> Option<Box<RouteRequest>> {
        if self.answered >= PER_STEP || self.spent >= TIME_PER_STEP {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.answered += 1;
        Some(next)
    }

    /// That one took so long.
    pub(super) fn took(&mut self, time: Duration) {
        self.spent = self.spent.saturating_add(time);
    }

    /// The step ends. Answers whether questions wait for the next.
    pub(crate) fn end_step(&mut self) -> bool {
        (self.answered, self.spent) = (0, Duration::ZERO);
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::backend::Query;
    use sponte_proto::{CltvExpiryDelta, Msat, NodeId, PaymentId};

    fn request(number: u32) -> Box<RouteRequest> {
        Box::new(RouteRequest {
            query: Query { payment: PaymentId::from_bytes([1; 32]), number },
            destination: NodeId::from_bytes([2; 33]).expect("it looks like one"),
            amount: Msat::ZERO,
            max_fee: Msat::ZERO,
            max_parts: 1,
            final_cltv: CltvExpiryDelta::new(80),
            payload_bytes: 0,
            avoid: vec![],
            hints: vec![],
            blinded: None,
        })
    }

    /// The numbers that are answered in one step, each in such a time.
    fn step(queue: &mut RouteQueue, each: Duration) -> Vec<u32> {
        let mut answered = vec![];
        while let Some(next) = queue.next() {
            queue.took(each);
            answered.push(next.query.number);
        }
        answered
    }

    #[test]
    fn so_many_in_a_step_in_their_order() {
        let mut queue = RouteQueue::default();
        (0..PER_STEP + 1).for_each(|number| queue.push(request(number)));
        assert_eq!(step(&mut queue, Duration::ZERO), (0..PER_STEP).collect::<Vec<_>>());
        assert!(queue.end_step());
        queue.push(request(PER_STEP + 1));
        assert_eq!(step(&mut queue, Duration::ZERO), [PER_STEP, PER_STEP + 1]);
        assert!(!queue.end_step());
    }

    #[test]
    fn so_long_in_a_step_and_one_at_least() {
        let mut queue = RouteQueue::default();
        (0..4).for_each(|number| queue.push(request(number)));
        assert_eq!(step(&mut queue, TIME_PER_STEP), [0]);
        assert!(queue.end_step());
        assert_eq!(step(&mut queue, TIME_PER_STEP / 2), [1, 2]);
        assert!(queue.end_step());
        assert_eq!(step(&mut queue, TIME_PER_STEP), [3]);
    }
}
