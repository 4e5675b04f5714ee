//! Basic multi-part payments: the record that ties the parts together (BOLT 4, "Basic Multi-Part
//! Payments").
//!
//! Every part carries the same record, whatever its own amount. A receiver holds the parts until
//! they sum up to the total.

use crate::{Msat, PaymentSecret, TlvError, read_tu64, truncated_len, write_truncated};
use alloc::vec::Vec;

/// Feature bit `payment_secret`, required (BOLT 9); 15 is optional.
pub const PAYMENT_SECRET_REQUIRED: u16 = 14;
/// Feature bit `basic_mpp`, required (BOLT 9); 17 is optional.
pub const BASIC_MPP_REQUIRED: u16 = 16;

/// Record type 8, `payment_data`: who pays, and how much the set is to be worth.
///
/// Wire: `payment_secret (32 bytes) ‖ total_msat (tu64)`, 32 to 40 bytes. For the final hop only.
/// Sent by every payer of an invoice and of AMP, and by LDK's and Eclair's multi-part keysend.
///
/// ```
/// use sponte_proto::mpp::PaymentData;
/// use sponte_proto::{Msat, PaymentSecret};
///
/// let data = PaymentData::new(PaymentSecret::from_bytes([7; 32]), Msat::from_sat(150).expect("small"));
/// assert_eq!(data.encode().len(), 35);
/// assert_eq!(PaymentData::decode(&data.encode())?, data);
/// # Ok::<(), sponte_proto::mpp::PaymentDataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentData {
    payment_secret: PaymentSecret,
    total: Msat,
}

/// Why bytes are no `payment_data`. The sender's fault: `invalid_onion_payload` for type 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PaymentDataError {
    /// Too short, too long, or a total with leading zeros.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// A total that no payment can reach.
    #[error("the total exceeds all bitcoin there will ever be")]
    TooMuch,
}

impl PaymentData {
    /// A set of parts that are worth `total` together.
    pub const fn new(payment_secret: PaymentSecret, total: Msat) -> PaymentData {
        PaymentData { payment_secret, total }
    }

    /// What the parts of one set have in common.
    pub const fn payment_secret(&self) -> &PaymentSecret {
        &self.payment_secret
    }

    /// What the parts are worth together. Zero is on the wire, too: Eclair reads it as the amount
    /// of the part.
    pub const fn total(&self) -> Msat {
        self.total
    }

    /// The record's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.encoded_len());
        value.extend(self.payment_secret.as_bytes());
        write_truncated(&mut value, self.total.to_msat());
        value
    }

    /// How long the record's value is: 32 to 40 bytes.
    pub const fn encoded_len(&self) -> usize {
        32 + truncated_len(self.total.to_msat())
    }

    /// Reads the record's value.
    ///
    /// # Errors
    /// Not 32 to 40 bytes, a total with leading zeros, or one above the money supply.
    pub fn decode(value: &[u8]) -> Result<PaymentData, PaymentDataError> {
        let (secret, total) = value.split_first_chunk::<32>().ok_or(TlvError::WrongLength)?;
        let total = Msat::new(read_tu64(total)?).ok_or(PaymentDataError::TooMuch)?;
        Ok(PaymentData { payment_secret: PaymentSecret::from_bytes(*secret), total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};
    use proptest::prelude::*;

    #[test]
    fn what_is_refused() {
        assert_eq!(PaymentData::decode(&[1; 31]), Err(TlvError::WrongLength.into()));
        assert_eq!(PaymentData::decode(&[1; 41]), Err(TlvError::WrongLength.into()));
        let mut zero_led = vec![1; 32];
        zero_led.extend([0, 1]);
        assert_eq!(PaymentData::decode(&zero_led), Err(TlvError::NotMinimal.into()));
        assert_eq!(PaymentData::decode(&[0xff; 40]), Err(PaymentDataError::TooMuch));
    }

    #[test]
    fn secrets_are_not_shown() {
        let data = PaymentData::new(PaymentSecret::from_bytes([0xab; 32]), Msat::ZERO);
        let shown = format!("{data:?}");
        assert!(shown.contains("PaymentSecret(..)") && !shown.contains("171") && !shown.contains("ab"));
    }

    proptest! {
        #[test]
        fn round_trip(secret: [u8; 32], msat in 0..=Msat::MAX.to_msat(), shift in 0u32..64) {
            let total = Msat::new(msat >> shift).expect("not above the supply");
            let data = PaymentData::new(PaymentSecret::from_bytes(secret), total);
            let value = data.encode();
            prop_assert_eq!(value.len(), data.encoded_len());
            prop_assert_eq!(PaymentData::decode(&value), Ok(data));
        }

        #[test]
        fn any_bytes_that_are_read_are_written_the_same(value in prop::collection::vec(any::<u8>(), 0..48)) {
            if let Ok(data) = PaymentData::decode(&value) {
                prop_assert_eq!(data.encode(), value);
            }
        }
    }
}
