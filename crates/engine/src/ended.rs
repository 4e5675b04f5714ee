//! The keys of payments that ended a short while ago.
//!
//! Ended payments are in the ledger, not in memory, so a caller looks for its key there before it
//! asks. Between its look and its request a payment with that key may have begun and ended. It
//! has then ended after the look; so if every payment that ended since the look is remembered
//! here, a key that is neither pending nor here is new. A look that is too old for that is
//! refused, and the caller looks again.
//!
//! The margin beyond the look covers the commit of a payment's rows: an end becomes visible in
//! the ledger only when it is durable.

use crate::request::Arguments;
use sponte_proto::{PaymentId, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// How long an ended payment is remembered.
const KEEP_MS: u64 = 600_000;
/// How many are remembered: about 10 MB.
const KEEP: usize = 100_000;
/// How old a look into the ledger may be, and how long a commit may take.
const FRESH_MS: u64 = 60_000;

/// The payments that ended in the last minutes, and what they paid.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    arguments: BTreeMap<PaymentId, Arguments>,
    order: VecDeque<(Timestamp, PaymentId)>,
    /// The last end that was forgotten.
    forgotten: Option<Timestamp>,
}

impl Ended {
    pub(crate) fn insert(&mut self, id: PaymentId, arguments: Arguments, now: Timestamp) {
        if self.arguments.insert(id, arguments).is_none() {
            self.order.push_back((now, id));
        }
        while let Some((ended_at, id)) = self.order.front().copied() {
            if self.order.len() <= KEEP && now.millis_since(ended_at) <= KEEP_MS {
                break;
            }
            self.order.pop_front();
            self.arguments.remove(&id);
            self.forgotten = self.forgotten.max(Some(ended_at));
        }
    }

    pub(crate) fn arguments(&self, id: PaymentId) -> Option<Arguments> {
        self.arguments.get(&id).copied()
    }

    /// Whether all ends that a look at `looked_up_at` may have missed are remembered.
    pub(crate) fn covers(&self, looked_up_at: Timestamp, now: Timestamp) -> bool {
        let fresh = now.millis_since(looked_up_at) <= FRESH_MS;
        fresh && self.forgotten.is_none_or(|forgotten| looked_up_at > forgotten.plus_millis(FRESH_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::PayRequest;
    use sponte_proto::{Msat, NodeId, Records};

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn arguments() -> Arguments {
        let destination = NodeId::from_bytes([2; 33]).expect("starts with 02");
        PayRequest {
            key: "k".into(),
            destination,
            amount: Msat::MAX,
            max_fee: None,
            timeout_ms: 1,
            max_attempts: 1,
            records: Records::new(),
            looked_up_at: at(0),
        }
        .arguments()
    }

    fn id(number: usize) -> PaymentId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        PaymentId::from_bytes(bytes)
    }

    #[test]
    fn an_old_look_is_not_covered() {
        let ended = Ended::default();
        assert!(ended.covers(at(0), at(FRESH_MS)));
        assert!(!ended.covers(at(0), at(FRESH_MS + 1)));
        assert!(ended.covers(at(5), at(0)), "a clock that was set back");
    }

    #[test]
    fn what_is_forgotten_needs_a_younger_look() {
        let mut ended = Ended::default();
        for number in 0..=KEEP {
            ended.insert(id(number), arguments(), at(0));
        }
        assert_eq!(ended.arguments(id(0)), None);
        assert_eq!(ended.arguments(id(1)), Some(arguments()));
        assert!(!ended.covers(at(FRESH_MS), at(FRESH_MS)));
        assert!(ended.covers(at(FRESH_MS + 1), at(FRESH_MS + 1)));
    }

    #[test]
    fn time_forgets() {
        let mut ended = Ended::default();
        ended.insert(id(1), arguments(), at(0));
        ended.insert(id(2), arguments(), at(KEEP_MS));
        assert!(ended.arguments(id(1)).is_some());
        ended.insert(id(3), arguments(), at(KEEP_MS + 1));
        assert!(ended.arguments(id(1)).is_none() && ended.arguments(id(2)).is_some());
    }
}
