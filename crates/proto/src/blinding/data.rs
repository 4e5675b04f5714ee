//! What a hop of a blinded path reads (BOLT 4, `encrypted_data_tlv`).

use super::PaymentRelay;
use crate::tlv::write_record;
use crate::{CltvExpiry, Msat, RecordType, ShortChannelId, TlvError, TlvStream, read_tu64, write_truncated};
use alloc::vec::Vec;
use secp256k1::PublicKey;

const PADDING: RecordType = RecordType::new(1);
const SHORT_CHANNEL_ID: RecordType = RecordType::new(2);
const NEXT_NODE_ID: RecordType = RecordType::new(4);
const PATH_ID: RecordType = RecordType::new(6);
const NEXT_PATH_KEY_OVERRIDE: RecordType = RecordType::new(8);
const PAYMENT_RELAY: RecordType = RecordType::new(10);
const PAYMENT_CONSTRAINTS: RecordType = RecordType::new(12);
const ALLOWED_FEATURES: RecordType = RecordType::new(14);

/// Why data cannot be read or an HTLC may not pass. Answered with `invalid_onion_blinding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientDataError {
    /// No TLV stream, or a value that is not its type's.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// An even type that is not known.
    #[error("record {0} of a blinded hop's data is unknown")]
    Unknown(RecordType),
    /// A value that is no point of the curve, or an amount above the money supply.
    #[error("record {0} of a blinded hop's data has an impossible value")]
    Value(RecordType),
    /// Neither or both of channel and node to forward to, or no fees.
    #[error("a blinded hop is not told where or how to forward")]
    Relay,
    /// Less than the path takes.
    #[error("the amount is below the path's least")]
    AmountBelowMinimum,
    /// The path is no longer valid.
    #[error("the expiry exceeds the path's last")]
    Expired,
    /// Features that nobody here knows, odd ones too.
    #[error("the path demands unknown features")]
    Features,
}

/// Record 12: the limits of a path, `max_cltv_expiry(u32) ‖ htlc_minimum_msat(tu64)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentConstraints {
    /// The largest expiry of the HTLC that arrives at this hop.
    pub max_cltv_expiry: CltvExpiry,
    /// The least amount of the HTLC that arrives at this hop.
    pub htlc_minimum: Msat,
}

impl PaymentConstraints {
    /// The record's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.max_cltv_expiry.to_u32().to_be_bytes().to_vec();
        write_truncated(&mut out, self.htlc_minimum.to_msat());
        out
    }

    /// Reads the record's value.
    ///
    /// # Errors
    /// Not 4 to 12 bytes, leading zeros, or a minimum above the money supply.
    pub fn decode(value: &[u8]) -> Result<PaymentConstraints, RecipientDataError> {
        let (expiry, minimum) = value.split_first_chunk().ok_or(TlvError::WrongLength)?;
        let htlc_minimum = Msat::new(read_tu64(minimum)?);
        Ok(PaymentConstraints {
            max_cltv_expiry: CltvExpiry::new(u32::from_be_bytes(*expiry)),
            htlc_minimum: htlc_minimum.ok_or(RecipientDataError::Value(PAYMENT_CONSTRAINTS))?,
        })
    }
}

/// The data of one hop, written by the recipient of the path for it alone. Padding, so that all
/// hops' data are of one length, is not kept; nor are odd types that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientData {
    /// How many zero bytes of padding stand in front, if any.
    pub padding: Option<usize>,
    /// Record 2: the channel to forward to.
    pub short_channel_id: Option<ShortChannelId>,
    /// Record 4: the node to forward to.
    pub next_node_id: Option<PublicKey>,
    /// Record 6: what the recipient knows its path by. The final hop's only.
    pub path_id: Option<Vec<u8>>,
    /// Record 8: the path key of the next hop, where two paths are joined.
    pub next_path_key_override: Option<PublicKey>,
    /// Record 10: what the hop takes. All but the final hop's.
    pub payment_relay: Option<PaymentRelay>,
    /// Record 12: the limits of the path.
    pub payment_constraints: Option<PaymentConstraints>,
    /// Record 14: feature bits that the payment may use, big-endian. Missing means none.
    pub allowed_features: Option<Vec<u8>>,
}

impl RecipientData {
    /// The TLV stream to be encrypted.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut write = |kind, value: Option<&[u8]>| {
            if let Some(value) = value {
                write_record(&mut out, kind, value);
            }
        };
        write(PADDING, self.padding.map(|length| alloc::vec![0; length]).as_deref());
        write(SHORT_CHANNEL_ID, self.short_channel_id.map(|scid| scid.to_bytes()).as_ref().map(|b| &b[..]));
        write(NEXT_NODE_ID, self.next_node_id.map(|key| key.serialize()).as_ref().map(|b| &b[..]));
        write(PATH_ID, self.path_id.as_deref());
        let path_key = self.next_path_key_override.map(|key| key.serialize());
        write(NEXT_PATH_KEY_OVERRIDE, path_key.as_ref().map(|b| &b[..]));
        write(PAYMENT_RELAY, self.payment_relay.map(|relay| relay.encode()).as_deref());
        let constraints = self.payment_constraints.map(|constraints| constraints.encode());
        write(PAYMENT_CONSTRAINTS, constraints.as_deref());
        write(ALLOWED_FEATURES, self.allowed_features.as_deref());
        out
    }

    /// Reads the decrypted TLV stream. Unknown odd types are skipped.
    ///
    /// # Errors
    /// No TLV stream, an unknown even type, or a value that is not its type's.
    pub fn decode(bytes: &[u8]) -> Result<RecipientData, RecipientDataError> {
        let mut data = RecipientData::default();
        for record in TlvStream::read(bytes)?.iter() {
            let value = record.value;
            match record.kind {
                PADDING => data.padding = Some(value.len()),
                SHORT_CHANNEL_ID => {
                    let scid = value.try_into().map_err(|_| TlvError::WrongLength)?;
                    data.short_channel_id = Some(ShortChannelId::from_bytes(scid));
                }
                NEXT_NODE_ID => data.next_node_id = Some(point(record.kind, value)?),
                PATH_ID => data.path_id = Some(value.to_vec()),
                NEXT_PATH_KEY_OVERRIDE => {
                    data.next_path_key_override = Some(point(record.kind, value)?);
                }
                PAYMENT_RELAY => data.payment_relay = Some(PaymentRelay::decode(value)?),
                PAYMENT_CONSTRAINTS => {
                    data.payment_constraints = Some(PaymentConstraints::decode(value)?);
                }
                ALLOWED_FEATURES => data.allowed_features = Some(value.to_vec()),
                other if other.is_even() => return Err(RecipientDataError::Unknown(other)),
                _ => {}
            }
        }
        Ok(data)
    }

    /// Whether an HTLC that arrives at this hop keeps to the limits of the path. We know no
    /// feature that a payment could use.
    ///
    /// # Errors
    /// Too small, too late, or a path with features.
    pub fn check_htlc(&self, amount: Msat, expiry: CltvExpiry) -> Result<(), RecipientDataError> {
        if let Some(limits) = &self.payment_constraints {
            if expiry > limits.max_cltv_expiry {
                return Err(RecipientDataError::Expired);
            }
            if amount < limits.htlc_minimum {
                return Err(RecipientDataError::AmountBelowMinimum);
            }
        }
        match &self.allowed_features {
            Some(features) if features.iter().any(|byte| *byte != 0) => Err(RecipientDataError::Features),
            _ => Ok(()),
        }
    }

    /// What a hop that forwards takes, once it is clear where it forwards to.
    ///
    /// # Errors
    /// Neither or both of channel and node, or no fees.
    pub fn relay(&self) -> Result<PaymentRelay, RecipientDataError> {
        match (self.short_channel_id, self.next_node_id, self.payment_relay) {
            (Some(_), None, Some(relay)) | (None, Some(_), Some(relay)) => Ok(relay),
            _ => Err(RecipientDataError::Relay),
        }
    }
}

fn point(kind: RecordType, value: &[u8]) -> Result<PublicKey, RecipientDataError> {
    if value.len() != 33 {
        return Err(TlvError::WrongLength.into());
    }
    PublicKey::from_slice(value).map_err(|_| RecipientDataError::Value(kind))
}
