//! What a transaction is to the books, by its label, its inputs and its outputs.
//!
//! Whatever it is called, its [`effect`](Kind::effect) is what it adds to the wallet's coins.

use std::collections::BTreeMap;

use super::record::{Channel, Kind, Label, Note};

/// What the wallet knows of a transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) label: Option<Label>,
    /// The coins of ours that it spends, together.
    pub(super) spent_sat: u64,
    /// The outputs that are ours, together.
    pub(super) received_sat: u64,
    /// The outputs that are not, together.
    pub(super) paid_sat: u64,
    /// The inputs that are not ours, as far as they are known to be a channel's.
    pub(super) notes: Vec<Note>,
    /// How many inputs are neither ours nor known.
    pub(super) strange_inputs: usize,
}

impl Facts {
    /// `None` if the transaction leaves the wallet with as much as it had, or is none of ours.
    pub(super) fn kind(&self) -> Option<Kind> {
        if self.received_sat == self.spent_sat {
            return None;
        }
        match self.spent_sat.checked_sub(self.received_sat) {
            None => Some(self.income(self.received_sat - self.spent_sat)),
            Some(cost_sat) => Some(self.expense(cost_sat)),
        }
    }

    fn income(&self, gain_sat: u64) -> Kind {
        if self.notes.is_empty() {
            return Kind::Deposit(gain_sat);
        }
        let mut inputs: BTreeMap<Channel, u64> = BTreeMap::new();
        for note in &self.notes {
            *inputs.entry(note.channel).or_default() += note.value_sat.unwrap_or(0);
        }
        let known_sat: u64 = inputs.values().sum();
        // Outputs without a noted value gave the rest; without such a one, a stranger did.
        if let Some(rest_sat) = gain_sat.checked_sub(known_sat).filter(|rest| *rest > 0) {
            match self.notes.iter().find(|note| note.value_sat.is_none()) {
                Some(note) => *inputs.entry(note.channel).or_default() += rest_sat,
                None => return Kind::Deposit(gain_sat),
            }
        }
        inputs.retain(|_, value_sat| *value_sat > 0);
        let fee_sat = inputs.values().sum::<u64>() - gain_sat;
        Kind::Sweep { inputs_sat: inputs.into_iter().collect(), fee_sat }
    }

    fn expense(&self, cost_sat: u64) -> Kind {
        let others_join = !self.notes.is_empty() || self.strange_inputs > 0;
        match self.label {
            Some(Label::Funding { value_sat, .. }) if value_sat <= cost_sat => {
                return Kind::Funding { value_sat, fee_sat: cost_sat - value_sat };
            }
            Some(Label::Bump { .. }) => return Kind::Bump { cost_sat },
            _ => {}
        }
        if !self.notes.is_empty() || (others_join && self.paid_sat == 0) {
            return Kind::Bump { cost_sat };
        }
        if others_join {
            // Others paid too, so what of it was the fee cannot be told.
            return Kind::Withdrawal { amount_sat: cost_sat, fee_sat: 0 };
        }
        let amount_sat = self.paid_sat.min(cost_sat);
        Kind::Withdrawal { amount_sat, fee_sat: cost_sat - amount_sat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: Channel = Channel([1; 32]);
    const BOB: Channel = Channel([2; 32]);

    fn spendable(channel: Channel, value_sat: u64) -> Note {
        Note { channel, value_sat: Some(value_sat) }
    }

    #[test]
    fn a_deposit_comes_from_strangers() {
        let facts = Facts { received_sat: 7, paid_sat: 5, strange_inputs: 1, ..Default::default() };
        assert_eq!(facts.kind(), Some(Kind::Deposit(7)));
    }

    #[test]
    fn a_sweep_names_its_channels() {
        let notes = vec![spendable(BOB, 40), spendable(ALICE, 50), spendable(BOB, 30)];
        let facts = Facts { received_sat: 115, notes, ..Default::default() };
        let inputs_sat = vec![(ALICE, 50), (BOB, 70)];
        assert_eq!(facts.kind(), Some(Kind::Sweep { inputs_sat, fee_sat: 5 }));
    }

    #[test]
    fn a_channel_output_of_unknown_value_gives_what_arrives() {
        let notes = vec![Note { channel: ALICE, value_sat: None }, spendable(BOB, 30)];
        let facts = Facts { received_sat: 100, notes, ..Default::default() };
        let inputs_sat = vec![(ALICE, 70), (BOB, 30)];
        assert_eq!(facts.kind(), Some(Kind::Sweep { inputs_sat, fee_sat: 0 }));
    }

    #[test]
    fn without_a_label_all_that_others_get_is_a_withdrawal() {
        let facts = Facts { spent_sat: 100, received_sat: 30, paid_sat: 60, ..Default::default() };
        assert_eq!(facts.kind(), Some(Kind::Withdrawal { amount_sat: 60, fee_sat: 10 }));
    }

    #[test]
    fn a_strangers_input_next_to_ours_is_a_bump_if_nobody_is_paid() {
        let facts = Facts { spent_sat: 100, received_sat: 80, strange_inputs: 1, ..Default::default() };
        assert_eq!(facts.kind(), Some(Kind::Bump { cost_sat: 20 }));
        let paying = Facts { paid_sat: 500, ..facts };
        assert_eq!(paying.kind(), Some(Kind::Withdrawal { amount_sat: 20, fee_sat: 0 }));
        let labelled = Facts { label: Some(Label::Bump { since: 1 }), ..paying };
        assert_eq!(labelled.kind(), Some(Kind::Bump { cost_sat: 20 }));
    }

    #[test]
    fn moving_ones_own_coins_for_nothing_is_not_told() {
        let facts = Facts { spent_sat: 5, received_sat: 5, ..Default::default() };
        assert_eq!(facts.kind(), None);
    }

    fn any_label() -> impl Strategy<Value = Option<Label>> {
        prop_oneof![
            Just(None),
            Just(Some(Label::Withdrawal)),
            (0..2_000u64).prop_map(|value_sat| Some(Label::Funding { value_sat, broadcast: true })),
            Just(Some(Label::Bump { since: 0 })),
        ]
    }

    proptest! {
        #[test]
        fn the_effect_is_what_the_coins_say(
            label in any_label(),
            sums in proptest::array::uniform3(0..1_000u64),
            values in proptest::collection::vec((any::<bool>(), proptest::option::of(0..1_000u64)), 0..4),
            strange_inputs in 0..2usize,
        ) {
            let [spent_sat, received_sat, paid_sat] = sums;
            let note = |(alice, value_sat)| Note { channel: if alice { ALICE } else { BOB }, value_sat };
            let notes = values.into_iter().map(note).collect();
            let facts = Facts { label, spent_sat, received_sat, paid_sat, notes, strange_inputs };
            let effect = facts.kind().map_or(0, |kind| kind.effect());
            prop_assert_eq!(effect, i128::from(received_sat) - i128::from(spent_sat));
        }
    }
}
