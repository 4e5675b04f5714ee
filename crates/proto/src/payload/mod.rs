//! What a hop is told in an onion (BOLT 4, "`payload` format").
//!
//! A hop reads the TLV stream that it peeled with [`HopPayload::read`]: forward it, or it is paid,
//! and each of the two within a blinded path or not. A payload that it cannot accept is an error
//! which knows the failure to send.
//!
//! ```
//! use sponte_proto::payload::{FinalPayload, HopPayload, Position};
//! use sponte_proto::{CltvExpiry, Msat, Preimage};
//!
//! let amount = Msat::from_sat(50).expect("small");
//! let mut payload = FinalPayload::new(amount, CltvExpiry::new(800_144));
//! payload.keysend = Some(Preimage::from_bytes([7; 32]));
//!
//! match HopPayload::read(&payload.encode(), Position::Final, None)? {
//!     HopPayload::Final(read) => assert_eq!(read, payload),
//!     other => unreachable!("{other:?}"),
//! }
//! # Ok::<(), sponte_proto::payload::PayloadError>(())
//! ```

mod blinded;
mod error;
mod final_hop;
mod forward;
mod reader;

pub use blinded::{BlindedFinalPayload, BlindedForwardPayload};
pub use error::{PayloadError, RecordFault};
pub use final_hop::FinalPayload;
pub use forward::ForwardPayload;

use crate::RecordType;
use crate::tlv::TlvReader;
use reader::PayloadReader;
use secp256k1::PublicKey;

/// Where a hop stands: an all-zero next HMAC makes it the final one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// [`Peeled::next`](crate::onion::Peeled::next) is there.
    Forward,
    /// There is nothing to forward.
    Final,
}

/// The payload of one hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopPayload {
    /// Forward over a channel.
    Forward(ForwardPayload),
    /// The hop is paid.
    Final(FinalPayload),
    /// Forward within a blinded path: where to stands in the encrypted data.
    BlindedForward(BlindedForwardPayload),
    /// The hop is paid through a blinded path.
    BlindedFinal(BlindedFinalPayload),
}

impl HopPayload {
    /// Reads a payload, a TLV stream without its length. `path_key` is what came with
    /// `update_add_htlc`, at hops within a blinded path behind the first.
    ///
    /// # Errors
    /// No TLV stream; a record that is unknown and even, missing, not allowed at this hop, or not
    /// what its type says; a path key twice or never.
    pub fn read(
        payload: &[u8],
        position: Position,
        path_key: Option<&PublicKey>,
    ) -> Result<HopPayload, PayloadError> {
        let Blinding { data, path_key: key_within } = blinding(payload);
        let mut reader = PayloadReader::new(payload);
        if path_key.is_some() || data {
            let read = read_blinded(&mut reader, position, path_key);
            // Whatever goes wrong within a blinded path, its first hop included, has one answer.
            let within = path_key.is_some() || key_within;
            return read.map_err(|error| if within { PayloadError::Blinded } else { error });
        }
        match position {
            Position::Forward => ForwardPayload::read(&mut reader).map(HopPayload::Forward),
            Position::Final => FinalPayload::read(&mut reader).map(HopPayload::Final),
        }
    }
}

/// Which records of a blinded hop there are.
#[derive(Default)]
struct Blinding {
    data: bool,
    path_key: bool,
}

/// A stream that breaks off is looked at up to there; who reads it says where that is.
fn blinding(payload: &[u8]) -> Blinding {
    let mut found = Blinding::default();
    let mut records = TlvReader::new(payload);
    while let Ok(Some(record)) = records.read_next() {
        found.data |= record.kind == RecordType::ENCRYPTED_RECIPIENT_DATA;
        found.path_key |= record.kind == RecordType::CURRENT_PATH_KEY;
    }
    found
}

fn read_blinded(
    reader: &mut PayloadReader<'_>,
    position: Position,
    path_key: Option<&PublicKey>,
) -> Result<HopPayload, PayloadError> {
    match position {
        Position::Forward => BlindedForwardPayload::read(reader, path_key).map(HopPayload::BlindedForward),
        Position::Final => BlindedFinalPayload::read(reader, path_key).map(HopPayload::BlindedFinal),
    }
}

#[cfg(test)]
mod tests;
