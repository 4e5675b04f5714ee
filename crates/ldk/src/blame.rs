//! Who failed an HTLC of ours, with what, and which channel is better avoided.
//!
//! LDK tells its scorer and nobody else. What a peer sends back is decoded here once more, by the
//! secrets that the session key shares with each node of the route.

use lightning::ln::msgs::UpdateFailHTLC;
use lightning::util::ser::Writeable as _;
use sponte_engine::commit::PartFailure;
use sponte_proto::ShortChannelId;
use sponte_proto::failure::{
    AttributionData, FailureCode, FailurePacket, FailureReport, UndecodableFailure, decode_failure,
};
use sponte_proto::onion::SharedSecret;

/// `channel_id(32) ‖ htlc_id(u64)`, then `len(u16) ‖ reason`.
const BEFORE_REASON: usize = 40;

/// Codes that only a destination has a reason to send.
const OF_DESTINATIONS: [FailureCode; 4] = [
    FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS,
    FailureCode::FINAL_INCORRECT_CLTV_EXPIRY,
    FailureCode::FINAL_INCORRECT_HTLC_AMOUNT,
    FailureCode::MPP_TIMEOUT,
];

/// What came back with `update_fail_htlc`; `None` if no node of the route wrote it.
///
/// `channels` lead to each node of the route, ours first.
pub(crate) fn read_failure(
    secrets: &[SharedSecret],
    channels: &[ShortChannelId],
    message: &UpdateFailHTLC,
) -> PartFailure {
    let report = decode(secrets, message);
    match report.failure {
        Ok(decoded) => of_node(decoded.hop, decoded.failure.code(), channels),
        Err(UndecodableFailure::Malformed { hop }) => {
            PartFailure { hop: Some(hop as u32 + 1), code: None, channel: channels.get(hop).copied() }
        }
        // The node whose attribution does not match, or the one before it: their channel.
        Err(_) => PartFailure {
            channel: report.unattributed.and_then(|hop| channels.get(hop)).copied(),
            ..PartFailure::default()
        },
    }
}

/// Whether a node of this route wrote what came back.
pub(crate) fn is_of_route(secrets: &[SharedSecret], message: &UpdateFailHTLC) -> bool {
    !matches!(decode(secrets, message).failure, Err(UndecodableFailure::Unauthenticated))
}

/// What came back with `update_fail_malformed_htlc`: the first node could not read the onion.
pub(crate) fn read_malformed(code: u16, channels: &[ShortChannelId]) -> PartFailure {
    PartFailure { hop: Some(1), code: Some(FailureCode::new(code)), channel: channels.first().copied() }
}

fn decode(secrets: &[SharedSecret], message: &UpdateFailHTLC) -> FailureReport {
    // LDK lets nobody read the reason.
    let wire = message.encode();
    let reason = wire.get(BEFORE_REASON..).and_then(|rest| {
        let (length, rest) = rest.split_first_chunk()?;
        rest.get(..usize::from(u16::from_be_bytes(*length)))
    });
    let packet = FailurePacket::from_bytes(reason.unwrap_or_default().to_vec());
    let data =
        message.attribution_data.as_ref().and_then(|data| AttributionData::decode(&data.encode()).ok());
    decode_failure(secrets, &packet, data.as_ref())
}

/// A node's own word. `hop` counts from 0, the code is not to be believed: it blames at most a
/// channel of that node.
fn of_node(hop: usize, code: FailureCode, channels: &[ShortChannelId]) -> PartFailure {
    let leading = channels.get(hop).copied();
    let channel = match channels.get(hop + 1) {
        Some(next) if !blames_itself(code) => Some(*next),
        Some(_) => leading,
        // The destination: a refusal is no channel's fault, but what no destination has to say is.
        None => leading.filter(|_| {
            let altered =
                [FailureCode::FINAL_INCORRECT_CLTV_EXPIRY, FailureCode::FINAL_INCORRECT_HTLC_AMOUNT];
            // What lies behind a blinded path's first node says nothing of the way to it.
            let bad_onion = code.is_bad_onion() && code != FailureCode::INVALID_ONION_BLINDING;
            bad_onion || code.is_node() || code.is_update() || altered.contains(&code)
        }),
    };
    PartFailure { hop: Some(hop as u32 + 1), code: Some(code), channel }
}

/// A node on the way that fails all HTLCs, or answers as if it were the destination.
fn blames_itself(code: FailureCode) -> bool {
    if code.is_bad_onion() {
        return false;
    }
    code.is_node() || code == FailureCode::INVALID_ONION_PAYLOAD || OF_DESTINATIONS.contains(&code)
}

#[cfg(test)]
mod tests;
