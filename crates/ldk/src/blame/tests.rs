use super::*;
use lightning::util::ser::LengthReadable as _;
use proptest::prelude::*;
use sponte_proto::failure::{ATTRIBUTION_LEN, Failure, HoldTime};

const CHANNELS: [ShortChannelId; 3] =
    [ShortChannelId::new(101), ShortChannelId::new(102), ShortChannelId::new(103)];

fn secrets() -> Vec<SharedSecret> {
    (1..=3).map(|n| SharedSecret::from_bytes([n; 32])).collect()
}

fn message(reason: &[u8], attribution: Option<&AttributionData>) -> UpdateFailHTLC {
    let mut wire = vec![7; 40];
    wire.extend(u16::try_from(reason.len()).expect("short").to_be_bytes());
    wire.extend(reason);
    if let Some(data) = attribution {
        wire.extend([1, 0xfd]);
        wire.extend((ATTRIBUTION_LEN as u16).to_be_bytes());
        wire.extend(data.as_bytes());
    }
    UpdateFailHTLC::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed")
}

/// What the sender gets when this node of the route says this.
fn from(hop: usize, said: &[u8]) -> UpdateFailHTLC {
    let secrets = secrets();
    let mut packet = FailurePacket::create(&secrets[hop], said).expect("short");
    secrets[..hop].iter().rev().for_each(|secret| packet.wrap(secret));
    message(packet.as_bytes(), None)
}

fn read(hop: usize, code: FailureCode) -> PartFailure {
    let said = Failure::Other { code, data: vec![] }.encode();
    read_failure(&secrets(), &CHANNELS, &from(hop, &said))
}

#[test]
fn who_said_what_and_what_to_avoid() {
    let cases = [
        (0, FailureCode::TEMPORARY_CHANNEL_FAILURE, Some(102)),
        (1, FailureCode::TEMPORARY_CHANNEL_FAILURE, Some(103)),
        (1, FailureCode::UNKNOWN_NEXT_PEER, Some(103)),
        (0, FailureCode::FEE_INSUFFICIENT, Some(102)),
        (0, FailureCode::INVALID_ONION_HMAC, Some(102)),
        (1, FailureCode::TEMPORARY_NODE_FAILURE, Some(102)),
        (0, FailureCode::PERMANENT_NODE_FAILURE, Some(101)),
        (1, FailureCode::INVALID_ONION_PAYLOAD, Some(102)),
        (0, FailureCode::MPP_TIMEOUT, Some(101)),
        (2, FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, None),
        (2, FailureCode::INVALID_ONION_PAYLOAD, None),
        (2, FailureCode::MPP_TIMEOUT, None),
        (2, FailureCode::FINAL_INCORRECT_CLTV_EXPIRY, Some(103)),
        (2, FailureCode::FINAL_INCORRECT_HTLC_AMOUNT, Some(103)),
        (2, FailureCode::TEMPORARY_NODE_FAILURE, Some(103)),
        (2, FailureCode::TEMPORARY_CHANNEL_FAILURE, Some(103)),
    ];
    for (hop, code, channel) in cases {
        let expected = PartFailure {
            hop: Some(hop as u32 + 1),
            code: Some(code),
            channel: channel.map(ShortChannelId::new),
        };
        assert_eq!(read(hop, code), expected, "{code} from {hop}");
    }
}

#[test]
fn what_nobody_wrote_says_nothing() {
    let unread = PartFailure::default();
    assert_eq!(read_failure(&secrets(), &CHANNELS, &message(&[5; 292], None)), unread);
    assert_eq!(read_failure(&secrets(), &CHANNELS, &message(&[], None)), unread);
    let other = vec![SharedSecret::from_bytes([9; 32])];
    let refusal = from(0, &Failure::MppTimeout.encode());
    assert!(is_of_route(&secrets(), &refusal) && !is_of_route(&other, &refusal));
}

#[test]
fn a_node_that_says_nothing_is_known_all_the_same() {
    let expected = PartFailure { hop: Some(2), code: None, channel: Some(CHANNELS[1]) };
    assert_eq!(read_failure(&secrets(), &CHANNELS, &from(1, &[1])), expected);
}

#[test]
fn a_failure_that_was_altered_blames_the_channel_where_attribution_ends() {
    let secrets = secrets();
    let mut packet = FailurePacket::create(&secrets[2], &Failure::MppTimeout.encode()).expect("short");
    packet.wrap(&secrets[2]);
    let mut data = AttributionData::report(None, HoldTime::default(), &secrets[2], packet.as_bytes());
    packet.wrap(&secrets[2]);
    for (hop, secret) in secrets[..2].iter().enumerate().rev() {
        let mut bytes = packet.as_bytes().to_vec();
        data = AttributionData::report(Some(&data), HoldTime::default(), secret, &bytes);
        // The second node alters what it passes on, and authenticates what it had got.
        bytes[40] ^= u8::from(hop == 1);
        packet = FailurePacket::from_bytes(bytes);
        packet.wrap(secret);
    }
    let read = read_failure(&secrets, &CHANNELS, &message(packet.as_bytes(), Some(&data)));
    assert_eq!(read, PartFailure { channel: Some(CHANNELS[1]), ..PartFailure::default() });
}

#[test]
fn malformed() {
    let code = FailureCode::INVALID_ONION_VERSION;
    let expected = PartFailure { hop: Some(1), code: Some(code), channel: Some(CHANNELS[0]) };
    assert_eq!(read_malformed(code.to_u16(), &CHANNELS), expected);
}

proptest! {
    #[test]
    fn no_bytes_panic(reason in proptest::collection::vec(any::<u8>(), 0..400), hops in 0usize..4) {
        read_failure(&secrets()[..hops.min(3)], &CHANNELS[..hops.min(3)], &message(&reason, None));
    }

    #[test]
    fn whatever_a_node_says_it_is_known(hop in 0usize..3, said in proptest::collection::vec(any::<u8>(), 0..300)) {
        let read = read_failure(&secrets(), &CHANNELS, &from(hop, &said));
        prop_assert_eq!(read.hop, Some(hop as u32 + 1));
        prop_assert!(read.channel.is_none_or(|channel| CHANNELS[hop..].iter().take(2).any(|c| *c == channel)));
    }
}
