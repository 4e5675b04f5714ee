//! What a failure says: `failuremsg`, a code and its data (BOLT 4, "Failure Messages").

use super::FailureCode;
use crate::bigsize::{read_bigsize, take, write_bigsize};
use crate::{BlockHeight, CltvExpiry, CltvExpiryDelta, Msat, RecordType};
use alloc::vec::Vec;

/// Why bytes are no failure at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureError {
    /// Fewer bytes than a code has.
    #[error("a failure has a code of two bytes")]
    NoCode,
}

macro_rules! failures {
    ($(
        $(#[$doc:meta])*
        $name:ident = $code:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })?;
    )*) => {
        /// A failure with the data that its code has.
        ///
        /// The final hop sends those that are not about channels; every hop may send the others.
        /// A channel_update is its bytes, empty since nodes stopped sending them.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Failure {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $type,)* })?,)*
            /// A code that is not of the table above, or data that is not what its code has.
            Other {
                /// The code, whose flags say what to do.
                code: FailureCode,
                /// All that follows the code.
                data: Vec<u8>,
            },
        }

        impl Failure {
            /// The code.
            pub fn code(&self) -> FailureCode {
                match self {
                    $(Failure::$name { .. } => FailureCode::$code,)*
                    Failure::Other { code, .. } => *code,
                }
            }

            /// `code(2) ‖ data`. A TLV stream may be appended.
            pub fn encode(&self) -> Vec<u8> {
                let mut out = self.code().to_u16().to_be_bytes().to_vec();
                match self {
                    $(Failure::$name $({ $($field,)* })? => { $($(Field::write($field, &mut out);)*)? })*
                    Failure::Other { data, .. } => out.extend_from_slice(data),
                }
                out
            }

            /// The data of a known code; `None` if it is another one, or the data is not its.
            fn read_known(code: FailureCode, data: &mut &[u8]) -> Option<Failure> {
                Some(match code {
                    $(FailureCode::$code => Failure::$name $({ $($field: Field::read(data)?,)* })?,)*
                    _ => return None,
                })
            }
        }
    };
}

failures! {
    /// The node is in trouble for a while.
    TemporaryNodeFailure = TEMPORARY_NODE_FAILURE;
    /// The node is in trouble for good.
    PermanentNodeFailure = PERMANENT_NODE_FAILURE;
    /// The payload lacks what a feature of the node demands.
    RequiredNodeFeatureMissing = REQUIRED_NODE_FEATURE_MISSING;
    /// The onion's version is not 0.
    InvalidOnionVersion = INVALID_ONION_VERSION {
        /// SHA256 of the packet as it was received.
        sha256_of_onion: [u8; 32],
    };
    /// The onion's HMAC does not match.
    InvalidOnionHmac = INVALID_ONION_HMAC {
        /// SHA256 of the packet as it was received.
        sha256_of_onion: [u8; 32],
    };
    /// The onion's key is no point.
    InvalidOnionKey = INVALID_ONION_KEY {
        /// SHA256 of the packet as it was received.
        sha256_of_onion: [u8; 32],
    };
    /// The channel cannot carry the HTLC now.
    TemporaryChannelFailure = TEMPORARY_CHANNEL_FAILURE {
        /// `u16 length ‖ channel_update`.
        channel_update: Vec<u8>,
    };
    /// The channel cannot carry HTLCs.
    PermanentChannelFailure = PERMANENT_CHANNEL_FAILURE;
    /// The payload lacks what a feature of the channel demands.
    RequiredChannelFeatureMissing = REQUIRED_CHANNEL_FEATURE_MISSING;
    /// There is no such channel or peer.
    UnknownNextPeer = UNKNOWN_NEXT_PEER;
    /// Less than the channel's `htlc_minimum_msat`.
    AmountBelowMinimum = AMOUNT_BELOW_MINIMUM {
        /// The amount of the HTLC, u64 msat.
        htlc_amount: Msat,
        /// `u16 length ‖ channel_update`.
        channel_update: Vec<u8>,
    };
    /// Less than the channel's fee.
    FeeInsufficient = FEE_INSUFFICIENT {
        /// The amount of the HTLC, u64 msat.
        htlc_amount: Msat,
        /// `u16 length ‖ channel_update`.
        channel_update: Vec<u8>,
    };
    /// Less than the channel's `cltv_expiry_delta`.
    IncorrectCltvExpiry = INCORRECT_CLTV_EXPIRY {
        /// The expiry of the HTLC, u32.
        cltv_expiry: CltvExpiry,
        /// `u16 length ‖ channel_update`.
        channel_update: Vec<u8>,
    };
    /// The expiry is too close.
    ExpiryTooSoon = EXPIRY_TOO_SOON {
        /// `u16 length ‖ channel_update`.
        channel_update: Vec<u8>,
    };
    /// The recipient does not want the HTLC, whatever the reason.
    IncorrectOrUnknownPaymentDetails = INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS {
        /// The amount of the HTLC or of its set, u64 msat.
        htlc_amount: Msat,
        /// The recipient's height, u32.
        height: BlockHeight,
    };
    /// History: never sent.
    IncorrectPaymentAmount = INCORRECT_PAYMENT_AMOUNT;
    /// History: never sent.
    FinalExpiryTooSoon = FINAL_EXPIRY_TOO_SOON;
    /// The HTLC expires before the payload says.
    FinalIncorrectCltvExpiry = FINAL_INCORRECT_CLTV_EXPIRY {
        /// The expiry of the HTLC, u32.
        cltv_expiry: CltvExpiry,
    };
    /// The HTLC carries less than the payload says.
    FinalIncorrectHtlcAmount = FINAL_INCORRECT_HTLC_AMOUNT {
        /// The amount of the HTLC, u64 msat.
        htlc_amount: Msat,
    };
    /// The channel is disabled.
    ChannelDisabled = CHANNEL_DISABLED {
        /// Zero (u16).
        flags: u16,
        /// `u16 length ‖ channel_update`.
        channel_update: Vec<u8>,
    };
    /// The expiry is too far away.
    ExpiryTooFar = EXPIRY_TOO_FAR;
    /// The payload cannot be read.
    InvalidOnionPayload = INVALID_ONION_PAYLOAD {
        /// The record that is wrong or missing, a BigSize.
        kind: RecordType,
        /// Where in the payload it starts, u16.
        offset: u16,
    };
    /// The set was not complete in time.
    MppTimeout = MPP_TIMEOUT;
    /// Whatever goes wrong within a blinded path.
    InvalidOnionBlinding = INVALID_ONION_BLINDING {
        /// SHA256 of the packet as it was received.
        sha256_of_onion: [u8; 32],
    };
    /// The trampoline node found no way (BOLTs pull request 836).
    TemporaryTrampolineFailure = TEMPORARY_TRAMPOLINE_FAILURE;
    /// The trampoline node wants more (BOLTs pull request 836).
    TrampolineFeeOrExpiryInsufficient = TRAMPOLINE_FEE_OR_EXPIRY_INSUFFICIENT {
        /// u32 msat.
        fee_base_msat: u32,
        /// u32.
        fee_proportional_millionths: u32,
        /// u16.
        cltv_expiry_delta: CltvExpiryDelta,
    };
    /// The next trampoline node is unknown (BOLTs pull request 836).
    UnknownNextTrampoline = UNKNOWN_NEXT_TRAMPOLINE;
    /// Eclair's trampoline nodes want more fee.
    TrampolineFeeInsufficient = TRAMPOLINE_FEE_INSUFFICIENT;
    /// Eclair's trampoline nodes want more blocks.
    TrampolineExpiryTooSoon = TRAMPOLINE_EXPIRY_TOO_SOON;
}

impl Failure {
    /// Reads code and data; returns with them what follows the data, a TLV stream if the sender
    /// wrote one. Data that is not its code's makes [`Failure::Other`]: the code is good still.
    ///
    /// # Errors
    /// Fewer than two bytes.
    pub fn decode(message: &[u8]) -> Result<(Failure, &[u8]), FailureError> {
        let (code, data) = message.split_first_chunk().ok_or(FailureError::NoCode)?;
        let code = FailureCode::new(u16::from_be_bytes(*code));
        let mut rest = data;
        Ok(match Failure::read_known(code, &mut rest) {
            Some(failure) => (failure, rest),
            None => (Failure::Other { code, data: data.to_vec() }, &[]),
        })
    }
}

/// One field of a failure's data.
trait Field: Sized {
    fn write(&self, out: &mut Vec<u8>);
    fn read(data: &mut &[u8]) -> Option<Self>;
}

fn read_array<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(*array)
}

macro_rules! number_field {
    ($type:ty as $int:ty: $to:expr, $from:expr) => {
        impl Field for $type {
            fn write(&self, out: &mut Vec<u8>) {
                let number: $int = $to(*self);
                out.extend_from_slice(&number.to_be_bytes());
            }

            fn read(data: &mut &[u8]) -> Option<$type> {
                $from(<$int>::from_be_bytes(read_array(data)?))
            }
        }
    };
}

number_field!(u16 as u16: |n| n, Some);
number_field!(u32 as u32: |n| n, Some);
number_field!(Msat as u64: Msat::to_msat, Msat::new);
number_field!(CltvExpiry as u32: CltvExpiry::to_u32, |n| Some(CltvExpiry::new(n)));
number_field!(BlockHeight as u32: BlockHeight::to_u32, |n| Some(BlockHeight::new(n)));
number_field!(CltvExpiryDelta as u16: CltvExpiryDelta::to_u16, |n| Some(CltvExpiryDelta::new(n)));

impl Field for [u8; 32] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(data: &mut &[u8]) -> Option<[u8; 32]> {
        read_array(data)
    }
}

impl Field for RecordType {
    fn write(&self, out: &mut Vec<u8>) {
        write_bigsize(out, self.to_u64());
    }

    fn read(data: &mut &[u8]) -> Option<RecordType> {
        read_bigsize(data).ok().map(RecordType::new)
    }
}

/// A channel_update behind its length. One that no u16 could count is left out: it is optional.
impl Field for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        let (length, update) = match u16::try_from(self.len()) {
            Ok(length) => (length, &self[..]),
            Err(_) => (0, &[][..]),
        };
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(update);
    }

    fn read(data: &mut &[u8]) -> Option<Vec<u8>> {
        let length = u16::from_be_bytes(read_array(data)?);
        take(data, usize::from(length)).ok().map(<[u8]>::to_vec)
    }
}
