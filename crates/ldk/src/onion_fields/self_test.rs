//! Whether LDK writes the payloads that it is told to. Pinned as it is, only a build with another
//! LDK can fail it; it is asked at every start.

use super::onion_fields;
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use lightning::ln::msgs::OnionPacket as LdkPacket;
use lightning::ln::onion_utils::create_payment_onion;
use lightning::routing::router::{Path, RouteHop};
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::PaymentHash as LdkHash;
use sponte_engine::backend::Payload;
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::{OnionPacket, peel};
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentSecret, Preimage, Records};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) const HEIGHT: u32 = 800_000;
const DELTA: u32 = 144;
const HASH: [u8; 32] = [9; 32];

/// # Errors
/// What LDK writes in another way.
pub(crate) fn self_test() -> Result<(), &'static str> {
    let amount = Msat::from_sat(123).ok_or("amounts")?;
    for (name, payload) in samples(amount) {
        // With debug assertions LDK panics at record 14 instead of writing it.
        let written = catch_unwind(AssertUnwindSafe(|| written(&payload, amount, 1))).ok().flatten();
        if written != Some(expected(&payload, amount)) {
            return Err(name);
        }
    }
    Ok(())
}

/// One payload of each kind that is sent.
pub(super) fn samples(total: Msat) -> [(&'static str, Payload); 6] {
    let data = Some(PaymentData::new(PaymentSecret::from_bytes([1; 32]), total));
    let keysend = Some(Preimage::from_bytes([2; 32]));
    let record = AmpRecord {
        root_share: Share::from_bytes([3; 32]),
        set_id: SetId::from_bytes([4; 32]),
        child_index: 5,
    };
    let metadata = Some(vec![6; 7]);
    let records = || Records::from_received([(65_536, vec![1]), (5_482_373_485, vec![2])]);
    let marker = Version::Ecdh1.record().map(|value| (ECDH_RECORD.to_u64(), value.to_vec()));
    let none = Payload::default;
    [
        ("a keysend that is sent", Payload { keysend: keysend.clone(), records: records(), ..none() }),
        ("a part of a keysend that is sent", Payload { keysend, payment_data: data.clone(), ..none() }),
        (
            "a shard that is sent (or it was built with debug assertions, which forbid it)",
            Payload { amp: Some(record.clone()), payment_data: data.clone(), records: records(), ..none() },
        ),
        (
            "a shard with metadata that is sent",
            Payload {
                amp: Some(record),
                payment_data: data.clone(),
                payment_metadata: metadata.clone(),
                ..none()
            },
        ),
        ("an ECDH payment that is sent", Payload { records: Records::from_received(marker), ..none() }),
        (
            "a part of an invoice that is sent",
            Payload { payment_data: data, payment_metadata: metadata, records: records(), ..none() },
        ),
    ]
}

pub(super) fn expected(payload: &Payload, amount: Msat) -> Vec<u8> {
    let mut expected = FinalPayload::new(amount, CltvExpiry::new(HEIGHT + DELTA));
    expected.payment_data.clone_from(&payload.payment_data);
    expected.amp.clone_from(&payload.amp);
    expected.payment_metadata.clone_from(&payload.payment_metadata);
    expected.keysend.clone_from(&payload.keysend);
    expected.custom_records.clone_from(&payload.records);
    expected.encode()
}

/// What the last of so many nodes reads in an onion that LDK made.
pub(crate) fn written(payload: &Payload, amount: Msat, hops: u8) -> Option<Vec<u8>> {
    let secp = Secp256k1::new();
    let nodes =
        (0..hops).map(|n| SecretKey::from_slice(&[n + 10; 32])).collect::<Result<Vec<_>, _>>().ok()?;
    let session_key = SecretKey::from_slice(&[8; 32]).ok()?;
    let fields = onion_fields(payload, amount)?;
    let path = path(&secp, &nodes, amount);
    let hash = LdkHash(HASH);
    let made = create_payment_onion(&secp, &path, &session_key, &fields, HEIGHT, &hash, &None, None, [0; 32]);
    let mut packet = packet(made.ok()?.0)?;
    for node in &nodes {
        let peeled = peel(&secp, node, &packet, &HASH).ok()?;
        match peeled.next {
            Some(next) => packet = next,
            None => return Some(peeled.payload.to_vec()),
        }
    }
    None
}

/// The hops before the last ask for the largest numbers that are in use.
fn path(secp: &Secp256k1<All>, nodes: &[SecretKey], amount: Msat) -> Path {
    let hop = |(number, node): (usize, &SecretKey)| {
        let last = number + 1 == nodes.len();
        RouteHop {
            pubkey: PublicKey::from_secret_key(secp, node),
            node_features: NodeFeatures::empty(),
            short_channel_id: number as u64 + 1,
            channel_features: ChannelFeatures::empty(),
            fee_msat: if last { amount.to_msat() } else { 1_000 },
            cltv_expiry_delta: if last { DELTA } else { 40 },
            maybe_announced_channel: true,
        }
    };
    Path { hops: nodes.iter().enumerate().map(hop).collect(), blinded_tail: None }
}

fn packet(packet: LdkPacket) -> Option<OnionPacket> {
    let key = packet.public_key.ok()?.serialize();
    OnionPacket::from_parts(packet.version, &key, &packet.hop_data, &packet.hmac).ok()
}
