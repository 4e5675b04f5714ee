//! The HTLCs of an attempt, and what they add up to: what happens to one costs the same, however
//! many there are.

use crate::commit::{PartRow, State};
use sponte_proto::amp::Share;
use sponte_proto::{Msat, PaymentId, Preimage};

/// All of them, by their numbers, those that failed included.
#[derive(Debug)]
pub(super) struct Htlcs {
    rows: Vec<PartRow>,
    pending: usize,
    paid: usize,
    /// Of those that have not failed.
    amount: Msat,
    fee: Msat,
    share: Share,
}

impl Default for Htlcs {
    fn default() -> Htlcs {
        let share = Share::from_bytes([0; 32]);
        Htlcs { rows: vec![], pending: 0, paid: 0, amount: Msat::ZERO, fee: Msat::ZERO, share }
    }
}

impl Htlcs {
    pub(super) fn rows(&self) -> &[PartRow] {
        &self.rows
    }

    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    pub(super) fn is_any_paid(&self) -> bool {
        self.paid > 0
    }

    /// What those that have not failed bring.
    pub(super) fn amount(&self) -> Msat {
        self.amount
    }

    /// What they cost.
    pub(super) fn fee(&self) -> Msat {
        self.fee
    }

    /// The XOR of their shares; zero if they have none.
    pub(super) fn share(&self) -> &Share {
        &self.share
    }

    /// Those that have not failed.
    pub(super) fn live(&self) -> impl Iterator<Item = &PartRow> {
        self.rows.iter().filter(|row| row.state != State::Failed)
    }

    /// Where those stand that are neither paid nor failed, and what the backend knows them by.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, PaymentId)> {
        let open = self.rows.iter().enumerate().filter(|(_, row)| row.state == State::Pending);
        open.filter_map(|(at, row)| Some((at, row.claim.id?)))
    }

    /// The first preimage that the destination gave away.
    pub(super) fn proof(&self) -> Option<Preimage> {
        self.rows.iter().find_map(|row| row.claim.preimage.clone())
    }

    pub(super) fn push(&mut self, row: PartRow) {
        self.count(&row);
        self.rows.push(row);
    }

    /// Writes the new state of one.
    pub(super) fn replace(&mut self, at: usize, row: PartRow) {
        let Some(known) = self.rows.get_mut(at) else { return };
        let before = std::mem::replace(known, row.clone());
        self.uncount(&before);
        self.count(&row);
    }

    fn count(&mut self, row: &PartRow) {
        match row.state {
            State::Pending => self.pending += 1,
            State::Settled => self.paid += 1,
            _ => return,
        }
        self.amount = self.amount.checked_add(row.amount).unwrap_or(Msat::MAX);
        self.fee = self.fee.checked_add(row.fee).unwrap_or(Msat::MAX);
        self.turn_share(row);
    }

    fn uncount(&mut self, row: &PartRow) {
        match row.state {
            State::Pending => self.pending -= 1,
            State::Settled => self.paid -= 1,
            _ => return,
        }
        self.amount = self.amount.saturating_sub(row.amount);
        self.fee = self.fee.saturating_sub(row.fee);
        self.turn_share(row);
    }

    fn turn_share(&mut self, row: &PartRow) {
        if let Some(share) = &row.sent.share {
            self.share ^= share;
        }
    }
}

impl FromIterator<PartRow> for Htlcs {
    fn from_iter<I: IntoIterator<Item = PartRow>>(rows: I) -> Htlcs {
        let mut htlcs = Htlcs::default();
        rows.into_iter().for_each(|row| htlcs.push(row));
        htlcs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::PartSent;
    use proptest::prelude::*;
    use sponte_proto::ChannelId;

    fn row(amount: u64, share: u8, state: State) -> PartRow {
        let msat = |msat| Msat::new(msat).expect("small");
        PartRow {
            payment: PaymentId::from_bytes([1; 32]),
            attempt: 0,
            number: 0,
            channel: ChannelId::from_bytes([1; 32]),
            amount: msat(amount),
            fee: msat(amount / 100),
            state,
            route: vec![],
            claim: Default::default(),
            sent: PartSent { share: Some(Share::from_bytes([share; 32])), failure: None },
        }
    }

    fn state() -> impl Strategy<Value = State> {
        prop_oneof![Just(State::Pending), Just(State::Settled), Just(State::Failed)]
    }

    proptest! {
        /// Whatever happens to which of them, in any order.
        #[test]
        fn what_they_add_up_to_is_what_their_rows_say(
            rows in prop::collection::vec((1..1_000_000u64, any::<u8>(), state()), 1..20),
            changes in prop::collection::vec((any::<prop::sample::Index>(), state()), 0..40),
        ) {
            let rows = rows.into_iter().map(|(amount, share, state)| row(amount, share, state));
            let mut htlcs: Htlcs = rows.collect();
            for (at, state) in changes {
                let at = at.index(htlcs.rows().len());
                let row = PartRow { state, ..htlcs.rows()[at].clone() };
                htlcs.replace(at, row);
            }
            let count = |state| htlcs.rows().iter().filter(|row| row.state == state).count();
            prop_assert_eq!(htlcs.pending(), count(State::Pending));
            prop_assert_eq!(htlcs.is_any_paid(), count(State::Settled) > 0);
            let sum = |of: fn(&PartRow) -> Msat| htlcs.live().map(|row| of(row).to_msat()).sum::<u64>();
            prop_assert_eq!(htlcs.amount().to_msat(), sum(|row| row.amount));
            prop_assert_eq!(htlcs.fee().to_msat(), sum(|row| row.fee));
            let shares = htlcs.live().filter_map(|row| row.sent.share.as_ref());
            let share = shares.fold(0, |xor, share| xor ^ share.as_bytes()[0]);
            prop_assert_eq!(htlcs.share().as_bytes(), &[share; 32]);
        }
    }
}
