//! What is to happen when: at a time, or at a height.

use std::collections::{BTreeMap, BTreeSet};

/// At most one moment for each of some owners.
#[derive(Debug)]
pub(super) struct Alarms<At, Owner> {
    by_moment: BTreeSet<(At, Owner)>,
    moments: BTreeMap<Owner, At>,
}

impl<At, Owner> Default for Alarms<At, Owner> {
    fn default() -> Alarms<At, Owner> {
        Alarms { by_moment: BTreeSet::new(), moments: BTreeMap::new() }
    }
}

impl<At: Copy + Ord, Owner: Copy + Ord> Alarms<At, Owner> {
    /// Sets the moment of an owner, whatever it was before.
    pub(super) fn set(&mut self, owner: Owner, at: Option<At>) {
        self.clear(owner);
        if let Some(at) = at {
            self.by_moment.insert((at, owner));
            self.moments.insert(owner, at);
        }
    }

    pub(super) fn clear(&mut self, owner: Owner) {
        if let Some(at) = self.moments.remove(&owner) {
            self.by_moment.remove(&(at, owner));
        }
    }

    /// The earliest moment.
    pub(super) fn next(&self) -> Option<At> {
        self.by_moment.first().map(|(at, _)| *at)
    }

    /// Takes the earliest owner whose moment has come.
    pub(super) fn take_due(&mut self, now: At) -> Option<Owner> {
        let (at, owner) = *self.by_moment.first()?;
        if at > now {
            return None;
        }
        self.clear(owner);
        Some(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_moment_and_the_earliest_comes_first() {
        let mut alarms = Alarms::default();
        alarms.set('a', Some(5));
        alarms.set('b', Some(3));
        alarms.set('a', Some(2));
        alarms.set('c', Some(1));
        alarms.set('c', None);
        assert_eq!(alarms.next(), Some(2));
        assert_eq!(alarms.take_due(1), None);
        assert_eq!(
            (alarms.take_due(3), alarms.take_due(3), alarms.take_due(9)),
            (Some('a'), Some('b'), None)
        );
        assert_eq!(alarms.next(), None);
    }
}
