//! What goes back to the sender: failures, how long each hop held the HTLC, and what a recipient
//! says on success (BOLT 4, "Returning Errors").
//!
//! A hop that fails an HTLC creates a [`FailurePacket`] under the secret it shares with the
//! sender; every hop before it wraps it; the sender [decodes](decode_failure) it.
//!
//! ```
//! use sponte_proto::failure::{Failure, FailurePacket, decode_failure};
//! use sponte_proto::onion::SharedSecret;
//!
//! let [bob, carol] = [2, 3].map(|byte| SharedSecret::from_bytes([byte; 32]));
//! let mut packet = FailurePacket::create(&carol, &Failure::MppTimeout.encode())?;
//! packet.wrap(&bob);
//!
//! let failure = decode_failure(&[bob, carol], &packet, None).failure?;
//! assert_eq!((failure.hop, failure.failure), (1, Failure::MppTimeout));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribution;
mod code;
mod decode;
mod fulfillment;
mod message;
mod packet;

pub use attribution::{ATTRIBUTION_LEN, AttributionData, AttributionError, HoldTime};
pub use code::FailureCode;
pub use decode::{
    DecodedFailure, FailureReport, FulfillmentReport, UndecodableFailure, decode_failure, decode_fulfillment,
};
pub use fulfillment::{FULFILLMENT_MAX, FulfillmentError, FulfillmentPayload};
pub use message::{Failure, FailureError};
pub use packet::{FailurePacket, FailurePacketError};

#[cfg(test)]
mod tests;
