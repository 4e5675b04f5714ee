//! What translation costs each incoming HTLC, the Diffie-Hellman included.

use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use criterion::{Criterion, criterion_group, criterion_main};
use lightning::ln::msgs::{OnionPacket, UpdateAddHTLC};
use lightning::ln::types::ChannelId;
use lightning::sign::{KeysManager, NodeSigner, Recipient};
use lightning::types::payment::PaymentHash;
use sponte_engine::backend::Kinds;
use sponte_ldk::translate::{Translation, Translator};
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets, SharedSecret};
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentSecret};
use std::hint::black_box;

fn htlc(node: PublicKey, hops: usize) -> UpdateAddHTLC {
    let amount = Msat::from_sat(50).expect("small");
    let mut payload = FinalPayload::new(amount, CltvExpiry::new(800_000));
    payload.payment_data = Some(PaymentData::new(PaymentSecret::from_bytes([1; 32]), amount));
    let (root_share, set_id) = (Share::from_bytes([2; 32]), SetId::from_bytes([3; 32]));
    payload.amp = Some(AmpRecord { root_share, set_id, child_index: 4 });
    let session_key = SecretKey::from_slice(&[5; 32]).expect("a key");
    let secrets = RouteSecrets::new(&Secp256k1::new(), &session_key, &vec![node; hops]).expect("hops");
    let payloads = vec![payload.encode(); hops];
    let packet = secrets.build(&payloads, &[6; 32], PAYMENT_PAYLOADS).expect("it fits");
    UpdateAddHTLC {
        channel_id: ChannelId([7; 32]),
        htlc_id: 0,
        amount_msat: amount.to_msat(),
        payment_hash: PaymentHash([6; 32]),
        cltv_expiry: 800_000,
        skimmed_fee_msat: None,
        onion_routing_packet: OnionPacket {
            version: 0,
            public_key: PublicKey::from_slice(packet.public_key()),
            hop_data: packet.hop_payloads().try_into().expect("1,300 bytes"),
            hmac: *packet.hmac(),
        },
        blinding_point: None,
        hold_htlc: None,
        accountable: None,
    }
}

fn translation(c: &mut Criterion) {
    let signer = KeysManager::new(&[8; 32], 1, 1, true);
    let node = signer.get_node_id(Recipient::Node).expect("its own key");
    let translator = Translator::new([9; 32], signer.get_expanded_key());
    let translate = |htlc: &UpdateAddHTLC| {
        let key = htlc.onion_routing_packet.public_key.expect("a point");
        let secret = signer.ecdh(Recipient::Node, &key, None).expect("its own key");
        translator.translate(htlc, &SharedSecret::from_bytes(secret.secret_bytes()), &Kinds::default())
    };
    let (shard, forward) = (htlc(node, 1), htlc(node, 2));
    assert!(matches!(translate(&shard), Translation::Translated(..)));
    assert!(matches!(translate(&forward), Translation::Untouched));
    let mut group = c.benchmark_group("translation");
    group.bench_function("a shard", |b| b.iter(|| translate(black_box(&shard))));
    group.bench_function("a forward", |b| b.iter(|| translate(black_box(&forward))));
    group.finish();
}

criterion_group!(benches, translation);
criterion_main!(benches);
