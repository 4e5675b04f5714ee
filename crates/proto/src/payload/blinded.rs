//! Payloads within a blinded path: their hops find most of it in the encrypted data, which
//! [`open_data`](crate::blinding::open_data) opens.

use super::forward::{encode_amount_and_expiry, write_number};
use super::reader::{PayloadReader, amount, expiry, point, refuse};
use super::{PayloadError, RecordFault};
use crate::tlv::write_record;
use crate::{CltvExpiry, Msat, RecordType};
use alloc::vec::Vec;
use secp256k1::PublicKey;

/// `encrypted_recipient_data(10) ‖ current_path_key(12, 33 bytes)`, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindedForwardPayload {
    /// What only this hop can read.
    pub encrypted_recipient_data: Vec<u8>,
    /// The path key of this hop, in the payload of the first one.
    pub current_path_key: Option<PublicKey>,
}

/// `amt_to_forward(2, tu64) ‖ outgoing_cltv_value(4, tu32) ‖ encrypted_recipient_data(10) ‖
/// current_path_key(12, 33 bytes) ‖ total_amount_msat(18, tu64)`, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindedFinalPayload {
    /// What the sender means to pay with this HTLC.
    pub amt_to_forward: Msat,
    /// The least expiry that the sender means the HTLC to have.
    pub outgoing_cltv_value: CltvExpiry,
    /// What only this hop can read.
    pub encrypted_recipient_data: Vec<u8>,
    /// The path key of this hop, if the path has no other.
    pub current_path_key: Option<PublicKey>,
    /// What the parts are worth together.
    pub total_amount: Msat,
}

impl BlindedForwardPayload {
    /// The TLV stream, without a length in front.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_blinded(&mut out, &self.encrypted_recipient_data, self.current_path_key.as_ref());
        out
    }

    pub(super) fn read(
        reader: &mut PayloadReader<'_>,
        path_key: Option<&PublicKey>,
    ) -> Result<BlindedForwardPayload, PayloadError> {
        let fields = Fields::read(reader, Allowed::Forward)?;
        fields.check_path_key(reader, path_key)?;
        Ok(BlindedForwardPayload {
            encrypted_recipient_data: fields.encrypted(reader)?,
            current_path_key: fields.path_key,
        })
    }
}

impl BlindedFinalPayload {
    /// The TLV stream, without a length in front.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = encode_amount_and_expiry(self.amt_to_forward, self.outgoing_cltv_value);
        write_blinded(&mut out, &self.encrypted_recipient_data, self.current_path_key.as_ref());
        write_number(&mut out, RecordType::TOTAL_AMOUNT_MSAT, self.total_amount.to_msat());
        out
    }

    pub(super) fn read(
        reader: &mut PayloadReader<'_>,
        path_key: Option<&PublicKey>,
    ) -> Result<BlindedFinalPayload, PayloadError> {
        let fields = Fields::read(reader, Allowed::Final)?;
        fields.check_path_key(reader, path_key)?;
        Ok(BlindedFinalPayload {
            amt_to_forward: reader.require(fields.amount, RecordType::AMT_TO_FORWARD)?,
            outgoing_cltv_value: reader.require(fields.expiry, RecordType::OUTGOING_CLTV_VALUE)?,
            encrypted_recipient_data: fields.encrypted(reader)?,
            current_path_key: fields.path_key,
            total_amount: reader.require(fields.total, RecordType::TOTAL_AMOUNT_MSAT)?,
        })
    }
}

fn write_blinded(out: &mut Vec<u8>, encrypted: &[u8], path_key: Option<&PublicKey>) {
    write_record(out, RecordType::ENCRYPTED_RECIPIENT_DATA, encrypted);
    if let Some(path_key) = path_key {
        write_record(out, RecordType::CURRENT_PATH_KEY, &path_key.serialize());
    }
}

/// Which records may stand in the payload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Forward,
    Final,
}

/// All records of blinded payloads.
#[derive(Default)]
struct Fields<'a> {
    amount: Option<Msat>,
    expiry: Option<CltvExpiry>,
    encrypted: Option<&'a [u8]>,
    path_key: Option<PublicKey>,
    total: Option<Msat>,
}

impl<'a> Fields<'a> {
    /// Any other record is refused, odd ones too: nothing but the path may tell hops apart.
    fn read(reader: &mut PayloadReader<'a>, allowed: Allowed) -> Result<Fields<'a>, PayloadError> {
        let mut fields = Fields::default();
        while let Some(record) = reader.next_record()? {
            match record.kind {
                RecordType::ENCRYPTED_RECIPIENT_DATA => fields.encrypted = Some(record.value),
                RecordType::CURRENT_PATH_KEY => fields.path_key = Some(point(&record)?),
                _ if allowed == Allowed::Forward => {
                    return Err(refuse(&record, RecordFault::NotAllowed));
                }
                RecordType::AMT_TO_FORWARD => fields.amount = Some(amount(&record)?),
                RecordType::OUTGOING_CLTV_VALUE => fields.expiry = Some(expiry(&record)?),
                RecordType::TOTAL_AMOUNT_MSAT => fields.total = Some(amount(&record)?),
                _ => return Err(refuse(&record, RecordFault::NotAllowed)),
            }
        }
        Ok(fields)
    }

    fn encrypted(&self, reader: &PayloadReader<'_>) -> Result<Vec<u8>, PayloadError> {
        let encrypted = reader.require(self.encrypted, RecordType::ENCRYPTED_RECIPIENT_DATA)?;
        Ok(encrypted.to_vec())
    }

    /// The path key comes with the HTLC or in the payload, never both ways.
    fn check_path_key(
        &self,
        reader: &PayloadReader<'_>,
        path_key: Option<&PublicKey>,
    ) -> Result<(), PayloadError> {
        match (path_key, &self.path_key) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            (Some(_), Some(_)) => Err(PayloadError::Blinded),
            (None, None) => reader.require(None, RecordType::CURRENT_PATH_KEY),
        }
    }
}
