//! The payload of the hop that is paid.

use super::forward::encode_amount_and_expiry;
use super::reader::{PayloadReader, amount, expiry, refuse};
use super::{PayloadError, RecordFault};
use crate::amp::AmpRecord;
use crate::failure::Failure;
use crate::mpp::PaymentData;
use crate::tlv::{TlvRecord, write_record};
use crate::{CltvExpiry, Msat, Preimage, RecordType, Records, keysend};
use alloc::vec::Vec;

/// What the final hop is told. `amt_to_forward(2, tu64)` and `outgoing_cltv_value(4, tu32)` are
/// required; the others make the kind of the payment:
///
/// | kind | records |
/// |---|---|
/// | invoice | 8, and 16 if the invoice has metadata |
/// | keysend | 5482373484, and 8 for one of several parts |
/// | AMP | 8 and 14 |
/// | ECDH | none of them |
///
/// A receiver tells whether it wants the payment; this only says what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalPayload {
    /// What the sender means to pay with this HTLC.
    pub amt_to_forward: Msat,
    /// The least expiry that the sender means the HTLC to have.
    pub outgoing_cltv_value: CltvExpiry,
    /// Record 8.
    pub payment_data: Option<PaymentData>,
    /// Record 14.
    pub amp: Option<AmpRecord>,
    /// Record 16, any bytes of the recipient's.
    pub payment_metadata: Option<Vec<u8>>,
    /// Record 5482373484. Whether it opens the payment hash is for the receiver to see.
    pub keysend: Option<Preimage>,
    /// All others from 65,536 on, even ones too: whether they are known is for the application
    /// to say. When written, other types are left out.
    pub custom_records: Records,
}

impl FinalPayload {
    /// A payload of an amount and an expiry alone.
    pub fn new(amt_to_forward: Msat, outgoing_cltv_value: CltvExpiry) -> FinalPayload {
        FinalPayload {
            amt_to_forward,
            outgoing_cltv_value,
            payment_data: None,
            amp: None,
            payment_metadata: None,
            keysend: None,
            custom_records: Records::new(),
        }
    }

    /// What the whole set is worth: the total of `payment_data`, or the amount of this part if
    /// there is none, or it is zero.
    pub fn total(&self) -> Msat {
        match &self.payment_data {
            Some(data) if data.total() > Msat::ZERO => data.total(),
            _ => self.amt_to_forward,
        }
    }

    /// Whether the HTLC is what the sender meant it to be (BOLT 4, "Failure Messages").
    ///
    /// # Errors
    /// The failure to send: first `final_incorrect_htlc_amount` for an HTLC that carries less,
    /// then `final_incorrect_cltv_expiry` for one that expires earlier.
    pub fn check_htlc(&self, amount: Msat, expiry: CltvExpiry) -> Result<(), Failure> {
        if amount < self.amt_to_forward {
            return Err(Failure::FinalIncorrectHtlcAmount { htlc_amount: amount });
        }
        if expiry < self.outgoing_cltv_value {
            return Err(Failure::FinalIncorrectCltvExpiry { cltv_expiry: expiry });
        }
        Ok(())
    }

    /// The TLV stream, without a length in front.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = encode_amount_and_expiry(self.amt_to_forward, self.outgoing_cltv_value);
        if let Some(data) = &self.payment_data {
            write_record(&mut out, RecordType::PAYMENT_DATA, &data.encode());
        }
        if let Some(amp) = &self.amp {
            write_record(&mut out, RecordType::AMP, &amp.encode());
        }
        if let Some(metadata) = &self.payment_metadata {
            write_record(&mut out, RecordType::PAYMENT_METADATA, metadata);
        }
        let custom = |kind: RecordType| kind.is_custom() && kind != RecordType::KEYSEND;
        let mut keysend = self.keysend.as_ref();
        let records = self.custom_records.iter().map(|(kind, value)| (RecordType::new(kind), value));
        for (kind, value) in records.filter(|(kind, _)| custom(*kind)) {
            if kind > RecordType::KEYSEND {
                write_keysend(&mut out, keysend.take());
            }
            write_record(&mut out, kind, value);
        }
        write_keysend(&mut out, keysend);
        out
    }

    /// A channel to forward over is not allowed: the payload contradicts itself.
    pub(super) fn read(reader: &mut PayloadReader<'_>) -> Result<FinalPayload, PayloadError> {
        let mut payload = FinalPayload::new(Msat::ZERO, CltvExpiry::new(0));
        let (mut final_amount, mut final_expiry) = (None, None);
        let mut custom = Vec::new();
        while let Some(record) = reader.next_record()? {
            match record.kind {
                RecordType::AMT_TO_FORWARD => final_amount = Some(amount(&record)?),
                RecordType::OUTGOING_CLTV_VALUE => final_expiry = Some(expiry(&record)?),
                RecordType::PAYMENT_METADATA => payload.payment_metadata = Some(record.value.to_vec()),
                RecordType::PAYMENT_DATA | RecordType::AMP | RecordType::KEYSEND => {
                    payload.read_kind(&record)?;
                }
                RecordType::SHORT_CHANNEL_ID
                | RecordType::CURRENT_PATH_KEY
                | RecordType::TOTAL_AMOUNT_MSAT => {
                    return Err(refuse(&record, RecordFault::NotAllowed));
                }
                kind if kind.is_custom() => custom.push((kind.to_u64(), record.value.to_vec())),
                kind if kind.is_even() => return Err(refuse(&record, RecordFault::Unknown)),
                _ => {}
            }
        }
        payload.amt_to_forward = reader.require(final_amount, RecordType::AMT_TO_FORWARD)?;
        payload.outgoing_cltv_value = reader.require(final_expiry, RecordType::OUTGOING_CLTV_VALUE)?;
        payload.custom_records = Records::from_received(custom);
        Ok(payload)
    }

    /// A record that makes the kind of the payment.
    fn read_kind(&mut self, record: &TlvRecord<'_>) -> Result<(), PayloadError> {
        let wrong = || refuse(record, RecordFault::Value);
        match record.kind {
            RecordType::PAYMENT_DATA => {
                self.payment_data = Some(PaymentData::decode(record.value).map_err(|_| wrong())?);
            }
            RecordType::AMP => {
                self.amp = Some(AmpRecord::decode(record.value).map_err(|_| wrong())?);
            }
            _ => self.keysend = Some(keysend::decode(record.value).map_err(|_| wrong())?),
        }
        Ok(())
    }
}

fn write_keysend(out: &mut Vec<u8>, preimage: Option<&Preimage>) {
    if let Some(preimage) = preimage {
        write_record(out, RecordType::KEYSEND, &keysend::encode(preimage));
    }
}
