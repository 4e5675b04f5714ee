use super::*;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning::ln::channelmanager::PendingHTLCRouting;
use lightning::ln::onion_payment::peel_payment_onion;
use lightning::ln::types::ChannelId;
use lightning::sign::{KeysManager, NodeSigner as _};
use proptest::prelude::*;
use sponte_proto::amp::{SetId, Share};
use sponte_proto::failure::{FailurePacket, decode_failure};
use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets};
use sponte_proto::payload::ForwardPayload;
use sponte_proto::{CltvExpiry, Msat, Preimage, Records, ShortChannelId};
use std::sync::OnceLock;

const HEIGHT: u32 = 800_000;
const ALL: Kinds =
    Kinds { keysend: true, mpp_keysend: true, amp: true, amp_invoice: true, ecdh1: true, ecdh0: true };
const NONE: Kinds =
    Kinds { keysend: false, mpp_keysend: false, amp: false, amp_invoice: false, ecdh1: false, ecdh0: false };

fn secp() -> &'static Secp256k1<All> {
    static SECP: OnceLock<Secp256k1<All>> = OnceLock::new();
    SECP.get_or_init(Secp256k1::new)
}

/// The receiving node.
fn signer() -> &'static KeysManager {
    static SIGNER: OnceLock<KeysManager> = OnceLock::new();
    SIGNER.get_or_init(|| KeysManager::new(&[7; 32], 1, 1, true))
}

fn translator() -> Translator {
    Translator::new([8; 32], signer().get_expanded_key())
}

fn amount() -> Msat {
    Msat::from_sat(50).expect("small")
}

fn final_payload() -> FinalPayload {
    FinalPayload::new(amount(), CltvExpiry::new(HEIGHT + 100))
}

fn payment_data() -> PaymentData {
    PaymentData::new(PaymentSecret::from_bytes([9; 32]), Msat::from_sat(150).expect("small"))
}

fn amp_record() -> AmpRecord {
    AmpRecord { root_share: Share::from_bytes([1; 32]), set_id: SetId::from_bytes([2; 32]), child_index: 3 }
}

fn shard() -> FinalPayload {
    let mut payload = final_payload();
    payload.payment_data = Some(payment_data());
    payload.amp = Some(amp_record());
    payload
}

fn with_records(mut payload: FinalPayload, records: &[(u64, Vec<u8>)]) -> FinalPayload {
    payload.custom_records = Records::from_received(records.iter().cloned());
    payload
}

/// A payer's secrets for a route of so many nodes to the receiver.
fn route(hops: usize) -> RouteSecrets {
    let receiver = signer().get_node_secret_key();
    let keys = (1..hops as u8).map(|number| SecretKey::from_slice(&[number; 32]).expect("a key"));
    let keys = keys.chain([receiver]).map(|key| PublicKey::from_secret_key(secp(), &key));
    let session_key = SecretKey::from_slice(&[0x41; 32]).expect("a key");
    RouteSecrets::new(secp(), &session_key, &keys.collect::<Vec<_>>()).expect("a route")
}

fn secret() -> SharedSecret {
    route(1).shared_secrets()[0].clone()
}

/// An HTLC to the receiver with any bytes as its payload.
fn htlc_of_bytes(payload: &[u8], hash: PaymentHash) -> msgs::UpdateAddHTLC {
    let packet = route(1).build(&[payload], &hash.to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
    htlc_with(&packet, hash)
}

fn htlc_with(packet: &OnionPacket, hash: PaymentHash) -> msgs::UpdateAddHTLC {
    msgs::UpdateAddHTLC {
        channel_id: ChannelId([1; 32]),
        htlc_id: 0,
        amount_msat: amount().to_msat(),
        payment_hash: LdkHash(hash.to_bytes()),
        cltv_expiry: HEIGHT + 100,
        skimmed_fee_msat: None,
        onion_routing_packet: msgs::OnionPacket {
            version: packet.version(),
            public_key: PublicKey::from_slice(packet.public_key()),
            hop_data: packet.hop_payloads().try_into().expect("1,300 bytes"),
            hmac: *packet.hmac(),
        },
        blinding_point: None,
        hold_htlc: None,
        accountable: None,
    }
}

fn htlc(payload: &FinalPayload, hash: PaymentHash) -> msgs::UpdateAddHTLC {
    htlc_of_bytes(&payload.encode(), hash)
}

fn hash() -> PaymentHash {
    PaymentHash::from_bytes([0x42; 32])
}

/// What LDK reads.
struct Read {
    payment_data: Option<PaymentData>,
    metadata: Option<Vec<u8>>,
    records: Records,
    keysend: Option<Preimage>,
}

fn ldk_reads(htlc: &msgs::UpdateAddHTLC) -> Read {
    let peeled = peel_payment_onion(htlc, signer(), crate::log::Log, secp(), HEIGHT, false);
    let peeled = peeled.unwrap_or_else(|error| panic!("{}", error.msg));
    assert_eq!(peeled.incoming_shared_secret, *secret().as_bytes(), "failures decode at the sender");
    assert_eq!(peeled.outgoing_amt_msat, amount().to_msat());
    let (data, metadata, records, keysend) = match peeled.routing {
        PendingHTLCRouting::Receive { payment_data, payment_metadata, custom_tlvs, .. } => {
            (Some(payment_data), payment_metadata, custom_tlvs, None)
        }
        PendingHTLCRouting::ReceiveKeysend {
            payment_data,
            payment_metadata,
            custom_tlvs,
            payment_preimage,
            ..
        } => (payment_data, payment_metadata, custom_tlvs, Some(Preimage::from_bytes(payment_preimage.0))),
        _ => panic!("it receives"),
    };
    let payment_data = data.map(|data| {
        let total = Msat::new(data.total_msat).expect("in supply");
        PaymentData::new(PaymentSecret::from_bytes(data.payment_secret.0), total)
    });
    Read { payment_data, metadata, records: Records::from_received(records), keysend }
}

fn translated(htlc: &msgs::UpdateAddHTLC, kinds: &Kinds) -> (Kind, Read) {
    match translator().translate(htlc, &secret(), kinds) {
        Translation::Translated(kind, htlc) => (kind, ldk_reads(&htlc)),
        other => panic!("{other:?}"),
    }
}

fn assert_refused(htlc: &msgs::UpdateAddHTLC, kinds: &Kinds) {
    let Translation::Refused(refused) = translator().translate(htlc, &secret(), kinds) else {
        panic!("it is ours to refuse");
    };
    let read = ldk_reads(&refused);
    let nobody = PaymentData::new(PaymentSecret::from_bytes([0; 32]), amount());
    assert_eq!(read.payment_data, Some(nobody));
    assert!(read.keysend.is_none() && read.records.is_empty() && read.metadata.is_none());
}

fn assert_untouched(htlc: &msgs::UpdateAddHTLC, kinds: &Kinds) {
    let translation = translator().translate(htlc, &secret(), kinds);
    assert!(matches!(translation, Translation::Untouched), "{translation:?}");
}

#[test]
fn a_shard_becomes_a_payment_of_its_own() {
    let records = [(65_536, vec![1]), (34_349_334, b"hello".to_vec()), (u64::MAX, vec![])];
    let mut payload = with_records(shard(), &records);
    payload.payment_metadata = Some(b"the sender's".to_vec());
    for kinds in [Kinds { amp: true, ..NONE }, Kinds { amp_invoice: true, ..NONE }] {
        let (kind, read) = translated(&htlc(&payload, hash()), &kinds);
        assert_eq!(kind, Kind::Amp);
        assert_eq!(read.payment_data.as_ref().map(PaymentData::total), Some(amount()));
        assert_eq!(read.records, payload.custom_records);
        let shard = translator().open_facts(&hash(), &read.metadata.expect("facts"));
        let shard = shard.expect("they are ours");
        assert_eq!((shard.payment_data, shard.record), (payment_data(), amp_record()));
    }
}

/// The secret and the metadata lie in LDK's stored HTLCs, and it verifies them when it reads them
/// after a restart: neither its derivation nor ours may change.
#[test]
fn what_ldk_stores_never_changes() {
    let facts = facts::encode(&AmpShard { payment_data: payment_data(), record: amp_record() });
    let (secret, metadata) = translator().seal_facts(&hash(), facts).expect("sealed");
    assert_eq!(sponte_proto::hex(secret.as_bytes()), SECRET);
    assert_eq!(sponte_proto::hex(&metadata), METADATA);
}

const SECRET: &str = "2547b85c9e50ed8de816d8227433249d1390f4a861a85ba8628a935c413d6f2b";
const METADATA: &str = "5e4a0ea6206af37ba59815090881e52959fd9ed7628b0cc213fd0fb045dd91ad2fc1f983ed30406dcbb2094d01def09cba1c54ae6e9bdd3c3009f41e9effd248261c333179e753d3986267a0e836c29af5c60db528b0017447d580b4ffb90f1b819de1657e0514b19af642fb7d5b96fcfaeb8043db700d6bb0391a3c83";

#[test]
fn a_message_that_comes_again_becomes_the_same_bytes() {
    let message = htlc(&shard(), hash());
    let mut again = message.clone();
    again.htlc_id = 5;
    let packets = [message, again].map(|htlc| match translator().translate(&htlc, &secret(), &ALL) {
        Translation::Translated(_, translated) => {
            assert_eq!(translated.htlc_id, htlc.htlc_id);
            translated.onion_routing_packet
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(packets[0], packets[1]);
    // Another hash or other facts have another secret.
    let other = htlc(&shard(), PaymentHash::from_bytes([0x43; 32]));
    let mut other_set = shard();
    other_set.amp = Some(AmpRecord { set_id: SetId::from_bytes([5; 32]), ..amp_record() });
    let all = [htlc(&shard(), hash()), other, htlc(&other_set, hash())];
    let secrets: Vec<_> = all.iter().map(|htlc| translated(htlc, &ALL).1.payment_data).collect();
    assert!(secrets[0] != secrets[1] && secrets[0] != secrets[2] && secrets[1] != secrets[2]);
}

#[test]
fn ecdh_becomes_a_keysend() {
    let marked = with_records(final_payload(), &[(70_000, vec![1]), (ECDH_RECORD.to_u64(), vec![1])]);
    let cases = [
        (Version::Ecdh0, final_payload(), Kinds { ecdh0: true, ..NONE }),
        (Version::Ecdh1, marked, Kinds { ecdh1: true, ..NONE }),
    ];
    for (version, payload, kinds) in cases {
        let preimage = version.preimage(&secret());
        let (kind, read) = translated(&htlc(&payload, preimage.payment_hash()), &kinds);
        assert_eq!(kind, Kind::Ecdh(version));
        assert_eq!(read.keysend, Some(preimage.clone()));
        assert_eq!((read.payment_data, read.records), (None, payload.custom_records.clone()));
        // The hash opens, but the kind is off: as any that does not open.
        let other = Kinds { ecdh0: !kinds.ecdh0, ecdh1: !kinds.ecdh1, ..NONE };
        assert_refused(&htlc(&payload, preimage.payment_hash()), &other);
        assert_untouched(&htlc(&payload, preimage.payment_hash()), &NONE);
        assert_refused(&htlc(&payload, hash()), &kinds);
    }
    let newer = with_records(final_payload(), &[(ECDH_RECORD.to_u64(), vec![2])]);
    assert_refused(&htlc(&newer, Version::Ecdh1.preimage(&secret()).payment_hash()), &ALL);
}

#[test]
fn contradictory_shards_are_refused() {
    let mut without_data = shard();
    without_data.payment_data = None;
    let preimage = Preimage::from_bytes([4; 32]);
    let mut with_keysend = shard();
    with_keysend.keysend = Some(preimage.clone());
    for payload in [without_data, with_keysend] {
        assert_refused(&htlc(&payload, preimage.payment_hash()), &ALL);
        assert_untouched(
            &htlc(&payload, preimage.payment_hash()),
            &Kinds { amp: false, amp_invoice: false, ..ALL },
        );
    }
}

/// All lengths around the one at which what translation adds has no room any more.
#[test]
fn a_payload_without_room_is_refused() {
    let preimage = Version::Ecdh1.preimage(&secret());
    let marker = (ECDH_RECORD.to_u64(), vec![1]);
    let mut translations = [0, 0];
    for length in 1_000..1_300 {
        let record = (70_001, vec![6; length]);
        let cases = [
            (with_records(shard(), std::slice::from_ref(&record)), hash()),
            (with_records(final_payload(), &[record, marker.clone()]), preimage.payment_hash()),
        ];
        for (number, (payload, hash)) in cases.into_iter().enumerate() {
            if route(1).build(&[payload.encode()], &hash.to_bytes(), PAYMENT_PAYLOADS).is_err() {
                continue;
            }
            let htlc = htlc(&payload, hash);
            match translator().translate(&htlc, &secret(), &ALL) {
                Translation::Translated(_, htlc) => {
                    assert_eq!(ldk_reads(&htlc).records, payload.custom_records);
                    translations[number] += 1;
                }
                _ => assert_refused(&htlc, &ALL),
            }
        }
    }
    assert!(translations.iter().all(|many| (20..250).contains(many)), "{translations:?}");
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let mut invoice = final_payload();
    invoice.payment_data = Some(payment_data());
    let preimage = Preimage::from_bytes([4; 32]);
    let mut keysend = final_payload();
    keysend.keysend = Some(preimage.clone());
    let mut mpp_keysend = keysend.clone();
    mpp_keysend.payment_data = Some(payment_data());
    for payload in [&invoice, &keysend, &mpp_keysend] {
        assert_untouched(&htlc(payload, preimage.payment_hash()), &ALL);
        assert_untouched(&htlc(payload, hash()), &ALL);
    }
    assert_untouched(&htlc(&shard(), hash()), &NONE);
    assert_untouched(&htlc(&shard(), hash()), &Kinds { ecdh0: true, ecdh1: true, ..NONE });
    assert_untouched(&htlc(&final_payload(), hash()), &Kinds { amp: true, amp_invoice: true, ..NONE });
    assert_untouched(&htlc(&with_records(final_payload(), &[(77_777, vec![1])]), hash()), &ALL);

    let mut within_path = htlc(&shard(), hash());
    within_path.blinding_point = PublicKey::from_slice(&[2; 33]).ok();
    assert_untouched(&within_path, &ALL);
}

/// Streams that a reader of all kinds refuses, too: LDK's answer is that reader's.
#[test]
fn what_cannot_be_read_is_answered_by_ldk() {
    let stream = |records: &[(u64, &[u8])]| {
        let records = records.iter().map(|(kind, value)| (*kind, value.to_vec()));
        Records::from_received(records).encode()
    };
    let two = (2, &[0xc3, 0x50][..]);
    let four = (4, &[0x0c, 0x35, 0x64][..]);
    let data = payment_data().encode();
    let amp = amp_record().encode();
    let cases = [
        stream(&[two, four, (8, &data), (14, &amp[..63])]),
        stream(&[two, four, (8, &data), (14, &[&amp[..64], &[0, 1]].concat())]),
        stream(&[two, four, (14, &amp[..10])]),
        stream(&[two, (8, &data), (14, &amp)]),
        stream(&[two, four, (8, &data[..20]), (14, &amp)]),
        stream(&[two, four, (8, &data), (14, &amp), (22, &[])]),
        stream(&[two, four, (10, &[1, 2, 3])]),
        stream(&[two, four, (8, &data), (10, &[1, 2, 3]), (14, &amp)]),
        stream(&[two, four, (12, &[2; 33])]),
        stream(&[two, four, (18, &[1])]),
        stream(&[two, four, (20, &[0; 100])]),
        stream(&[two, four, (6, &[1; 8])]),
        vec![2, 0, 2, 0],
        vec![0xff, 0xff],
    ];
    for bytes in cases {
        let htlc = htlc_of_bytes(&bytes, hash());
        assert_untouched(&htlc, &ALL);
        let error = peel_payment_onion(&htlc, signer(), crate::log::Log, secp(), HEIGHT, false);
        let error = error.err().expect("LDK refuses it");
        let reason = FailurePacket::from_bytes(error.err_data);
        if !reason.as_bytes().is_empty() {
            let failure = decode_failure(&[secret()], &reason, None).failure.expect("it decodes");
            assert_eq!(failure.failure.code().to_u16(), 0x4016, "{bytes:?}");
        }
    }
}

#[test]
fn forwards_are_not_touched() {
    let forward = ForwardPayload {
        amt_to_forward: amount(),
        outgoing_cltv_value: CltvExpiry::new(HEIGHT + 100),
        short_channel_id: ShortChannelId::new(1),
    };
    let keys = [signer().get_node_secret_key(), SecretKey::from_slice(&[3; 32]).expect("a key")];
    let keys = keys.map(|key| PublicKey::from_secret_key(secp(), &key));
    let session_key = SecretKey::from_slice(&[0x41; 32]).expect("a key");
    let route = RouteSecrets::new(secp(), &session_key, &keys).expect("a route");
    // Whatever stands in the payload of a hop that is not the last one.
    for first in [forward.encode(), shard().encode(), final_payload().encode()] {
        let payloads = [first, shard().encode()];
        let packet = route.build(&payloads, &hash().to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
        let htlc = htlc_with(&packet, hash());
        let translation = translator().translate(&htlc, &route.shared_secrets()[0], &ALL);
        assert!(matches!(translation, Translation::Untouched), "{translation:?}");
    }
}

#[test]
fn a_shard_over_many_hops_is_translated_at_the_last() {
    let forward = ForwardPayload {
        amt_to_forward: amount(),
        outgoing_cltv_value: CltvExpiry::new(HEIGHT + 100),
        short_channel_id: ShortChannelId::new(1),
    };
    for hops in 2..8 {
        let route = route(hops);
        let mut payloads = vec![forward.encode(); hops - 1];
        payloads.push(shard().encode());
        let mut packet = route.build(&payloads, &hash().to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
        for number in 1..hops as u8 {
            let key = SecretKey::from_slice(&[number; 32]).expect("a key");
            let peeled = sponte_proto::onion::peel(secp(), &key, &packet, &hash().to_bytes());
            packet = peeled.expect("sound").next.expect("it forwards");
        }
        let last = route.shared_secrets().last().expect("hops");
        let translation = translator().translate(&htlc_with(&packet, hash()), last, &ALL);
        let Translation::Translated(Kind::Amp, htlc) = translation else { panic!("{translation:?}") };
        let peeled = peel_payment_onion(&htlc, signer(), crate::log::Log, secp(), HEIGHT, false);
        let peeled = peeled.unwrap_or_else(|error| panic!("{}", error.msg));
        assert_eq!(peeled.incoming_shared_secret, *last.as_bytes());
    }
}

fn kinds() -> impl Strategy<Value = Kinds> {
    any::<[bool; 6]>().prop_map(|[keysend, mpp_keysend, amp, amp_invoice, ecdh1, ecdh0]| Kinds {
        keysend,
        mpp_keysend,
        amp,
        amp_invoice,
        ecdh1,
        ecdh0,
    })
}

/// Payloads of records that matter, well formed or not.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(any::<u8>(), 64..69),
        Just(vec![1]),
        Just(vec![0x0c, 0x35, 0x64]),
    ];
    let kind = prop_oneof![
        prop::sample::select(vec![2u64, 4, 6, 8, 10, 12, 14, 16, 18, 20, 77_777, 5_482_373_484, 0x7373_3031]),
        any::<u64>(),
    ];
    let records = prop::collection::btree_map(kind, value, 0..8);
    let sound =
        (records, any::<[bool; 5]>()).prop_map(|(mut records, [basics, eight, fourteen, key, mark])| {
            let payload = shard();
            if basics {
                records.insert(2, vec![0xc3, 0x50]);
                records.insert(4, vec![0x0c, 0x35, 0x64]);
            }
            if eight {
                records.insert(8, payload.payment_data.map(|data| data.encode()).unwrap_or_default());
            }
            if fourteen {
                records.insert(14, payload.amp.map(|amp| amp.encode()).unwrap_or_default());
            }
            if key {
                records.remove(&5_482_373_484);
            }
            if mark {
                records.insert(0x7373_3031, vec![1]);
            }
            Records::from_received(records).encode()
        });
    prop_oneof![sound, prop::collection::vec(any::<u8>(), 2..200)]
}

proptest! {
    /// Whatever comes: what we touch is read by LDK as ours, and only if the kind is on.
    #[test]
    fn any_payload(bytes in payload(), kinds in kinds(), opens in 0..3u8) {
        prop_assume!(bytes.len() >= 2);
        let hash = match opens {
            0 => hash(),
            1 => Version::Ecdh0.preimage(&secret()).payment_hash(),
            _ => Version::Ecdh1.preimage(&secret()).payment_hash(),
        };
        let htlc = htlc_of_bytes(&bytes, hash);
        let read = HopPayload::read(&bytes, Position::Final, None);
        match translator().translate(&htlc, &secret(), &kinds) {
            Translation::Untouched => {
                if let Ok(HopPayload::Final(payload)) = read {
                    let invoice_request = payload.custom_records.value(77_777).is_some();
                    let ours = match (&payload.amp, &payload.payment_data, &payload.keysend) {
                        (Some(_), ..) => kinds.any_amp(),
                        (None, None, None) => kinds.any_ecdh(),
                        _ => false,
                    };
                    prop_assert!(!ours || invoice_request);
                }
            }
            Translation::Translated(Kind::Amp, _) => prop_assert!(kinds.any_amp()),
            Translation::Translated(Kind::Ecdh(Version::Ecdh0), _) => prop_assert!(kinds.ecdh0 && opens == 1),
            Translation::Translated(..) => prop_assert!(kinds.ecdh1 && opens == 2),
            Translation::Refused(refused) => {
                prop_assert!(kinds.any_amp() || kinds.any_ecdh());
                prop_assert_eq!(&refused.onion_routing_packet.public_key, &htlc.onion_routing_packet.public_key);
            }
        }
    }

    /// Packets that are not for us, or damaged.
    #[test]
    fn any_packet(data in prop::collection::vec(any::<u8>(), 1_300), hmac: [u8; 32], version: u8, kinds in kinds()) {
        let mut htlc = htlc(&shard(), hash());
        htlc.onion_routing_packet.version = version;
        htlc.onion_routing_packet.hop_data.copy_from_slice(&data);
        htlc.onion_routing_packet.hmac = hmac;
        assert_untouched(&htlc, &kinds);
    }
}
