//! Translation of incoming HTLCs: what is not ours is left alone, what is ours becomes what LDK reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lightning::chain::channelmonitor::HTLC_FAIL_BACK_BUFFER;
use lightning::ln::msgs::UpdateAddHTLC;
use lightning::ln::onion_payment::peel_payment_onion;
use lightning::sign::NodeSigner as _;
use lightning::util::logger::{Logger, Record};
use sponte_engine::backend::AmpShard;
use sponte_fuzz::htlc::{Offer, receiver};
use sponte_fuzz::secp;
use sponte_ldk::translate::{Kind, Translation, Translator};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::{OnionPacket, PAYMENT_PAYLOADS, hop_size, peel};
use sponte_proto::payload::{FinalPayload, HopPayload, Position};
use sponte_proto::{PaymentHash, PaymentSecret, RecordType};
use std::sync::OnceLock;

/// The facts of a shard and the nonce that they are sealed with.
const METADATA: usize = 109 + 16;

fn translator() -> &'static Translator {
    static TRANSLATOR: OnceLock<Translator> = OnceLock::new();
    TRANSLATOR.get_or_init(|| Translator::new([8; 32], receiver().get_expanded_key()))
}

fuzz_target!(|data: &[u8]| {
    let offer = Offer::read(data);
    let translated = translate(&offer, &offer.htlc);
    assert_eq!(translate(&offer, &offer.htlc), translated, "a pure function");

    let Some(sent) = ours(&offer) else { return assert_eq!(translated, None, "left alone") };
    assert!(!offer.damaged, "its HMAC is wrong");
    let (kind, htlc) = translated.expect("it is ours");
    assert_eq!(translate(&offer, &htlc), None, "translated once");
    assert_only_the_onion_differs(&offer.htlc, &htlc);
    let told = opened(&offer, &htlc).expect("it opens under the same secret");
    match (kind, wanted(&offer, &sent)) {
        (None, None) => assert_eq!(told, refusal(&sent)),
        (Some(kind), Some((wanted_kind, payload))) => {
            assert_eq!(kind, wanted_kind);
            assert_told(&offer, &sent, payload, &told);
        }
        (kind, wanted) => panic!("{kind:?}, not {wanted:?}"),
    }
    assert_ldk_reads(&offer, &htlc, &told);
});

/// What LDK is told instead, and of which kind it is, unless it is a refusal.
fn translate(offer: &Offer, htlc: &UpdateAddHTLC) -> Option<(Option<Kind>, UpdateAddHTLC)> {
    match translator().translate(htlc, &offer.secret, &offer.kinds) {
        Translation::Untouched => None,
        Translation::Translated(kind, htlc) => Some((Some(kind), *htlc)),
        Translation::Refused(htlc) => Some((None, *htlc)),
    }
}

/// The payload of an HTLC whose payload is ours to change.
fn ours(offer: &Offer) -> Option<FinalPayload> {
    let payload = opened(offer, &offer.htlc)?;
    let invoice_request = payload.custom_records.value(RecordType::INVOICE_REQUEST.to_u64()).is_some();
    let on = match (&payload.amp, &payload.payment_data, &payload.keysend) {
        (Some(_), ..) => offer.kinds.amp || offer.kinds.amp_invoice,
        (None, None, None) => offer.kinds.ecdh0 || offer.kinds.ecdh1,
        _ => false,
    };
    (on && !invoice_request).then_some(payload)
}

/// Peels it as a node does that knows its key only.
fn opened(offer: &Offer, htlc: &UpdateAddHTLC) -> Option<FinalPayload> {
    if htlc.blinding_point.is_some() {
        return None;
    }
    let packet = &htlc.onion_routing_packet;
    let point = packet.public_key.ok()?.serialize();
    let packet = OnionPacket::from_parts(packet.version, &point, &packet.hop_data, &packet.hmac).ok()?;
    let peeled = peel(secp(), &receiver().get_node_secret_key(), &packet, &htlc.payment_hash.0).ok()?;
    assert_eq!(peeled.shared_secret, offer.secret);
    match HopPayload::read(&peeled.payload, Position::Final, None) {
        Ok(HopPayload::Final(payload)) if peeled.next.is_none() => Some(payload),
        _ => None,
    }
}

/// What such a payload becomes, but for the sealed facts of a shard; `None`: a refusal.
fn wanted(offer: &Offer, sent: &FinalPayload) -> Option<(Kind, FinalPayload)> {
    let mut payload = sent.clone();
    let kind = if payload.amp.take().is_some() {
        let data = payload.payment_data.take().filter(|_| payload.keysend.is_none())?;
        payload.payment_data = Some(PaymentData::new(data.payment_secret().clone(), sent.amt_to_forward));
        payload.payment_metadata = Some(vec![0; METADATA]);
        Kind::Amp
    } else {
        let version = match payload.custom_records.value(ECDH_RECORD.to_u64()) {
            None if offer.kinds.ecdh0 => Version::Ecdh0,
            Some([1]) if offer.kinds.ecdh1 => Version::Ecdh1,
            _ => return None,
        };
        let hash = PaymentHash::from_bytes(offer.htlc.payment_hash.0);
        payload.keysend = Some(version.preimage(&offer.secret)).filter(|key| key.payment_hash() == hash);
        payload.keysend.as_ref()?;
        Kind::Ecdh(version)
    };
    let size = hop_size(payload.encode().len())?;
    (size <= PAYMENT_PAYLOADS).then_some((kind, payload))
}

/// Amount, expiry, and a secret of nobody's.
fn refusal(sent: &FinalPayload) -> FinalPayload {
    let mut payload = FinalPayload::new(sent.amt_to_forward, sent.outgoing_cltv_value);
    payload.payment_data = Some(PaymentData::new(PaymentSecret::from_bytes([0; 32]), sent.amt_to_forward));
    payload
}

/// The facts read back, and all else is what is wanted.
fn assert_told(offer: &Offer, sent: &FinalPayload, mut wanted: FinalPayload, told: &FinalPayload) {
    if let Some(record) = &sent.amp {
        let hash = PaymentHash::from_bytes(offer.htlc.payment_hash.0);
        let metadata = told.payment_metadata.as_deref().expect("facts");
        let payment_data = sent.payment_data.clone().expect("a shard has it");
        let shard = AmpShard { payment_data, record: record.clone() };
        assert_eq!(translator().open_facts(&hash, metadata), Some(shard));

        let secret = told.payment_data.as_ref().expect("a secret").payment_secret();
        assert_ne!(Some(secret), sent.payment_data.as_ref().map(PaymentData::payment_secret));
        wanted.payment_data = Some(PaymentData::new(secret.clone(), sent.amt_to_forward));
        wanted.payment_metadata = Some(metadata.to_vec());
    }
    assert_eq!(*told, wanted);
}

fn assert_only_the_onion_differs(came: &UpdateAddHTLC, told: &UpdateAddHTLC) {
    let mut same = told.clone();
    same.onion_routing_packet.hop_data = came.onion_routing_packet.hop_data;
    same.onion_routing_packet.hmac = came.onion_routing_packet.hmac;
    assert_eq!(same, *came);
}

/// LDK takes whatever we write if amount and expiry are what the sender meant.
fn assert_ldk_reads(offer: &Offer, htlc: &UpdateAddHTLC, told: &FinalPayload) {
    let sound = told.amt_to_forward.to_msat() <= htlc.amount_msat
        && told.outgoing_cltv_value.to_u32() <= htlc.cltv_expiry
        && htlc.cltv_expiry > HTLC_FAIL_BACK_BUFFER + 1;
    match peel_payment_onion(htlc, receiver(), Silence, secp(), 0, false) {
        Ok(read) => {
            assert!(sound);
            assert_eq!(read.incoming_shared_secret, *offer.secret.as_bytes());
            assert_eq!(read.outgoing_amt_msat, told.amt_to_forward.to_msat());
        }
        Err(error) => assert!(!sound, "{}", error.msg),
    }
}

struct Silence;

impl Logger for Silence {
    fn log(&self, _: Record) {}
}
