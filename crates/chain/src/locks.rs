//! Absolute and relative locktimes: the field of a transaction, BIP 68, BIP 113.

use bitcoin::Transaction;
use bitcoin::absolute::LockTime;

/// The bits of a sequence number (BIP 68).
const DISABLE_FLAG: u32 = 1 << 31;
const TIME_FLAG: u32 = 1 << 22;
const MASK: u32 = 0xffff;
const TIME_GRANULARITY_BITS: u32 = 9;

/// The block a transaction would be in: its height, and the median time past of its parent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) height: u32,
    pub(crate) parent_median_secs: u32,
}

/// Whether the absolute locktime lets `tx` into a block at `moment` (BIP 113: against the
/// median time past, not the block's own time).
pub(crate) fn is_final(tx: &Transaction, moment: Moment) -> bool {
    let passed = match tx.lock_time {
        LockTime::Blocks(height) => height.to_consensus_u32() < moment.height,
        LockTime::Seconds(time) => time.to_consensus_u32() < moment.parent_median_secs,
    };
    passed || tx.input.iter().all(|input| input.sequence.is_final())
}

/// Whether all relative locks (BIP 68) let `tx` into a block at `moment`.
///
/// `spent_heights` holds the height of each spent coin, in the order of the inputs; a coin of
/// the mempool counts as one of the block at `moment`. `median_before(h)` is the median time
/// past of the block *before* height `h`, from which a time lock counts.
pub(crate) fn are_relative_locks_over(
    tx: &Transaction,
    spent_heights: &[u32],
    moment: Moment,
    median_before: impl Fn(u32) -> u32,
) -> bool {
    // bitcoind reads the number without a sign.
    if tx.version.0.cast_unsigned() < 2 {
        return true;
    }
    tx.input.iter().zip(spent_heights).all(|(input, &height)| {
        let sequence = input.sequence.to_consensus_u32();
        if sequence & DISABLE_FLAG != 0 {
            return true;
        }
        let value = sequence & MASK;
        if sequence & TIME_FLAG != 0 {
            let until = u64::from(median_before(height)) + u64::from(value << TIME_GRANULARITY_BITS);
            until <= u64::from(moment.parent_median_secs)
        } else {
            height + value <= moment.height
        }
    })
}

#[cfg(test)]
mod tests {
    use bitcoin::transaction::Version;
    use bitcoin::{Sequence, TxIn};

    use super::*;

    const MOMENT: Moment = Moment { height: 200, parent_median_secs: 1_700_000_000 };

    fn tx(lock_time: u32, sequence: u32) -> Transaction {
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::from_consensus(lock_time),
            input: vec![TxIn { sequence: Sequence(sequence), ..TxIn::default() }],
            output: vec![],
        }
    }

    #[test]
    fn absolute_locks_open_one_after_their_number() {
        assert!(is_final(&tx(199, 0), MOMENT));
        assert!(!is_final(&tx(200, 0), MOMENT));
        assert!(is_final(&tx(200, u32::MAX), MOMENT), "final sequences switch the lock off");
        assert!(is_final(&tx(1_699_999_999, 0), MOMENT));
        assert!(!is_final(&tx(1_700_000_000, 0), MOMENT));
    }

    #[test]
    fn relative_height_locks_count_from_the_coin() {
        let over = |sequence, height| are_relative_locks_over(&tx(0, sequence), &[height], MOMENT, |_| 0);
        assert!(over(10, 190));
        assert!(!over(11, 190));
        assert!(over(DISABLE_FLAG | 11, 190));
        let mut old = tx(0, 11);
        old.version = Version::ONE;
        assert!(are_relative_locks_over(&old, &[190], MOMENT, |_| 0), "version 1 has none");
        old.version = Version(-1);
        assert!(!are_relative_locks_over(&old, &[190], MOMENT, |_| 0), "the highest version has");
    }

    #[test]
    fn relative_time_locks_count_in_512_seconds() {
        let over =
            |units, median| are_relative_locks_over(&tx(0, TIME_FLAG | units), &[190], MOMENT, |_| median);
        assert!(over(2, MOMENT.parent_median_secs - 1024));
        assert!(!over(2, MOMENT.parent_median_secs - 1023));
    }
}
