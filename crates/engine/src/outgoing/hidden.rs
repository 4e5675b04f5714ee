//! Blinded paths of an invoice, and which of them failed.
//!
//! Whatever goes wrong behind the node at which one begins, that node says `invalid_onion_blinding`, also
//! if the destination itself refuses (BOLT 4, "Returning Errors"). So another of them is tried; once all
//! have failed the destination is taken to refuse.

use crate::backend::Tail;
use sponte_proto::PaymentId;
use std::collections::BTreeMap;

/// What is known of the blinded paths of a payment, since the start.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// By [`Tail::number`]: those that failed.
    pub(super) failed: Vec<u32>,
    /// Which one a part on its way takes, and how many there are.
    taken: BTreeMap<PaymentId, (u32, u32)>,
}

/// What the failure of a part behind its node teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taught {
    /// Nothing: it is not known which path that was.
    Nothing,
    /// Another one may pass.
    Another,
    /// All have failed.
    All,
}

impl Hidden {
    pub(super) fn note(&mut self, part: PaymentId, tail: Option<&Tail>) {
        self.taken.extend(tail.map(|tail| (part, (tail.number, tail.of))));
    }

    /// A part is not on its way any more.
    pub(super) fn forget(&mut self, part: PaymentId) -> Option<(u32, u32)> {
        self.taken.remove(&part)
    }

    /// A part failed behind its node.
    pub(super) fn fail(&mut self, path: Option<(u32, u32)>) -> Taught {
        let Some((number, of)) = path else { return Taught::Nothing };
        if !self.failed.contains(&number) {
            self.failed.push(number);
        }
        if self.failed.len() < of as usize { Taught::Another } else { Taught::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_proto::Msat;

    #[test]
    fn all_have_failed_once_each_has() {
        let part = |byte| PaymentId::from_bytes([byte; 32]);
        let mut hidden = Hidden::default();
        for (byte, number) in [(1, 0), (2, 0), (3, 1)] {
            let tail = Tail { number, of: 2, amount: Msat::ZERO, path: vec![] };
            hidden.note(part(byte), Some(&tail));
        }
        hidden.note(part(4), None);
        let mut fail = |byte| {
            let path = hidden.forget(part(byte));
            hidden.fail(path)
        };
        assert_eq!(fail(1), Taught::Another);
        assert_eq!(fail(2), Taught::Another, "the same once more");
        assert_eq!(fail(4), Taught::Nothing);
        assert_eq!(fail(3), Taught::All);
        assert_eq!(hidden.failed, [0, 1]);
    }
}
