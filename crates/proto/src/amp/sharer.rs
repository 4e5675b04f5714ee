//! The payer's tree of shares: what is still to be handed out.

use super::{Child, Root, Share};

/// The part of a root that is not in flight.
///
/// It starts as all of it. Splitting gives a part away, the last shard takes what is left, and a
/// failed shard brings its share back. The XOR of all shares in flight and of what is left is
/// always the root (lnd at 90ea05d5a, `amp/sharer.go`).
///
/// ```
/// use sponte_proto::amp::{Root, Sharer, SplitError};
///
/// let sharer = Sharer::new(Root::from_bytes([1; 32]));
/// let (left, right) = sharer.split([2; 32])?;
/// let (first, last) = (left.child(0), right.child(1));
///
/// // All is in flight. Then the first shard fails, and its share leaves in two others.
/// let rest = right.zero().merge(&first);
/// let (left, right) = rest.split([3; 32])?;
/// let retries = [left.child(2), right.child(3)];
/// assert_ne!(retries[0].payment_hash(), first.payment_hash());
/// # assert!(right.zero().split([4; 32]).is_err());
/// # Ok::<(), SplitError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharer {
    root: Root,
    current: Share,
}

/// Why a share cannot be split. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// All shares are handed out.
    #[error("nothing is left to split")]
    NothingLeft,
    /// One half would be zero and the other give everything away: the bytes are not random.
    #[error("the random bytes would leave one half with everything")]
    NotRandom,
}

impl Sharer {
    /// Nothing is handed out yet.
    pub fn new(root: Root) -> Sharer {
        let current = Share::from_bytes(*root.as_bytes());
        Sharer { root, current }
    }

    /// Two parts whose XOR is what is left: the `random` bytes, and the rest.
    ///
    /// # Errors
    /// Nothing is left, or the bytes split nothing.
    pub fn split(&self, random: [u8; 32]) -> Result<(Sharer, Sharer), SplitError> {
        if self.current.is_zero() {
            return Err(SplitError::NothingLeft);
        }
        let left = Share::from_bytes(random);
        let mut right = self.current.clone();
        right ^= &left;
        if left.is_zero() || right.is_zero() {
            return Err(SplitError::NotRandom);
        }
        Ok((self.with(left), self.with(right)))
    }

    /// A shard that takes all that is left. The index must be another one whenever the same share
    /// is sent again, or the hash repeats.
    pub fn child(&self, child_index: u32) -> Child {
        Child::derive(&self.root, self.current.clone(), child_index)
    }

    /// The share of a shard that failed comes back.
    pub fn merge(&self, failed: &Child) -> Sharer {
        let mut current = self.current.clone();
        current ^= failed.share();
        self.with(current)
    }

    /// Everything is handed out.
    pub fn zero(&self) -> Sharer {
        self.with(Share::ZERO)
    }

    /// Whether everything is handed out.
    pub fn is_zero(&self) -> bool {
        self.current.is_zero()
    }

    /// What is left.
    pub const fn current(&self) -> &Share {
        &self.current
    }

    fn with(&self, current: Share) -> Sharer {
        Sharer { root: self.root.clone(), current }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_split() {
        let sharer = Sharer::new(Root::from_bytes([1; 32]));
        assert_eq!(sharer.split([0; 32]), Err(SplitError::NotRandom));
        assert_eq!(sharer.split([1; 32]), Err(SplitError::NotRandom));
        assert_eq!(sharer.zero().split([2; 32]), Err(SplitError::NothingLeft));
        assert_eq!(Sharer::new(Root::from_bytes([0; 32])).split([2; 32]), Err(SplitError::NothingLeft));
    }

    #[test]
    fn what_comes_back_is_left_again() {
        let sharer = Sharer::new(Root::from_bytes([1; 32]));
        let (left, right) = sharer.split([2; 32]).expect("random enough");
        assert_eq!(right.merge(&left.child(0)), sharer);
        assert_eq!(sharer.zero().merge(&left.child(0)), left);
        assert!(sharer.zero().is_zero() && !sharer.is_zero());
    }
}
