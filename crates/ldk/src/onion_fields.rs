//! What the destination reads, as LDK is told to write it.
//!
//! LDK takes a payload apart: secret, total and metadata are fields, all else are records. Its builder
//! refuses types below 65,536 and that of keysend. Read from bytes, the way it comes back from a
//! stored manager, it takes any; and it writes them by type. Record 16 alone it always writes
//! before all others: beside record 14 it must be one of those.

mod self_test;
#[cfg(test)]
mod tests;

pub(crate) use self_test::self_test;
#[cfg(test)]
pub(crate) use self_test::written;

use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::types::payment::PaymentSecret;
use lightning::util::ser::{ReadableArgs as _, Writeable as _};
use sponte_engine::backend::Payload;
use sponte_proto::{Msat, RecordType, Records, keysend, write_bigsize};

/// What makes LDK write this payload for a destination that gets this amount. `None` if LDK does not
/// read what it should, which the self-test would have said.
pub(crate) fn onion_fields(payload: &Payload, amount: Msat) -> Option<RecipientOnionFields> {
    let mut fields = with_records(&records(payload), amount)?;
    if let Some(total) = payload.total {
        fields.total_mpp_amount_msat = total.to_msat();
    }
    if let Some(data) = &payload.payment_data {
        fields.payment_secret = Some(PaymentSecret(*data.payment_secret().as_bytes()));
        fields.total_mpp_amount_msat = data.total().to_msat();
    }
    if payload.amp.is_none() {
        fields.payment_metadata.clone_from(&payload.payment_metadata);
    }
    Some(fields)
}

/// In rising order of their types.
fn records(payload: &Payload) -> Vec<(u64, Vec<u8>)> {
    let mut records = vec![];
    if let Some(amp) = &payload.amp {
        records.push((RecordType::AMP, amp.encode()));
        records.extend(payload.payment_metadata.clone().map(|value| (RecordType::PAYMENT_METADATA, value)));
    }
    let custom = payload.records.iter().map(|(kind, value)| (RecordType::new(kind), value.to_vec()));
    records.extend(custom.filter(|(kind, _)| kind.is_custom() && *kind != RecordType::KEYSEND));
    if let Some(preimage) = &payload.keysend {
        records.push((RecordType::KEYSEND, keysend::encode(preimage).to_vec()));
    }
    records.sort_unstable_by_key(|(kind, _)| *kind);
    records.into_iter().map(|(kind, value)| (kind.to_u64(), value)).collect()
}

/// `length(bigsize) ‖ tlvs`: 1, the records if there are any, each `type(u64) ‖ length ‖ value`; 3,
/// the total, u64.
fn with_records(records: &[(u64, Vec<u8>)], total: Msat) -> Option<RecipientOnionFields> {
    let list: Vec<u8> = records.iter().flat_map(|record| record.encode()).collect();
    let list = (!records.is_empty()).then_some((1, list));
    let stored = list.into_iter().chain([(3, total.to_msat().to_be_bytes().to_vec())]);
    let stored = Records::from_received(stored).encode();
    let mut bytes = vec![];
    write_bigsize(&mut bytes, stored.len() as u64);
    bytes.extend(stored);
    RecipientOnionFields::read(&mut &bytes[..], 0).ok()
}
