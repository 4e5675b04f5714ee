//! What a start makes of all that was open (law 3).

use super::{Incoming, Owner};
use crate::books::Books;
use crate::commit::State;
use crate::step::Step;
use sponte_proto::{BlockHeight, PaymentHash};
use std::collections::BTreeSet;

impl Incoming {
    /// What the backend lost ends, what it still has is claimed again or waits on. What it has and
    /// nobody here knows is a forward, or was not shown yet.
    pub(crate) fn recover(
        &mut self,
        books: &mut Books,
        step: &mut Step,
        inbound: &BTreeSet<PaymentHash>,
        height: BlockHeight,
    ) {
        self.recovered = true;
        let known: Vec<(PaymentHash, Owner)> =
            self.hashes.iter().map(|(hash, owner)| (*hash, *owner)).collect();
        for (hash, owner) in known.iter().filter(|(hash, _)| !inbound.contains(hash)) {
            match owner {
                Owner::Set(_) => self.lose_waiting(step, *hash),
                Owner::Payment(id) => self.lose(books, step, *id, *hash),
            }
        }
        for payment in self.payments.values().filter(|payment| payment.row.state == State::Pending) {
            payment.claim(step);
        }
        // Before a set is taken: what has come too near to its deadline must not be.
        self.handle_block(books, step, height);
        self.handle_time(books, step);
        let complete: Vec<_> = self.sets.keys().collect();
        for key in complete {
            if self.sets.get(key).is_some_and(|set| set.is_complete()) {
                self.complete(books, step, key);
            }
        }
    }
}
