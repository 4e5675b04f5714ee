//! What a shard's payload says, in the bytes that LDK keeps and gives back.

use sponte_engine::backend::AmpShard;
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::mpp::PaymentData;
use sponte_proto::{Msat, PaymentSecret};

/// The only version there is.
const VERSION: u8 = 1;
/// `version(1) = 1 ‖ payment_addr(32) ‖ set_id(32) ‖ root_share(32) ‖ child_index(u32) ‖ total_msat(u64)`.
const LENGTH: usize = 1 + 3 * 32 + 4 + 8;

/// The bytes. LDK stores them with the HTLC, so they are read by later versions, too.
pub(super) fn encode(shard: &AmpShard) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    bytes.extend(shard.payment_data.payment_secret().as_bytes());
    bytes.extend(shard.record.set_id.to_bytes());
    bytes.extend(shard.record.root_share.as_bytes());
    bytes.extend(shard.record.child_index.to_be_bytes());
    bytes.extend(shard.payment_data.total().to_msat().to_be_bytes());
    bytes
}

/// Reads them back; `None` for any that this version did not write.
pub fn decode(bytes: &[u8]) -> Option<AmpShard> {
    let rest = bytes.strip_prefix(&[VERSION])?;
    let (payment_addr, rest) = rest.split_first_chunk::<32>()?;
    let (set_id, rest) = rest.split_first_chunk::<32>()?;
    let (share, rest) = rest.split_first_chunk::<32>()?;
    let (child_index, rest) = rest.split_first_chunk::<4>()?;
    let total = Msat::new(u64::from_be_bytes(rest.try_into().ok()?))?;
    Some(AmpShard {
        payment_data: PaymentData::new(PaymentSecret::from_bytes(*payment_addr), total),
        record: AmpRecord {
            root_share: Share::from_bytes(*share),
            set_id: SetId::from_bytes(*set_id),
            child_index: u32::from_be_bytes(*child_index),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shard(payment_addr: [u8; 32], set_id: [u8; 32], share: [u8; 32], index: u32, total: u64) -> AmpShard {
        let total = Msat::new(total).expect("in supply");
        AmpShard {
            payment_data: PaymentData::new(PaymentSecret::from_bytes(payment_addr), total),
            record: AmpRecord {
                root_share: Share::from_bytes(share),
                set_id: SetId::from_bytes(set_id),
                child_index: index,
            },
        }
    }

    /// These bytes lie in the databases of running nodes.
    #[test]
    fn the_format_never_changes() {
        let bytes = encode(&shard([1; 32], [2; 32], [3; 32], 0x0405_0607, 0x0809_0a0b_0c0d));
        let expected =
            [&[1][..], &[1; 32], &[2; 32], &[3; 32], &[4, 5, 6, 7], &[0, 0, 8, 9, 10, 11, 12, 13]].concat();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_not_read() {
        let bytes = encode(&shard([1; 32], [2; 32], [3; 32], 4, 5));
        assert!(decode(&bytes).is_some());
        assert!(decode(&bytes[..LENGTH - 1]).is_none() && decode(&[]).is_none());
        assert!(decode(&[&bytes[..], &[0]].concat()).is_none());
        let mut newer = bytes.clone();
        newer[0] = 2;
        assert!(decode(&newer).is_none());
        let mut too_much = bytes;
        too_much[LENGTH - 8] = 0xff;
        assert!(decode(&too_much).is_none());
    }

    proptest! {
        #[test]
        fn round_trip(
            payment_addr: [u8; 32],
            set_id: [u8; 32],
            share: [u8; 32],
            index: u32,
            total in 0..=Msat::MAX.to_msat(),
        ) {
            let shard = shard(payment_addr, set_id, share, index, total);
            prop_assert_eq!(decode(&encode(&shard)), Some(shard));
        }

        #[test]
        fn bytes_that_are_read_are_written_the_same(mut bytes in prop::collection::vec(any::<u8>(), LENGTH - 1..LENGTH + 2), high in 0u8..2) {
            bytes[0] = high;
            if let Some(shard) = decode(&bytes) {
                prop_assert_eq!(encode(&shard), bytes);
            }
        }
    }
}
