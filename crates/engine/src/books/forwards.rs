//! Forwards: what came in, what went out, and the fee between.

use super::{Books, Entry};
use crate::backend::Forward;
use crate::commit::{Account, TransferRow};
use crate::step::{About, Step};
use sponte_proto::{ChannelId, Msat};

/// What the keys of a forward's transfers start with.
pub(super) fn prefix(forward: &Forward) -> String {
    // No key may be the beginning of another one.
    format!("forward/{}/", forward.key.replace('%', "%25").replace('/', "%2F"))
}

impl Books {
    /// Each incoming channel gains what came in over it, each outgoing one loses what went out,
    /// and [`Account::FeesEarned`] has the difference. A repeat is ignored.
    pub(crate) fn handle_forward(&mut self, step: &mut Step, forward: &Forward, found: &[TransferRow]) {
        if !found.is_empty() {
            return;
        }
        let (moves, earned) = pair(&forward.incoming, &forward.outgoing);
        for (number, (debit, credit, amount)) in moves.into_iter().enumerate() {
            let key = format!("{}{number}", prefix(forward));
            self.post(step, Entry::new(key, debit, credit, amount));
        }
        let about = About {
            amount: Some(earned),
            channel: forward.incoming.first().map(|(channel, _)| *channel),
            payment: None,
        };
        let sent = forward.outgoing.iter().try_fold(Msat::ZERO, |sum, (_, msat)| sum.checked_add(*msat));
        step.event("payment_forwarded", about, format!("{} passed on", sent.unwrap_or(Msat::MAX)));
    }
}

type Move = (Account, Account, Msat);

/// Lays outgoing amounts against incoming ones. What came in beyond them is earned; what went
/// out beyond them is a loss of ours.
fn pair(incoming: &[(ChannelId, Msat)], outgoing: &[(ChannelId, Msat)]) -> (Vec<Move>, Msat) {
    let mut moves = vec![];
    let mut earned = Msat::ZERO;
    let mut out = outgoing.iter().copied();
    let mut from = out.next();
    for (to, mut wanted) in incoming.iter().copied() {
        while wanted > Msat::ZERO {
            let Some((channel, left)) = from else {
                moves.push((Account::FeesEarned, Account::Channel(to), wanted));
                earned = earned.checked_add(wanted).unwrap_or(Msat::MAX);
                break;
            };
            let amount = left.min(wanted);
            moves.push((Account::Channel(channel), Account::Channel(to), amount));
            wanted = wanted.saturating_sub(amount);
            from = Some((channel, left.saturating_sub(amount))).filter(|(_, left)| *left > Msat::ZERO);
            from = from.or_else(|| out.next());
        }
    }
    for (channel, left) in from.into_iter().chain(out) {
        moves.push((Account::Channel(channel), Account::FeesEarned, left));
    }
    (moves, earned)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use proptest::prelude::*;

    fn forward(incoming: &[(u8, u64)], outgoing: &[(u8, u64)]) -> Forward {
        let sides = |side: &[(u8, u64)]| side.iter().map(|(id, n)| (channel(*id), msat(*n))).collect();
        Forward { key: "chan/7".into(), incoming: sides(incoming), outgoing: sides(outgoing) }
    }

    #[test]
    fn one_in_one_out() {
        let mut books = Books::default();
        let forward = forward(&[(1, 1_010)], &[(2, 1_000)]);
        let step = written(|step| books.handle_forward(step, &forward, &[]));
        assert_eq!(posted(&step, Account::Channel(channel(1))), 1_010);
        assert_eq!(posted(&step, Account::Channel(channel(2))), -1_000);
        assert_eq!(posted(&step, Account::FeesEarned), -10);
        assert_eq!(step.changes.events[0].amount, Some(msat(10)));
        let again = written(|step| books.handle_forward(step, &forward, &step_rows(&step_of(&forward))));
        assert!(again.changes.is_empty());
        assert_eq!(books.balance_msat(channel(1)), 1_010);
    }

    fn step_of(forward: &Forward) -> Step {
        written(|step| Books::default().handle_forward(step, forward, &[]))
    }

    fn step_rows(step: &Step) -> Vec<TransferRow> {
        step.changes.transfers.clone()
    }

    #[test]
    fn no_key_hides_behind_another() {
        let named = |key: &str| prefix(&Forward { key: key.into(), ..forward(&[], &[]) });
        assert!(!named("a/b").starts_with(&named("a")));
        assert_ne!(named("a/b"), named("a%2Fb"));
    }

    proptest! {
        /// Channels that take part on one side only gain and lose exactly their amounts.
        #[test]
        fn channels_move_by_their_amounts(
            incoming in proptest::collection::vec((0u8..3, 0u64..1_000), 0..4),
            outgoing in proptest::collection::vec((3u8..6, 0u64..1_000), 0..4),
        ) {
            let step = step_of(&forward(&incoming, &outgoing));
            let sum = |side: &[(u8, u64)], id| -> u64 {
                side.iter().filter(|(channel, _)| *channel == id).map(|(_, msat)| msat).sum()
            };
            for id in 0..6 {
                let expected = sum(&incoming, id).cast_signed() - sum(&outgoing, id).cast_signed();
                prop_assert_eq!(posted(&step, Account::Channel(channel(id))), expected);
            }
            prop_assert_eq!(posted(&step, Account::World), 0);
        }
    }
}
