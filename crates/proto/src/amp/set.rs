//! The receiver's end: from all shards of a set to their preimages.

use super::child::derive_preimage;
use super::{Root, Share};
use crate::{Msat, PaymentHash, Preimage};
use alloc::vec::Vec;

/// So many HTLCs at most make a set; LND's payers split into at most as many.
pub const MAX_SHARDS: usize = 1_000;

/// A shard as its receiver knows it: what [`AmpRecord`](super::AmpRecord) and HTLC say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its share of the root.
    pub share: Share,
    /// Tells shards of one share apart.
    pub child_index: u32,
    /// What its HTLC is locked to.
    pub payment_hash: PaymentHash,
    /// What its HTLC pays.
    pub amount: Msat,
}

/// Why a set has no preimages: shards that are still missing, or a wrong one. Shards are given by
/// their position among those that were handed in.
///
/// [`Missing`](Self::Missing) is to be waited for. All others never heal, and the whole set is
/// failed with `incorrect_or_unknown_payment_details`; only the set, whereas LND cancels its
/// invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconstructError {
    /// The shards are not worth the total yet.
    #[error("shards worth {received} of {total} are here")]
    Missing {
        /// What the shards pay.
        received: Msat,
        /// What the set is to be worth.
        total: Msat,
    },
    /// Two shards have the same share and index: their shares cancel out.
    #[error("shards {0} and {1} are the same")]
    Duplicate(usize, usize),
    /// The total is here and no hash is met: some share is wrong, foreign, or was never sent.
    #[error("the shares of the set don't fit together")]
    WrongShare,
    /// The root is right, as other hashes are met; this shard's hash or index is wrong.
    #[error("the hash of shard {0} doesn't follow from its share")]
    WrongHash(usize),
    /// More than [`MAX_SHARDS`].
    #[error("{0} shards are too many for one set")]
    TooMany(usize),
}

/// The preimages of all shards, in their order, which may be any.
///
/// The set is complete when its HTLCs sum up to `total`, that of `payment_data`; more is accepted,
/// as LND does. Hashes are compared in constant time.
///
/// # Errors
/// See [`ReconstructError`].
pub fn reconstruct(shards: &[Shard], total: Msat) -> Result<Vec<Preimage>, ReconstructError> {
    if shards.len() > MAX_SHARDS {
        return Err(ReconstructError::TooMany(shards.len()));
    }
    if let Some((first, second)) = duplicate(shards) {
        return Err(ReconstructError::Duplicate(first, second));
    }
    let received = sum(shards);
    if received < total || shards.is_empty() {
        return Err(ReconstructError::Missing { received, total });
    }
    let root = root_of(shards);
    let mut preimages = Vec::with_capacity(shards.len());
    let mut wrong = None;
    let mut met = 0;
    for (position, shard) in shards.iter().enumerate() {
        let preimage = derive_preimage(&root, &shard.share, shard.child_index);
        if preimage.opens(&shard.payment_hash) {
            met += 1;
        } else {
            wrong = wrong.or(Some(position));
        }
        preimages.push(preimage);
    }
    match wrong {
        None => Ok(preimages),
        Some(_) if met == 0 => Err(ReconstructError::WrongShare),
        Some(position) => Err(ReconstructError::WrongHash(position)),
    }
}

fn root_of(shards: &[Shard]) -> Root {
    let mut root = Root::from_bytes([0; 32]);
    for shard in shards {
        root ^= &shard.share;
    }
    root
}

/// At most the money supply, which no total exceeds.
fn sum(shards: &[Shard]) -> Msat {
    shards.iter().try_fold(Msat::ZERO, |sum, shard| sum.checked_add(shard.amount)).unwrap_or(Msat::MAX)
}

/// Sorts positions, not shares: no copy of a secret is made.
fn duplicate(shards: &[Shard]) -> Option<(usize, usize)> {
    let key = |position: usize| (shards[position].share.as_bytes(), shards[position].child_index);
    let mut order: Vec<usize> = (0..shards.len()).collect();
    order.sort_unstable_by_key(|position| (key(*position), *position));
    order.windows(2).find(|pair| key(pair[0]) == key(pair[1])).map(|pair| (pair[0], pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amp::{Child, Sharer};
    use alloc::vec;
    use proptest::prelude::*;

    const EACH: Msat = match Msat::new(1_000) {
        Some(amount) => amount,
        None => unreachable!(),
    };

    /// Splits left or right parts as `turns` say, so trees of any shape arise.
    fn children(root: [u8; 32], turns: &[(bool, [u8; 32])]) -> Vec<Child> {
        let mut open = vec![Sharer::new(Root::from_bytes(root))];
        for (first, random) in turns {
            let parent = if *first { open.remove(0) } else { open.pop().expect("never empty") };
            let (left, right) = parent.split(*random).expect("random");
            open.extend([left, right]);
        }
        open.iter().zip(0..).map(|(sharer, index)| sharer.child(index)).collect()
    }

    fn shards(children: &[Child]) -> Vec<Shard> {
        let shard = |child: &Child| Shard {
            share: child.share().clone(),
            child_index: child.child_index(),
            payment_hash: child.payment_hash(),
            amount: EACH,
        };
        children.iter().map(shard).collect()
    }

    fn total(shards: usize) -> Msat {
        Msat::new(1_000 * shards as u64).expect("small")
    }

    fn tree(most: usize) -> impl Strategy<Value = Vec<Child>> {
        let turns = prop::collection::vec((any::<bool>(), any::<[u8; 32]>()), 0..most);
        (any::<[u8; 32]>(), turns).prop_map(|(root, turns)| children(root, &turns))
    }

    #[test]
    fn an_empty_set_is_missing_all() {
        let missing = |total| ReconstructError::Missing { received: Msat::ZERO, total };
        assert_eq!(reconstruct(&[], EACH), Err(missing(EACH)));
        assert_eq!(reconstruct(&[], Msat::ZERO), Err(missing(Msat::ZERO)));
    }

    #[test]
    fn a_set_is_bounded() {
        let many = vec![shards(&children([1; 32], &[]))[0].clone(); MAX_SHARDS + 1];
        assert_eq!(reconstruct(&many, EACH), Err(ReconstructError::TooMany(MAX_SHARDS + 1)));
    }

    #[test]
    fn amounts_beyond_the_supply_don_t_wrap() {
        let mut all = shards(&children([1; 32], &[(true, [2; 32])]));
        all[0].amount = Msat::MAX;
        assert!(reconstruct(&all, Msat::MAX).is_ok());
    }

    proptest! {
        #[test]
        fn shards_in_any_order_and_any_split_reconstruct(
            (children, order) in tree(40).prop_flat_map(|tree| (Just(tree.clone()), Just(tree).prop_shuffle())),
        ) {
            prop_assert_eq!(children.len(), order.len());
            let preimages = reconstruct(&shards(&order), total(order.len())).expect("all are here");
            for (child, preimage) in order.iter().zip(preimages) {
                prop_assert_eq!(child.preimage(), &preimage);
                prop_assert_eq!(child.payment_hash(), preimage.payment_hash());
            }
        }

        #[test]
        fn one_less_is_missing(children in tree(20), without in any::<prop::sample::Index>()) {
            let mut some = shards(&children);
            some.remove(without.index(children.len()));
            let received = total(some.len());
            let all = total(children.len());
            prop_assert_eq!(reconstruct(&some, all), Err(ReconstructError::Missing { received, total: all }));
            // Nor do they give anything away to one who says that this is all.
            if !some.is_empty() {
                prop_assert_eq!(reconstruct(&some, received), Err(ReconstructError::WrongShare));
            }
        }

        #[test]
        fn one_flipped_bit_of_a_share(
            children in tree(20), at in any::<prop::sample::Index>(), bit in 0usize..256,
        ) {
            let mut all = shards(&children);
            let shard = &mut all[at.index(children.len())];
            let mut share = *shard.share.as_bytes();
            share[bit / 8] ^= 1 << (bit % 8);
            shard.share = Share::from_bytes(share);
            prop_assert_eq!(reconstruct(&all, total(all.len())), Err(ReconstructError::WrongShare));
        }

        #[test]
        fn a_wrong_index_or_hash_is_named(
            children in tree(20), at in any::<prop::sample::Index>(), hash: [u8; 32], of_index: bool,
        ) {
            prop_assume!(children.len() > 1);
            let mut all = shards(&children);
            let at = at.index(children.len());
            if of_index { all[at].child_index ^= 1 << 31 } else { all[at].payment_hash = PaymentHash::from_bytes(hash) }
            prop_assert_eq!(reconstruct(&all, total(all.len())), Err(ReconstructError::WrongHash(at)));
        }

        #[test]
        fn two_equal_shards(children in tree(20), at in any::<prop::sample::Index>()) {
            let mut all = shards(&children);
            let at = at.index(children.len());
            all.push(all[at].clone());
            let twice = ReconstructError::Duplicate(at, children.len());
            prop_assert_eq!(reconstruct(&all, total(children.len())), Err(twice));
        }

        #[test]
        fn any_shards_never_panic(
            any in prop::collection::vec((any::<[u8; 32]>(), any::<u32>(), any::<[u8; 32]>(), any::<u64>()), 0..20),
            total: u64,
        ) {
            let clamp = |msat| Msat::new(msat).unwrap_or(Msat::MAX);
            let shard = |(share, child_index, hash, msat)| Shard {
                share: Share::from_bytes(share),
                child_index,
                payment_hash: PaymentHash::from_bytes(hash),
                amount: clamp(msat),
            };
            let shards: Vec<Shard> = any.into_iter().map(shard).collect();
            prop_assert!(reconstruct(&shards, clamp(total)).is_err());
        }
    }
}
