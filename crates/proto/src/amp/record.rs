//! Record type 14 of a shard's final payload.

use super::{SetId, Share};
use crate::{TlvError, read_tu32, truncated_len, write_truncated};
use alloc::vec::Vec;

/// Record type 14 ([`RecordType::AMP`](crate::RecordType::AMP)): what makes an HTLC a shard.
///
/// Wire: `root_share (32 bytes) ‖ set_id (32 bytes) ‖ child_index (tu32)`, 64 to 68 bytes (lnd at
/// 90ea05d5a, `record/amp.go`). For the final hop only, and only beside `payment_data`, whose
/// secret and total all shards of a set repeat. Sent by LND.
///
/// The trampoline proposal has `outgoing_node_id` under the same type, 33 bytes in its inner onion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmpRecord {
    /// This shard's share of the root.
    pub root_share: Share,
    /// The set that the shard belongs to.
    pub set_id: SetId,
    /// Tells shards apart, and retries of one share; any number.
    pub child_index: u32,
}

impl AmpRecord {
    /// The record's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.encoded_len());
        value.extend(self.root_share.as_bytes());
        value.extend(self.set_id.to_bytes());
        write_truncated(&mut value, self.child_index.into());
        value
    }

    /// How long the record's value is: 64 to 68 bytes.
    pub const fn encoded_len(&self) -> usize {
        64 + truncated_len(self.child_index as u64)
    }

    /// Reads the record's value.
    ///
    /// # Errors
    /// Not 64 to 68 bytes, or a child index with leading zeros.
    pub fn decode(value: &[u8]) -> Result<AmpRecord, TlvError> {
        let (share, rest) = value.split_first_chunk::<32>().ok_or(TlvError::WrongLength)?;
        let (set_id, index) = rest.split_first_chunk::<32>().ok_or(TlvError::WrongLength)?;
        Ok(AmpRecord {
            root_share: Share::from_bytes(*share),
            set_id: SetId::from_bytes(*set_id),
            child_index: read_tu32(index)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    #[test]
    fn what_is_refused() {
        let with = |index: &[u8]| AmpRecord::decode(&[&[1; 64], index].concat());
        assert_eq!(AmpRecord::decode(&[1; 63]), Err(TlvError::WrongLength));
        assert_eq!(with(&[1; 5]), Err(TlvError::WrongLength));
        for zero_led in [&[0][..], &[0, 1], &[0, 0, 0, 0]] {
            assert_eq!(with(zero_led), Err(TlvError::NotMinimal));
        }
        assert_eq!(with(&[]).map(|record| record.child_index), Ok(0));
    }

    #[test]
    fn shares_are_not_shown() {
        let record = AmpRecord {
            root_share: Share::from_bytes([0xab; 32]),
            set_id: SetId::from_bytes([1; 32]),
            child_index: 0,
        };
        let shown = format!("{record:?}");
        assert!(shown.contains("Share(..)") && shown.contains("SetId(01") && !shown.contains("171"));
    }

    proptest! {
        #[test]
        fn round_trip(share: [u8; 32], set_id: [u8; 32], index: u32, shift in 0u32..32) {
            let record = AmpRecord {
                root_share: Share::from_bytes(share),
                set_id: SetId::from_bytes(set_id),
                child_index: index >> shift,
            };
            let value = record.encode();
            prop_assert_eq!(value.len(), record.encoded_len());
            prop_assert_eq!(AmpRecord::decode(&value), Ok(record));
        }

        #[test]
        fn any_bytes_that_are_read_are_written_the_same(value in prop::collection::vec(any::<u8>(), 0..80)) {
            match AmpRecord::decode(&value) {
                Ok(record) => prop_assert_eq!(record.encode(), value),
                Err(_) => prop_assert!(value.len() < 64 || value.len() > 68 || value[64] == 0),
            }
        }
    }

    #[test]
    fn the_longest_is_68_bytes() {
        assert!(AmpRecord::decode(&[0xff; 68]).is_ok());
        assert_eq!(AmpRecord::decode(&[0xff; 69]), Err(TlvError::WrongLength));
    }
}
