//! Onions beside LDK's, and beside the curve operations that neither can avoid.

#[path = "../tests/ldk/node.rs"]
mod node;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lightning::bitcoin::secp256k1::ecdh::SharedSecret as Ecdh;
use lightning::bitcoin::secp256k1::{All, PublicKey, Scalar, Secp256k1, SecretKey};
use lightning::ln::onion_utils::create_payment_onion;
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::routing::router::Path;
use lightning::types::payment::{PaymentHash, PaymentPreimage};
use node::{HEIGHT, Node, hop, htlc, path, to_ldk};
use sponte_proto::failure::{Failure, FailurePacket, decode_failure};
use sponte_proto::onion::{OnionPacket, PAYMENT_PAYLOADS, RouteSecrets, peel, reseal};
use sponte_proto::payload::{FinalPayload, ForwardPayload, HopPayload, Position};
use sponte_proto::{CltvExpiry, Msat, Preimage, ShortChannelId};
use std::hint::black_box;

const HOPS: [usize; 4] = [1, 3, 10, 20];
const AMOUNT: u64 = 1_000_000;

/// A keysend over a route of nodes, for both implementations.
struct Payment {
    nodes: Vec<Node>,
    keys: Vec<PublicKey>,
    path: Path,
    session_key: SecretKey,
    preimage: [u8; 32],
    payment_hash: [u8; 32],
}

impl Payment {
    fn new(length: usize) -> Payment {
        let nodes: Vec<Node> = (0..length).map(|number| Node::new(number as u8)).collect();
        let last = |i| i + 1 == length;
        let hops = nodes.iter().enumerate().map(|(i, node)| {
            hop(node, i as u64 + 1, if last(i) { AMOUNT } else { 1_000 }, if last(i) { 144 } else { 60 })
        });
        let preimage = [7; 32];
        Payment {
            path: path(hops.collect()),
            keys: nodes.iter().map(|node| node.node_id).collect(),
            nodes,
            session_key: SecretKey::from_slice(&[0x41; 32]).expect("a key"),
            payment_hash: Preimage::from_bytes(preimage).payment_hash().to_bytes(),
            preimage,
        }
    }

    /// Payloads and packet, all that LDK's function does.
    fn build(&self, secp: &Secp256k1<All>) -> OnionPacket {
        let secrets = RouteSecrets::new(secp, &self.session_key, &self.keys).expect("hops");
        let (mut amount, mut expiry) = (AMOUNT, HEIGHT + 144);
        let mut last = FinalPayload::new(msat(amount), CltvExpiry::new(expiry));
        last.keysend = Some(Preimage::from_bytes(self.preimage));
        let mut payloads = vec![last.encode()];
        for hop in self.path.hops.iter().skip(1).rev() {
            let forward = ForwardPayload {
                amt_to_forward: msat(amount),
                outgoing_cltv_value: CltvExpiry::new(expiry),
                short_channel_id: ShortChannelId::new(hop.short_channel_id),
            };
            payloads.push(forward.encode());
            (amount, expiry) = (amount + 1_000, expiry + 60);
        }
        payloads.reverse();
        secrets.build(&payloads, &self.payment_hash, PAYMENT_PAYLOADS).expect("fits")
    }

    fn ldk_build(&self, secp: &Secp256k1<All>) -> lightning::ln::msgs::OnionPacket {
        let preimage = Some(PaymentPreimage(self.preimage));
        let fields = RecipientOnionFields::spontaneous_empty(AMOUNT);
        let hash = PaymentHash(self.payment_hash);
        let built = create_payment_onion(
            secp,
            &self.path,
            &self.session_key,
            &fields,
            HEIGHT,
            &hash,
            &preimage,
            None,
            [3; 32],
        );
        built.expect("a good route").0
    }

    /// A Diffie-Hellman with each hop, the ephemeral keys between them.
    fn curve(&self, secp: &Secp256k1<All>) -> Vec<Ecdh> {
        let mut ephemeral = self.session_key;
        let factor = Scalar::from_be_bytes([0x33; 32]).expect("in the group");
        let mut secrets = Vec::with_capacity(self.keys.len());
        for (i, key) in self.keys.iter().enumerate() {
            if i == 0 || i + 1 < self.keys.len() {
                black_box(PublicKey::from_secret_key(secp, &ephemeral).serialize());
            }
            secrets.push(Ecdh::new(key, &ephemeral));
            ephemeral = ephemeral.mul_tweak(&factor).expect("in the group");
        }
        secrets
    }
}

fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

fn build(c: &mut Criterion) {
    let secp = Secp256k1::new();
    let mut group = c.benchmark_group("build");
    for length in HOPS {
        let payment = Payment::new(length);
        let mut bench = |name, run: &dyn Fn()| {
            group.bench_function(BenchmarkId::new(name, length), |b| b.iter(run));
        };
        bench("sponte", &|| _ = black_box(payment.build(&secp)));
        bench("ldk", &|| _ = black_box(payment.ldk_build(&secp)));
        bench("curve", &|| _ = black_box(payment.curve(&secp)));
    }
    group.finish();
}

/// Peeling and reading what is in it, at the first of `length` hops.
fn peel_at(c: &mut Criterion, name: &str, length: usize, position: Position) {
    let secp = Secp256k1::new();
    let verify = Secp256k1::verification_only();
    let payment = Payment::new(length);
    let node = &payment.nodes[0];
    let packet = payment.build(&secp);
    let added = length as u64 - 1;
    let expiry = HEIGHT + 144 + 60 * added as u32;
    let htlc = htlc(to_ldk(&packet), payment.payment_hash, AMOUNT + 1_000 * added, expiry);
    node.ldk_peel(&verify, &htlc).unwrap_or_else(|error| panic!("{}", error.msg));

    let mut group = c.benchmark_group(name);
    group.bench_function("sponte", |b| {
        b.iter(|| {
            let peeled = peel(&verify, &node.secret_key, black_box(&packet), &payment.payment_hash);
            let peeled = peeled.expect("ours");
            let payload = HopPayload::read(&peeled.payload, position, None).expect("good");
            (peeled, payload)
        });
    });
    group.bench_function("ldk", |b| b.iter(|| node.ldk_peel(&verify, black_box(&htlc)).is_ok()));
    group.bench_function("curve", |b| {
        let factor = Scalar::from_be_bytes([0x33; 32]).expect("in the group");
        b.iter(|| {
            let key = black_box(*packet.point().expect("a point"));
            let secret = Ecdh::new(&key, &node.secret_key);
            let next = (position == Position::Forward)
                .then(|| key.mul_tweak(&verify, &factor).expect("in the group").serialize());
            (secret, next)
        });
    });
    group.finish();
}

fn peel_both(c: &mut Criterion) {
    peel_at(c, "peel/forward", 3, Position::Forward);
    peel_at(c, "peel/final", 1, Position::Final);
}

fn reseal_final(c: &mut Criterion) {
    let secp = Secp256k1::new();
    let payment = Payment::new(1);
    let packet = payment.build(&secp);
    let peeled = peel(&secp, &payment.nodes[0].secret_key, &packet, &payment.payment_hash);
    let secret = peeled.expect("ours").shared_secret;
    c.bench_function("reseal", |b| {
        b.iter(|| reseal(&secret, black_box(&packet), &[5; 200], &payment.payment_hash).expect("fits"));
    });
}

fn failures(c: &mut Criterion) {
    let secp = Secp256k1::new();
    let payment = Payment::new(20);
    let route = RouteSecrets::new(&secp, &payment.session_key, &payment.keys).expect("hops");
    let secrets = route.shared_secrets();
    let message = Failure::MppTimeout.encode();
    let mut group = c.benchmark_group("failure");
    group.bench_function("create", |b| {
        b.iter(|| FailurePacket::create(&secrets[19], black_box(&message)).expect("short"));
    });
    let mut packet = FailurePacket::create(&secrets[19], &message).expect("short");
    secrets[..19].iter().rev().for_each(|secret| packet.wrap(secret));
    group.bench_function("decode", |b| b.iter(|| decode_failure(secrets, black_box(&packet), None)));
    group.finish();
}

criterion_group!(benches, build, peel_both, reseal_final, failures);
criterion_main!(benches);
