//! Random routes and payments over them.

use crate::node::{HEIGHT, Node, hop, htlc, path, to_ldk};
use crate::random::Random;
use crate::{ROUTES, from_ldk};
use bitcoin_hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use lightning::bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use lightning::ln::channelmanager::PendingHTLCRouting;
use lightning::ln::msgs::OnionPacket as LdkPacket;
use lightning::ln::onion_utils::{LocalHTLCFailureReason, create_payment_onion};
use lightning::ln::outbound_payment::{RecipientCustomTlvs, RecipientOnionFields};
use lightning::routing::router::RouteHop;
use lightning::types::payment::{PaymentHash, PaymentPreimage, PaymentSecret as LdkSecret};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::{OnionPacket, PAYMENT_PAYLOADS, PeelError, RouteSecrets, peel, peel_final, reseal};
use sponte_proto::payload::{FinalPayload, ForwardPayload, HopPayload, Position};
use sponte_proto::{CltvExpiry, Msat, PaymentSecret, Preimage, Records, ShortChannelId};

/// A payment over some of the nodes.
struct Payment<'a> {
    nodes: Vec<&'a Node>,
    hops: Vec<RouteHop>,
    session_key: SecretKey,
    payment_hash: [u8; 32],
    fields: RecipientOnionFields,
    preimage: Option<[u8; 32]>,
    /// Amount and expiry of the HTLC into the last hop, and of those before it.
    htlcs: Vec<(u64, u32)>,
    payloads: Vec<HopPayload>,
}

fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

impl<'a> Payment<'a> {
    /// One that fits into a packet: of twenty hops, not every one with many records does.
    fn random(random: &mut Random, nodes: &'a [Node]) -> Payment<'a> {
        loop {
            let payment = Payment::of_any_size(random, nodes);
            // A length of up to 3 bytes before each payload, an HMAC of 32 behind it.
            let sizes = payment.payloads.iter().map(|payload| 3 + encode(payload).len() + 32);
            if sizes.sum::<usize>() <= PAYMENT_PAYLOADS {
                return payment;
            }
        }
    }

    fn of_any_size(random: &mut Random, nodes: &'a [Node]) -> Payment<'a> {
        let length = if random.flip() { random.between(1, 20) } else { random.between(1, 4) } as usize;
        let last = length - 1;
        let first = random.between(0, (nodes.len() - length) as u64) as usize;
        let nodes: Vec<&Node> = nodes[first..first + length].iter().collect();
        let amount = random.between(1, 1_000_000_000);
        let hops = (0..length).map(|i| {
            let fee = if i == last { amount } else { random.between(0, 100_000) };
            let delta = if i == last { random.between(50, 300) } else { random.between(48, 80) };
            hop(nodes[i], random.number(), fee, delta as u32)
        });
        let hops: Vec<RouteHop> = hops.collect();

        let keysend = random.flip();
        let preimage = keysend.then(|| random.array());
        let payment_hash = match preimage {
            Some(preimage) => Preimage::from_bytes(preimage).payment_hash().to_bytes(),
            None => random.array(),
        };
        let (fields, payload) = recipient(random, amount, HEIGHT + hops[last].cltv_expiry_delta, preimage);
        let (htlcs, payloads) = forwards(&hops, amount, payload);
        let session_key = SecretKey::from_slice(&random.array()).expect("a key");
        Payment { nodes, hops, session_key, payment_hash, fields, preimage, htlcs, payloads }
    }

    fn secrets(&self, secp: &Secp256k1<All>) -> RouteSecrets {
        let keys: Vec<_> = self.nodes.iter().map(|node| node.node_id).collect();
        RouteSecrets::new(secp, &self.session_key, &keys).expect("hops")
    }

    fn build(&self, secp: &Secp256k1<All>) -> OnionPacket {
        let payloads: Vec<Vec<u8>> = self.payloads.iter().map(encode).collect();
        self.secrets(secp).build(&payloads, &self.payment_hash, PAYMENT_PAYLOADS).expect("fits")
    }

    /// LDK fills the packet from a seed of the caller's; with the key that BOLT 4 has for it, the
    /// packets are the same.
    fn ldk_build(&self, secp: &Secp256k1<All>) -> LdkPacket {
        let mut engine = HmacEngine::<sha256::Hash>::new(b"pad");
        engine.input(&self.session_key.secret_bytes());
        let pad = Hmac::from_engine(engine).to_byte_array();
        let path = path(self.hops.clone());
        let preimage = self.preimage.map(PaymentPreimage);
        let hash = PaymentHash(self.payment_hash);
        let (packet, amount, expiry) = create_payment_onion(
            secp,
            &path,
            &self.session_key,
            &self.fields,
            HEIGHT,
            &hash,
            &preimage,
            None,
            pad,
        )
        .expect("a good route");
        assert_eq!((amount, expiry), self.htlcs[0]);
        packet
    }
}

fn encode(payload: &HopPayload) -> Vec<u8> {
    match payload {
        HopPayload::Forward(payload) => payload.encode(),
        HopPayload::Final(payload) => payload.encode(),
        other => panic!("{other:?} is of a blinded path"),
    }
}

/// The last hop's payload, as LDK is told of it and as we are.
fn recipient(
    random: &mut Random,
    amount: u64,
    expiry: u32,
    preimage: Option<[u8; 32]>,
) -> (RecipientOnionFields, FinalPayload) {
    let mut payload = FinalPayload::new(msat(amount), CltvExpiry::new(expiry));
    payload.keysend = preimage.map(Preimage::from_bytes);
    let total = amount + random.between(0, 1_000);
    let mut fields = RecipientOnionFields::spontaneous_empty(total);
    // LDK wants one of the two.
    if preimage.is_none() || random.flip() {
        let secret = random.array();
        fields = RecipientOnionFields::secret_only(LdkSecret(secret), total);
        payload.payment_data = Some(PaymentData::new(PaymentSecret::from_bytes(secret), msat(total)));
    }
    if random.flip() {
        let length = random.between(0, 20) as usize;
        let metadata = random.bytes(length);
        payload.payment_metadata = Some(metadata.clone());
        fields.payment_metadata = Some(metadata);
    }
    if random.flip() {
        let kinds = [65_536, 7_629_169, 34_349_334, 5_482_373_483, 5_482_373_485, u64::MAX];
        let records = kinds.into_iter().filter(|_| random.number().is_multiple_of(4)).collect::<Vec<_>>();
        let records: Vec<_> = records
            .into_iter()
            .map(|kind| {
                let length = random.between(0, 40) as usize;
                (kind, random.bytes(length))
            })
            .collect();
        payload.custom_records = Records::from_received(records.clone());
        fields = fields.with_custom_tlvs(RecipientCustomTlvs::new(records).expect("increasing"));
    }
    (fields, payload)
}

/// What each hop is sent and told, worked out from the recipient.
fn forwards(hops: &[RouteHop], amount: u64, last: FinalPayload) -> (Vec<(u64, u32)>, Vec<HopPayload>) {
    let mut payloads = vec![HopPayload::Final(last)];
    let mut htlcs = vec![(amount, HEIGHT + hops[hops.len() - 1].cltv_expiry_delta)];
    for pair in hops.windows(2).rev() {
        let (amount, expiry) = htlcs[htlcs.len() - 1];
        payloads.push(HopPayload::Forward(ForwardPayload {
            amt_to_forward: msat(amount),
            outgoing_cltv_value: CltvExpiry::new(expiry),
            short_channel_id: ShortChannelId::new(pair[1].short_channel_id),
        }));
        htlcs.push((amount + pair[0].fee_msat, expiry + pair[0].cltv_expiry_delta));
    }
    htlcs.reverse();
    payloads.reverse();
    (htlcs, payloads)
}

fn nodes() -> Vec<Node> {
    (0..24).map(Node::new).collect()
}

#[test]
fn we_peel_what_ldk_builds_and_build_the_same_bytes() {
    let (secp, mut random, nodes) = (Secp256k1::new(), Random::seeded(), nodes());
    for _ in 0..ROUTES {
        let payment = Payment::random(&mut random, &nodes);
        let mut packet = from_ldk(&payment.ldk_build(&secp));
        assert_eq!(packet, payment.build(&secp));
        let secrets = payment.secrets(&secp);
        for (i, (node, expected)) in payment.nodes.iter().zip(&payment.payloads).enumerate() {
            let peeled = peel(&secp, &node.secret_key, &packet, &payment.payment_hash).expect("ours");
            let last = peel_final(&peeled.shared_secret, &packet, &payment.payment_hash).expect("ours");
            assert_eq!(last, peeled.next.is_none().then(|| peeled.payload.clone()));
            let position = if peeled.next.is_some() { Position::Forward } else { Position::Final };
            let read = HopPayload::read(&peeled.payload, position, None);
            assert_eq!(read.as_ref(), Ok(expected));
            assert_eq!(peeled.shared_secret, secrets.shared_secrets()[i]);
            assert_eq!(peeled.next.is_none(), i + 1 == payment.nodes.len());
            packet = peeled.next.unwrap_or(packet);
        }
    }
}

#[test]
fn ldk_peels_what_we_build() {
    let (secp, mut random, nodes) = (Secp256k1::new(), Random::seeded(), nodes());
    let verify = Secp256k1::verification_only();
    for _ in 0..ROUTES {
        let payment = Payment::random(&mut random, &nodes);
        let secrets = payment.secrets(&secp);
        let mut packet = to_ldk(&payment.build(&secp));
        for (i, (node, payload)) in payment.nodes.iter().zip(&payment.payloads).enumerate() {
            let (amount, expiry) = payment.htlcs[i];
            let htlc = htlc(packet.clone(), payment.payment_hash, amount, expiry);
            let peeled = node.ldk_peel(&verify, &htlc).unwrap_or_else(|error| panic!("{}", error.msg));
            assert_eq!(peeled.incoming_shared_secret, *secrets.shared_secrets()[i].as_bytes());
            match payload {
                HopPayload::Forward(told) => {
                    let PendingHTLCRouting::Forward { onion_packet, short_channel_id, .. } = peeled.routing
                    else {
                        panic!("hop {i} forwards")
                    };
                    assert_eq!(short_channel_id, told.short_channel_id.to_u64());
                    assert_eq!(peeled.outgoing_amt_msat, told.amt_to_forward.to_msat());
                    assert_eq!(peeled.outgoing_cltv_value, told.outgoing_cltv_value.to_u32());
                    packet = onion_packet;
                }
                HopPayload::Final(told) => {
                    assert_eq!(peeled.outgoing_amt_msat, told.amt_to_forward.to_msat());
                    assert_received(peeled.routing, told);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What LDK read is what we wrote.
fn assert_received(routing: PendingHTLCRouting, told: &FinalPayload) {
    let (data, metadata, records, preimage) = match routing {
        PendingHTLCRouting::Receive { payment_data, payment_metadata, custom_tlvs, .. } => {
            (Some(payment_data), payment_metadata, custom_tlvs, None)
        }
        PendingHTLCRouting::ReceiveKeysend {
            payment_data,
            payment_metadata,
            custom_tlvs,
            payment_preimage,
            ..
        } => (payment_data, payment_metadata, custom_tlvs, Some(payment_preimage.0)),
        _ => panic!("the last hop receives"),
    };
    let data = data.map(|data| {
        PaymentData::new(PaymentSecret::from_bytes(data.payment_secret.0), msat(data.total_msat))
    });
    assert_eq!(data, told.payment_data);
    assert_eq!(metadata, told.payment_metadata);
    assert_eq!(Records::from_received(records), told.custom_records);
    assert_eq!(preimage.map(Preimage::from_bytes), told.keysend);
}

#[test]
fn ldk_peels_what_we_reseal() {
    let (secp, mut random, nodes) = (Secp256k1::new(), Random::seeded(), nodes());
    let verify = Secp256k1::verification_only();
    for _ in 0..ROUTES / 5 {
        let payment = Payment::random(&mut random, &nodes);
        let mut packet = payment.build(&secp);
        for node in &payment.nodes[..payment.nodes.len() - 1] {
            let peeled = peel(&secp, &node.secret_key, &packet, &payment.payment_hash).expect("ours");
            packet = peeled.next.expect("forwards");
        }
        let node = payment.nodes[payment.nodes.len() - 1];
        let secret = payment.secrets(&secp).shared_secrets().last().expect("hops").clone();
        let (amount, expiry) = payment.htlcs[payment.htlcs.len() - 1];
        let (_, told) = recipient(&mut random, amount, expiry, payment.preimage);
        let resealed = reseal(&secret, &packet, &told.encode(), &payment.payment_hash).expect("fits");
        let htlc = htlc(to_ldk(&resealed), payment.payment_hash, amount, expiry);
        let peeled = node.ldk_peel(&verify, &htlc).unwrap_or_else(|error| panic!("{}", error.msg));
        assert_eq!(peeled.incoming_shared_secret, *secret.as_bytes());
        assert_received(peeled.routing, &told);
    }
}

#[test]
fn both_refuse_with_the_same_code() {
    let (secp, mut random, nodes) = (Secp256k1::new(), Random::seeded(), nodes());
    let verify = Secp256k1::verification_only();
    for _ in 0..ROUTES {
        let payment = Payment::random(&mut random, &nodes);
        let mut bytes = payment.build(&secp).as_bytes().to_vec();
        // The first bytes are rarely hit: half of the flips are there.
        let range = if random.flip() { 34 } else { bytes.len() as u64 };
        let at = random.between(0, range - 1) as usize;
        bytes[at] ^= 1 << random.between(0, 7);
        let packet = OnionPacket::decode(&bytes).expect("as long");
        let (amount, expiry) = payment.htlcs[0];
        let htlc = htlc(to_ldk(&packet), payment.payment_hash, amount, expiry);
        let node = payment.nodes[0];
        let theirs = node.ldk_peel(&verify, &htlc).err().expect("altered").reason;
        let ours = peel(&verify, &node.secret_key, &packet, &payment.payment_hash).expect_err("altered");
        let expected = match ours {
            PeelError::Version(_) => LocalHTLCFailureReason::InvalidOnionVersion,
            PeelError::Key => LocalHTLCFailureReason::InvalidOnionKey,
            _ => LocalHTLCFailureReason::InvalidOnionHMAC,
        };
        assert_eq!(theirs, expected, "byte {at}: {ours}");
        let code = ours.failure(&packet).code().to_u16();
        assert_eq!(LocalHTLCFailureReason::from(code), theirs);
    }
}
