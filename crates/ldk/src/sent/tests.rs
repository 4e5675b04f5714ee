use super::*;
use lightning::ln::msgs::OnionPacket;
use lightning::types::payment::PaymentHash as LdkHash;
use lightning::util::ser::LengthReadable as _;
use proptest::prelude::*;
use sponte_proto::failure::{Failure, FailureCode, FailurePacket};

const CHANNEL: ChannelId = ChannelId([7; 32]);
const OTHER: ChannelId = ChannelId([8; 32]);
const SCIDS: [ShortChannelId; 2] = [ShortChannelId::new(101), ShortChannelId::new(102)];
const GUESS: Option<ShortChannelId> = Some(ShortChannelId::new(55));

fn node(n: u8) -> NodeId {
    let key = SecretKey::from_slice(&[n; 32]).expect("a valid scalar");
    NodeId::from_bytes(key.public_key(&Secp256k1::new()).serialize()).expect("a point")
}

fn part(n: u8) -> PaymentId {
    PaymentId::from_bytes([n; 32])
}

/// One over two hops, made with this key.
fn htlc(key: u8) -> SentHtlc {
    SentHtlc {
        session_key: SessionKey::from_bytes([key; 32]),
        hash: PaymentHash::from_bytes([9; 32]),
        channel: CHANNEL,
        hops: vec![(node(1), SCIDS[0]), (node(2), SCIDS[1])],
        number: None,
        failure: None,
    }
}

/// Its message, as it leaves.
fn leaving(key: u8, number: u64) -> UpdateAddHTLC {
    let key = SecretKey::from_slice(&[key; 32]).expect("a valid scalar").public_key(&Secp256k1::new());
    UpdateAddHTLC {
        channel_id: CHANNEL,
        htlc_id: number,
        amount_msat: 1_000,
        payment_hash: LdkHash([9; 32]),
        cltv_expiry: 100,
        skimmed_fee_msat: None,
        onion_routing_packet: OnionPacket {
            version: 0,
            public_key: Ok(key),
            hop_data: [0; 1300],
            hmac: [0; 32],
        },
        blinding_point: None,
        hold_htlc: None,
        accountable: None,
    }
}

fn fails(channel: ChannelId, number: u64, reason: &[u8]) -> UpdateFailHTLC {
    let mut wire = channel.0.to_vec();
    wire.extend(number.to_be_bytes());
    wire.extend(u16::try_from(reason.len()).expect("short").to_be_bytes());
    wire.extend(reason);
    UpdateFailHTLC::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed")
}

/// The destination's refusal of the HTLC that was made with this key.
fn refusal(key: u8, code: FailureCode) -> Vec<u8> {
    let secrets = SentHtlcs::default().secrets(&htlc(key)).expect("a sound route");
    let said = Failure::Other { code, data: vec![] }.encode();
    let mut packet = FailurePacket::create(&secrets[1], &said).expect("short");
    packet.wrap(&secrets[0]);
    packet.as_bytes().to_vec()
}

const REFUSED: FailureCode = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;

fn at_destination(code: FailureCode) -> PartFailure {
    PartFailure { hop: Some(2), code: Some(code), channel: None }
}

/// What lies on the disk after these batches.
fn stored(batches: &[KvBatch]) -> Vec<(String, Vec<u8>)> {
    let mut rows = BTreeMap::new();
    for entry in batches.iter().flat_map(|batch| &batch.entries) {
        assert_eq!(entry.namespace, SentHtlcs::NAMESPACE);
        match &entry.value {
            Some(value) => rows.insert(entry.key.clone(), value.clone()),
            None => rows.remove(&entry.key),
        };
    }
    rows.into_iter().collect()
}

fn written(htlcs: &SentHtlcs) -> KvBatch {
    let mut batch = KvBatch::default();
    htlcs.write(&mut batch);
    batch
}

fn restarted(batches: &[KvBatch]) -> SentHtlcs {
    SentHtlcs::load(&stored(batches)).expect("sound")
}

#[test]
fn a_refusal_is_read_and_kept_over_a_restart_until_it_is_told() {
    let htlcs = SentHtlcs::default();
    assert!(htlcs.insert(part(1), htlc(3)));
    let sent = written(&htlcs);
    htlcs.left(&leaving(3, 5));
    htlcs.failed(&fails(CHANNEL, 5, &refusal(3, REFUSED)));
    let failed = written(&htlcs);
    assert!(written(&htlcs).entries.is_empty());

    let htlcs = restarted(&[sent.clone(), failed.clone()]);
    assert!(htlcs.is_known(&part(1)));
    assert_eq!(htlcs.end(&part(1), GUESS), at_destination(REFUSED));
    assert!(htlcs.forget(&part(1)).is_some());
    assert!(restarted(&[sent, failed, written(&htlcs)]).table().rows.is_empty());
    assert_eq!(htlcs.end(&part(1), None), PartFailure::default());
}

#[test]
fn one_that_never_left_is_known_as_such_by_who_saw_all_messages() {
    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    let again = restarted(&[written(&htlcs)]);
    assert_eq!(htlcs.end(&part(1), None), PartFailure::NEVER_LEFT);
    let nobody_knows = PartFailure { channel: GUESS, ..PartFailure::default() };
    assert_eq!(again.end(&part(1), GUESS), nobody_knows);

    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    assert_eq!(htlcs.end(&part(1), GUESS), PartFailure { channel: GUESS, ..PartFailure::NEVER_LEFT });
    // `PaymentFailed` comes after the path's failure, and names no channel.
    assert_eq!(htlcs.end(&part(1), None), PartFailure { channel: GUESS, ..PartFailure::NEVER_LEFT });

    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    htlcs.left(&leaving(3, 0));
    assert_eq!(htlcs.end(&part(1), GUESS), nobody_knows);
}

#[test]
fn a_number_that_a_crash_forgot_is_found_by_what_comes_back() {
    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    htlcs.insert(part(2), htlc(4));
    let sent = written(&htlcs);
    let htlcs = restarted(std::slice::from_ref(&sent));
    htlcs.failed(&fails(OTHER, 5, &refusal(4, REFUSED)));
    htlcs.failed(&fails(CHANNEL, 6, &[1; 292]));
    assert!(written(&htlcs).entries.is_empty(), "others' failures are nobody's");
    htlcs.failed(&fails(CHANNEL, 5, &refusal(4, REFUSED)));
    let failed = written(&htlcs);
    // Nobody can tell who failed it: a channel of its way that is not ours is avoided.
    let suspect = PartFailure { channel: Some(SCIDS[1]), ..PartFailure::default() };
    assert_eq!(htlcs.end(&part(1), None), suspect);
    assert_eq!(htlcs.end(&part(2), None), at_destination(REFUSED));
    let number = |htlcs: &SentHtlcs| htlcs.table().rows[&part(2)].htlc.number;
    assert_eq!(number(&restarted(&[sent, failed])), Some(5));

    // One that is sent again has its number from that.
    let htlcs = restarted(&[written(&{
        let htlcs = SentHtlcs::default();
        htlcs.insert(part(2), htlc(4));
        htlcs
    })]);
    htlcs.left(&leaving(4, 6));
    htlcs.left(&leaving(4, 6));
    assert_eq!(number(&htlcs), Some(6));
}

#[test]
fn htlcs_with_one_hash_are_told_apart_by_their_onions() {
    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    htlcs.insert(part(2), htlc(4));
    htlcs.left(&leaving(5, 0));
    htlcs.left(&leaving(4, 1));
    htlcs.left(&leaving(3, 2));
    htlcs.failed(&fails(CHANNEL, 1, &refusal(4, REFUSED)));
    htlcs.failed(&fails(CHANNEL, 2, &refusal(3, FailureCode::MPP_TIMEOUT)));
    assert_eq!(htlcs.end(&part(1), None), at_destination(FailureCode::MPP_TIMEOUT));
    assert_eq!(htlcs.end(&part(2), None), at_destination(REFUSED));
}

#[test]
fn the_last_word_counts_and_what_nobody_can_read_is_no_word() {
    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    htlcs.left(&leaving(3, 5));
    htlcs.failed(&fails(CHANNEL, 5, &refusal(3, FailureCode::MPP_TIMEOUT)));
    htlcs.failed(&fails(CHANNEL, 5, &refusal(3, REFUSED)));
    assert_eq!(htlcs.end(&part(1), GUESS), at_destination(REFUSED));
    htlcs.failed(&fails(CHANNEL, 5, &refusal(4, REFUSED)));
    assert_eq!(htlcs.end(&part(1), GUESS), PartFailure { channel: GUESS, ..PartFailure::default() });
}

#[test]
fn an_onion_that_the_peer_cannot_read() {
    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    htlcs.left(&leaving(3, 5));
    let malformed = |number: u64| {
        let wire = [&CHANNEL.0[..], &number.to_be_bytes(), &[0; 32], &[0xc0, 5]].concat();
        UpdateFailMalformedHTLC::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed")
    };
    htlcs.malformed(&malformed(4));
    assert_eq!(htlcs.table().rows[&part(1)].htlc.failure, None);
    htlcs.malformed(&malformed(5));
    let code = Some(FailureCode::INVALID_ONION_HMAC);
    let expected = PartFailure { hop: Some(1), code, channel: Some(SCIDS[0]) };
    assert_eq!(htlcs.end(&part(1), None), expected);
}

#[test]
fn a_part_is_sent_once_and_only_with_a_key() {
    let htlcs = SentHtlcs::default();
    assert!(htlcs.insert(part(1), htlc(3)));
    assert!(!htlcs.insert(part(1), htlc(4)));
    assert!(!htlcs.insert(part(2), htlc(0)), "zero is no key");
    assert!(!htlcs.insert(part(2), htlc(0xff)), "nor is more than the order");
    assert!(!htlcs.is_known(&part(2)));
}

#[test]
fn what_ldk_does_not_know_any_more_is_forgotten() {
    let htlcs = SentHtlcs::default();
    htlcs.insert(part(1), htlc(3));
    htlcs.insert(part(2), htlc(4));
    let sent = written(&htlcs);
    htlcs.retain(&HashSet::from([part(2)]));
    let left = stored(&[sent, written(&htlcs)]);
    assert_eq!(left, [(hex(&[2; 32]), htlc(4).encode())]);
}

/// These bytes lie in the databases of running nodes.
#[test]
fn the_format_never_changes() {
    let mut row = htlc(3);
    let head = [&[1][..], &[3; 32], &[9; 32], &[7; 32], &[2]].concat();
    let hops = [&node(1).to_bytes()[..], &SCIDS[0].to_bytes(), &node(2).to_bytes(), &SCIDS[1].to_bytes()];
    let head = [head, hops.concat()].concat();
    assert_eq!(row.encode(), [&head[..], &[0, 0]].concat());
    row.number = Some(5);
    row.failure = Some(PartFailure { hop: Some(2), code: Some(REFUSED), channel: Some(SCIDS[1]) });
    let number = [1, 0, 0, 0, 0, 0, 0, 0, 5];
    let failure = [1, 1, 0, 0, 0, 2, 1, 0x40, 0x0f, 1, 0, 0, 0, 0, 0, 0, 0, 102];
    assert_eq!(row.encode(), [&head[..], &number, &failure].concat());
    row.failure = Some(PartFailure::default());
    assert_eq!(row.encode(), [&head[..], &number, &[1, 0, 0, 0]].concat());
}

#[test]
fn rows_that_cannot_be_read_stop_the_start() {
    let key = hex(&part(1).to_bytes());
    let load = |key: &str, value: Vec<u8>| SentHtlcs::load(&[(key.into(), value)]).map(drop);
    assert_eq!(load(&key, htlc(3).encode()), Ok(()));
    assert_eq!(load("x", htlc(3).encode()), Err("x".into()));
    assert_eq!(load(&key, htlc(0).encode()), Err(key.clone()));
    assert_eq!(load(&key, [&[2], &htlc(3).encode()[1..]].concat()), Err(key));
}

fn rows() -> impl Strategy<Value = SentHtlc> {
    let failure = any::<Option<(Option<u32>, Option<u16>, Option<u64>)>>();
    let hops = proptest::collection::vec((1u8..100, any::<u64>()), 0..21);
    let ids = any::<([u8; 32], [u8; 32], [u8; 32])>();
    (ids, hops, any::<Option<u64>>(), failure).prop_map(|((key, hash, channel), hops, number, failure)| {
        SentHtlc {
            session_key: SessionKey::from_bytes(key),
            hash: PaymentHash::from_bytes(hash),
            channel: ChannelId(channel),
            hops: hops.into_iter().map(|(n, channel)| (node(n), ShortChannelId::new(channel))).collect(),
            number,
            failure: failure.map(|(hop, code, channel)| PartFailure {
                hop,
                code: code.map(FailureCode::new),
                channel: channel.map(ShortChannelId::new),
            }),
        }
    })
}

proptest! {
    #[test]
    fn rows_round_trip(row in rows()) {
        prop_assert_eq!(SentHtlc::decode(&row.encode()), Some(row));
    }

    #[test]
    fn bytes_that_are_cut_or_longer_are_no_row(row in rows(), end: prop::sample::Index) {
        let mut bytes = row.encode();
        prop_assert_eq!(SentHtlc::decode(&bytes[..end.index(bytes.len())]), None);
        bytes.push(0);
        prop_assert_eq!(SentHtlc::decode(&bytes), None);
    }

    #[test]
    fn any_bytes_that_decode_encode_the_same(mut bytes: Vec<u8>) {
        bytes.insert(0, 1);
        if let Some(row) = SentHtlc::decode(&bytes) {
            prop_assert_eq!(row.encode(), bytes);
        }
    }
}
