//! How much text still fits into an onion.

use crate::onion::{PAYMENT_PAYLOADS, hop_size};
use crate::payload::{FinalPayload, ForwardPayload};
use crate::{TEXT_RECORD, bigsize_len};

/// How many bytes of text fit into the onion of a route, or `None` if not even an empty text does.
///
/// `size` is that of the onion's hop payloads, 1,300 for a payment. `forwards` are the lengths of the
/// payloads of all hops but the last, and `last` that of the last one's without its text record: its
/// amount and expiry, the preimage, other records, and for a signed message
/// [`SIGNED_OVERHEAD`](super::whatsat::SIGNED_OVERHEAD). All lengths are of payloads alone, without
/// their own length in front and HMAC behind.
///
/// ```
/// use sponte_proto::message::{text_room, whatsat};
/// use sponte_proto::onion::PAYMENT_PAYLOADS;
///
/// // Two forwards of 20 bytes each, then a keysend of 51 bytes.
/// assert_eq!(text_room(PAYMENT_PAYLOADS, [20, 20], 51), Some(1_100));
/// assert_eq!(text_room(PAYMENT_PAYLOADS, [20, 20], 51 + whatsat::SIGNED_OVERHEAD), Some(970));
/// ```
pub fn text_room(size: usize, forwards: impl IntoIterator<Item = usize>, last: usize) -> Option<usize> {
    let mut left = size;
    for length in forwards {
        left = left.checked_sub(hop_size(length)?)?;
    }
    let fits = |text: usize| {
        let record = (bigsize_len(TEXT_RECORD) + bigsize_len(text as u64)).checked_add(text);
        let payload = record.and_then(|record| last.checked_add(record));
        payload.and_then(hop_size).is_some_and(|taken| taken <= left)
    };
    // The frame takes a few bytes more or less by the lengths themselves: begin above, go down.
    let least_frame = hop_size(last)?.checked_add(bigsize_len(TEXT_RECORD) + 1)?;
    let most = left.checked_sub(least_frame)?;
    (most.saturating_sub(24)..=most).rev().find(|text| fits(*text))
}

/// How many bytes of text fit into the onion of a payment with these payloads: those of all hops but
/// the last, and the last one's, with all that it is to carry but the text. A text that it has already
/// doesn't count.
///
/// ```
/// use sponte_proto::message::route_text_room;
/// use sponte_proto::payload::{FinalPayload, ForwardPayload};
/// use sponte_proto::{CltvExpiry, Preimage, ShortChannelId};
///
/// let mut last = FinalPayload::new("50sat".parse()?, CltvExpiry::new(800_144));
/// last.keysend = Some(Preimage::from_bytes([7; 32]));
/// let forward = ForwardPayload {
///     amt_to_forward: "51sat".parse()?,
///     outgoing_cltv_value: CltvExpiry::new(800_144),
///     short_channel_id: ShortChannelId::new(1 << 40),
/// };
/// assert_eq!(route_text_room(&[], &last), Some(1_206));
/// assert_eq!(route_text_room(&[forward.clone(), forward], &last), Some(1_102));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn route_text_room(forwards: &[ForwardPayload], last: &FinalPayload) -> Option<usize> {
    let own = last
        .custom_records
        .value(TEXT_RECORD)
        .map_or(0, |value| bigsize_len(TEXT_RECORD) + bigsize_len(value.len() as u64) + value.len());
    let last = last.encode().len().checked_sub(own)?;
    text_room(PAYMENT_PAYLOADS, forwards.iter().map(|payload| payload.encode().len()), last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_route_that_is_full() {
        // 32 and 1 of its own, 6 of an empty text record, 1 of the length of 7 + 6 bytes.
        assert_eq!(text_room(45, [], 7), None);
        assert_eq!(text_room(46, [], 7), Some(0));
        assert_eq!(text_room(PAYMENT_PAYLOADS, [usize::MAX], 7), None);
        assert_eq!(text_room(PAYMENT_PAYLOADS, [], usize::MAX), None);
        assert_eq!(text_room(PAYMENT_PAYLOADS, [20; 25], 7), None);
    }

    /// The size of a hop with such a text.
    fn taken(last: usize, text: usize) -> usize {
        let payload = last + 5 + bigsize_len(text as u64) + text;
        bigsize_len(payload as u64) + payload + 32
    }

    proptest! {
        #[test]
        fn one_byte_more_does_not_fit(
            size in 0usize..70_000, forwards in prop::collection::vec(0usize..400, 0..5), last in 0usize..600,
        ) {
            let before: usize = forwards.iter().map(|length| bigsize_len(*length as u64) + length + 32).sum();
            match text_room(size, forwards, last) {
                Some(text) => {
                    prop_assert!(before + taken(last, text) <= size);
                    prop_assert!(before + taken(last, text + 1) > size);
                }
                None => prop_assert!(before + taken(last, 0) > size),
            }
        }
    }
}
