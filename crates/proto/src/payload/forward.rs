//! The payload of a hop that forwards.

use super::reader::{PayloadReader, amount, expiry, refuse};
use super::{PayloadError, RecordFault};
use crate::tlv::write_record;
use crate::{CltvExpiry, Msat, RecordType, ShortChannelId, write_truncated};
use alloc::vec::Vec;

/// `amt_to_forward(2, tu64) ‖ outgoing_cltv_value(4, tu32) ‖ short_channel_id(6, 8 bytes)`, all
/// required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardPayload {
    /// What the outgoing HTLC carries.
    pub amt_to_forward: Msat,
    /// When the outgoing HTLC expires.
    pub outgoing_cltv_value: CltvExpiry,
    /// The channel to forward over.
    pub short_channel_id: ShortChannelId,
}

impl ForwardPayload {
    /// The TLV stream, without a length in front.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = encode_amount_and_expiry(self.amt_to_forward, self.outgoing_cltv_value);
        write_record(&mut out, RecordType::SHORT_CHANNEL_ID, &self.short_channel_id.to_bytes());
        out
    }

    /// What a recipient needs is not allowed here: it would tell the hop what it need not know.
    pub(super) fn read(reader: &mut PayloadReader<'_>) -> Result<ForwardPayload, PayloadError> {
        let (mut forward_amount, mut forward_expiry, mut scid) = (None, None, None);
        while let Some(record) = reader.next_record()? {
            match record.kind {
                RecordType::AMT_TO_FORWARD => forward_amount = Some(amount(&record)?),
                RecordType::OUTGOING_CLTV_VALUE => forward_expiry = Some(expiry(&record)?),
                RecordType::SHORT_CHANNEL_ID => {
                    let bytes = record.value.try_into();
                    let bytes = bytes.map_err(|_| refuse(&record, RecordFault::Value))?;
                    scid = Some(ShortChannelId::from_bytes(bytes));
                }
                RecordType::PAYMENT_DATA
                | RecordType::CURRENT_PATH_KEY
                | RecordType::AMP
                | RecordType::PAYMENT_METADATA
                | RecordType::TOTAL_AMOUNT_MSAT
                | RecordType::KEYSEND => return Err(refuse(&record, RecordFault::NotAllowed)),
                other if other.is_even() => return Err(refuse(&record, RecordFault::Unknown)),
                _ => {}
            }
        }
        Ok(ForwardPayload {
            amt_to_forward: reader.require(forward_amount, RecordType::AMT_TO_FORWARD)?,
            outgoing_cltv_value: reader.require(forward_expiry, RecordType::OUTGOING_CLTV_VALUE)?,
            short_channel_id: reader.require(scid, RecordType::SHORT_CHANNEL_ID)?,
        })
    }
}

/// What every payload starts with that is not a blinded forward's.
pub(super) fn encode_amount_and_expiry(amount: Msat, expiry: CltvExpiry) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write_number(&mut out, RecordType::AMT_TO_FORWARD, amount.to_msat());
    write_number(&mut out, RecordType::OUTGOING_CLTV_VALUE, expiry.to_u32().into());
    out
}

/// A record whose value is a truncated integer.
pub(super) fn write_number(out: &mut Vec<u8>, kind: RecordType, number: u64) {
    let mut value = Vec::with_capacity(8);
    write_truncated(&mut value, number);
    write_record(out, kind, &value);
}
