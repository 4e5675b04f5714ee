//! Another answer in place of LDK's, which has few codes to offer.

use lightning::ln::msgs::UpdateFailHTLC;
use lightning::util::ser::LengthReadable as _;
use sponte_proto::failure::{ATTRIBUTION_LEN, AttributionData, Failure, FailurePacket, HoldTime};
use sponte_proto::onion::SharedSecret;

/// The same message with this failure as its reason, from the node that shares the secret with the
/// sender. It has attribution data if LDK's had, as the hops before build theirs upon it; the final
/// hop reports no hold time, as LDK does.
///
/// `None` if LDK does not read what BOLT 2 says such a message is.
pub(crate) fn fail_with(
    message: &UpdateFailHTLC,
    secret: &SharedSecret,
    failure: &Failure,
) -> Option<UpdateFailHTLC> {
    let mut packet = FailurePacket::create(secret, &failure.encode()).ok()?;
    let reason = packet.as_bytes().to_vec();
    // `channel_id(32) ‖ htlc_id(u64) ‖ len(u16) ‖ reason ‖ tlvs`: LDK lets nobody set the reason.
    let mut wire = message.channel_id.0.to_vec();
    wire.extend(message.htlc_id.to_be_bytes());
    wire.extend(u16::try_from(reason.len()).ok()?.to_be_bytes());
    wire.extend(reason);
    if message.attribution_data.is_some() {
        // What is covered is the packet before its encryption: a second one takes that away.
        packet.wrap(secret);
        let data = AttributionData::report(None, HoldTime::default(), secret, packet.as_bytes());
        let [high, low] = (ATTRIBUTION_LEN as u16).to_be_bytes();
        wire.extend([1, 0xfd, high, low]);
        wire.extend(data.as_bytes());
    }
    UpdateFailHTLC::read_from_fixed_length_buffer(&mut &wire[..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lightning::ln::types::ChannelId;
    use lightning::util::ser::Writeable as _;
    use sponte_proto::failure::decode_failure;

    /// A message as LDK sends it, with attribution data or without.
    fn message(attributed: bool) -> UpdateFailHTLC {
        let mut wire = vec![7; 32];
        wire.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 3, 1, 2, 3]);
        if attributed {
            wire.extend([1, 0xfd, 3, 0x98]);
            wire.extend([9; ATTRIBUTION_LEN]);
        }
        UpdateFailHTLC::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed")
    }

    #[test]
    fn the_sender_decodes_it_over_any_number_of_hops() {
        for (hops, attributed) in (0..20).flat_map(|hops| [(hops, false), (hops, true)]) {
            let secrets: Vec<SharedSecret> =
                (0..=hops).map(|hop| SharedSecret::from_bytes([hop as u8 + 1; 32])).collect();
            let rewritten = fail_with(&message(attributed), &secrets[hops], &Failure::MppTimeout);
            let rewritten = rewritten.expect("LDK reads it");
            assert_eq!((rewritten.channel_id, rewritten.htlc_id), (ChannelId([7; 32]), 5));
            assert_eq!(rewritten.attribution_data.is_some(), attributed);

            let wire = rewritten.encode();
            assert_eq!(wire[40..42], 292u16.to_be_bytes());
            let mut packet = FailurePacket::from_bytes(wire[42..42 + 292].to_vec());
            let mut data =
                attributed.then(|| AttributionData::decode(&wire[42 + 292 + 4..]).expect("920 bytes"));
            for secret in secrets[..hops].iter().rev() {
                let hold = HoldTime::new(1);
                data = data.map(|data| AttributionData::report(Some(&data), hold, secret, packet.as_bytes()));
                packet.wrap(secret);
            }
            let report = decode_failure(&secrets, &packet, data.as_ref());
            let failure = report.failure.expect("it decodes");
            assert_eq!((failure.hop, failure.failure), (hops, Failure::MppTimeout));
            assert_eq!(report.unattributed, None);
            assert_eq!(report.hold_times.len(), if attributed { hops + 1 } else { 0 });
        }
    }
}
