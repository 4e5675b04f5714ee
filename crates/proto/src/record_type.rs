//! What a record's type means, by its number (BOLT 4, `payload`; bLIP-2).

use core::fmt;

/// The type of a record in a hop's payload. Below 65,536 the BOLTs assign them; from there on
/// applications do (bLIP-2). A reader that does not know an even one refuses the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(u64);

impl RecordType {
    /// `amt_to_forward`, tu64 msat: required, except in blinded forwards.
    pub const AMT_TO_FORWARD: RecordType = RecordType(2);
    /// `outgoing_cltv_value`, tu32 height: required, except in blinded forwards.
    pub const OUTGOING_CLTV_VALUE: RecordType = RecordType(4);
    /// `short_channel_id`, 8 bytes: forwards only.
    pub const SHORT_CHANNEL_ID: RecordType = RecordType(6);
    /// `payment_data`, payment secret of 32 bytes ‖ tu64 total msat: final hop only.
    pub const PAYMENT_DATA: RecordType = RecordType(8);
    /// `encrypted_recipient_data`: blinded hops only.
    pub const ENCRYPTED_RECIPIENT_DATA: RecordType = RecordType(10);
    /// `current_path_key`, a point of 33 bytes: the first blinded hop only.
    pub const CURRENT_PATH_KEY: RecordType = RecordType(12);
    /// AMP as LND has it, root share of 32 bytes ‖ set id of 32 ‖ tu32 child index: final hop only.
    pub const AMP: RecordType = RecordType(14);
    /// `payment_metadata`, any bytes: final hop only.
    pub const PAYMENT_METADATA: RecordType = RecordType(16);
    /// `total_amount_msat`, tu64: blinded final hop only.
    pub const TOTAL_AMOUNT_MSAT: RecordType = RecordType(18);
    /// The first type that is left to applications (bLIP-2).
    pub const CUSTOM_MIN: RecordType = RecordType(65_536);
    /// LDK's invoice request of async payments.
    pub const INVOICE_REQUEST: RecordType = RecordType(77_777);
    /// The keysend preimage, 32 bytes (bLIP-3): final hop only.
    pub const KEYSEND: RecordType = RecordType(5_482_373_484);

    /// Any number is a type.
    pub const fn new(kind: u64) -> RecordType {
        RecordType(kind)
    }

    /// The bare number, for a border.
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Whether a reader must know the type (BOLT 1, "it's ok to be odd").
    pub const fn is_even(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// Whether the type is left to applications: 65,536 and above.
    pub const fn is_custom(self) -> bool {
        self.0 >= Self::CUSTOM_MIN.0
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert!(!RecordType::new(65_535).is_custom());
        assert!(RecordType::new(65_536).is_custom());
        assert!(RecordType::KEYSEND.is_even());
        assert!(!RecordType::INVOICE_REQUEST.is_even());
    }
}
