//! Failure codes (BOLT 4, "Failure Messages").

use core::fmt;

/// A code of two bytes, big-endian: flags above, a number below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureCode(u16);

impl FailureCode {
    /// The onion could not be read: sent as `update_fail_malformed_htlc`, in plain.
    pub const BADONION: u16 = 0x8000;
    /// Trying again is of no use.
    pub const PERM: u16 = 0x4000;
    /// The node fails, not a channel.
    pub const NODE: u16 = 0x2000;
    /// A channel_update may follow.
    pub const UPDATE: u16 = 0x1000;

    /// From its wire form; any number is a code.
    pub const fn new(code: u16) -> FailureCode {
        FailureCode(code)
    }

    /// Its wire form.
    pub const fn to_u16(self) -> u16 {
        self.0
    }

    /// Whether the onion could not be read.
    pub const fn is_bad_onion(self) -> bool {
        self.0 & Self::BADONION != 0
    }

    /// Whether trying again is of no use: from the final hop, the payment has failed; from
    /// another one, channel or node is to be avoided.
    pub const fn is_permanent(self) -> bool {
        self.0 & Self::PERM != 0
    }

    /// Whether all channels of the node are concerned.
    pub const fn is_node(self) -> bool {
        self.0 & Self::NODE != 0
    }

    /// Whether the data may hold a channel_update. It serves this payment's next attempt only.
    pub const fn is_update(self) -> bool {
        self.0 & Self::UPDATE != 0
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        impl FailureCode {
            $($(#[$doc])* pub const $name: FailureCode = FailureCode($code);)*

            /// The name that the BOLT gives the code.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)*
                    _ => None,
                }
            }
        }

        #[cfg(test)]
        pub(super) const ALL: &[FailureCode] = &[$(FailureCode::$name),*];
    };
}

codes! {
    /// `NODE|2`: no data.
    TEMPORARY_NODE_FAILURE = 0x2002, "temporary_node_failure";
    /// `PERM|NODE|2`: no data.
    PERMANENT_NODE_FAILURE = 0x6002, "permanent_node_failure";
    /// `PERM|NODE|3`: no data.
    REQUIRED_NODE_FEATURE_MISSING = 0x6003, "required_node_feature_missing";
    /// `BADONION|PERM|4`: sha256_of_onion.
    INVALID_ONION_VERSION = 0xc004, "invalid_onion_version";
    /// `BADONION|PERM|5`: sha256_of_onion.
    INVALID_ONION_HMAC = 0xc005, "invalid_onion_hmac";
    /// `BADONION|PERM|6`: sha256_of_onion.
    INVALID_ONION_KEY = 0xc006, "invalid_onion_key";
    /// `UPDATE|7`: channel_update.
    TEMPORARY_CHANNEL_FAILURE = 0x1007, "temporary_channel_failure";
    /// `PERM|8`: no data.
    PERMANENT_CHANNEL_FAILURE = 0x4008, "permanent_channel_failure";
    /// `PERM|9`: no data.
    REQUIRED_CHANNEL_FEATURE_MISSING = 0x4009, "required_channel_feature_missing";
    /// `PERM|10`: no data.
    UNKNOWN_NEXT_PEER = 0x400a, "unknown_next_peer";
    /// `UPDATE|11`: u64 msat ‖ channel_update.
    AMOUNT_BELOW_MINIMUM = 0x100b, "amount_below_minimum";
    /// `UPDATE|12`: u64 msat ‖ channel_update.
    FEE_INSUFFICIENT = 0x100c, "fee_insufficient";
    /// `UPDATE|13`: u32 expiry ‖ channel_update.
    INCORRECT_CLTV_EXPIRY = 0x100d, "incorrect_cltv_expiry";
    /// `UPDATE|14`: channel_update.
    EXPIRY_TOO_SOON = 0x100e, "expiry_too_soon";
    /// `PERM|15`: u64 msat ‖ u32 height. The recipient's one answer for nearly everything.
    INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS = 0x400f, "incorrect_or_unknown_payment_details";
    /// `PERM|16`: history, never sent.
    INCORRECT_PAYMENT_AMOUNT = 0x4010, "incorrect_payment_amount";
    /// `17`: history, never sent.
    FINAL_EXPIRY_TOO_SOON = 0x0011, "final_expiry_too_soon";
    /// `18`: u32 expiry.
    FINAL_INCORRECT_CLTV_EXPIRY = 0x0012, "final_incorrect_cltv_expiry";
    /// `19`: u64 msat.
    FINAL_INCORRECT_HTLC_AMOUNT = 0x0013, "final_incorrect_htlc_amount";
    /// `UPDATE|20`: u16 flags ‖ channel_update.
    CHANNEL_DISABLED = 0x1014, "channel_disabled";
    /// `21`: no data.
    EXPIRY_TOO_FAR = 0x0015, "expiry_too_far";
    /// `PERM|22`: BigSize type ‖ u16 offset.
    INVALID_ONION_PAYLOAD = 0x4016, "invalid_onion_payload";
    /// `23`: no data.
    MPP_TIMEOUT = 0x0017, "mpp_timeout";
    /// `BADONION|PERM|24`: sha256_of_onion. The one answer within a blinded path.
    INVALID_ONION_BLINDING = 0xc018, "invalid_onion_blinding";
    /// `NODE|25` (BOLTs pull request 836): no data.
    TEMPORARY_TRAMPOLINE_FAILURE = 0x2019, "temporary_trampoline_failure";
    /// `NODE|26` (BOLTs pull request 836): u32 base msat ‖ u32 millionths ‖ u16 delta.
    TRAMPOLINE_FEE_OR_EXPIRY_INSUFFICIENT = 0x201a, "trampoline_fee_or_expiry_insufficient";
    /// `PERM|27` (BOLTs pull request 836): no data.
    UNKNOWN_NEXT_TRAMPOLINE = 0x401b, "unknown_next_trampoline";
    /// `NODE|51` (Eclair's trampoline): no data.
    TRAMPOLINE_FEE_INSUFFICIENT = 0x2033, "trampoline_fee_insufficient";
    /// `NODE|52` (Eclair's trampoline): no data.
    TRAMPOLINE_EXPIRY_TOO_SOON = 0x2034, "trampoline_expiry_too_soon";
}

impl fmt::Display for FailureCode {
    /// The name, or the number in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FailureCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn flags_and_names() {
        let code = FailureCode::INVALID_ONION_BLINDING;
        assert!(code.is_bad_onion() && code.is_permanent() && !code.is_node() && !code.is_update());
        assert!(FailureCode::TEMPORARY_NODE_FAILURE.is_node());
        assert!(FailureCode::CHANNEL_DISABLED.is_update());
        assert!(!FailureCode::MPP_TIMEOUT.is_permanent());
        assert_eq!(code.to_string(), "invalid_onion_blinding");
        assert_eq!(FailureCode::new(0x4fff).to_string(), "0x4fff");
    }
}
