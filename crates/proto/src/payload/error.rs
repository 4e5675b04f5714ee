//! Why a payload is refused, and with which failure.

use crate::failure::Failure;
use crate::onion::OnionPacket;
use crate::{RecordType, TlvError};

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// From here on the bytes are no TLV stream.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// An even type that nobody knows.
    #[error("its type is unknown and even")]
    Unknown,
    /// The hop needs it.
    #[error("it is missing")]
    Missing,
    /// It is of another kind of hop.
    #[error("it is not allowed at this hop")]
    NotAllowed,
    /// The value is not what its type says, or no value that can be.
    #[error("its value is impossible")]
    Value,
}

/// Why a payload is refused. The sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Answered with `invalid_onion_payload`.
    #[error("record {kind} of a payload at byte {offset}: {fault}")]
    Record {
        /// The record; 0 if the bytes do not even say which.
        kind: RecordType,
        /// Where it starts, from the start of the TLV stream; the end if it is missing.
        offset: u16,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// Anything within a blinded path: answered with `invalid_onion_blinding`, which does not tell
    /// what it was.
    #[error("a payload within a blinded path is invalid")]
    Blinded,
}

impl PayloadError {
    /// What goes upstream; `packet` is the one that was received. Within a blinded path behind
    /// its first hop as `update_fail_malformed_htlc`, else as a failure packet.
    pub fn failure(&self, packet: &OnionPacket) -> Failure {
        match self {
            PayloadError::Record { kind, offset, .. } => {
                Failure::InvalidOnionPayload { kind: *kind, offset: *offset }
            }
            PayloadError::Blinded => Failure::InvalidOnionBlinding { sha256_of_onion: packet.sha256() },
        }
    }
}
