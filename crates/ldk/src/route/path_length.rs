//! How many hops a route may have, so that its onion has room for all payloads.

use lightning::routing::router::MAX_PATH_LENGTH_ESTIMATE;
use sponte_proto::onion::{PAYMENT_PAYLOADS, hop_size};

/// What LDK reckons for each hop before the last: `length(1) ‖ amount(2 + 7) ‖ expiry(2 + 2) ‖ short
/// channel id(2 + 8) ‖ hmac(32)`. Expiries have three bytes, and amounts up to 2,800 BTC six.
const FORWARD: usize = 56;

/// The most hops that leave room for a last payload of so many bytes, without its length; `None` if
/// no onion has room for it. LDK looks for no more than 19.
pub(super) fn max_path_length(payload_bytes: usize) -> Option<u8> {
    let left = PAYMENT_PAYLOADS.checked_sub(hop_size(payload_bytes)?)?;
    let most = u8::try_from(1 + left / FORWARD).unwrap_or(u8::MAX);
    Some(most.min(MAX_PATH_LENGTH_ESTIMATE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onion_fields::written;
    use sponte_engine::backend::Payload;
    use sponte_proto::payload::FinalPayload;
    use sponte_proto::{CltvExpiry, Msat, Records};

    /// A keysend with so many bytes in a record, and how long it is.
    fn payload(amount: Msat, bytes: usize) -> (Payload, usize) {
        let records = Records::from_received([(65_537, vec![1; bytes])]);
        let mut whole = FinalPayload::new(amount, CltvExpiry::new(800_000));
        whole.custom_records = records.clone();
        (Payload { records, ..Payload::default() }, whole.encode().len())
    }

    #[test]
    fn as_many_hops_as_fit_and_not_one_more() {
        // Six bytes, as every amount up to 2,800 BTC may have.
        let amount = Msat::new(1 << 41).expect("in supply");
        for bytes in 180..1300 {
            let (payload, length) = payload(amount, bytes);
            let most = max_path_length(length);
            match most {
                Some(hops) => assert!(written(&payload, amount, hops).is_some(), "{hops} with {bytes}"),
                None => assert!(written(&payload, amount, 1).is_none(), "none with {bytes}"),
            }
            if let Some(hops) = most.filter(|hops| *hops < MAX_PATH_LENGTH_ESTIMATE) {
                assert!(written(&payload, amount, hops + 1).is_none(), "{hops} + 1 with {bytes}");
            }
        }
    }

    #[test]
    fn no_more_than_ldk_looks_for() {
        assert_eq!(max_path_length(2), Some(MAX_PATH_LENGTH_ESTIMATE));
        assert_eq!(max_path_length(1265), Some(1));
        assert_eq!(max_path_length(1266), None);
        assert_eq!(max_path_length(usize::MAX), None);
    }
}
